"""What the people of a site do over the months, each through the command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cli.site_fixture import OUT, PROFILE, REPO, Shop, contents, edit, git, write

STORE = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      containers: [{name: store, image: docker.io/example/web:1.2.0}]
"""
INVENTS = """\
apiVersion: v1
kind: Secret
metadata: {name: session}
stringData:
  mode: MODE
  key: {{ randAlphaNum 32 }}
"""
TREE = Path("out/sites/shop")
FLUX = ("agent: argocd", "agent: flux")


def update(shop: Shop) -> None:
    """Lock, and render into the directory."""
    shop.ok("lock", PROFILE)
    shop.ok("render", PROFILE, *OUT)


def test_an_auditor_recomputes_the_digest_of_a_tree_without_sitewright(shop: Shop) -> None:
    statement = json.loads((TREE / "records/provenance.json").read_text())
    command = (
        "find . -type f ! -path ./records/provenance.json -printf '%P\\n' | LC_ALL=C sort"
        " | xargs -d '\\n' sha256sum | sha256sum"
    )
    done = subprocess.run(["sh", "-c", command], cwd=TREE, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == statement["subject"][0]["digest"]["sha256"]
    assert shop.ok("check", "out").endswith("intact\n")


def test_an_owner_removes_an_extension_and_learns_what_stays_in_the_cluster(shop: Shop) -> None:
    edit(PROFILE, "    - name: notes\n      values: {motto: fresh}\n", "")
    shop.ok("lock", PROFILE)
    told = shop.ok("diff", PROFILE, *OUT)
    assert (
        "  Namespace notes: leaves the tree and stays in the cluster: it is protected from pruning"
        " (records/orphans.md) [left-behind]\n"
    ) in told
    shop.ok("render", PROFILE, *OUT)
    assert not list((TREE / "manifests").rglob("*notes*"))
    orphans = (TREE / "records/orphans.md").read_text()
    assert "| `Namespace` | `` | `` | `notes` | protected from pruning |\n" in orphans
    assert "kubectl delete namespace 'notes'\n" in orphans
    before = contents("out")
    assert shop.ok("render", PROFILE, *OUT).endswith("unchanged\n")
    assert contents("out") == before, "what was left behind stays listed"


def test_an_owner_who_comes_back_to_an_extension_has_no_orphans(shop: Shop) -> None:
    lines = "    - name: notes\n      values: {motto: fresh}\n"
    edit(PROFILE, lines, "")
    update(shop)
    Path(PROFILE).write_text(Path(PROFILE).read_text() + lines)
    update(shop)
    assert not (TREE / "records/orphans.md").exists()


def test_flux_would_delete_a_database_that_moves_to_a_later_wave(shop: Shop) -> None:
    edit(PROFILE, *FLUX)
    write("sources/queue/store.yaml", STORE)
    shop.bundle()
    update(shop)
    edit(PROFILE, "    - name: web\n", "    - {name: queue, wave: 30, reason: after the notes}\n    - name: web\n")
    shop.ok("lock", PROFILE)
    code, out, err = shop.run("render", PROFILE, *OUT)
    assert (code, out) == (1, "")
    assert (
        "error[object-moves-later]: `StatefulSet messaging/store` moves from `w020-extensions` to `w030-extensions`: "
        "Flux would delete and recreate it\n"
    ) in err
    assert "hint: keep `queue` where it is with `wave:` in the profile, or do it in two commits: " in err

    # the two commits of the hint
    store = TREE / "manifests/w020-extensions/queue/statefulset-store.yaml"
    metadata = "  namespace: messaging\n"
    kept = '  annotations:\n    argocd.argoproj.io/sync-wave: "20"\n'
    edit(str(store), f"{metadata}{kept}", f"{metadata}{kept}    kustomize.toolkit.fluxcd.io/prune: disabled\n")
    code, out, err = shop.run("render", PROFILE, *OUT)
    assert code == 0, err
    assert "warning[object-moves-later]: `Deployment messaging/queue` moves" in err
    assert (TREE / "manifests/w030-extensions/queue/statefulset-store.yaml").is_file()


def test_a_bundle_of_a_newer_version_shows_what_it_changes_before_anything_is_written(shop: Shop) -> None:
    edit(PROFILE, "  extensions:\n", "  generated: {default: external}\n  extensions:\n")
    shop.bundle(session=INVENTS.replace("MODE", "a"))
    update(shop)
    page = (TREE / "records/secrets.md").read_text()
    assert "## Secret shop/session\n" in page
    assert 'key: "<generated>"\n' in page
    before = contents("out")
    write("sources/charts/web/templates/session.yaml", INVENTS.replace("MODE", "b"))
    edit("sources/bundle.yaml", "sequence: 2", "sequence: 3")
    edit("sources/bundle.yaml", "{name: pantry, version: 1.1.0}", "{name: pantry, version: 1.2.0}")
    shop.build()
    assert "lock-drift-bundle" in shop.refused(1, "render", PROFILE, *OUT)
    assert "  bundle pantry 1.1.0 -> 1.2.0\n" in shop.ok("lock", PROFILE)
    assert contents("out") == before
    (site,) = shop.json("diff", PROFILE, *OUT)["sites"]
    assert [(risk["code"], risk["message"]) for risk in site["risks"]] == [
        (
            "external-changed",
            "was created by hand and should look different now: bring it up to date (records/secrets.md)",
        )
    ]


def test_of_two_sites_both_are_written_or_none(shop: Shop) -> None:
    second = "profiles/second.yaml"
    Path(second).write_text(Path(PROFILE).read_text().replace("{name: shop}", "{name: second}"))
    shop.ok("lock", second)
    before, commit = contents("gitops"), git("rev-parse", "main")
    edit(PROFILE, "{replicas: 2}", "{replicas: 3}")
    assert "lock-drift-profile" in shop.refused(1, "render", second, PROFILE, *REPO)
    assert (contents("gitops"), git("rev-parse", "main")) == (before, commit)
    shop.ok("lock", PROFILE)
    shop.ok("render", second, PROFILE, *REPO)
    assert sorted(path.name for path in Path("gitops/sites").iterdir()) == ["second", "shop"]
    assert git("rev-list", "--count", f"{commit}..main") == "1"
    assert git("status", "--porcelain") == ""
