"""`images sync` in processes of its own against docker-registry: killed again and again, and within its memory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.simulators.image_site import IMAGES, ImageSite
from tests.unit.registry_fixture import RealRegistry, real_registry
from tests.unit.test_images_sync import grow_layer

ROOT = Path(__file__).resolve().parents[2]
TRUST = """\
apiVersion: sitewright.dev/v1
kind: TrustPolicy
metadata: {name: test}
spec:
  keys: [{name: vendor, publicKeyFile: keys/vendor.pub}]
  rules: [{bundles: "*", require: {threshold: 1, of: [vendor]}}]
"""

pytestmark = pytest.mark.real


@pytest.fixture
def registry(tmp_path: Path, real: Callable[[str], Path]) -> Iterator[RealRegistry]:
    with real_registry(real("docker-registry"), tmp_path / "registry") as running:
        yield running


def started(site: ImageSite, registry: RealRegistry) -> subprocess.Popen[bytes]:
    """A sync of the bundle in a process of its own."""
    words = ["images", "sync", "bundle", "--trust", "trust.yaml", "--registry", registry.url, "--quiet"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(site.root / "state")}
    return subprocess.Popen([sys.executable, "-m", "renderer", *words], cwd=site.root, env=environment)


def finished(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Exit code and peak memory in MiB.

    The kernel's own account of a finished child (`ru_maxrss`) holds the memory of the test process that began it, too;
    `VmHWM` begins anew with the program.
    """
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = max([peak, *(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))])
        time.sleep(0.01)
    return process.returncode, peak


def stored(registry: RealRegistry) -> int:
    """Bytes in the store of a registry, uploads under way included."""
    total = 0
    for place, _, names in os.walk(registry.directory / "store"):  # unlike `rglob`, it bears what vanishes
        if "data" in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / "data").stat().st_size
    return total


def verified(site: ImageSite, registry: RealRegistry) -> bool:
    """Whether every blob in the registry has its digest."""
    from renderer.adapters.registry.opening import open_registry
    from renderer.commands.images.bundle_plan import targets_of_bundle
    from renderer.commands.images.verify import verify

    targets = targets_of_bundle(site.verified.bundle, {})
    with open_registry(registry.url, environ={}, insecure=True) as opened:
        return verify(targets, opened, deep=True).complete


def test_a_sync_that_is_killed_again_and_again_ends_well(tmp_path: Path, registry: RealRegistry) -> None:
    size = 96 * 2**20
    site = large_site(tmp_path, size)
    killed = 0
    for part in range(1, 6):
        process = started(site, registry)
        while process.poll() is None and stored(registry) < part * size // 6:
            time.sleep(0.002)
        if process.poll() is None:
            process.kill()
            killed += 1
        process.wait()
    assert killed >= 3
    assert finished(started(site, registry))[0] == 0
    assert verified(site, registry)


def test_an_interrupt_ends_with_130_and_the_next_run_continues(tmp_path: Path, registry: RealRegistry) -> None:
    site = large_site(tmp_path, 200 * 2**20)
    process = started(site, registry)
    while process.poll() is None and stored(registry) < 20 * 2**20:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert finished(started(site, registry))[0] == 0
    assert verified(site, registry)


def test_memory_does_not_grow_with_the_size_of_layers(tmp_path: Path, registry: RealRegistry) -> None:
    site = large_site(tmp_path, 200 * 2**20)
    code, memory = finished(started(site, registry))
    assert code == 0
    assert 20 < memory <= 150


def test_a_part_of_an_index_is_refused_by_this_registry(tmp_path: Path, registry: RealRegistry) -> None:
    site = ImageSite(tmp_path, IMAGES[:1], upstream=("linux/amd64", "linux/arm64"))
    (tmp_path / "trust.yaml").write_text(TRUST)
    process = started(site, registry)
    assert process.wait() == 5


def large_site(root: Path, size: int) -> ImageSite:
    """One bundle whose images share a layer of `size` bytes."""
    site = ImageSite(root)
    grow_layer(root / "images", size)
    site.bundle()
    (root / "trust.yaml").write_text(TRUST)
    return site
