"""Versions that do not go together (exit code 4); locks that are missing, damaged, or of another day (exit code 1)."""

from pathlib import Path

import pytest

from tests.cli.site_fixture import BUNDLE, LOCK, OUT, PROFILE, REPO, Shop, edit, write

RENDER = ("render", PROFILE, *OUT)
CHECK = ("lock", PROFILE, "--check")
EXTENSIONS = "  --> profiles/shop.yaml:14:3, spec.extensions\n"


# --- no resolution ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [("lock", PROFILE), CHECK, ("resolve", PROFILE)], ids=" ".join)
def test_an_extension_that_no_bundle_offers(shop: Shop, given: tuple[str, ...]) -> None:
    edit(PROFILE, "name: notes", "name: ntoes")
    assert shop.refused(4, *given) == (
        "error[unknown-extension]: no bundle offers the extension `ntoes`\n"
        "  --> profiles/shop.yaml:18:13, spec.extensions[1].name\n"
        "   `ntoes` is spelled like `notes`\n"
        "   looked at: bundle pantry 1.0.0\n"
        "   hint: write `notes` instead of `ntoes`\n"
    )


def test_an_extension_like_no_other(shop: Shop) -> None:
    edit(PROFILE, "name: notes", "name: xyzzy")
    (finding,) = shop.findings(4, "lock", PROFILE)
    assert finding["explanation"] == ["no offered name is like `xyzzy`", "looked at: bundle pantry 1.0.0"]
    assert finding["hint"] == ("enable only what the bundles offer, or add the bundle that offers it to `spec.bundles`")


@pytest.mark.parametrize("given", [("lock", PROFILE), CHECK, ("resolve", PROFILE)], ids=" ".join)
def test_a_requirement_that_no_version_meets(shop: Shop, given: tuple[str, ...]) -> None:
    shop.bundle({'version: "^2.0"': 'version: "^3.0"'})
    assert shop.refused(4, *given) == (
        "error[no-resolution]: the extension `web` cannot be enabled\n"
        f"{EXTENSIONS}"
        "   because the profile enables `web` (offered: 1.2.0)\n"
        "       and `web` 1.2.0 requires `queue` ^3.0, but the bundles offer only 2.0.1\n"
        "   therefore no version of `queue` will do\n"
        "   looked at: bundle pantry 1.1.0\n"
        "   what would solve it, each alone:\n"
        "     - do not enable `web`\n"
        "     - add a bundle that offers `queue` ^3.0 for this cluster, and what that in turn requires\n"
    )


def test_a_version_that_the_profile_asks_for_in_vain(shop: Shop) -> None:
    edit(PROFILE, "name: web\n", 'name: web\n      version: "^2.0"\n')
    (finding,) = shop.findings(4, "lock", PROFILE)
    assert finding["code"] == "no-resolution"
    assert finding["explanation"][0] == "because the profile enables `web` ^2.0, but the bundles offer only 1.2.0"


def test_two_extensions_that_exclude_each_other(shop: Shop) -> None:
    shop.bundle({"      components: [{name: notes, jinja: notes}]": (
        "      conflicts: [{extension: web, version: '*'}]\n      components: [{name: notes, jinja: notes}]"
    )})  # fmt: skip
    (finding,) = shop.findings(4, "lock", PROFILE)
    assert finding["message"] == "the extensions `notes` and `web` cannot be enabled together"
    assert "`notes` 0.1.0 conflicts with `web`" in " ".join(finding["explanation"])
    assert any(line.strip() == "- do not enable `notes`" for line in finding["explanation"])


def test_a_cluster_that_is_too_old(shop: Shop) -> None:
    shop.bundle({"version: 0.1.0\n": 'version: 0.1.0\n      kubernetes: ">=1.33.0-0"\n'})
    assert shop.refused(4, "lock", PROFILE) == (
        "error[no-resolution]: the extension `notes` cannot be enabled\n"
        f"{EXTENSIONS}"
        "   because the profile enables `notes`, but 0.1.0 needs Kubernetes >=1.33.0-0, and the cluster has 1.31.4\n"
        "   therefore no version of `notes` will do\n"
        "   looked at: bundle pantry 1.1.0\n"
        "   what would solve it, each alone:\n"
        "     - run Kubernetes 1.33.0 (any that >=1.33.0-0 admits may do) instead of 1.31.4\n"
        "     - do not enable `notes`\n"
        "     - add a bundle that offers `notes` for this cluster, and what that in turn requires\n"
    )


