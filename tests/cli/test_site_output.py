"""What render, diff and check do when all is well: what they write, and what they leave alone."""

from pathlib import Path

import pytest

from tests.cli.site_fixture import FILES, OUT, PROFILE, REPO, Shop, contents, edit, git, write

ANOTHER = "profiles/second.yaml"


# --- render -----------------------------------------------------------------------------------------------------


def second_site(shop: Shop) -> None:
    """Another profile of the same bundle, with its lock."""
    write(ANOTHER, FILES[PROFILE].replace("name: shop}", "name: second}"))
    shop.ok("lock", ANOTHER)


def more_replicas(shop: Shop) -> None:
    edit(PROFILE, "replicas: 2", "replicas: 3")
    shop.ok("lock", PROFILE)


def test_an_unchanged_site_rewrites_no_file(shop: Shop) -> None:
    before = contents("out")
    assert shop.ok("render", PROFILE, *OUT) == "sites/shop: 20 files, unchanged\n"
    assert contents("out") == before


def test_an_unchanged_site_makes_no_commit(shop: Shop) -> None:
    commit, before = git("rev-parse", "main"), contents("gitops")
    assert shop.ok("render", PROFILE, *REPO) == "sites/shop: 20 files, unchanged\n"
    assert shop.json("render", PROFILE, *REPO)["commit"] == commit
    assert (git("rev-parse", "main"), contents("gitops")) == (commit, before)


def test_a_change_rewrites_what_it_changes(shop: Shop) -> None:
    before = contents("out")
    more_replicas(shop)
    (site,) = shop.json("render", PROFILE, *OUT)["sites"]
    after = contents("out")
    changed = sorted(path.removeprefix("out/sites/shop/") for path in after if after[path] != before[path])
    assert len(changed) == site["changed"]
    assert [path for path in changed if not path.startswith("records/")] == [
        "manifests/w040-extensions/web/deployment-web.yaml"
    ]


def test_a_change_becomes_one_commit(shop: Shop) -> None:
    more_replicas(shop)
    document = shop.json("render", PROFILE, *REPO)
    assert document["commit"] == git("rev-parse", "main")
    changed = git("diff", "--name-only", "HEAD~1").splitlines()
    assert document["sites"] == [{"site": "shop", "root": "sites/shop", "files": 20, "changed": len(changed)}]
    assert git("rev-list", "--count", "main") == "2"
    assert git("status", "--porcelain") == ""
    assert git("diff", "--stat", "--summary", "HEAD~1", "--", "sites/shop/manifests").endswith(
        "1 file changed, 1 insertion(+), 1 deletion(-)"
    )


@pytest.mark.usefixtures("shop")
def test_a_repository_holds_what_a_directory_holds() -> None:
    def tree(place: str) -> dict[str, bytes]:
        return {path.removeprefix(place): one[0] for path, one in contents(place).items()}

    assert tree("out") == tree("gitops")


def test_several_sites_in_one_call_become_one_commit(shop: Shop) -> None:
    second_site(shop)
    more_replicas(shop)
    sites = shop.json("render", PROFILE, ANOTHER, *REPO)["sites"]
    assert [(one["site"], one["changed"] > 0) for one in sites] == [("shop", True), ("second", True)]
    assert git("rev-list", "--count", "main") == "2"
    assert git("log", "-1", "--format=%s") == "Render shop, second"


def test_of_several_sites_only_those_that_changed_are_committed(shop: Shop) -> None:
    second_site(shop)
    shop.ok("render", PROFILE, ANOTHER, *REPO)
    more_replicas(shop)
    sites = shop.json("render", PROFILE, ANOTHER, *REPO)["sites"]
    assert [(one["site"], one["changed"] > 0) for one in sites] == [("shop", True), ("second", False)]
    assert git("log", "-1", "--format=%s") == "Render shop"
    assert {path.split("/")[1] for path in git("diff", "--name-only", "HEAD~1").splitlines()} == {"shop"}


def test_files_beside_the_sites_stay(shop: Shop) -> None:
    write("out/README.md", "mine")
    write("out/sites/other/notes.txt", "mine too")
    more_replicas(shop)
    shop.ok("render", PROFILE, *OUT)
    assert (Path("out/README.md").read_text(), Path("out/sites/other/notes.txt").read_text()) == ("mine", "mine too")


def test_an_extension_that_goes_leaves_the_tree(shop: Shop) -> None:
    edit(PROFILE, "    - name: notes\n      values: {motto: fresh}\n", "")
    assert "  extension notes 0.1.0 -> (gone)\n" in shop.ok("lock", PROFILE)
    shop.run("render", PROFILE, *OUT)
    assert not [path for path in contents("out/sites/shop/manifests") if "notes" in path]


# --- diff, check ------------------------------------------------------------------------------------------------


def test_diff_as_text_markdown_and_json(shop: Shop) -> None:
    more_replicas(shop)
    text = shop.ok("diff", PROFILE, *REPO)
    assert text.startswith("sites/shop: 1 changed; ")
    assert "\nw040-extensions:\n  ~ Deployment shop/web\n      spec.replicas\n        - 2\n        + 3\n" in text
    markdown = shop.ok("diff", PROFILE, *REPO, "--format", "markdown")
    assert markdown.startswith("| site | changes |\n|---|---|\n| `sites/shop` | 1 changed; ")
    assert "```diff\n@@ spec.replicas @@\n- 2\n+ 3\n```" in markdown
    (site,) = shop.json("diff", PROFILE, *REPO)["sites"]
    (change,) = site["objects"]
    assert change["object"] == {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}
    assert change["fields"] == [{"path": "spec.replicas", "before": 2, "after": 3}]
    assert shop.run("diff", PROFILE, *REPO, "--exit-code")[0] == 1


def test_diff_of_what_did_not_change(shop: Shop) -> None:
    assert shop.ok("diff", PROFILE, *OUT, "--exit-code") == "sites/shop: no object changes\n"


def test_check(shop: Shop) -> None:
    assert shop.ok("check", "out") == "out/sites/shop: 20 files, 10 objects, intact\n"
    assert shop.ok("check", PROFILE) == "sites/shop: 20 files, no fault that stops a render\n"
    assert shop.json("check", "gitops") == {
        "trees": [{"root": "gitops/sites/shop", "files": 20, "objects": 10, "faults": 0}]
    }
