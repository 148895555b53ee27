"""Building and verifying a bundle, against what the same bytes cost with cp and sha256sum, in one run.

One bundle of so many MiB of layers, shared by a few images for two platforms. How fast sha256sum is depends on how it
was built: what OpenSSL needs, which Python hashes with, is shown beside it. Every measure is taken turn by turn in
each round, and the best of all rounds counts. Prints ratios and the peak memory of the processes.

    python tests/benchmarks/bench_bundle.py [--mib 256] [--rounds 3]        # --mib 2048 for the full size
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from renderer.model.reference import Digest  # noqa: E402
from tests.benchmarks.bench_images import BUNDLE, CONFIG, INDEX, LAYER, MANIFEST, TRUST  # noqa: E402

IMAGES, PLATFORMS, LAYERS = 6, ("amd64", "arm64"), 2
MEMORY_MIB = 200
GOALS = {"build a directory": 1.5, "build a tar file": 1.5, "verify a directory": 1.25, "verify a tar file": 1.25}
WORKERS = os.cpu_count() or 1


class Layout:
    """An OCI layout whose layers are random enough to be different, and quickly made."""

    def __init__(self, place: Path) -> None:
        self.blobs = place / "blobs/sha256"
        self.blobs.mkdir(parents=True)
        self._noise = os.urandom(2**20)
        self._made = 0

    def blob(self, media_type: str, content: bytes) -> dict[str, object]:
        digest = Digest.of(content)
        (self.blobs / digest.hex).write_bytes(content)
        return {"mediaType": media_type, "digest": str(digest), "size": len(content)}

    def document(self, media_type: str, body: object) -> dict[str, object]:
        return self.blob(media_type, json.dumps(body, sort_keys=True).encode())

    def layer(self, mib: int) -> dict[str, object]:
        """A layer of so many MiB, written without holding it in memory."""
        import hashlib

        self._made += 1
        found, path = hashlib.sha256(), self.blobs / "layer"
        with path.open("wb") as file:
            for number in range(mib):
                block = f"{self._made} {number}".encode().ljust(32) + self._noise[32:]
                found.update(block)
                file.write(block)
        path.rename(self.blobs / found.hexdigest())
        return {"mediaType": LAYER, "digest": f"sha256:{found.hexdigest()}", "size": mib * 2**20}


def make_images(place: Path, mib: int) -> None:
    """About `mib` MiB in `IMAGES` images for two platforms; both share their last layer."""
    layout = Layout(place)
    size = max(1, mib // (IMAGES * (len(PLATFORMS) * LAYERS + 1)))
    entries = []
    for number in range(IMAGES):
        shared, manifests = layout.layer(size), []
        for architecture in PLATFORMS:
            about = {"os": "linux", "architecture": architecture}
            config = layout.document(CONFIG, about | {"config": {"Labels": {"n": str(number)}}})
            layers = [*(layout.layer(size) for _ in range(LAYERS)), shared]
            body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
            manifests.append(layout.document(MANIFEST, body) | {"platform": about})
        index = layout.document(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
        name = f"docker.io/bench/image-{number}:1.0"
        entries.append(index | {"annotations": {"org.opencontainers.image.ref.name": name}})
    (place / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))


def sitewright(place: Path, *words: str) -> tuple[float, float, float]:
    """Seconds, peak memory and what was written to disk (MiB) of one run of the command line."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    os.sync()  # or the disk would be busy with what the one before wrote
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "renderer", *words], cwd=place, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"sitewright {' '.join(words)} ended with {process.returncode}")
    return time.perf_counter() - start, used.ru_maxrss / 1024, used.ru_oublock * 512 / 2**20


