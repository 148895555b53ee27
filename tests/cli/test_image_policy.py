"""Nodes that demand signatures over images: skopeo of Debian 13 pulls through the generated files, as CRI-O would.

It reads the generated registries.conf, policy.json and registries.d, asks for the upstream name, and gets the image
from the mirror: a real registry that `images sync` has filled. Nothing else is reachable by that name.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.image_shop import PROFILE, QUEUE, WEB, an_image_shop, is_at
from tests.cli.site_fixture import BUNDLE, LOCK, SOURCE, Shop, edit, write
from tests.simulators.images import ImageLayout
from tests.unit.registry_fixture import RealRegistry, real_registry

pytestmark = pytest.mark.real
TRUST = "profiles/trust.yaml"
POLICY = "out/nodes/policy"
TWO = "{threshold: 2, of: [vendor, office]}"


@pytest.fixture
def site(tmp_path: Path, real: Callable[[str], Path]) -> Iterator[RealRegistry]:
    with real_registry(real("docker-registry"), tmp_path / "site") as running:
        yield running


@pytest.fixture
def shop(bare: Path, site: RealRegistry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop of CRI-O nodes, whose bundle carries both images for two platforms, built and not signed."""
    made = an_image_shop(bare, capsys, monkeypatch)
    is_at(site, "insecure: true")
    edit(PROFILE, "distribution: k3s, runtime: containerd", "distribution: kubeadm, runtime: cri-o")
    for path in (SOURCE, PROFILE):
        edit(path, "platforms: [linux/amd64]", "platforms: [linux/amd64, linux/arm64]")
    layout = ImageLayout(Path("sources/images"))
    for name in (QUEUE, WEB):
        layout.image(name, "linux/amd64", "linux/arm64")
    built(made)
    return made


def built(shop: Shop) -> None:
    """The bundle, as it is before anybody signs it; a warning is said of a template that knows no values."""
    code, _, said = shop.run("bundle", "build", SOURCE, "-o", BUNDLE)
    assert code == 0, said


def signed(shop: Shop, *with_images: str, without: tuple[str, ...] = ()) -> None:
    """The bundle signed, locked, its images in the registry, and the files for the nodes written."""
    for key in without:
        shop.ok("bundle", "sign", BUNDLE, "--key", f"keys/{key}.key")
    for key in with_images:
        shop.ok("bundle", "sign", BUNDLE, "--key", f"keys/{key}.key", "--images")
    shop.ok("lock", PROFILE)
    shop.ok("images", "sync", PROFILE)
    written(shop)


def written(shop: Shop) -> str:
    """The files for the nodes; what was said about them."""
    code, _, said = shop.run("mirrors", PROFILE, "--runtime", "cri-o", "--runtime", "policy", "--out", "out")
    assert code == 0, said
    return said


def digest_of(name: str) -> str:
    (line,) = [one for one in Path(LOCK).read_text().splitlines() if f'reference: "{name}"' in one]
    return line.partition('digest: "')[2].partition('"')[0]


@pytest.fixture
def node(debian13: Callable[[str], Path], tmp_path: Path) -> Callable[..., str]:
    """`node(name)` pulls as a node of the site would; what it says when it refuses, nothing when it does not."""
    skopeo = debian13("skopeo")
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "containers").symlink_to(Path("out/nodes/crio").absolute())

    def pull(name: str, architecture: str = "amd64") -> str:
        command = [str(skopeo), "--policy", f"{POLICY}/policy.json", "--registries.d", f"{POLICY}/registries.d"]
        command += ["--override-arch", architecture, "copy", "--quiet", f"docker://{name}", f"dir:{tmp_path / 'got'}"]
        done = subprocess.run(
            command,
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) == (not done.stderr), done.stderr
        return done.stderr

    return pull


