"""What the commands about sites do when all is well: lock, tree, why, resolve, validate, mirrors; formats."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.site_fixture import BUNDLE, LOCK, OUT, PROFILE, REPO, SOURCE, Shop, contents, edit, write

NEWER = {
    "    - name: web\n      version: 1.2.0": """\
    - name: queue
      version: 2.1.0
      namespace: messaging
      components: [{name: queue, manifests: queue}]
    - name: web
      version: 1.3.0
      namespace: shop
      requires: [{extension: queue, version: "^2.0"}]
      components: [{name: web, helm: charts/web, release: web}]
    - name: web
      version: 1.2.0"""
}
"""A newer `queue` and a newer `web` in the bundle, for `Shop.bundle`."""


def versions() -> dict[str, str]:
    """The extensions that the lock pins."""
    lines = [line.split('"') for line in Path(LOCK).read_text().splitlines() if " components: " in line]
    return {line[0].split("name: ")[1].split(",")[0]: line[1] for line in lines}


# --- lock -------------------------------------------------------------------------------------------------------


def test_a_lock_is_written_beside_the_profile(shop: Shop) -> None:
    written = Path(LOCK).read_bytes()
    Path(LOCK).unlink()
    assert shop.ok("lock", PROFILE) == (
        "profiles/shop.lock.yaml: 1 bundle, 3 extensions, 2 images\n"
        "  bundle pantry (new) -> 1.0.0\n"
        "  extension notes (new) -> 0.1.0\n"
        "  extension queue (new) -> 2.0.1\n"
        "  extension web (new) -> 1.2.0\n"
    )
    assert Path(LOCK).read_bytes() == written


def test_locking_again_changes_nothing(shop: Shop) -> None:
    written = Path(LOCK).read_bytes()
    assert shop.ok("lock", PROFILE) == "profiles/shop.lock.yaml: 1 bundle, 3 extensions, 2 images\n"
    assert Path(LOCK).read_bytes() == written
    assert shop.ok("lock", PROFILE, "--check") == "profiles/shop.lock.yaml: is up to date\n"


def test_locked_versions_stay_when_a_bundle_brings_newer_ones(shop: Shop) -> None:
    shop.bundle(NEWER)
    assert shop.ok("lock", PROFILE).splitlines()[1:] == ["  bundle pantry 1.0.0 -> 1.1.0"]
    assert versions() == {"notes": "0.1.0", "queue": "2.0.1", "web": "1.2.0"}


def test_upgrade_moves_one_extension_and_no_other(shop: Shop) -> None:
    shop.bundle(NEWER)
    assert shop.ok("lock", PROFILE, "--upgrade", "queue").splitlines()[1:] == [
        "  bundle pantry 1.0.0 -> 1.1.0",
        "  extension queue 2.0.1 -> 2.1.0",
    ]
    assert versions() == {"notes": "0.1.0", "queue": "2.1.0", "web": "1.2.0"}
    shop.ok("lock", PROFILE, "--upgrade", "web")
    assert versions() == {"notes": "0.1.0", "queue": "2.1.0", "web": "1.3.0"}


def test_a_site_without_a_lock_gets_the_newest(shop: Shop) -> None:
    shop.bundle(NEWER)
    Path(LOCK).unlink()
    shop.ok("lock", PROFILE)
    assert versions() == {"notes": "0.1.0", "queue": "2.1.0", "web": "1.3.0"}


# --- tree, why, resolve -----------------------------------------------------------------------------------------


def test_the_tree_says_who_requires_whom(shop: Shop) -> None:
    assert shop.ok("tree", PROFILE) == "shop\n├─ notes 0.1.0\n└─ web 1.2.0\n   └─ queue 2.0.1\n"
    assert shop.json("tree", PROFILE) == {
        "site": "shop",
        "extensions": [
            {"name": "notes", "version": "0.1.0", "requiredBy": ["profile"]},
            {"name": "queue", "version": "2.0.1", "requiredBy": ["web"]},
            {"name": "web", "version": "1.2.0", "requiredBy": ["profile"]},
        ],
    }


def test_why_an_extension_is_there(shop: Shop) -> None:
    assert shop.ok("why", PROFILE, "queue") == "profile -> web 1.2.0 -> queue 2.0.1\n"
    assert shop.ok("why", PROFILE, "notes") == "profile -> notes 0.1.0\n"
    assert shop.json("why", PROFILE, "queue") == {"extension": "queue", "chains": [["profile", "web", "queue"]]}


@pytest.mark.parametrize("name", ["docker.io/example/web:1.2.0", "docker.io/example/web", "example/web"])
def test_why_an_image_is_there(shop: Shop, name: str) -> None:
    digest = "sha256:4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce"
    assert shop.ok("why", PROFILE, name) == (
        f"docker.io/example/web:1.2.0 is pinned to {digest}\n"
        "nodes fetch it from harbor.shop.local:5443/mirror/example/web\n"
    )
    assert shop.json("why", PROFILE, name)["digest"] == digest


def test_resolve_shows_what_lock_would_choose(shop: Shop) -> None:
    assert shop.ok("resolve", PROFILE) == (
        "notes  0.1.0  pantry 1.0.0  profile\nqueue  2.0.1  pantry 1.0.0  web\nweb    1.2.0  pantry 1.0.0  profile\n"
    )
    assert [one["name"] for one in shop.json("resolve", PROFILE)["extensions"]] == ["notes", "queue", "web"]


def manifest(requires: str) -> str:
    """Write the `extension.yaml` of a KubeSphere extension that is in no bundle; its path."""
    write(
        "ours/extension.yaml",
        "apiVersion: kubesphere.io/v1alpha1\nname: ours\nversion: 1.0.0\ncategory: other\nicon: ours.svg\n"
        "displayName: {en: Ours}\ndescription: {en: Ours}\nprovider: {en: {name: Us}}\n"
        f"externalDependencies:\n  - {{name: web, type: extension, version: {requires!r}, required: true}}\n",
    )
    return "ours/extension.yaml"


def resolve_offline(path: str) -> tuple[str, ...]:
    return ("resolve", "--offline", "--manifest", path, "--bundle", BUNDLE, "--trust", "profiles/trust.yaml")


def test_resolve_a_manifest_without_any_profile(shop: Shop) -> None:
    assert [line.split() for line in shop.ok(*resolve_offline(manifest("^1.0"))).splitlines()] == [
        ["ours", "1.0.0", "the", "manifest", "profile"],
        ["queue", "2.0.1", "pantry", "1.0.0", "web"],
        ["web", "1.2.0", "pantry", "1.0.0", "ours"],
    ]


def test_resolve_a_manifest_that_nothing_satisfies(shop: Shop) -> None:
    (finding,) = shop.findings(4, *resolve_offline(manifest("^7.0")))
    assert finding["code"] == "no-resolution"
    assert finding["where"]["file"] == "ours/extension.yaml"
    assert any("`ours` 1.0.0 requires `web` ^7.0" in line for line in finding["explanation"])


# --- validate, schema, doctor -----------------------------------------------------------------------------------


def test_validate(shop: Shop) -> None:
    assert shop.ok("validate", PROFILE, "profiles/trust.yaml", LOCK) == (
        "profiles/shop.yaml: a valid profile of site shop, 2 extensions\n"
        "profiles/trust.yaml: a valid trust policy\n"
        "profiles/shop.lock.yaml: a valid lock of site shop\n"
    )
    files = shop.json("validate", PROFILE)["files"]
    assert [(one["file"], one["valid"], one["site"]) for one in files] == [(PROFILE, True, "shop")]


def test_validate_explains_which_file_set_each_key(shop: Shop) -> None:
    head = "apiVersion: sitewright.dev/v1\nkind: Site\n"
    write("profiles/base.yaml", f"{head}spec:\n  gitops: {{agent: flux}}\n  cluster: {{containerdVersion: 2.0.0}}\n")
    edit(PROFILE, "spec:\n", "spec:\n  extends: [base.yaml]\n")
    lines = [line.split() for line in shop.ok("validate", PROFILE, "--explain").splitlines()]
    assert ["spec.gitops.agent", "argocd", "profiles/shop.yaml:10"] in lines
    assert ["spec.cluster.containerdVersion", "2.0.0", "profiles/base.yaml:5"] in lines
    (file,) = shop.json("validate", PROFILE, "--explain")["files"]
    assert {"path": "spec.gitops.agent", "value": "argocd", "from": "profiles/shop.yaml:10"} in file["settings"]


def test_a_bundle_that_has_yet_to_come_is_no_fault_of_a_profile(shop: Shop) -> None:
    edit(PROFILE, "source: bundles/pantry", "source: bundles/soon.tar")
    code, _, err = shop.run("validate", PROFILE)
    assert code == 0
    assert err.startswith("note[bundle-not-found]: there is no bundle at `bundles/soon.tar` yet\n")
    assert shop.run("validate", PROFILE, "--quiet")[2] == ""


def test_schemas_are_those_of_the_package(shop: Shop) -> None:
    root = Path(__file__).parents[2]
    assert json.loads(shop.ok("schema", "site")) == json.loads((root / "schemas/site.v1.json").read_text())
    assert set(shop.ok("schema").split()) >= {"site", "trust-policy", "bundle-source"}


def test_doctor(shop: Shop) -> None:
    code, out, _ = shop.run("doctor", "--format", "json")
    parts = {part["name"]: part["version"] for part in json.loads(out)["parts"]}
    assert (code, parts["helm (embedded)"][:1]) == (0, "v")
    assert parts["git"]


# --- mirrors ----------------------------------------------------------------------------------------------------


def test_mirrors(shop: Shop) -> None:
    out = shop.ok("mirrors", PROFILE, "--out", "nodes-of-shop")
    assert "*          https://harbor.shop.local:5443/mirror\n" in out
    written = {path.removeprefix("nodes-of-shop/"): one[0] for path, one in contents("nodes-of-shop").items()}
    rendered = {path.removeprefix("out/sites/shop/"): one[0] for path, one in contents("out/sites/shop/nodes").items()}
    assert written == rendered
    assert shop.json("mirrors", PROFILE)["mirrors"] == {"*": "mirror", "docker.io": "mirror"}


# --- every command ----------------------------------------------------------------------------------------------

READS: list[tuple[Any, ...]] = [
    ("validate", PROFILE),
    ("lock", PROFILE),
    ("lock", PROFILE, "--check"),
    ("resolve", PROFILE),
    ("tree", PROFILE),
    ("why", PROFILE, "web"),
    ("mirrors", PROFILE),
    ("render", PROFILE, *OUT),
    ("render", PROFILE, *REPO),
    ("diff", PROFILE, *OUT),
    ("check", PROFILE),
    ("check", "out"),
    ("schema",),
    ("schema", "site"),
    ("doctor", "--quiet"),
    ("bundle", "inspect", BUNDLE, "--trust", "profiles/trust.yaml"),
    ("bundle", "verify", BUNDLE, "--trust", "profiles/trust.yaml"),
    ("bundle", "build", SOURCE, "--output", "bundles/another"),
]


@pytest.mark.parametrize("given", READS, ids=" ".join)
def test_every_result_can_be_read_by_a_program(shop: Shop, given: tuple[str, ...]) -> None:
    assert shop.json(*given)


@pytest.mark.parametrize("given", [given for given in READS if given[0] != "doctor"], ids=" ".join)
def test_quiet_keeps_the_result_and_nothing_else(shop: Shop, given: tuple[str, ...]) -> None:
    edit(LOCK, 'sitewright: "0.1.0"', 'sitewright: "0.0.1"')  # makes every command that cares warn
    code, out, err = shop.run(*given, "--quiet")
    assert (code, err) == (0, "")
    assert out


def test_quiet_keeps_the_errors_of_a_refusal_and_nothing_else(shop: Shop) -> None:
    edit(LOCK, 'sitewright: "0.1.0"', 'sitewright: "0.0.1"')
    edit(PROFILE, "replicas: 2", "replicas: 3")
    (_, _, loud), (code, _, quiet) = (shop.run("render", PROFILE, *OUT, *more) for more in ((), ("--quiet",)))
    assert code == 1
    assert ("warning[" in loud, "warning[" in quiet) == (True, False)
    assert "error[lock-drift-profile]" in quiet
