"""Images to a registry on loopback: `images sync` against skopeo, in one run, over the same OCI layout.

40 images of 6 layers, of which 3 are shared by groups of images; docker-registry with a store of its own for each
run. Prints ratios and the peak memory of the process that sends; needs the Debian packages docker-registry and skopeo.

    python tests/benchmarks/bench_images.py [--mib 256] [--rounds 2]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from renderer.model.reference import Digest  # noqa: E402
from tests.unit.registry_fixture import RealRegistry, real_registry  # noqa: E402

IMAGES, OWN, SHARED, GROUP = 40, 3, 3, 8
GOALS = {"first sync against the faster skopeo": 1.5, "nothing to do against a skopeo copy loop": 10.0}
MEMORY_MIB = 150
INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"
CONFIG, LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"
BUNDLE = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: bench, version: 1.0.0}
spec:
  sequence: 1
  created: 2026-11-01T00:00:00Z
  platforms: [linux/amd64]
  extensions:
    - {name: none, version: 1.0.0, namespace: none, components: [{name: none, manifests: manifests}]}
  images: [{layout: images}]
"""
TRUST = """\
apiVersion: sitewright.dev/v1
kind: TrustPolicy
metadata: {name: bench}
spec:
  keys: [{name: vendor, publicKeyFile: vendor.pub}]
  rules: [{bundles: "*", require: {threshold: 1, of: [vendor]}}]
"""


def make_layout(place: Path, mib: int) -> list[str]:
    """An OCI layout of about `mib` MiB of unique blobs; returns the references."""
    blobs = place / "blobs/sha256"
    blobs.mkdir(parents=True)
    groups = -(-IMAGES // GROUP)
    layer_size = mib * 2**20 // (IMAGES * OWN + groups * SHARED)

    def blob(media_type: str, content: bytes) -> dict[str, object]:
        digest = Digest.of(content)
        (blobs / digest.hex).write_bytes(content)
        return {"mediaType": media_type, "digest": str(digest), "size": len(content)}

    def document(media_type: str, body: object) -> dict[str, object]:
        return blob(media_type, json.dumps(body, sort_keys=True).encode())

    shared = [[blob(LAYER, os.urandom(layer_size)) for _ in range(SHARED)] for _ in range(groups)]
    entries, references = [], []
    for number in range(IMAGES):
        reference = f"docker.io/bench/image-{number:02}:1.0"
        config = document(CONFIG, {"os": "linux", "architecture": "amd64", "config": {"Labels": {"n": str(number)}}})
        layers = shared[number // GROUP] + [blob(LAYER, os.urandom(layer_size)) for _ in range(OWN)]
        manifest = document(
            MANIFEST, {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        ) | {"platform": {"os": "linux", "architecture": "amd64"}}
        index = document(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]})
        entries.append(index | {"annotations": {"org.opencontainers.image.ref.name": reference}})
        references.append(reference)
    (place / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))
    return references


