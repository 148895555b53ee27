"""The shop of `site_fixture` with images that its bundle carries: for tests of `sitewright images`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.site_fixture import FILES, Shop, edit, write
from tests.unit.registry_fixture import RealRegistry

PROFILE = "profiles/shop.yaml"
QUEUE, WEB = "docker.io/example/queue:2.0.1", "docker.io/example/web:1.2.0"


def an_image_shop(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, images: str = "{layout: images}"
) -> Shop:
    """The shop below `place`, the working directory from now on; its keys are made, its bundle is not built.

    `images` is the entry of the bundle's source that says where its images come from.
    """
    shop = Shop(capsys)
    (place / "shop").mkdir()
    monkeypatch.chdir(place / "shop")
    for path, text in FILES.items():
        write(path, text)
    source = FILES["sources/bundle.yaml"].partition("  images:\n")[0]
    write("sources/bundle.yaml", f"{source}  images:\n    - {images}\n")
    for who in ("vendor", "office"):
        shop.ok("bundle", "keygen", f"keys/{who}.key")
    return shop


def is_at(registry: RealRegistry, *more: str) -> None:
    """Let the profile name `registry` as the site's, with `more` lines of settings."""
    lines = "".join(f"\n    {line}" for line in more)
    edit(PROFILE, "url: https://harbor.shop.local:5443", f"url: {registry.url}{lines}")
