"""The way of a site on the command line, with the demo of this repository: bundle, lock, render, diff, check."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.cli.main import main

ROOT = Path(__file__).parents[2]
PROFILE = "profiles/demo.yaml"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site repository with a bundle that both keys signed, and a lock."""
    place = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "profiles", place / "profiles", ignore=shutil.ignore_patterns("*.lock.yaml"))
    here = Path.cwd()
    os.chdir(place)
    try:
        assert main(["bundle", "build", "profiles/demo/bundle.yaml", "-o", "build/demo/bundle", "-q"]) == 0
        for who in ("vendor", "office"):
            assert main(["bundle", "keygen", f"build/demo/keys/{who}.key"]) == 0
            assert main(["bundle", "sign", "build/demo/bundle", "--key", f"build/demo/keys/{who}.key"]) == 0
        assert main(["lock", PROFILE]) == 0
    finally:
        os.chdir(here)
    return place


@pytest.fixture
def site(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in, at a fixed time, with an author."""
    place = tmp_path / "site"
    shutil.copytree(prepared, place)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Site Owner")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "owner@site.example")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1793520000")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def sitewright(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line: exit code, standard output, standard error."""

    def run(*given: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(given))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def git(path: str, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", path, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


def edit(path: str, before: str, after: str) -> None:
    text = Path(path).read_text()
    assert before in text
    Path(path).write_text(text.replace(before, after))


# --- the way through --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("site")
def test_before_rendering(sitewright: Run) -> None:
    assert sitewright("validate", PROFILE)[0] == 0
    code, out, _ = sitewright("bundle", "verify", "build/demo/bundle", "--trust", "profiles/trust.yaml")
    assert (code, "verified" in out) == (0, True)
    code, out, _ = sitewright("resolve", PROFILE)
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["queue", "2.0.1"],
        ["site-info", "0.1.0"],
        ["web", "1.2.0"],
    ]
    assert sitewright("lock", PROFILE, "--check")[0] == 0
    assert sitewright("tree", PROFILE)[1] == "demo\n├─ site-info 0.1.0\n└─ web 1.2.0\n   └─ queue 2.0.1\n"
    assert sitewright("why", PROFILE, "queue")[1] == "profile -> web 1.2.0 -> queue 2.0.1\n"
    code, out, _ = sitewright("bundle", "inspect", "build/demo/bundle", "--images", "--format", "json")
    assert code == 0
    assert json.loads(out)


EXTENSION = """\
apiVersion: kubesphere.io/v1alpha1
name: foo
version: 0.1.0
displayName: {en: Foo}
description: {en: Foo}
category: other
provider: {en: {name: Foo, email: foo@site.example, url: https://site.example}}
icon: ./icon.svg
externalDependencies:
  - {name: web, type: extension, version: ">=WANTED", required: true}
"""


def test_an_extension_without_a_profile(sitewright: Run, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a directory outside of the repository, as the author of an extension would."""
    elsewhere = site.parent / "extension"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    given = ("--bundle", "../site/build/demo/bundle", "--trust", "../site/profiles/trust.yaml")
    Path("extension.yaml").write_text(EXTENSION.replace("WANTED", "1.0.0"))
    code, out, _ = sitewright("resolve", "--offline", "--manifest", "extension.yaml", *given)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["foo", "queue", "web"]
    Path("extension.yaml").write_text(EXTENSION.replace("WANTED", "9.0.0"))
    code, out, err = sitewright("resolve", "--offline", "--manifest", "extension.yaml", *given)
    assert (code, out) == (4, "")
    assert err.startswith("error[")
    assert "\n  --> ./extension.yaml" in err


@pytest.mark.usefixtures("site")
def test_render_into_a_directory(sitewright: Run) -> None:
    code, out, _ = sitewright("render", PROFILE, "--out", "out")
    assert code == 0
    assert out.startswith("sites/demo: ")
    assert sorted(path.name for path in Path("out/sites/demo").iterdir()) == ["agent", "manifests", "nodes", "records"]
    assert "unchanged" in sitewright("render", PROFILE, "--out", "out")[1]
    code, out, err = sitewright("check", "out")
    assert (code, out.endswith("intact\n"), err) == (0, True, "")
    assert sitewright("check", PROFILE)[0] == 0


@pytest.mark.usefixtures("site")
def test_render_into_git_and_look_at_the_difference(sitewright: Run) -> None:
    git(".", "init", "-q", "-b", "main", "gitops")
    place = ("--repo", "gitops", "--branch", "main")
    code, out, _ = sitewright("render", PROFILE, *place)
    assert code == 0
    commit = git("gitops", "rev-parse", "main")
    assert f"commit {commit} on gitops (main)" in out
    shown = git("gitops", "log", "-1", "--format=%an <%ae> %aI%n%B")
    assert shown.startswith("Site Owner <owner@site.example> 2026-11-01T08:00:00+00:00\nRender demo\n")
    assert "\nSitewright-Lock: demo sha256:" in shown
    assert git("gitops", "status", "--porcelain") == ""

    edit(PROFILE, "replicaCount: 2", "replicaCount: 3")
    assert sitewright("lock", PROFILE)[0] == 0
    code, out, _ = sitewright("diff", PROFILE, *place)
    assert code == 0
    assert "  ~ Deployment shop/web\n      spec.replicas\n        - 2\n        + 3\n" in out
    assert sitewright("diff", PROFILE, *place, "--exit-code")[0] == 1
    assert git("gitops", "rev-parse", "main") == commit
    assert sitewright("render", PROFILE, *place, "--author", "Other <other@site.example>")[0] == 0
    assert git("gitops", "log", "-1", "--format=%an") == "Other"

    code, out, _ = sitewright("diff", "gitops/sites/demo", "--against", "HEAD~1", "--format", "json")
    (objects,) = [one["objects"] for one in json.loads(out)["sites"]]
    assert [field["path"] for one in objects for field in one["fields"]] == ["spec.replicas"]
    code, out, _ = sitewright("diff", "gitops", "--against", "main~1", "--format", "markdown")
    assert out.startswith("| site | changes |\n")
    code, out, err = sitewright("diff", "gitops", "--against", "nowhere")
    assert code == 1
    assert err.startswith("error[revision-not-found]: `nowhere` is neither a directory nor a commit of ")


@pytest.mark.usefixtures("site")
def test_node_configuration(sitewright: Run) -> None:
    code, out, _ = sitewright("mirrors", PROFILE)
    assert code == 0
    assert "# nodes/k3s/registries.yaml\n" in out
    assert sitewright("mirrors", PROFILE, "--out", "written")[0] == 0
    assert Path("written/nodes/k3s/registries.yaml").is_file()


@pytest.mark.usefixtures("site")
def test_messages_name_files_as_one_sees_them_from_here(
    sitewright: Run, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(PROFILE, "replicaCount: 2", "replicaCount: [")
    monkeypatch.chdir(site / "profiles")
    code, _, err = sitewright("validate", "demo.yaml")
    assert code == 1
    assert "\n  --> demo.yaml:" in err


# --- what goes wrong --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("site")
def test_a_missing_profile(sitewright: Run) -> None:
    code, out, err = sitewright("render", "profiles/other.yaml", "--out", "out")
    assert (code, out) == (1, "")
    assert err.startswith("error[file-not-found]: `profiles/other.yaml` does not exist\n  --> profiles/other.yaml\n")


@pytest.mark.usefixtures("site")
def test_a_missing_lock(sitewright: Run) -> None:
    Path("profiles/demo.lock.yaml").unlink()
    code, _, err = sitewright("render", PROFILE, "--out", "out")
    assert code == 1
    assert err.startswith("error[lock-missing]: ")
    assert err.endswith(f"hint: sitewright lock {PROFILE}\n")


@pytest.mark.usefixtures("site")
def test_a_lock_that_has_drifted(sitewright: Run) -> None:
    edit(PROFILE, "replicaCount: 2", "replicaCount: 3")
    assert sitewright("lock", PROFILE, "--check")[0] == 1
    code, _, err = sitewright("render", PROFILE, "--out", "out")
    assert code == 1
    assert err.startswith("error[lock-drift-profile]: ")
    assert f"hint: sitewright lock {PROFILE}\n" in err


@pytest.mark.usefixtures("site")
def test_a_bundle_that_too_few_signed(sitewright: Run) -> None:
    shutil.rmtree("build/demo/bundle")
    assert sitewright("bundle", "build", "profiles/demo/bundle.yaml", "-o", "build/demo/bundle")[0] == 0
    for given in (["bundle", "verify", "build/demo/bundle", "--trust", "profiles/trust.yaml"], ["lock", PROFILE]):
        code, out, err = sitewright(*given)
        assert (code, out) == (3, "")
        assert err.startswith("error[")
        assert "hint: " in err


@pytest.mark.usefixtures("site")
def test_a_bundle_that_was_tampered_with(sitewright: Run) -> None:
    blob = max(Path("build/demo/bundle/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    code, _, err = sitewright("bundle", "verify", "build/demo/bundle", "--trust", "profiles/trust.yaml")
    assert code == 3
    assert err.startswith("error[")


@pytest.mark.usefixtures("site")
def test_a_version_that_no_bundle_offers(sitewright: Run) -> None:
    edit(PROFILE, 'version: "~1.2.0"', 'version: "~9.9.0"')
    code, out, err = sitewright("lock", PROFILE)
    assert (code, out) == (4, "")
    assert err.startswith("error[")
    assert PROFILE in err


@pytest.mark.usefixtures("site")
def test_output_that_belongs_to_somebody_else(sitewright: Run) -> None:
    Path("out/sites/demo").mkdir(parents=True)
    Path("out/sites/demo/notes.txt").write_text("mine")
    code, out, err = sitewright("render", PROFILE, "--out", "out")
    assert (code, out) == (1, "")
    assert err == (
        "error[dirty-output]: `out/sites/demo` holds files that Sitewright did not write, so it is not replaced\n"
        "  --> out/sites/demo\n"
        "   expected: an empty directory, or a tree with `records/provenance.json`\n"
        "   got: 1 file, the first is `notes.txt`\n"
        "   hint: move these files away, or choose another directory with --out\n"
    )
    assert Path("out/sites/demo/notes.txt").read_text() == "mine"


@pytest.mark.usefixtures("site")
def test_a_repository_that_is_none(sitewright: Run) -> None:
    code, _, err = sitewright("render", PROFILE, "--repo", "gitops", "--branch", "main")
    assert code == 1
    assert err == (
        "error[repository-not-found]: `gitops` is not a git repository\n"
        "  --> gitops\n"
        "   hint: git init --initial-branch=main gitops\n"
    )


@pytest.mark.usefixtures("site")
def test_a_remote_that_refuses(sitewright: Run, site: Path) -> None:
    git(".", "init", "-q", "--bare", "-b", "main", "remote.git")
    hook = site / "remote.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no\nexit 1\n")
    hook.chmod(0o755)
    repository = (site / "remote.git").as_uri()
    code, out, err = sitewright("render", PROFILE, "--repo", repository, "--branch", "main", "--push")
    assert (code, out) == (5, "")
    assert err.startswith("error[push-refused]: the remote does not accept a push to `main`\n")
    hook.unlink()
    code, out, _ = sitewright("render", PROFILE, "--repo", repository, "--branch", "main", "--push")
    assert code == 0
    assert out.endswith(f" on {repository} (main), pushed\n")


@pytest.mark.usefixtures("site")
def test_a_tree_that_somebody_edited(sitewright: Run) -> None:
    assert sitewright("render", PROFILE, "--out", "out")[0] == 0
    with next(Path("out/sites/demo/manifests").rglob("deployment-web.yaml")).open("a") as file:
        file.write("# edited\n")
    code, out, err = sitewright("check", "out")
    assert code == 1
    assert out.endswith(" 1 fault\n")
    assert err.startswith("error[tree-modified]: ")
    code, _, err = sitewright("check", "build")
    assert code == 1
    assert err.startswith("error[no-tree]: `build` holds no rendered tree\n")
