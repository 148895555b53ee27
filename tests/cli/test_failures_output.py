"""Output that cannot be written: directories and repositories of somebody else, branches and remotes that refuse.

`Shop.refused` asserts each time that locks, trees and commits are what they were.
"""

import subprocess
from pathlib import Path

import pytest

from tests.cli.site_fixture import OUT, PROFILE, REPO, Shop, edit, git, write


@pytest.fixture
def changed(shop: Shop) -> Shop:
    """The site with something to publish."""
    edit(PROFILE, "replicas: 2", "replicas: 3")
    shop.ok("lock", PROFILE)
    return shop


# --- directories ------------------------------------------------------------------------------------------------


def test_a_directory_of_somebody_else(changed: Shop) -> None:
    write("web/sites/shop/index.html", "mine")
    assert changed.refused(1, "render", PROFILE, "--out", "web") == (
        "error[dirty-output]: `web/sites/shop` holds files that Sitewright did not write, so it is not replaced\n"
        "  --> web/sites/shop\n"
        "   expected: an empty directory, or a tree with `records/provenance.json`\n"
        "   got: 1 file, the first is `index.html`\n"
        "   hint: move these files away, or choose another directory with --out\n"
    )
    assert [path.name for path in Path("web").rglob("*") if path.is_file()] == ["index.html"]


@pytest.mark.parametrize("out", ["notes.txt", "notes.txt/below"])
def test_a_file_where_the_directory_should_be(changed: Shop, out: str) -> None:
    write("notes.txt", "mine")
    assert changed.refused(1, "render", PROFILE, "--out", out) == (
        "error[output-failed]: `notes.txt` is a file, so no tree can be written there\n"
        "  --> notes.txt\n"
        "   expected: a directory\n"
        "   got: a file\n"
        "   hint: choose another directory with --out\n"
    )
    assert Path("notes.txt").read_text() == "mine"


def test_a_directory_that_the_system_does_not_give(changed: Shop) -> None:
    assert changed.refused(1, "render", PROFILE, "--out", "/proc/nowhere") == (
        "error[output-failed]: `/proc/nowhere` cannot be written: no such file or directory\n"
        "  --> /proc/nowhere\n"
        "   hint: check the owner and the free space of the directory, then run the same command again\n"
    )


def test_a_link_in_a_tree(changed: Shop) -> None:
    Path("out/sites/shop/records/more.md").symlink_to("/etc/passwd")
    err = changed.refused(1, "render", PROFILE, *OUT)
    assert err == (
        "error[link-in-output]: `out/sites/shop/records/more.md` is a symbolic link; "
        "a rendered tree has only directories and regular files\n"
        "  --> out/sites/shop/records/more.md\n"
        "   expected: a directory or a regular file\n"
        "   got: a symbolic link\n"
        "   hint: remove it: rm out/sites/shop/records/more.md\n"
    )


def test_one_site_that_cannot_be_written_keeps_all_back(changed: Shop) -> None:
    write("profiles/second.yaml", Path(PROFILE).read_text().replace("name: shop}", "name: second}"))
    changed.ok("lock", "profiles/second.yaml")
    write("out/sites/second/index.html", "mine")
    err = changed.refused(1, "render", PROFILE, "profiles/second.yaml", *OUT)
    assert err.startswith("error[dirty-output]: `out/sites/second` holds files that Sitewright did not write")


def test_two_sites_that_want_the_same_directory(shop: Shop) -> None:
    write("profiles/second.yaml", Path(PROFILE).read_text())
    shop.ok("lock", "profiles/second.yaml")
    (finding,) = shop.findings(1, "render", PROFILE, "profiles/second.yaml", *OUT)
    assert finding["code"] == "duplicate-site"
    assert finding["where"] == {"file": "profiles/second.yaml", "line": 3, "column": 18, "path": "metadata.name"}
    assert finding["hint"] == "give every site a name of its own"


# --- repositories of this machine -------------------------------------------------------------------------------


def test_a_working_tree_with_changes_that_nobody_committed(changed: Shop) -> None:
    write("gitops/sites/shop/records/images.txt", "mine")
    assert changed.refused(1, "render", PROFILE, *REPO) == (
        "error[dirty-output]: `gitops` has changes that are not committed where the tree belongs\n"
        "  --> gitops, sites/shop\n"
        "   expected: a working tree that equals its commit\n"
        "   got: 1 file, the first is `sites/shop/records/images.txt`\n"
        "   hint: git -C gitops stash push --include-untracked -- sites/shop\n"
    )