def sitewright(place: Path, *words: str, check: bool = True) -> tuple[float, int]:
    """Seconds and peak memory (KiB) of one run of the command line in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(place / "state")}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "renderer", *words], cwd=place, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if check and process.returncode:
        raise SystemExit(f"sitewright {' '.join(words)} ended with {process.returncode}")
    return time.perf_counter() - start, used.ru_maxrss


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def skopeo(*words: str) -> None:
    subprocess.run(["skopeo", *words], check=True, capture_output=True)


def copy_loop(layout: Path, references: list[str], registry: RealRegistry) -> None:
    """`skopeo copy --all` for each image, as scripts do it."""
    for reference in references:
        target = f"docker://127.0.0.1:{registry.port}/{reference.partition('/')[2]}"
        skopeo("copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{layout}:{reference}", target)


def sync_directories(directories: Path, registry: RealRegistry) -> None:
    """`skopeo sync`, which reads no OCI layout but directories of its own kind."""
    target = f"127.0.0.1:{registry.port}/bench"
    skopeo("sync", "--all", "--src", "dir", "--dest", "docker", "--dest-tls-verify=false", str(directories), target)


@contextmanager
def fresh(place: Path) -> Iterator[RealRegistry]:
    """A registry with an empty store."""
    with real_registry(Path(str(shutil.which("docker-registry"))), place / "registry") as registry:
        yield registry
    shutil.rmtree(place / "registry")


def measure(place: Path, references: list[str]) -> dict[str, tuple[float, float]]:
    """First and second run of each way to bring the images, and our peak memory."""
    found: dict[str, tuple[float, float]] = {}
    with fresh(place) as registry:
        sync = ("images", "sync", "bundle", "--trust", "trust.yaml", "--registry", registry.url, "--jobs", "4")
        first, memory = sitewright(place, *sync)
        second, memory_again = sitewright(place, *sync)
        found["sitewright"] = first, second
        found["memory"] = memory / 1024, memory_again / 1024
    with fresh(place) as registry:
        loop = lambda: copy_loop(place / "images", references, registry)  # noqa: E731
        found["skopeo copy --all loop"] = timed(loop), timed(loop)
    with fresh(place) as registry:
        sync_all = lambda: sync_directories(place / "dirs", registry)  # noqa: E731
        found["skopeo sync"] = timed(sync_all), timed(sync_all)
    return found


def main() -> int:
    reader = argparse.ArgumentParser()
    reader.add_argument("--mib", type=int, default=256)
    reader.add_argument("--rounds", type=int, default=2)
    options = reader.parse_args()
    if not (shutil.which("docker-registry") and shutil.which("skopeo")):
        print("skipped: needs docker-registry and skopeo")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        references = make_layout(place / "images", options.mib)
        (place / "dirs").mkdir()
        for reference in references:
            name = reference.rpartition("/")[2]
            skopeo("copy", "-q", "--all", f"oci:{place / 'images'}:{reference}", f"dir:{place / 'dirs' / name}")
        (place / "manifests").mkdir()
        (place / "manifests/one.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n")
        (place / "bundle.yaml").write_text(BUNDLE)
        (place / "trust.yaml").write_text(TRUST)
        sitewright(place, "bundle", "build", "bundle.yaml", "-o", "bundle")
        sitewright(place, "bundle", "keygen", "vendor.key")
        sitewright(place, "bundle", "sign", "bundle", "--key", "vendor.key")
        start_up = min(sitewright(place, "--version")[0] for _ in range(3))
        rounds = [measure(place, references) for _ in range(options.rounds)]
    best = {name: tuple(min(one[name][turn] for one in rounds) for turn in (0, 1)) for name in rounds[0]}
    memory = max(max(one["memory"]) for one in rounds)
    print(f"{IMAGES} images, {options.mib} MiB, best of {options.rounds}; seconds for the first run, nothing to do")
    for name in ("sitewright", "skopeo copy --all loop", "skopeo sync"):
        first, second = best[name]
        print(f"  {name:24} {first:7.3f} {second:7.3f}   {options.mib / first:6.0f} MiB/s")
    ours = best["sitewright"]
    ratios = {
        "first sync against the faster skopeo": min(
            best["skopeo copy --all loop"][0], best["skopeo sync"][0]
        ) / ours[0],
        "nothing to do against a skopeo copy loop": best["skopeo copy --all loop"][1] / ours[1],
        "nothing to do against skopeo sync": best["skopeo sync"][1] / ours[1],
        "nothing to do, start of Python not counted": best["skopeo copy --all loop"][1] / (ours[1] - start_up),
    }  # fmt: skip
    for name, ratio in ratios.items():
        goal = f"  (goal {GOALS[name]})" if name in GOALS else ""
        print(f"  {name:45} {ratio:6.2f}{goal}")
    print(f"  peak memory {memory:.0f} MiB (goal: at most {MEMORY_MIB}); a start of Python takes {start_up:.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