def test_an_upgrade_of_a_stranger(shop: Shop) -> None:
    assert shop.refused(1, "lock", PROFILE, "--upgrade", "wbe") == (
        "error[unknown-extension]: `wbe` cannot be upgraded: it is not part of site shop\n"
        f"{EXTENSIONS}"
        "   expected: `notes`, `queue`, `web`\n"
        "   hint: sitewright tree profiles/shop.yaml\n"
    )


def test_why_of_a_stranger(shop: Shop) -> None:
    assert shop.refused(1, "why", PROFILE, "vector") == (
        "error[unknown-extension]: `vector` is neither an extension nor an image of site shop\n"
        "  --> profiles/shop.lock.yaml\n"
        "   expected: `notes`, `queue`, `web`\n"
        "   hint: sitewright tree profiles/shop.yaml\n"
    )


def test_a_manifest_with_faults(shop: Shop) -> None:
    write("ours/extension.yaml", "apiVersion: kubesphere.io/v1alpha1\nname: ours\nversion: one\n")
    given = ("resolve", "--manifest", "ours/extension.yaml", "--bundle", BUNDLE, "--trust", "profiles/trust.yaml")
    found = shop.findings(1, *given)
    assert {one["where"]["file"] for one in found} == {"ours/extension.yaml"}
    assert "version" in {one["where"]["path"] for one in found}
    (missing,) = shop.findings(1, "resolve", "--manifest", "ours/nothing.yaml", "--trust", "profiles/trust.yaml")
    assert (missing["code"], missing["where"]["file"]) == ("file-not-found", "ours/nothing.yaml")


# --- locks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [RENDER, CHECK, ("tree", PROFILE), ("why", PROFILE, "web"), ("mirrors", PROFILE), ("check", PROFILE)],
    ids=" ".join,
)
def test_a_site_without_a_lock(shop: Shop, given: tuple[str, ...]) -> None:
    Path(LOCK).unlink()
    assert shop.refused(1, *given) == (
        "error[lock-missing]: `profiles/shop.yaml` has no lock: nothing says which versions and digests it stands on\n"
        "  --> profiles/shop.lock.yaml\n"
        "   hint: sitewright lock profiles/shop.yaml\n"
    )


def drifted_profile() -> None:
    edit(PROFILE, "replicas: 2", "replicas: 3")


def drifted_values() -> None:
    write("profiles/values/web.yaml", "colour: blue\n")


