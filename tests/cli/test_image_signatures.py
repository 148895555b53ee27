"""An image that its maker signed with cosign: through the bundle into the site registry, and judged there by cosign."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.image_shop import PROFILE, QUEUE, WEB, an_image_shop, is_at
from tests.cli.site_fixture import BUNDLE, Shop
from tests.simulators.images import ImageLayout
from tests.unit.registry_fixture import RealRegistry, real_registry

pytestmark = pytest.mark.real
Cosign = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def makers(tmp_path: Path, real: Callable[[str], Path]) -> Iterator[RealRegistry]:
    """The registry of those who make images."""
    with real_registry(real("docker-registry"), tmp_path / "makers") as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, real: Callable[[str], Path]) -> Iterator[RealRegistry]:
    with real_registry(real("docker-registry"), tmp_path / "site") as running:
        yield running


@pytest.fixture
def cosign(debian13: Callable[[str], Path], tmp_path: Path) -> Cosign:
    program = debian13("cosign")
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "COSIGN_PASSWORD": "throwaway"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *words], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    made = run("generate-key-pair")
    assert made.returncode == 0, made.stderr
    return run


@pytest.fixture
def shop(
    bare: Path, site: RealRegistry, makers: RealRegistry, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:  # fmt: skip
    """The shop, whose bundle takes its images from the makers' registry."""
    made = an_image_shop(bare, capsys, monkeypatch, f'{{registry: {makers.url}, images: ["{QUEUE}", "{WEB}"]}}')
    is_at(site, "insecure: true")
    return made


def published(layout: ImageLayout, name: str, skopeo: Path, makers: RealRegistry) -> str:
    """The image `name` of the layout, in the makers' registry: its reference by digest."""
    repository = f"127.0.0.1:{makers.port}/{name.partition('/')[2].partition(':')[0]}"
    subprocess.run(
        [skopeo, "--insecure-policy", "copy", "-q", "--all", "--preserve-digests", "--dest-tls-verify=false",
         f"oci:{layout.directory}:{name}", f"docker://{repository}:{name.rpartition(':')[2]}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return repository


SIGN = ("sign", "--key", "cosign.key", "--tlog-upload=false", "--allow-http-registry", "--yes")
VERIFY = ("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-http-registry")


@pytest.fixture
def by_its_maker(
    makers: RealRegistry, cosign: Cosign, real: Callable[[str], Path], tmp_path: Path
) -> Callable[..., dict[str, Any]]:
    """`by_its_maker(*platforms)`: both images at the makers', `web` signed with all its manifests; index and those."""

    def published_and_signed(*platforms: str) -> dict[str, Any]:
        layout = ImageLayout(tmp_path / "layout")
        index = layout.image(WEB, *platforms)
        layout.image(QUEUE, *platforms)
        published(layout, QUEUE, real("skopeo"), makers)
        made = published(layout, WEB, real("skopeo"), makers)
        signed = cosign(*SIGN, "--recursive", f"{made}@{index['digest']}")
        assert signed.returncode == 0, signed.stderr
        found: dict[str, Any] = {**index, **layout.read(index)}
        return found

    return published_and_signed


@pytest.mark.parametrize("platforms", [("linux/amd64",), ("linux/amd64", "linux/arm64")], ids=["whole", "cut"])
def test_what_a_maker_signed_is_verified_inside(
    shop: Shop,
    site: RealRegistry,
    cosign: Cosign,
    by_its_maker: Callable[..., dict[str, Any]],
    platforms: tuple[str, ...],
) -> None:
    index = by_its_maker(*platforms)
    amd64 = index["manifests"][0]["digest"]
    shop.build()
    shop.ok("lock", PROFILE)
    inside = f"127.0.0.1:{site.port}/mirror/example/web"
    assert cosign(*VERIFY, f"{inside}@{amd64}").returncode != 0
    shop.ok("images", "sync", PROFILE)
    assert "2 complete" in shop.ok("images", "verify", PROFILE, "--deep")
    for reference in (f"{inside}@{amd64}", f"{inside}:1.2.0"):
        judged = cosign(*VERIFY, reference)
        assert judged.returncode == 0, judged.stderr
    (payload, *_) = json.loads(cosign(*VERIFY, f"{inside}:1.2.0").stdout)
    pinned = index["digest"] if len(platforms) == 1 else amd64
    assert payload["critical"]["image"]["docker-manifest-digest"] == pinned
    assert cosign(*VERIFY, f"127.0.0.1:{site.port}/mirror/example/queue:2.0.1").returncode != 0, "nobody signed it"


def test_signatures_of_makers_stay_beside_those_of_the_bundles_signers(
    shop: Shop, site: RealRegistry, cosign: Cosign, by_its_maker: Callable[..., dict[str, Any]]
) -> None:
    by_its_maker("linux/amd64")
    shop.build()
    shop.ok("lock", PROFILE)
    shop.ok("images", "sync", PROFILE)
    for who in ("vendor", "office"):
        shop.ok("bundle", "sign", BUNDLE, "--key", f"keys/{who}.key", "--images")
    assert "signed 2 of 2 images" in shop.ok("bundle", "verify", BUNDLE, "--trust", "profiles/trust.yaml")
    shop.ok("lock", PROFILE)
    assert "2 sent, 0 there already" in shop.ok("images", "sync", PROFILE), "the signatures are new"
    inside = f"127.0.0.1:{site.port}/mirror/example/web:1.2.0"
    ours = ("verify", "--insecure-ignore-tlog", "--allow-http-registry", "--key")
    for verify in (VERIFY, (*ours, "shop/keys/vendor.pub"), (*ours, "shop/keys/office.pub")):
        judged = cosign(*verify, inside)
        assert judged.returncode == 0, judged.stderr
    assert "2 complete" in shop.ok("images", "verify", PROFILE, "--deep")
    assert "0 sent, 2 there already" in shop.ok("images", "sync", PROFILE, "--recheck")
    added = cosign(*SIGN, "--recursive", inside)
    assert added.returncode == 0, added.stderr
    assert "0 sent, 2 there already" in shop.ok("images", "sync", PROFILE, "--recheck"), "the site signs, too"
    assert "2 complete" in shop.ok("images", "verify", PROFILE)