def test_the_hint_for_a_dirty_working_tree_mends_it(changed: Shop) -> None:
    write("gitops/sites/shop/notes.txt", "mine")
    hint = changed.refused(1, "render", PROFILE, *REPO).rpartition("hint: ")[2].split()
    subprocess.run([*hint[:1], "-c", "user.name=a", "-c", "user.email=a@b", *hint[1:]], check=True, capture_output=True)
    assert "commit " in changed.ok("render", PROFILE, *REPO)


def test_changes_beside_the_tree_are_nobodys_business(changed: Shop) -> None:
    write("gitops/notes.txt", "mine")
    changed.ok("render", PROFILE, *REPO)
    assert git("status", "--porcelain") == "?? notes.txt"


def test_a_directory_of_a_branch_that_belongs_to_somebody_else(changed: Shop) -> None:
    git("rm", "-q", "sites/shop/records/provenance.json")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "mine")
    err = changed.refused(1, "render", PROFILE, *REPO)
    assert err.startswith(
        "error[dirty-output]: `sites/shop` holds files that Sitewright did not write, so it is not replaced\n"
        "  --> sites/shop\n"
    ), err


def test_a_branch_that_is_not_there(changed: Shop) -> None:
    err = changed.refused(1, "render", PROFILE, "--repo", "gitops", "--branch", "mian")
    assert err == (
        "error[branch-not-found]: `gitops` has no branch `mian`\n"
        "  --> --branch mian\n"
        "   expected: one of main\n"
        "   hint: name an existing branch, or make it first: git -C gitops branch mian main\n"
    )
    subprocess.run(err.rpartition("first: ")[2].split(), check=True)
    assert "commit " in changed.ok("render", PROFILE, "--repo", "gitops", "--branch", "mian")


def test_a_repository_that_is_none(changed: Shop) -> None:
    assert changed.refused(1, "render", PROFILE, "--repo", "nowhere", "--branch", "main") == (
        "error[repository-not-found]: `nowhere` is not a git repository\n"
        "  --> nowhere\n"
        "   hint: git init --initial-branch=main nowhere\n"
    )


def test_a_push_without_a_remote(changed: Shop) -> None:
    assert changed.refused(1, "render", PROFILE, *REPO, "--push") == (
        "error[no-remote]: `gitops` has no remote `origin` to push to\n"
        "  --> gitops\n"
        "   hint: git -C gitops remote add origin URL\n"
    )


# --- remotes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def remote(changed: Shop) -> Path:  # noqa: ARG001
    """A bare repository with the branch, which `gitops` calls `origin`."""
    git("clone", "-q", "--bare", "gitops", "remote.git", at=".")
    git("remote", "add", "origin", str(Path("remote.git").absolute()))
    return Path("remote.git").absolute()


def head(remote: Path) -> str:
    return git("rev-parse", "main", at=str(remote))


def test_a_remote_whose_hook_refuses(changed: Shop, remote: Path) -> None:
    hook = remote / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'ask the site owner' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = head(remote)
    for place in (REPO, ("--repo", remote.as_uri(), "--branch", "main")):
        (finding,) = changed.findings(5, "render", PROFILE, *place, "--push")
        assert finding["code"] == "push-refused"
        assert finding["message"] == "the remote does not accept a push to `main`"
        assert finding["where"]["subject"].endswith(f"{remote}") or str(remote) in str(finding["where"])
        assert any("ask the site owner" in line for line in finding["explanation"])
        assert finding["hint"] == "propose the change instead: add --merge-request"
        assert head(remote) == before


