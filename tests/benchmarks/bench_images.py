"""Images to a registry on loopback: `images sync` against skopeo, in one run, over the same OCI layout.

40 images of 6 layers, of which 3 are shared by groups of images; a docker-registry with a store of its own for each way
to bring them. What is compared, each a process that begins from nothing:

- `sitewright images sync BUNDLE`: verifies the signed bundle, then asks the registry for every image;
- `skopeo copy --all`, once for each image, out of the same OCI layout;
- `skopeo sync --all`, once, out of directories, since it reads no OCI layout.

With nothing to do the three take turns, and medians are compared. `--kills` ends so many first syncs with SIGKILL at
random points, each with a registry of its own, runs once more, and has the registry's content hashed. Prints the peak
memory of the process that sends, too; needs the Debian packages docker-registry and skopeo.

    python tests/benchmarks/bench_images.py [--mib 256] [--rounds 2] [--turns 7] [--kills 0]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from renderer.commands.images.bundle_plan import targets_of_bundle  # noqa: E402
from renderer.commands.images.verify import verify  # noqa: E402
from renderer.model.bundles.bundle import Bundle  # noqa: E402
from renderer.model.reference import Digest  # noqa: E402
from tests.unit.registry_fixture import RealRegistry, real_registry  # noqa: E402

IMAGES, OWN, SHARED, GROUP = 40, 3, 3, 8
GOALS = {
    "first sync against the faster skopeo": 1.5,
    "nothing to do against a skopeo copy loop": 10.0,
    "nothing to do against skopeo sync": 10.0,
}
Runs = dict[str, list[float]]
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
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode; skopeo is compiled, too
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
def fresh(place: Path, name: str) -> Iterator[RealRegistry]:
    """A registry with an empty store."""
    with real_registry(Path(str(shutil.which("docker-registry"))), place / name) as registry:
        yield registry
    shutil.rmtree(place / name)


Ways = dict[str, Callable[[], float]]
OURS, LOOP, SYNC = "sitewright", "skopeo copy --all loop", "skopeo sync"


def ways(place: Path, references: list[str], registries: list[RealRegistry], memory: list[float]) -> Ways:
    """How the images can be brought, each to a registry of its own: seconds of one run."""
    ours, loop, sync = registries

    def sitewright_sync() -> float:
        seconds, peak = sitewright(place, *words_of(ours))
        memory.append(peak / 1024)
        return seconds

    return {
        OURS: sitewright_sync,
        LOOP: lambda: timed(lambda: copy_loop(place / "images", references, loop)),
        SYNC: lambda: timed(lambda: sync_directories(place / "dirs", sync)),
    }


def words_of(registry: RealRegistry) -> tuple[str, ...]:
    return ("images", "sync", "bundle", "--trust", "trust.yaml", "--registry", registry.url, "--jobs", "4")


def killed(place: Path, times: int, seconds: float) -> tuple[int, int]:
    """How many first syncs were killed on their way, and after how many of them the next run left everything right.

    Everything is right when the registry has all, hashed.
    """
    from renderer.adapters.registry.opening import open_registry

    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(place / "killed")}
    targets = targets_of_bundle(loaded(place), {})
    deaths = right = 0
    while deaths < times:
        shutil.rmtree(place / "killed", ignore_errors=True)
        with fresh(place, "registry-killed") as registry:
            command = [sys.executable, "-m", "renderer", *words_of(registry), "--quiet"]
            process = subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.DEVNULL)
            time.sleep(random.uniform(0.1, seconds))
            process.kill()
            if process.wait() != -signal.SIGKILL:
                continue  # it was faster
            deaths += 1
            subprocess.run(command, cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)
            with open_registry(registry.url, environ={}, insecure=True) as opened:
                right += verify(targets, opened, deep=True).complete
    return deaths, right


def loaded(place: Path) -> Bundle:
    """The bundle, verified."""
    from renderer.cli import wiring
    from renderer.commands.site.loading import Loader

    files = wiring.files_around(place / "bundle")
    policy = wiring.policy(str(place / "trust.yaml"))
    return Loader(wiring.workspace(files)).verified(files.relative(str(place / "bundle")), policy).bundle


def main() -> int:
    reader = argparse.ArgumentParser()
    reader.add_argument("--mib", type=int, default=256)
    reader.add_argument("--rounds", type=int, default=2)
    reader.add_argument("--turns", type=int, default=7)
    reader.add_argument("--kills", type=int, default=0)
    options = reader.parse_args()
    if not (shutil.which("docker-registry") and shutil.which("skopeo")):
        print("skipped: needs docker-registry and skopeo")
        return 0
    memory: list[float] = []
    first: dict[str, list[float]] = {name: [] for name in (OURS, LOOP, SYNC)}
    again: dict[str, list[float]] = {name: [] for name in (OURS, LOOP, SYNC)}
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        references = prepare(place, options.mib)
        start_up = statistics.median(sitewright(place, "--version")[0] for _ in range(5))
        for round_ in range(options.rounds):
            with ExitStack() as stack:
                registries = [stack.enter_context(fresh(place, f"registry-{number}")) for number in range(3)]
                runs = ways(place, references, registries, memory)
                for name, run in runs.items():
                    first[name].append(run())
                for _ in range(options.turns if round_ == options.rounds - 1 else 0):
                    for name, run in runs.items():
                        again[name].append(run())
        deaths = killed(place, options.kills, min(first[OURS])) if options.kills else None
    report(options.mib, first, again, max(memory), start_up)
    if deaths:
        print(f"  killed {deaths[0]} times at random points; right after the next run: {deaths[1]}")
    return 0


def prepare(place: Path, mib: int) -> list[str]:
    """The layout, the directories, the signed bundle; returns the references."""
    references = make_layout(place / "images", mib)
    (place / "dirs").mkdir()
    for reference in references:
        name = reference.rpartition("/")[2]
        skopeo("copy", "-q", "--all", f"oci:{place / 'images'}:{reference}", f"dir:{place / 'dirs' / name}")
    (place / "manifests").mkdir()
    (place / "manifests/one.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n")
    (place / "bundle.yaml").write_text(BUNDLE)
    (place / "trust.yaml").write_text(TRUST)
    sitewright(place, "bundle", "build", "bundle.yaml", "-o", "bundle", "--quiet")
    sitewright(place, "bundle", "keygen", "vendor.key")
    sitewright(place, "bundle", "sign", "bundle", "--key", "vendor.key")
    return references


def report(mib: int, first: Runs, again: Runs, memory: float, start_up: float) -> None:
    """The best first run, the median of what came after it, and both as ratios."""
    best = {name: min(runs) for name, runs in first.items()}
    usual = {name: statistics.median(runs) for name, runs in again.items()}
    print(f"{IMAGES} images, {mib} MiB; seconds: best first run, then nothing to do (median, and each turn)")
    for name in (OURS, LOOP, SYNC):
        turns = " ".join(f"{seconds:.3f}" for seconds in again[name])
        print(f"  {name:24} {best[name]:7.3f} {usual[name]:7.3f}   {mib / best[name]:5.0f} MiB/s   ({turns})")
    ratios = {
        "first sync against the faster skopeo": min(best[LOOP], best[SYNC]) / best[OURS],
        "nothing to do against a skopeo copy loop": usual[LOOP] / usual[OURS],
        "nothing to do against skopeo sync": usual[SYNC] / usual[OURS],
    }
    for name, ratio in ratios.items():
        print(f"  {name:45} {ratio:6.2f}  (goal {GOALS[name]})")
    print(f"  peak memory {memory:.0f} MiB (goal: at most {MEMORY_MIB}); a start of Python takes {start_up:.3f} s")


if __name__ == "__main__":
    sys.exit(main())