@pytest.fixture
def podman(debian13: Callable[[str], Path], tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """The same with Podman: `podman(name)`."""
    if os.geteuid() != 0:
        pytest.skip("Podman needs user namespaces or root")
    program = debian13("podman")
    home = tmp_path / "podman"
    (home / ".config" / "containers").mkdir(parents=True)
    (home / ".config" / "containers" / "registries.d").symlink_to(Path(POLICY, "registries.d").absolute())
    environment = {
        "HOME": str(home),
        "CONTAINERS_REGISTRIES_CONF": str(Path("out/nodes/crio/registries.conf.d/50-sitewright.conf").absolute()),
    }
    with tempfile.TemporaryDirectory() as state:  # Podman refuses a path of more than 50 characters for it
        storage = ["--root", str(tmp_path / "storage"), "--runroot", state, "--storage-driver", "vfs"]

        def pull(name: str) -> str:
            policy = str(Path(POLICY, "policy.json").absolute())
            command = [str(program), *storage, "pull", "--quiet", "--signature-policy", policy, name]
            done = subprocess.run(
                command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
            )
            assert (done.returncode == 0) == ("Error" not in done.stderr), done.stderr
            return "" if done.returncode == 0 else done.stderr

        yield pull


def requirements(scope: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(f"{POLICY}/policy.json").read_text())["transports"]["docker"][scope]
    return found


def by_digest(name: str) -> str:
    return f"{name.rpartition(':')[0]}@{digest_of(name)}"


def test_what_all_signers_signed_is_pulled_and_nothing_else(shop: Shop, node: Callable[..., str]) -> None:
    signed(shop, "vendor", "office")
    for name in (WEB, QUEUE):
        assert len(requirements(name.rpartition(":")[0])) == 2
        assert node(by_digest(name)) == ""
        assert node(name) == "", "by its tag, too: the signature names it"
    assert node(by_digest(WEB), "arm64") == "", "each platform is signed"
    assert "complete" in shop.ok("images", "verify", PROFILE, "--deep")


def test_podman_judges_alike(shop: Shop, site: RealRegistry, podman: Callable[[str], str]) -> None:
    signed(shop, "vendor", "office")
    assert podman(by_digest(WEB)) == ""
    assert podman(WEB) == ""
    assert "is rejected by policy" in podman(f"127.0.0.1:{site.port}/mirror/example/web:1.2.0")
    shop.ok("bundle", "keygen", "keys/stranger.key")
    Path("keys/office.pub").write_bytes(Path("keys/stranger.pub").read_bytes())
    written(shop)
    assert "cryptographic signature verification failed" in podman(by_digest(QUEUE))


def test_a_signature_by_another_key_does_not_do(shop: Shop, node: Callable[..., str]) -> None:
    signed(shop, "vendor", "office")
    shop.ok("bundle", "keygen", "keys/stranger.key")
    Path("keys/office.pub").write_bytes(Path("keys/stranger.pub").read_bytes())
    written(shop)
    assert "cryptographic signature verification failed" in node(by_digest(WEB))


def test_without_the_signature_nothing_is_pulled(shop: Shop, site: RealRegistry, node: Callable[..., str]) -> None:
    signed(shop, "vendor", "office")
    for tags in site.directory.glob("**/mirror/example/web/_manifests/tags/sha256-*.sig"):
        for link in sorted(tags.rglob("*"), reverse=True):
            link.unlink() if link.is_file() else link.rmdir()
        tags.rmdir()
    assert "A signature was required, but no signature exists" in node(by_digest(WEB))
    assert node(by_digest(QUEUE)) == ""
    code, out, _ = shop.run("images", "verify", PROFILE)
    assert code == 5
    assert "signature by office" in out
    shop.ok("images", "sync", PROFILE, "--recheck")
    assert node(by_digest(WEB)) == ""


def test_one_of_several_keys_is_enough_where_the_rule_says_so(shop: Shop, node: Callable[..., str]) -> None:
    edit(TRUST, TWO, "{threshold: 1, of: [vendor, office]}")
    signed(shop, "office", without=("vendor",))
    (one,) = requirements("docker.io/example/web")
    assert len(one["keyDatas"]) == 2
    assert node(by_digest(WEB)) == ""


def test_two_of_three_becomes_those_two_who_signed(shop: Shop, node: Callable[..., str]) -> None:
    shop.ok("bundle", "keygen", "keys/third.key")
    edit(TRUST, "  rules:", "    - {name: third, publicKeyFile: keys/third.pub}\n  rules:")
    edit(TRUST, TWO, "{threshold: 2, of: [vendor, office, third]}")
    signed(shop, "third", "vendor")
    assert "policy-asks-for-more" in written(shop)
    assert len(requirements("docker.io/example/web")) == 2
    assert node(by_digest(WEB)) == ""


def test_rewritten_references_are_judged_by_their_upstream_names(
    shop: Shop, site: RealRegistry, node: Callable[..., str]
) -> None:
    edit(PROFILE, "    insecure: true", "    insecure: true\n    images: rewrite")
    signed(shop, "vendor", "office")
    place = f"127.0.0.1:{site.port}/mirror/example/web"
    (first, _) = requirements(place)
    assert first["signedIdentity"]["signedPrefix"] == "docker.io/example/web"
    assert node(f"{place}@{digest_of(WEB)}") == ""
    assert node(f"{place}:1.2.0") == ""


def test_a_render_writes_the_files_where_the_profile_asks_for_them(shop: Shop) -> None:
    edit(PROFILE, "  gitops:", "  nodes: {policy: true}\n  gitops:")
    signed(shop, "vendor", "office")
    shop.ok("render", PROFILE, "--out", "tree")
    for name in ("policy.json", "registries.d/50-sitewright.yaml", "README.md"):
        assert Path("tree/sites/shop/nodes/policy", name).read_bytes() == Path(POLICY, name).read_bytes()
    assert "unchanged" in shop.ok("render", PROFILE, "--out", "tree")
    shop.ok("bundle", "keygen", "keys/third.key")
    edit(TRUST, "  rules:", "    - {name: third, publicKeyFile: keys/third.pub}\n  rules:")
    edit(TRUST, TWO, "{threshold: 1, of: [vendor, office, third]}")
    assert "1 changed" not in shop.ok("render", PROFILE, "--out", "tree"), "policy.json, its README, and the provenance"
    edit(PROFILE, "runtime: cri-o", "runtime: containerd")
    code, _, said = shop.run("validate", PROFILE)
    assert code == 1
    assert "containerd reads no `policy.json`" in said


def test_images_that_nobody_signed_stay_with_their_digests(shop: Shop, node: Callable[..., str]) -> None:
    signed(shop, "office", without=("vendor",))
    said = written(shop)
    assert "image-by-digest" in said
    assert "sitewright bundle sign --images" in said
    assert requirements(by_digest(WEB)) == [{"type": "insecureAcceptAnything"}]
    assert node(by_digest(WEB)) == ""
    assert "is rejected by policy" in node(WEB)


@pytest.mark.parametrize("algorithm", ["ecdsa-p256-sha256", "ed25519"])
def test_keys_that_runtimes_know(shop: Shop, node: Callable[..., str], algorithm: str) -> None:
    for who in ("vendor", "office"):
        Path(f"keys/{who}.key").unlink()
        Path(f"keys/{who}.pub").unlink()
        shop.ok("bundle", "keygen", f"keys/{who}.key", "--algorithm", algorithm)
    signed(shop, "vendor", "office")
    assert node(by_digest(WEB)) == ""


def test_a_key_of_p384_signs_bundles_and_no_images(shop: Shop) -> None:
    for who in ("vendor", "office"):
        Path(f"keys/{who}.key").unlink()
        Path(f"keys/{who}.pub").unlink()
        shop.ok("bundle", "keygen", f"keys/{who}.key", "--algorithm", "ecdsa-p384-sha384")
    code, _, said = shop.run("bundle", "sign", BUNDLE, "--key", "keys/vendor.key", "--images")
    assert code == 1
    assert "image-signature-unreadable" in said
    signed(shop, without=("vendor", "office"))
    assert "policy-cannot-ask" in written(shop)


def test_an_rsa_key_of_openssl(shop: Shop, node: Callable[..., str]) -> None:
    for who in ("vendor", "office"):
        for path in (f"keys/{who}.key", f"keys/{who}.pub"):
            Path(path).unlink()
        subprocess.run(["openssl", "genrsa", "-out", f"keys/{who}.key", "2048"], check=True, capture_output=True)
        public = ["openssl", "pkey", "-in", f"keys/{who}.key", "-pubout", "-out", f"keys/{who}.pub"]
        subprocess.run(public, check=True)
    signed(shop, "vendor", "office")
    assert node(by_digest(WEB)) == ""


def test_signatures_travel_through_a_registry(shop: Shop, site: RealRegistry, node: Callable[..., str]) -> None:
    shop.ok("bundle", "sign", BUNDLE, "--key", "keys/vendor.key", "--images")
    shop.ok("bundle", "sign", BUNDLE, "--key", "keys/office.key", "--images")
    address = f"oci://127.0.0.1:{site.port}/bundles/pantry"
    shop.ok("bundle", "push", BUNDLE, address, "--plain-http")
    shop.ok("bundle", "pull", f"{address}:1.0.0", "-o", "again", "--trust", TRUST, "--plain-http")
    assert Path("again/index.json").read_bytes() == Path(BUNDLE, "index.json").read_bytes()
    assert "vendor signed 2 of 2 images" in shop.ok("bundle", "verify", "again", "--trust", TRUST)
    edit(PROFILE, "source: bundles/pantry", f"source: {address}")
    shop.ok("lock", PROFILE)
    shop.ok("images", "sync", PROFILE)
    written(shop)
    assert len(requirements("docker.io/example/web")) == 2
    assert node(by_digest(WEB)) == ""


def test_a_later_bundle_by_other_signers_keeps_what_is_there(shop: Shop, node: Callable[..., str]) -> None:
    edit(TRUST, TWO, "{threshold: 1, of: [vendor, office]}")
    signed(shop, "vendor")
    write("first.json", Path(f"{POLICY}/policy.json").read_text())
    built(shop)
    edit(TRUST, "{threshold: 1, of: [vendor, office]}", "{threshold: 1, of: [office]}")
    signed(shop, "office")
    assert node(by_digest(WEB)) == ""
    Path(f"{POLICY}/policy.json").write_text(Path("first.json").read_text().replace("", ""))
    assert node(by_digest(WEB)) == "", "nodes that still ask for the vendor"
