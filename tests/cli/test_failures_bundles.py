"""Bundles that are refused (exit code 3), and bundles that are not there or not the right ones (exit code 1)."""

import shutil
from pathlib import Path

import pytest

from tests.cli.site_fixture import BUNDLE, FILES, LOCK, OUT, PROFILE, SOURCE, Shop, edit, git, write
from tests.simulators.tables import rows

RENDER = ("render", PROFILE, *OUT)
VERIFY = ("bundle", "verify", BUNDLE, "--trust", "profiles/trust.yaml")
EVERY = [("lock", PROFILE), ("resolve", PROFILE), RENDER, VERIFY]
"""Every command that opens a bundle must refuse it alike."""

SOURCE_LINE = "profiles/shop.yaml:12:15, spec.bundles[0].source"


def digest_of(media_type: str) -> str:
    """The digest of the blob of the bundle that has this in its descriptor."""
    import json

    index = json.loads(Path(BUNDLE, "index.json").read_text())
    (root,) = (one for one in index["manifests"] if one.get("artifactType"))
    manifest = json.loads(blob(root["digest"]).read_text())
    descriptors = [root, manifest["config"], *manifest["layers"]]
    (found,) = (one["digest"] for one in descriptors if media_type in str(one))
    return str(found)


def blob(digest: str) -> Path:
    return Path(BUNDLE, "blobs/sha256", digest.removeprefix("sha256:"))


