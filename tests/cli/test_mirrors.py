"""`sitewright mirrors --runtime`: the files of another runtime than the one that the profile names."""

import json
from pathlib import Path

from renderer.cli.verbs.site import MIRRORS
from renderer.stages.mirrors.nodes import RUNTIMES
from tests.cli.site_fixture import PROFILE, Shop, contents


def test_all_runtimes_can_be_named() -> None:
    (argument,) = [one for one in MIRRORS.arguments if one.key == "runtime"]
    assert argument.choices == RUNTIMES


def test_the_files_of_other_runtimes(shop: Shop) -> None:
    named = [word for runtime in RUNTIMES for word in ("--runtime", runtime)]
    code, _, said = shop.run("mirrors", PROFILE, *named, "--out", "all")
    assert code == 0
    assert "image-by-digest" in said, "the bundle carries no image, so nobody can have signed one"
    assert "docker-cannot-mirror" in said
    directories = {path.split("/")[2] for path in contents("all")}
    assert directories == {name.replace("cri-o", "crio") for name in RUNTIMES}
    policy = json.loads(Path("all/nodes/policy/policy.json").read_text())
    assert policy["default"] == [{"type": "reject"}]
    assert any("@sha256:" in scope for scope in policy["transports"]["docker"])


def test_a_runtime_named_twice_is_written_once(shop: Shop) -> None:
    files = shop.json("mirrors", PROFILE, "--runtime", "talos", "--runtime", "talos")["files"]
    assert files == [
        "nodes/talos/README.md",
        "nodes/talos/registries-before-1.12.yaml",
        "nodes/talos/registries.yaml",
    ]


def test_an_unknown_runtime_is_wrong_usage(shop: Shop) -> None:
    code, _, err = shop.run("mirrors", PROFILE, "--runtime", "rkt")
    assert code == 2
    assert "containerd" in err
