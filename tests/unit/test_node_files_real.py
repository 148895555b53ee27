"""Node files tried on the programs that read them: skopeo and Podman (the library of CRI-O), and containerd.

A registry of the Debian package `docker-registry` listens on loopback; nothing else is reachable by name, so a pull
of an upstream name can only come from the mirror. One source is a black hole: an address of loopback where nobody
listens, so that asking it would say `connection refused`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from renderer.model.reference import Digest, ImageReference
from renderer.model.site import Runtime, Site
from renderer.stages.mirrors.nodes import node_files
from renderer.stages.mirrors.plan import plan_mirrors
from tests.simulators.images import ImageLayout
from tests.simulators.sites import SHIPPED, a_site

pytestmark = pytest.mark.real

BLACK_HOLE = "127.255.255.254:9"

CONFIG = """version: 0.1
storage: {filesystem: {rootdirectory: %s}}
http: {addr: "127.0.0.1:%d"}
log: {level: error}
"""


def an_image(directory: Path) -> Digest:
    """An OCI layout with one image of one layer, `a`; the digest of its manifest."""
    layout = ImageLayout(directory / "layout")
    return Digest.parse(layout.list(layout.manifest("linux/amd64", "api"), "a")["digest"])


def wait_for(ready: Callable[[], bool], what: str) -> None:
    for _ in range(200):
        if ready():
            return
        time.sleep(0.05)
    pytest.fail(f"{what} did not start")


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def registry(real: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of an empty registry."""
    program = real("docker-registry")
    place = tmp_path_factory.mktemp("registry")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (place / "config.yml").write_text(CONFIG % (place / "data", port))
    with subprocess.Popen(
        [program, "serve", place / "config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/v2/"), "docker-registry")
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def stored(registry: str, real: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Digest:
    """The digest of the image that the registry has as `dockerhub/team/api:1`, and nowhere else."""
    layout = tmp_path_factory.mktemp("layout")
    digest = an_image(layout)
    target = f"docker://{registry}/dockerhub/team/api:1"
    subprocess.run(
        [
            real("skopeo"),
            "--insecure-policy",
            "copy",
            "--quiet",
            "--dest-tls-verify=false",
            f"oci:{layout}/layout:a",
            target,
        ],
        check=True,
        timeout=60,
    )
    return digest


def the_site(registry: str, **cluster: Any) -> Site:
    projects = {"docker.io": "dockerhub", "quay.io": "quay", BLACK_HOLE: "dockerhub"}
    settings = {"url": f"http://{registry}", "insecure": True, "projects": projects}
    return a_site(cluster=cluster, registry=settings)


def written(site: Site, digest: Digest, below: Path, runtimes: Sequence[str] | None = None) -> Path:
    """The node files of `site` on disk."""
    images = [ImageReference.parse(f"{host}/team/api:1").pinned(digest) for host in ("docker.io", BLACK_HOLE)]
    for path, content in node_files(plan_mirrors(site.registry, images), site, SHIPPED, runtimes).items():
        (below / path).parent.mkdir(parents=True, exist_ok=True)
        (below / path).write_bytes(content)
    return below / "nodes"


def test_skopeo_asks_the_mirror_and_only_the_mirror(
    registry: str, stored: Digest, real: Callable[[str], Path], tmp_path: Path
) -> None:
    nodes = written(the_site(registry, runtime=Runtime.CRIO), stored, tmp_path)
    home = tmp_path / "home"
    (home / ".config" / "containers").mkdir(parents=True)
    (nodes / "crio" / "registries.conf.d").rename(home / ".config" / "containers" / "registries.conf.d")

    def inspect(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [real("skopeo"), "inspect", "--raw", f"docker://{name}"],
            env={**os.environ, "HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    for name in (
        f"docker.io/team/api@{stored}",
        f"team/api@{stored}",
        "docker.io/team/api:1",
        f"{BLACK_HOLE}/team/api:1",
    ):
        found = inspect(name)
        assert found.returncode == 0, found.stderr
        assert Digest.of(found.stdout.encode()) == stored
    lacking = inspect(f"quay.io/team/api@{stored}")
    assert lacking.returncode != 0
    assert "registry quay.io is blocked" in lacking.stderr, "the upstream registry is never asked"


Pull = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def podman(real: Callable[[str], Path]) -> Iterator[Callable[[Path, Path], Pull]]:
    """`podman(nodes, below)` is a `pull(name)` with the node files in `nodes` and its storage `below`."""
    with tempfile.TemporaryDirectory() as state:  # Podman refuses a path of more than 50 characters for it
        yield lambda nodes, below: a_podman(real, nodes, below, Path(state))


def a_podman(real: Callable[[str], Path], nodes: Path, below: Path, state: Path) -> Pull:
    """Podman that reads the generated registries.conf and, if there is one, policy.json."""
    if os.geteuid() != 0:
        pytest.skip("Podman needs user namespaces or root")
    storage = ["--root", str(below / "storage"), "--runroot", str(state), "--storage-driver", "vfs"]
    policy = nodes / "policy" / "policy.json"
    if not policy.exists():
        policy = below / "policy.json"
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    conf = nodes / "crio" / "registries.conf.d" / "50-sitewright.conf"

    def pull(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [real("podman"), *storage, "pull", "--quiet", "--signature-policy", str(policy), name],
            env={**os.environ, "CONTAINERS_REGISTRIES_CONF": str(conf), "HOME": str(below)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return pull


def test_podman_asks_the_mirror_and_only_the_mirror(
    registry: str, stored: Digest, podman: Callable[[Path, Path], Pull], tmp_path: Path
) -> None:
    pull = podman(written(the_site(registry, runtime=Runtime.CRIO), stored, tmp_path), tmp_path)
    for name in (f"docker.io/team/api@{stored}", f"{BLACK_HOLE}/team/api@{stored}", f"{BLACK_HOLE}/team/api:1"):
        found = pull(name)
        assert found.returncode == 0, found.stderr
    for lacking, source in (
        (f"quay.io/team/api@{stored}", "quay.io"),
        (f"{BLACK_HOLE}/team/other:1", BLACK_HOLE),
    ):
        found = pull(lacking)
        assert found.returncode != 0
        assert f"registry {source} is blocked" in found.stderr
        assert "connection refused" not in found.stderr, "the upstream registry is never asked"


def test_podman_asks_the_source_when_it_is_not_blocked(
    registry: str, stored: Digest, podman: Callable[[Path, Path], Pull], tmp_path: Path
) -> None:
    """The control: a file without `blocked` does lead to the black hole, so the test above would notice."""
    nodes = written(the_site(registry, runtime=Runtime.CRIO), stored, tmp_path)
    conf = nodes / "crio" / "registries.conf.d" / "50-sitewright.conf"
    conf.write_text(conf.read_text().replace("blocked = true\n", ""))
    found = podman(nodes, tmp_path)(f"{BLACK_HOLE}/team/other:1")
    assert found.returncode != 0
    assert "connection refused" in found.stderr


def test_podman_runs_only_what_the_policy_lists(
    registry: str, stored: Digest, podman: Callable[[Path, Path], Pull], tmp_path: Path
) -> None:
    nodes = written(the_site(registry, runtime=Runtime.CRIO), stored, tmp_path, ["cri-o", "policy"])
    pull = podman(nodes, tmp_path)
    accepted = pull(f"docker.io/team/api@{stored}")
    assert accepted.returncode == 0, accepted.stderr
    for other in ("docker.io/team/api:1", f"{registry}/dockerhub/team/api@{stored}"):
        refused = pull(other)
        assert refused.returncode != 0, "the same image, but not by a name and digest of the lock"
        assert "is rejected by policy" in refused.stderr


def test_containerd_asks_the_mirror_and_only_the_mirror(
    registry: str, stored: Digest, real: Callable[[str], Path], tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("containerd starts as root only")
    nodes = written(the_site(registry), stored, tmp_path)
    address = tmp_path / "containerd.sock"
    arguments = ["--address", str(address), "--root", str(tmp_path / "root"), "--state", str(tmp_path / "state")]
    config = tmp_path / "config.toml"
    config.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')

    def ctr(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(real("ctr")), "--address", str(address), "images", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def pull(name: str) -> subprocess.CompletedProcess[str]:
        """Fetched, checked, unpacked, and known by its upstream name. The snapshotter `native` needs no mounts."""
        hosts = ["--hosts-dir", str(nodes / "containerd" / "certs.d")]
        return ctr("pull", *hosts, "--snapshotter", "native", name)

    with subprocess.Popen(
        [real("containerd"), "--config", str(config), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as daemon:
        try:
            wait_for(address.exists, "containerd")
            for name in (f"docker.io/team/api@{stored}", "docker.io/team/api:1", f"{BLACK_HOLE}/team/api:1"):
                found = pull(name)
                assert found.returncode == 0, found.stderr
                assert name in ctr("ls", "--quiet").stdout.split()
            lacking = pull(f"{BLACK_HOLE}/team/other:1")
            assert "not found" in lacking.stderr
            assert "connection refused" not in lacking.stderr, "the upstream registry is never asked"
            lacking = pull(f"quay.io/team/api@{stored}")
            assert lacking.returncode != 0
            assert "not found" in lacking.stderr
            assert "quay.io/v2" not in lacking.stderr, "the upstream registry is never asked"
        finally:
            daemon.terminate()
