"""`sitewright validate` and `sitewright init`."""

import json
from pathlib import Path
from typing import NoReturn, cast

import pytest

from renderer.adapters.files import WorkingTree, root_around
from renderer.adapters.package_data import schema
from renderer.commands.init import init
from renderer.commands.validate import validate
from renderer.errors import InputError, Severity
from renderer.model.outcome import Outcome
from renderer.model.site import GitOpsAgent


def no_bundles(_: Path) -> NoReturn:
    raise AssertionError("no bundle is opened here")


@pytest.fixture
def tree(tmp_path: Path) -> WorkingTree:
    """A repository as `init` writes it, in a directory that did not exist."""
    fresh = WorkingTree(tmp_path / "fresh", no_bundles)
    init(fresh, name="branch-017", agent=GitOpsAgent.ARGOCD, schemas=schema)
    return fresh


def run(tree: WorkingTree, *paths: str, explain: bool = False) -> Outcome:
    return validate(tree, paths, schemas=schema, explain=explain)


# --- init ----------------------------------------------------------------------------------------------------------


def test_init_says_what_it_wrote_and_what_comes_next(tmp_path: Path) -> None:
    outcome = init(WorkingTree(tmp_path, no_bundles), name="a", agent=GitOpsAgent.FLUX, schemas=schema)
    assert outcome.text.splitlines() == [
        "wrote profiles/a.yaml",
        "wrote trust.yaml",
        "wrote .gitignore",
        "wrote ci/check.sh",
        "wrote ci/gitlab-ci.example.yml",
        "wrote schemas/site.v1.json",
        "wrote schemas/trust-policy.v1.json",
        "",
        "Next:",
        "  1. edit profiles/a.yaml, above all the URLs of the registry and the repository",
        "  2. name your keys and rules in trust.yaml",
        "  3. sitewright validate profiles/a.yaml",
        "  4. sitewright lock profiles/a.yaml",
    ]
    assert cast("dict[str, object]", outcome.document)["kept"] == []


@pytest.mark.parametrize("agent", GitOpsAgent)
def test_what_init_writes_is_valid(tmp_path: Path, agent: GitOpsAgent) -> None:
    tree = WorkingTree(tmp_path, no_bundles)
    init(tree, name="branch-017", agent=agent, schemas=schema)
    outcome = run(tree, "profiles/branch-017.yaml", "trust.yaml")
    assert not outcome.failed
    assert outcome.text.splitlines() == [
        "profiles/branch-017.yaml: a valid profile of site branch-017, 0 extensions",
        "trust.yaml: a valid trust policy",
    ]
    assert {finding.code: finding.severity for finding in outcome.findings} == {
        "trusts-nobody": Severity.WARNING,
        "bundle-not-found": Severity.NOTE,
    }