def test_a_remote_that_has_moved_on(changed: Shop, remote: Path) -> None:
    git("clone", "-q", str(remote), "colleague", at=".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "theirs", at="colleague")
    git("push", "-q", "origin", "main", at="colleague")
    theirs = head(remote)
    (finding,) = changed.findings(5, "render", PROFILE, *REPO, "--push")
    assert finding["code"] == "push-rejected"
    assert finding["message"] == "`main` has moved on since it was read, so nothing was pushed"
    assert finding["hint"] == "git -C gitops pull --ff-only, then run the same command again"
    assert head(remote) == theirs
    git("pull", "-q", "--ff-only", "origin", "main")
    assert changed.ok("render", PROFILE, *REPO, "--push").endswith("(main), pushed\n")
    assert git("rev-parse", "main~1", at=str(remote)) == theirs


def test_a_remote_that_cannot_be_reached(changed: Shop) -> None:
    (finding,) = changed.findings(5, "render", PROFILE, "--repo", "file:///nowhere.git", "--branch", "main", "--push")
    assert finding["code"] == "remote-unreachable"
    assert finding["message"] == "`file:///nowhere.git` cannot be reached"
    assert finding["where"] == {"subject": "git ls-remote"}
    assert finding["hint"] == "try the same access alone: git ls-remote file:///nowhere.git"


def test_a_branch_that_the_remote_lacks(changed: Shop, remote: Path) -> None:
    (finding,) = changed.findings(1, "render", PROFILE, "--repo", remote.as_uri(), "--branch", "mian", "--push")
    assert (finding["code"], finding["where"]) == ("branch-not-found", {"subject": "--branch mian"})
    assert finding["hint"] == (
        "name an existing branch, or make it first, in a clone of the repository: git push origin main:mian"
    )


def test_a_commit_for_a_remote_must_be_pushed(changed: Shop, remote: Path) -> None:
    place = ("--repo", remote.as_uri(), "--branch", "main")
    (finding,) = changed.findings(1, "render", PROFILE, *place)
    assert finding["code"] == "push-needed"
    assert finding["message"] == f"a commit for `{remote.as_uri()} (main)` has no place to stay unless it is pushed"
    assert finding["hint"] == "add --push or --merge-request, or name a clone on this machine"
    assert changed.ok("render", PROFILE, *place, "--push").endswith(f" on {remote.as_uri()} (main), pushed\n")


@pytest.mark.parametrize(
    ("repository", "message"),
    [("ssh://", "`ssh://` does not name a host"), ("http://git.example/x.git", "")],
)
def test_a_repository_that_git_must_not_see(changed: Shop, repository: str, message: str) -> None:
    (finding,) = changed.findings(1, "render", PROFILE, "--repo", repository, "--branch", "main", "--push")
    assert finding["code"] == "repository-name"
    assert message in finding["message"]
    assert finding["hint"] == "--repo ssh://git@host/group/site.git --branch main"


# --- trees that somebody changed --------------------------------------------------------------------------------


def test_a_tree_that_somebody_changed(shop: Shop) -> None:
    path = Path("out/sites/shop/manifests/w040-extensions/web/deployment-web.yaml")
    path.write_text(path.read_text() + "---\nkind: Nothing\n")
    code, out, err = shop.run("check", "out")
    assert (code, out) == (1, "out/sites/shop: 20 files, 10 objects, 2 faults\n")
    modified, invalid, count = err.split("\n\n")
    assert modified.startswith(
        "error[tree-modified]: the files are not those that were rendered: somebody changed, added or removed one\n"
        "  --> out/sites/shop/records/provenance.json\n"
    )
    assert modified.endswith("   hint: see what differs: sitewright diff PROFILE --against TREE")
    assert invalid == (
        "error[invalid-manifest]: `apiVersion` is missing or not a string\n"
        f"  --> {path}\n"
        "   expected: one Kubernetes object\n"
        "   hint: render the site again: sitewright render PROFILE"
    )
    assert count == "2 errors\n"


def test_a_directory_that_holds_no_tree(shop: Shop) -> None:
    assert shop.refused(1, "check", "keys").startswith("error[no-tree]: `keys` holds no rendered tree\n  --> keys\n")


@pytest.mark.parametrize("tree", ["gitops", "gitops/sites/shop"])
def test_a_revision_that_is_not_there(shop: Shop, tree: str) -> None:
    assert shop.refused(1, "diff", tree, "--against", "v9") == (
        "error[revision-not-found]: `v9` is neither a directory nor a commit of `gitops`\n"
        "  --> --against\n"
        "   hint: git -C gitops log --oneline\n"
    )


def test_a_revision_of_no_repository(shop: Shop) -> None:
    assert shop.refused(1, "diff", PROFILE, "--against", "v9") == (
        "error[revision-not-found]: `v9` is no directory, and `.` is no git repository that could have such a commit\n"
        "  --> --against\n"
        "   hint: name a directory, or the repository with --repo\n"
    )