def flip(path: Path) -> None:
    """Change one bit of a file, and not its size."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


# --- who signed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", EVERY, ids=" ".join)
def test_a_bundle_that_nobody_signed(shop: Shop, given: tuple[str, ...]) -> None:
    shop.build(signers=())
    manifest = digest_of("artifactType")
    assert shop.refused(3, *given) == (
        "error[bundle-unsigned]: the bundle is not signed\n"
        f"  --> bundles/pantry, manifest {manifest}\n"
        "   expected: signatures of `vendor`, `office` (trust policy `shop`)\n"
        "   got: none\n"
        "   hint: sitewright bundle sign --key KEY bundles/pantry\n"
    )


def test_a_bundle_that_too_few_signed(shop: Shop) -> None:
    shop.build(signers=("office",))
    (finding,) = shop.findings(3, *RENDER)
    assert finding["code"] == "trust-threshold"
    assert finding["message"] == "the bundle `pantry` needs 2 signers and has 1 that count"
    assert (finding["expected"], finding["got"]) == ("2 of `vendor`, `office` (trust policy `shop`)", "`office`")
    assert [row["counts"] for row in rows(finding["explanation"])] == ["yes"]
    (told,) = finding["details"]["signatures"]
    assert (told["signer"], told["form"], told["accepted"]) == ("office", "cosign-tag", True)
    assert finding["hint"] == "sitewright bundle sign --key KEY bundles/pantry"


def test_one_key_does_not_count_twice(shop: Shop) -> None:
    shop.build(signers=("office", "office"))
    (finding,) = shop.findings(3, *RENDER)
    assert (finding["code"], finding["got"]) == ("trust-threshold", "`office`")


def test_a_bundle_that_a_stranger_signed(shop: Shop) -> None:
    shop.ok("bundle", "keygen", "keys/stranger.key")
    shop.build(signers=("stranger",))
    (finding,) = shop.findings(3, *RENDER)
    assert finding["code"] == "signature-untrusted"
    assert finding["message"] == "no signature of the bundle counts"
    assert rows(finding["explanation"])[0]["why not"] == "no key of the trust policy made it"


def test_a_key_that_has_run_out(shop: Shop) -> None:
    edit("profiles/trust.yaml", "keys/office.pub}", "keys/office.pub, validTo: 2020-12-31}")
    (finding,) = shop.findings(3, *RENDER)
    assert finding["code"] == "trust-threshold"
    assert rows(finding["explanation"])[1]["why not"] == "the key is valid to 2020-12-31 only"


def test_a_bundle_that_no_rule_speaks_of(shop: Shop) -> None:
    edit("profiles/trust.yaml", '"pantry*"', '"kitchen*"')
    assert shop.refused(3, *RENDER) == (
        "error[no-trust-rule]: the trust policy `shop` has no rule for a bundle named `pantry`\n"
        "  --> bundles/pantry\n"
        "   expected: a bundle whose name matches one of `kitchen*`\n"
        "   got: `pantry`\n"
        "   hint: ask the owner of the trust policy for a rule; a bundle that no rule matches is refused\n"
    )


# --- what was signed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "commands"),
    [
        ("artifactType", EVERY),
        ("vnd.sitewright.bundle.config", EVERY),
        ("cncf.helm.chart", [("lock", PROFILE), VERIFY]),  # nobody reads a chart before it is inflated
    ],
)
def test_a_byte_that_differs(shop: Shop, what: str, commands: list[tuple[str, ...]]) -> None:
    digest = digest_of(what)
    size = blob(digest).stat().st_size
    flip(blob(digest))
    for given in commands:
        err = shop.refused(3, *given)
        assert err.startswith(
            f"error[blob-digest-mismatch]: the blob `{digest}` does not hold what it is named after\n"
            f"  --> bundles/pantry, blob {digest}\n"
            f"   expected: {digest}, {size} bytes\n"
            "   got: sha256:"
        )
        assert err.endswith("   hint: copy the bundle again from where it was published\n")


def test_a_chart_that_differs_when_the_site_must_be_rendered_anew(shop: Shop) -> None:
    flip(blob(digest_of("cncf.helm.chart")))
    assert shop.refused(3, "render", PROFILE, "--out", "elsewhere").startswith("error[blob-digest-mismatch]: ")
    assert not Path("elsewhere").exists()


def test_a_signature_that_differs(shop: Shop) -> None:
    import json

    index = json.loads(Path(BUNDLE, "index.json").read_text())
    (signatures,) = (one for one in index["manifests"] if not one.get("artifactType"))
    flip(blob(json.loads(blob(signatures["digest"]).read_text())["layers"][0]["digest"]))
    for given in EVERY:
        assert shop.refused(3, *given).startswith("error[blob-digest-mismatch]: ")


def test_a_blob_that_is_missing(shop: Shop) -> None:
    digest = digest_of("cncf.helm.chart")
    blob(digest).unlink()
    for given in (("lock", PROFILE), VERIFY):
        (finding,) = shop.findings(3, *given)
        assert finding["code"] == "blob-missing"
        assert finding["where"] == {"file": "bundles/pantry", "subject": f"blob {digest}"}
        assert (finding["got"], finding["hint"]) == ("nothing", "copy the bundle again from where it was published")


@pytest.mark.parametrize(
    ("index", "code", "hint"),
    [
        ("{}", "bundle-not-found", "sitewright bundle build bundle.yaml -o DIR"),
        ("{", "bundle-malformed", "copy it again from where it was published"),
        ("[]", "bundle-malformed", "copy it again from where it was published"),
    ],
)
def test_an_index_that_is_damaged(shop: Shop, index: str, code: str, hint: str) -> None:
    write(f"{BUNDLE}/index.json", index)
    (finding,) = shop.findings(3, *RENDER)
    assert finding["code"] == code
    assert finding["where"] == {"file": "bundles/pantry", "subject": "index.json"}
    assert finding["hint"] == hint


# --- which bundle -----------------------------------------------------------------------------------------------


def older_than_the_lock(shop: Shop) -> None:
    """Lock sequence 2, then bring back sequence 1, validly signed."""
    shop.bundle()
    shop.ok("lock", PROFILE)
    write(SOURCE, FILES[SOURCE])
    shop.build()


@pytest.mark.parametrize("given", [("lock", PROFILE), ("lock", PROFILE, "--check"), RENDER], ids=" ".join)
def test_a_bundle_that_is_older_than_the_locked_one(shop: Shop, given: tuple[str, ...]) -> None:
    older_than_the_lock(shop)
    (finding,) = shop.findings(3, *given)
    assert finding["code"] == "bundle-rollback"
    assert finding["message"].endswith("older than the one that the lock holds")
    assert finding["where"]["subject"] == "bundle pantry 1.0.0"
    assert (finding["expected"], finding["got"]) == ("sequence 2 or higher", "sequence 1")
    assert finding["hint"] == "to go back on purpose, set `allowRollback: true` at this bundle in the profile"


def test_going_back_on_purpose(shop: Shop) -> None:
    older_than_the_lock(shop)
    edit(PROFILE, "source: bundles/pantry", "source: bundles/pantry\n      allowRollback: true")
    assert shop.ok("lock", PROFILE).endswith("  bundle pantry 1.1.0 -> 1.0.0\n")


def test_a_bundle_that_is_not_there(shop: Shop) -> None:
    shutil.rmtree(BUNDLE)
    for given in (("lock", PROFILE), ("resolve", PROFILE), RENDER):
        assert shop.refused(1, *given) == (
            "error[bundle-not-found]: there is no bundle at `bundles/pantry`\n"
            "  --> bundles/pantry\n"
            "   expected: a directory or tar file that holds an OCI image layout\n"
            "   hint: sitewright bundle build bundle.yaml -o bundles/pantry\n"
        )


@pytest.mark.parametrize(
    ("name", "content", "exit_code", "code"),
    [("x.tar", b"nonsense", 3, "archive-refused"), ("x.tgz", b"\x1f\x8b\x08", 1, "not-a-layout")],
)
def test_a_file_that_is_no_bundle(shop: Shop, name: str, content: bytes, exit_code: int, code: str) -> None:
    Path("bundles", name).write_bytes(content)
    edit(PROFILE, "source: bundles/pantry", f"source: bundles/{name}")
    (finding,) = shop.findings(exit_code, *RENDER)
    assert (finding["code"], finding["where"]) == (code, {"file": f"bundles/{name}"})
    assert finding["hint"]


def test_a_directory_that_is_no_bundle(shop: Shop) -> None:
    edit(PROFILE, "source: bundles/pantry", "source: sources")
    assert shop.refused(1, "lock", PROFILE) == (
        "error[not-a-layout]: `sources` is not an OCI image layout\n"
        "  --> sources\n"
        "   expected: a directory or an uncompressed tar file with `oci-layout`, `index.json` and `blobs/`\n"
        "   got: a directory without `index.json`\n"
        "   hint: sitewright bundle build bundle.yaml -o DIR\n"
    )


def test_a_bundle_of_a_version_that_the_profile_does_not_admit(shop: Shop) -> None:
    shop.bundle(version="2.0.0")
    for given in (("lock", PROFILE), RENDER):
        assert shop.refused(1, *given) == (
            "error[bundle-version]: the bundle in `bundles/pantry` is not a version that the profile admits\n"
            f"  --> {SOURCE_LINE}\n"
            "   expected: `>=1.0.0 <2.0.0`\n"
            "   got: `pantry 2.0.0`\n"
            "   hint: bring the right bundle, or change `version` of this bundle in the profile\n"
        )


def test_every_bundle_that_is_wrong_is_told_at_once(shop: Shop) -> None:
    shop.build(signers=())
    edit(PROFILE, "  extensions:\n", "    - source: bundles/missing\n  extensions:\n")
    codes = [finding["code"] for finding in shop.findings(3, *RENDER)]
    assert codes == ["bundle-unsigned", "bundle-not-found"]


def test_a_refused_bundle_makes_no_commit(shop: Shop) -> None:
    shop.build(signers=())
    edit(PROFILE, "replicas: 2", "replicas: 3")
    commit = git("rev-parse", "main")
    shop.refused(3, "render", PROFILE, "--repo", "gitops", "--branch", "main")
    assert git("rev-parse", "main") == commit
    assert Path(LOCK).exists()


# --- bundle commands --------------------------------------------------------------------------------------------


def test_verifying_what_is_not_there(shop: Shop) -> None:
    (finding,) = shop.findings(1, "bundle", "verify", "bundles/nowhere", "--trust", "profiles/trust.yaml")
    assert (finding["code"], finding["where"]) == ("bundle-not-found", {"file": "bundles/nowhere"})


def test_verifying_without_a_trust_policy(shop: Shop) -> None:
    (finding,) = shop.findings(1, "bundle", "verify", BUNDLE)
    assert (finding["code"], finding["where"]) == ("file-not-found", {"file": "trust.yaml"})


def test_signing_with_a_key_that_is_not_there(shop: Shop) -> None:
    assert shop.refused(1, "bundle", "sign", BUNDLE, "--key", "keys/lost.key") == (
        "error[key-not-found]: the private key `keys/lost.key` cannot be read: No such file or directory\n"
        "  --> keys/lost.key\n"
        "   hint: sitewright bundle keygen keys/lost.key\n"
    )


def test_a_key_is_never_replaced(shop: Shop) -> None:
    before = Path("keys/vendor.key").read_bytes()
    err = shop.refused(1, "bundle", "keygen", "keys/vendor.key")
    assert err.startswith("error[key-exists]: `keys/vendor.key` exists, and a key is never replaced\n")
    assert Path("keys/vendor.key").read_bytes() == before


def test_a_source_with_faults(shop: Shop) -> None:
    edit(SOURCE, "version: 2.0.1\n", "versoin: 2.0.1\n")
    edit(SOURCE, "helm: charts/web", "helm: [charts/web]")
    found = shop.findings(1, "bundle", "build", SOURCE, "--output", "bundles/another")
    assert [(one["code"], one["where"]["path"]) for one in found] == [
        ("missing-field", "spec.extensions[0]"),
        ("unknown-field", "spec.extensions[0].versoin"),
        ("wrong-type", "spec.extensions[1].components[0].helm"),
    ]
    assert [one["where"]["line"] for one in found] == [9, 10, 17]
    assert found[1]["hint"] == "did you mean `version`?"
    assert not Path("bundles/another").exists()


def test_a_chart_that_is_not_there(shop: Shop) -> None:
    edit(SOURCE, "helm: charts/web", "helm: charts/wbe")
    (finding,) = shop.findings(1, "bundle", "build", SOURCE, "--output", "bundles/another")
    assert finding["code"] == "file-not-found"
    assert finding["where"]["path"] == "spec.extensions[1].components[0].helm"
    assert finding["where"]["line"] == 17
    assert not Path("bundles/another").exists()


def test_a_trust_policy_that_is_not_there_is_told_apart_from_a_key_that_it_lacks(shop: Shop) -> None:
    (finding,) = shop.findings(1, "bundle", "verify", BUNDLE)
    assert (finding["where"]["file"], finding["message"]) == ("trust.yaml", "`trust.yaml` does not exist")
    assert finding["hint"] == "name the trust policy with --trust FILE; `sitewright init` writes a first one"
    edit("profiles/trust.yaml", "keys/office.pub", "keys/gone.pub")
    (finding,) = shop.findings(1, "bundle", "verify", BUNDLE, "--trust", "profiles/trust.yaml")
    assert finding["where"]["path"] == "spec.keys[1].publicKeyFile"
    assert "--trust" not in finding.get("hint", "")