@pytest.mark.parametrize("drift", [drifted_profile, drifted_values])
@pytest.mark.parametrize("given", [RENDER, ("render", PROFILE, *REPO), ("diff", PROFILE, *OUT)], ids=" ".join)
def test_a_profile_that_changed_after_the_lock(shop: Shop, drift, given: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    drift()
    err = shop.refused(1, *given)
    assert err.startswith(
        "error[lock-drift-profile]: `profiles/shop.yaml`, or a file that it names, changed after the lock was written\n"
        "  --> lock of site shop\n"
        "   expected: profile sha256:"
    )
    assert err.endswith("   hint: sitewright lock profiles/shop.yaml\n")


@pytest.mark.parametrize("drift", [drifted_profile, drifted_values])
def test_check_says_that_the_profile_changed(shop: Shop, drift) -> None:  # type: ignore[no-untyped-def]
    drift()
    code, out, err = shop.run(*CHECK)
    assert (code, out) == (1, "profiles/shop.lock.yaml: has drifted\n")
    assert err.startswith("error[lock-drift-profile]: ")
    mends(shop, err)


def mends(shop: Shop, err: str) -> None:
    """Run the command of the hint; afterwards the lock is up to date."""
    hint = err.rstrip("\n").rpartition("   hint: sitewright ")[2]
    shop.ok(*hint.split())
    assert shop.ok(*CHECK) == "profiles/shop.lock.yaml: is up to date\n"


def test_check_says_that_a_bundle_changed(shop: Shop) -> None:
    shop.bundle()
    code, out, err = shop.run(*CHECK)
    assert (code, out) == (1, "profiles/shop.lock.yaml: has drifted\n")
    head, where, expected, got, hint = err.splitlines()
    assert head == "error[lock-drift-bundle]: the bundle `pantry` is not the one that the lock was written for"
    assert where == "  --> bundle pantry"
    assert expected.startswith("   expected: 1.0.0 (sequence 1), sha256:")
    assert got.startswith("   got: sequence 2, sha256:")
    assert hint == "   hint: sitewright lock profiles/shop.yaml"
    assert shop.refused(1, *RENDER) == err
    mends(shop, err)


def test_check_says_that_the_engine_changed(shop: Shop) -> None:
    engine = next(line for line in Path(LOCK).read_text().splitlines() if "engine:" in line)
    edit(LOCK, engine, "  engine: {name: embedded, helm: v3.9.0}")
    code, _, err = shop.run(*CHECK)
    assert code == 1
    head, where, expected, got, hint = err.splitlines()
    assert head == "error[lock-drift-engine]: charts were inflated by another engine when the lock was written"
    assert where == "  --> lock of site shop"
    assert expected == "   expected: the embedded engine with Helm v3.9.0"
    assert got.startswith("   got: the embedded engine with Helm v")
    assert hint == "   hint: sitewright lock profiles/shop.yaml"
    assert shop.refused(1, *RENDER) == err
    mends(shop, err)


def without_the_pin() -> None:
    lines = Path(LOCK).read_text().splitlines(keepends=True)
    write(LOCK, "".join(line for line in lines if "docker.io/example/queue" not in line))


def test_check_says_that_a_pin_is_missing(shop: Shop) -> None:
    without_the_pin()
    code, _, err = shop.run(*CHECK)
    assert code == 1
    assert err == (
        "error[lock-drift-content]: what the lock pins is not what the profile and the bundles give\n"
        "  --> profiles/shop.lock.yaml\n"
        "   an image, an API version or a generated value\n"
        "   hint: sitewright lock profiles/shop.yaml\n"
    )
    mends(shop, err)


def test_an_image_that_somebody_took_out_of_the_lock(shop: Shop) -> None:
    without_the_pin()
    (finding,) = shop.findings(1, *RENDER)
    assert finding["code"] == "unpinned-image"
    assert finding["where"]["subject"] == "Deployment messaging/queue"
    assert finding["where"]["path"] == "spec.template.spec.containers[0].image"
    assert "sitewright lock" in finding["hint"]


def test_an_extension_that_somebody_moved_in_the_lock(shop: Shop) -> None:
    edit(LOCK, 'name: notes, version: "0.1.0"', 'name: notes, version: "0.2.0"')
    (finding,) = shop.findings(1, *RENDER)
    assert finding["code"] == "lock-drift-extension"
    assert finding["message"] == "no bundle offers the locked extension `notes` 0.2.0"


def test_another_version_of_sitewright_is_a_warning(shop: Shop) -> None:
    edit(LOCK, 'sitewright: "0.1.0"', 'sitewright: "0.0.9"')
    code, _, err = shop.run(*CHECK)
    assert code == 0
    assert err.startswith("warning[lock-drift-sitewright]: the lock was written by Sitewright 0.0.9; this is ")
    assert err.endswith("   hint: sitewright lock profiles/shop.yaml\n")


def test_a_lock_that_is_damaged(shop: Shop) -> None:
    write(LOCK, "kind: [SiteLock\n")
    for given in (RENDER, CHECK, ("tree", PROFILE)):
        assert shop.refused(1, *given) == (
            "error[yaml-syntax]: the lock cannot be read: did not find expected ',' or ']' "
            "while parsing a flow sequence\n"
            "  --> profiles/shop.lock.yaml:2:1\n"
            "   hint: sitewright lock profiles/shop.yaml\n"
        )
    code, _, err = shop.run("lock", PROFILE)
    assert code == 0
    assert err.startswith("warning[yaml-syntax]: the lock cannot be read: ")
    assert "it is written anew, and what it remembered of older bundles is lost" in err
    assert shop.ok(*CHECK) == "profiles/shop.lock.yaml: is up to date\n"


def test_a_lock_of_the_future(shop: Shop) -> None:
    edit(LOCK, "apiVersion: sitewright.dev/v1", "apiVersion: sitewright.dev/v9")
    (finding,) = shop.findings(1, *RENDER)
    assert finding["code"] == "unknown-api-version"
    assert finding["where"]["file"] == LOCK
    assert "sitewright lock profiles/shop.yaml" in finding["hint"]


def test_a_failing_lock_keeps_the_old_one(shop: Shop) -> None:
    before = Path(LOCK).read_bytes()
    edit(PROFILE, "name: notes", "name: xyzzy")
    shop.refused(4, "lock", PROFILE)
    assert Path(LOCK).read_bytes() == before


def test_files_are_named_as_one_sees_them_from_here(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(LOCK).unlink()
    monkeypatch.chdir("profiles")
    assert "\n  --> shop.lock.yaml\n" in shop.run("tree", "shop.yaml")[2]
    assert "\n  --> shpo.yaml\n" in shop.run("lock", "shpo.yaml")[2]


def test_one_profile_that_fails_is_told_with_its_name(shop: Shop) -> None:
    write("profiles/second.yaml", Path(PROFILE).read_text().replace("name: shop}", "name: second}"))
    assert "  --> profiles/second.lock.yaml\n" in shop.refused(1, "render", PROFILE, "profiles/second.yaml", *OUT)