def shell(place: Path, text: str) -> float:
    """Seconds that a line of shell takes."""
    os.sync()
    start = time.perf_counter()
    subprocess.run(["sh", "-c", text], cwd=place, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def prepare(place: Path, mib: int) -> None:
    """Sources, a signed bundle in both forms, a trust policy."""
    make_images(place / "images", mib)
    (place / "manifests").mkdir()
    (place / "manifests/one.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n")
    (place / "bundle.yaml").write_text(BUNDLE.replace("[linux/amd64]", "[linux/amd64, linux/arm64]"))
    (place / "trust.yaml").write_text(TRUST)
    sitewright(place, "bundle", "keygen", "vendor.key")
    for bundle in ("signed", "signed.tar"):
        sitewright(place, "bundle", "build", "bundle.yaml", "-q", "-o", bundle)
        sitewright(place, "bundle", "sign", bundle, "--key", "vendor.key")


def measure(place: Path) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """One round: seconds by what was done, the memory that it took, and what it wrote."""
    hashes = f"find {{}} -type f -print0 | xargs -0 -P {WORKERS} -n 1 sha256sum"
    seconds = {
        "copy": shell(place, "cp -r images/blobs copied"),
        "hash": shell(place, "find copied -type f -print0 | xargs -0 sha256sum"),
        "hash in parallel": shell(place, hashes.format("signed/blobs")),
        "with OpenSSL": shell(place, hashes.format("signed/blobs").replace("sha256sum", "openssl dgst -sha256")),
    }
    memory, written = {}, {}
    for name, bundle in (("directory", "built"), ("tar file", "built.tar")):
        what = f"build a {name}"
        words: tuple[str, ...] = ("bundle", "build", "bundle.yaml", "-q", "-o", bundle)
        seconds[what], memory[what], written[what] = sitewright(place, *words)
    for name, bundle in (("directory", "signed"), ("tar file", "signed.tar")):
        what = f"verify a {name}"
        words = ("bundle", "verify", bundle, "--trust", "trust.yaml", "--jobs", str(WORKERS))
        seconds[what], memory[what], _ = sitewright(place, *words)
    shutil.rmtree(place / "copied")
    shutil.rmtree(place / "built")
    (place / "built.tar").unlink()
    seconds["start"] = sitewright(place, "--version")[0]
    return seconds, memory, written


def main() -> int:
    reader = argparse.ArgumentParser()
    reader.add_argument("--mib", type=int, default=256)
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--in", dest="directory", help="where to work (default: the directory for temporary files)")
    options = reader.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        place = Path(directory)
        prepare(place, options.mib)
        rounds = [measure(place) for _ in range(options.rounds)]
        size = sum(path.stat().st_size for path in (place / "images/blobs").rglob("*") if path.is_file()) / 2**20
    best = {name: min(one[0][name] for one in rounds) for name in rounds[0][0]}
    memory = {name: max(one[1][name] for one in rounds) for name in rounds[0][1]}
    print(f"{size:.0f} MiB of blobs, best of {options.rounds}, {WORKERS} workers; a start takes {best['start']:.3f} s")
    for name in ("copy", "hash", "hash in parallel", "with OpenSSL", *GOALS):
        print(f"  {name:20} {best[name]:7.3f} s  {size / best[name]:6.0f} MiB/s")
    against = {"build": best["copy"] + best["hash"], "verify": best["hash in parallel"]}
    words = {"build": "copying and hashing", "verify": "sha256sum with as many workers"}
    for name, goal in GOALS.items():
        verb = name.partition(" ")[0]
        ratio, net = best[name] / against[verb], (best[name] - best["start"]) / against[verb]
        print(f"  {name:20} {ratio:5.2f} x {words[verb]} (goal: at most {goal}; without the start {net:.2f})")
    for name in rounds[0][2]:
        most = max(one[2][name] for one in rounds)
        if most:  # a file system in memory counts no blocks
            print(f"  {name:20} {most / size:5.2f} x the size of the blobs is written")
    for name, mib in memory.items():
        print(f"  {name:20} {mib:5.0f} MiB at most (goal: {MEMORY_MIB})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