def test_a_directory_of_a_larger_repository_counts_paths_from_its_root(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    directory = tmp_path / "platform" / "sites"
    directory.mkdir(parents=True)
    tree = WorkingTree(root_around(directory), no_bundles)
    where = tree.relative(str(directory))
    outcome = init(
        tree, name="a", agent=GitOpsAgent.FLUX, schemas=schema, directory=where, shown=lambda path: f"./{path}"
    )
    assert outcome.text.startswith("wrote ./platform/sites/profiles/a.yaml\n")
    again = WorkingTree(root_around(directory / "profiles" / "a.yaml"), no_bundles)
    assert not run(again, "platform/sites/profiles/a.yaml", "platform/sites/trust.yaml").failed


def test_a_second_site_keeps_what_is_there(tree: WorkingTree) -> None:
    tree.write("trust.yaml", tree.read("trust.yaml") + b"# ours\n")
    outcome = init(tree, name="branch-018", agent=GitOpsAgent.ARGOCD, schemas=schema)
    assert "kept  trust.yaml" in outcome.text
    assert tree.read("trust.yaml").endswith(b"# ours\n")
    assert not run(tree, "profiles/branch-017.yaml", "profiles/branch-018.yaml").failed


def test_a_profile_is_never_replaced(tree: WorkingTree) -> None:
    before = tree.read("profiles/branch-017.yaml")
    with pytest.raises(InputError) as caught:
        init(tree, name="branch-017", agent=GitOpsAgent.FLUX, schemas=schema)
    (finding,) = caught.value.findings
    assert (finding.code, finding.hint) == ("file-exists", "sitewright validate profiles/branch-017.yaml")
    assert tree.read("profiles/branch-017.yaml") == before


def test_a_site_is_called_by_a_dns_label(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        init(WorkingTree(tmp_path, no_bundles), name="../x", agent=GitOpsAgent.FLUX, schemas=schema)
    (finding,) = caught.value.findings
    assert (finding.code, finding.got) == ("invalid-name", "`../x`")
    assert list(tmp_path.iterdir()) == []


# --- validate ------------------------------------------------------------------------------------------------------


def test_explain_shows_which_file_set_each_key(tree: WorkingTree) -> None:
    site = tree.read("profiles/branch-017.yaml").replace(b"spec:", b"spec:\n  extends: [base.yaml]")
    tree.write("profiles/branch-017.yaml", site)
    tree.write("profiles/base.yaml", b"apiVersion: sitewright.dev/v1\nkind: Site\nmetadata: {labels: {tier: edge}}\n")
    outcome = run(tree, "profiles/branch-017.yaml", explain=True)
    assert outcome.text.startswith(
        "profiles/branch-017.yaml: a valid profile of site branch-017, 0 extensions, 2 layers"
    )
    rows = [line.split() for line in outcome.text.splitlines()[1:]]
    assert ["metadata.labels.tier", "edge", "profiles/base.yaml:3"] in rows
    assert ["spec.gitops.agent", "argocd", "profiles/branch-017.yaml:17"] in rows
    document = json.loads(json.dumps(outcome.document))
    (file,) = document["files"]
    assert file["layers"] == ["profiles/base.yaml", "profiles/branch-017.yaml"]
    assert {"path": "metadata.labels.tier", "value": "edge", "from": "profiles/base.yaml:3"} in file["settings"]
    assert file["digest"].startswith("sha256:")


def test_all_files_are_judged_and_a_shared_policy_once(tree: WorkingTree) -> None:
    tree.write("profiles/b.yaml", tree.read("profiles/branch-017.yaml").replace(b"name: branch-017", b"name: B"))
    tree.write(
        "trust.yaml", b"apiVersion: sitewright.dev/v1\nkind: TrustPolicy\nmetadata: {name: x}\nspec: {keys: []}\n"
    )
    outcome = run(tree, "profiles/branch-017.yaml", "profiles/b.yaml", "trust.yaml", "profiles/gone.yaml")
    assert outcome.failed
    assert outcome.text.splitlines() == [
        "profiles/branch-017.yaml: 1 fault",
        "profiles/b.yaml: 1 fault",
        "trust.yaml: 1 fault",
        "profiles/gone.yaml: 1 fault",
    ]
    codes = [(finding.code, finding.where.file) for finding in outcome.findings if finding.severity is Severity.ERROR]
    assert codes == [
        ("missing-field", "trust.yaml"),
        ("invalid-value", "profiles/b.yaml"),
        ("file-not-found", "profiles/gone.yaml"),
    ]


def test_two_sites_do_not_share_a_directory(tree: WorkingTree) -> None:
    tree.write("profiles/copy.yaml", tree.read("profiles/branch-017.yaml"))
    outcome = run(tree, "profiles/branch-017.yaml", "profiles/copy.yaml")
    (finding,) = [finding for finding in outcome.findings if finding.severity is Severity.ERROR]
    assert finding.code == "duplicate-site"
    assert finding.message == (
        "`profiles/copy.yaml` and `profiles/branch-017.yaml` are rendered into the same directory `sites/branch-017`"
    )
    assert str(finding.where) == "profiles/copy.yaml:5:9, metadata.name"


def test_locks_can_be_validated_too(tree: WorkingTree) -> None:
    tree.write("profiles/a.lock.yaml", b"apiVersion: sitewright.dev/v2\nkind: SiteLock\n")
    (finding,) = run(tree, "profiles/a.lock.yaml").findings
    assert finding.code == "unknown-api-version"
    assert finding.hint is not None
    assert finding.hint.endswith("sitewright lock profiles/a.yaml")
