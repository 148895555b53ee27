"""Pods that write node files: the script in a real shell, the rights of the Pods, who may ask for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from renderer.adapters.files import WorkingTree
from renderer.adapters.package_data import schema
from renderer.errors import Finding, InputError
from renderer.formats.profile.site import read_profile
from renderer.model.images.mirror import MirrorPlan
from renderer.model.objects.manifest import Manifest
from renderer.model.reference import ImageReference
from renderer.model.site import Fallback, NodeDelivery, Nodes, Site
from renderer.stages.mirrors.nodes import node_delivery, node_files
from renderer.stages.mirrors.plan import plan_mirrors
from renderer.structs import replace
from tests.simulators.sites import SHIPPED, a_site, pinned

IMAGE = ImageReference.parse("docker.io/library/busybox:1.37")
IMAGES = (pinned("nginx:1.27"), pinned("quay.io/team/api:2"))
CONFIG = 'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "/etc/containerd/certs.d"\n'


def asking(delivery: NodeDelivery = NodeDelivery.DAEMONSET, **changes: Any) -> Site:
    return replace(a_site(**changes), nodes=Nodes(delivery=delivery, image=IMAGE))


def planned(site: Site) -> MirrorPlan:
    return plan_mirrors(site.registry, IMAGES)


def delivered(site: Site) -> dict[str, Manifest]:
    return {one.id.kind: one for one in node_delivery(planned(site), site, SHIPPED)}


# --- the script ----------------------------------------------------------------------------------------------------


class Node:
    """A node: its directory of containerd, and Pods that come with a ConfigMap."""

    def __init__(self, root: Path, shell: Sequence[str]) -> None:
        self.root = root
        self.shell = tuple(shell)
        self.containerd = root / "containerd"
        self.certs = self.containerd / "certs.d"
        self.certs.mkdir(parents=True)
        (self.containerd / "config.toml").write_text(CONFIG)

    def pod(self, site: Site, *, path: str | None = None, prefix: Sequence[str] = ()) -> tuple[int, str]:
        """A Pod with what `site` delivers: exit code and what it said."""
        volume = self.root / "files"
        shutil.rmtree(volume, ignore_errors=True)
        volume.mkdir()
        data: dict[str, str] = dict(delivered(site)["ConfigMap"].body["data"])  # type: ignore[arg-type]
        for name, text in data.items():
            (volume / name).write_text(text)
        environment = {
            "PATH": path or os.environ["PATH"],
            "FILES": str(volume),
            "TARGET": str(self.certs),
            "CONFIG": str(self.containerd),
        }
        command = [*prefix, *self.shell, str(volume / "deliver.sh")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def files(self) -> dict[str, str]:
        return {
            path.relative_to(self.certs).as_posix(): path.read_text()
            for path in sorted(self.certs.rglob("*"))
            if path.is_file()
        }


@pytest.fixture(params=["sh", "dash", "bash", "busybox"])
def node(request: pytest.FixtureRequest, real: Callable[[str], Path], tmp_path: Path) -> Node:
    program = real(request.param)
    return Node(tmp_path, [str(program), "sh"] if request.param == "busybox" else [str(program)])


def wanted(site: Site) -> dict[str, str]:
    tree = node_files(planned(site), site, SHIPPED)
    prefix = "nodes/containerd/certs.d/"
    return {path.removeprefix(prefix): text.decode() for path, text in tree.items() if path.startswith(prefix)}


def test_a_node_gets_the_files_of_the_tree_and_the_second_pod_changes_nothing(node: Node) -> None:
    site = asking()
    code, said = node.pod(site)
    assert code == 0, said
    found = node.files()
    ours = found.pop(".sitewright/ours").split()
    assert found == wanted(site)
    assert sorted(ours) == sorted(found)
    assert oct((node.certs / "docker.io/hosts.toml").stat().st_mode)[-3:] == "644"
    before = {path: path.stat() for path in node.certs.rglob("*")}
    code, said = node.pod(site)
    assert code == 0
    assert said.splitlines() == [f"unchanged {path}" for path in ours]
    assert {path: path.stat() for path in node.certs.rglob("*")} == before


def test_what_changes_is_replaced_and_what_the_site_no_longer_has_goes(node: Node) -> None:
    node.pod(asking())
    quay = (node.certs / "quay.io/hosts.toml").stat().st_ino
    less = asking(registry={"projects": {"docker.io": "hub"}})
    plan = plan_mirrors(less.registry, IMAGES[:1])
    (node.certs / "docker.io/hosts.toml.sitewright-new").write_text("half a fi")
    data: dict[str, str] = {one.id.kind: one for one in node_delivery(plan, less, SHIPPED)}["ConfigMap"].body["data"]  # type: ignore[assignment]
    assert "quay.io" not in data["files"]
    code, said = node.pod(less)
    assert (code, sorted(said.splitlines())) == (
        0,
        [
            "removed   quay.io/hosts.toml",
            "unchanged harbor.site.local_5443_/hosts.toml",
            "written   docker.io/hosts.toml",
        ],
    )
    assert '/v2/hub"' in node.files()["docker.io/hosts.toml"]
    assert quay
    assert not (node.certs / "quay.io").exists()
    assert not list(node.certs.rglob("*.sitewright-new"))


def test_what_an_administrator_wrote_is_kept_and_comes_back(node: Node) -> None:
    (node.certs / "docker.io").mkdir()
    (node.certs / "docker.io/hosts.toml").write_text("# by hand\n")
    (node.certs / "docker.io/client.cert").write_text("not ours")
    (node.certs / "gcr.io").mkdir()
    (node.certs / "gcr.io/hosts.toml").write_text("# not ours\n")
    untouched = node.files()
    assert node.pod(asking())[0] == 0
    assert node.files()[".sitewright/before/docker.io/hosts.toml"] == "# by hand\n"
    assert node.pod(asking(registry={"fallback": Fallback.UPSTREAM}))[0] == 0
    assert node.files()[".sitewright/before/docker.io/hosts.toml"] == "# by hand\n", "our own file is no original"
    code, said = node.pod(asking(NodeDelivery.WITHDRAW))
    assert code == 0, said
    assert "restored  docker.io/hosts.toml" in said
    assert node.files() == untouched
    assert node.pod(asking(NodeDelivery.WITHDRAW)) == (0, "")


def test_a_file_that_is_there_already_stays_its_owners(node: Node) -> None:
    site = asking()
    (node.certs / "quay.io").mkdir()
    (node.certs / "quay.io/hosts.toml").write_text(wanted(site)["quay.io/hosts.toml"])
    before = node.files()
    assert node.pod(site)[0] == 0
    assert node.pod(asking(NodeDelivery.WITHDRAW))[0] == 0
    assert node.files() == before


@pytest.mark.parametrize(
    "config",
    [
        "",
        '# config_path = "/etc/containerd/certs.d"\n',
        'config_path = "/etc/containerd/certs.d:/etc/docker/certs.d"\n',
        'config_path = "/etc/docker/certs.d"\n',
        None,
    ],
)
def test_a_node_that_would_not_look_is_told_so_and_gets_nothing(tmp_path: Path, config: str | None) -> None:
    node = Node(tmp_path, ["sh"])
    (node.containerd / "config.toml").unlink()
    if config is not None:
        (node.containerd / "config.toml").write_text(config)
    code, said = node.pod(asking())
    assert code == 1
    assert said.splitlines() == [
        'nothing was written: no file below /etc/containerd says config_path = "/etc/containerd/certs.d"',
        "add it on this node, then: systemctl restart containerd; this Pod tries again by itself",
    ]
    assert node.files() == {}


def test_a_setting_in_another_file_counts(tmp_path: Path) -> None:
    node = Node(tmp_path, ["sh"])
    (node.containerd / "config.toml").write_text('imports = ["/etc/containerd/conf.d/*.toml"]\n')
    (node.containerd / "conf.d").mkdir()
    (node.containerd / "conf.d/50.toml").write_text("  config_path='/etc/containerd/certs.d'\n")
    assert node.pod(asking())[0] == 0


@pytest.mark.parametrize("last", range(1, 12))
@pytest.mark.parametrize("delivery", [NodeDelivery.DAEMONSET, NodeDelivery.WITHDRAW])
def test_interrupted_anywhere_the_next_pod_finishes(tmp_path: Path, last: int, delivery: NodeDelivery) -> None:
    """The node loses power at the n-th file that is moved into place, and half of the next one is written."""
    node = Node(tmp_path / "node", ["sh"])
    (node.certs / "docker.io").mkdir()
    (node.certs / "docker.io/hosts.toml").write_text("# by hand\n")
    original = node.files()
    if delivery is NodeDelivery.WITHDRAW:
        assert node.pod(asking())[0] == 0
    programs = tmp_path / "bin"
    programs.mkdir()
    counter = tmp_path / "count"
    (programs / "mv").write_text(
        f'#!/bin/sh\necho x >> {counter}\n[ "$(wc -l < {counter})" -lt {last} ] || {{ kill -9 $PPID; exit 1; }}\n'
        f'exec {shutil.which("mv")} "$@"\n'
    )
    (programs / "mv").chmod(0o755)
    site = asking(delivery)
    code, _ = node.pod(site, path=f"{programs}:{os.environ['PATH']}")
    assert code in {-9, 0}
    assert node.pod(site)[0] == 0
    found = node.files()
    found.pop(".sitewright/ours", None)
    if delivery is NodeDelivery.WITHDRAW:
        assert found == original
        return
    assert found.pop(".sitewright/before/docker.io/hosts.toml") == "# by hand\n"
    assert {path: text for path, text in found.items() if "sitewright" not in path} == wanted(site)
    assert node.pod(asking(NodeDelivery.WITHDRAW))[0] == 0
    assert node.files() == original


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to take its capabilities away")
def test_root_without_any_capability_is_enough(real: Callable[[str], Path], tmp_path: Path) -> None:
    node = Node(tmp_path, ["sh"])
    prefix = [str(real("setpriv")), "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"]
    code, said = node.pod(asking(), prefix=prefix)
    assert code == 0, said
    assert len(node.files()) == 4


# --- the objects ---------------------------------------------------------------------------------------------------


def test_sites_that_do_not_ask_get_nothing() -> None:
    site = a_site()
    assert node_delivery(planned(site), site, SHIPPED) == ()
    assert not [path for path in node_files(planned(site), site, SHIPPED) if path.startswith("nodes/daemonset/")]


def test_the_pods_have_the_rights_that_the_readme_lists_and_no_others() -> None:
    site = asking()
    found = delivered(site)
    assert set(found) == {"Namespace", "NetworkPolicy", "ServiceAccount", "ConfigMap", "DaemonSet"}
    pod: Any = found["DaemonSet"].body["spec"]["template"]["spec"]  # type: ignore[index, call-overload]
    assert {volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume} == {
        "/etc/containerd",
        "/etc/containerd/certs.d",
    }
    (first,), (stays,) = pod["initContainers"], pod["containers"]
    assert {mount["mountPath"]: mount.get("readOnly", False) for mount in first["volumeMounts"]} == {
        "/files": True,
        "/host/certs.d": False,
        "/host/containerd": True,
    }
    assert "volumeMounts" not in stays
    for one, user in ((first, 0), (stays, 65532)):
        assert (
            one["securityContext"]
            | {
                "runAsUser": user,
                "privileged": False,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            == one["securityContext"]
        )
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert pod["automountServiceAccountToken"] is False
    assert pod["tolerations"] == [{"operator": "Exists"}]
    policy: Any = found["NetworkPolicy"].body["spec"]
    assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    guide = node_files(planned(site), site, SHIPPED).files["nodes/daemonset/README.md"].decode()
    for right in ("/etc/containerd/certs.d", "`/etc/containerd`, read only", "user 0", "privileged", "every taint"):
        assert right in guide


def test_new_files_are_new_pods_and_the_same_files_are_not() -> None:
    def digest(site: Site) -> str:
        template: Any = delivered(site)["DaemonSet"].body["spec"]["template"]  # type: ignore[index, call-overload]
        return str(template["metadata"]["annotations"]["sitewright.dev/files"])

    assert digest(asking()) == digest(asking())
    assert digest(asking()) != digest(asking(registry={"fallback": Fallback.UPSTREAM}))
    assert digest(asking()) != digest(asking(NodeDelivery.WITHDRAW))


def test_a_template_that_yields_no_objects_is_refused() -> None:
    site = asking()
    with pytest.raises(InputError, match="cannot be used: its text must hold nothing but YAML mappings"):
        node_delivery(planned(site), site, {**SHIPPED, "mirrors/daemonset/objects.yaml.j2": "- a"})
    with pytest.raises(InputError, match=r"cannot be used: metadata\.name"):
        node_delivery(
            planned(site),
            site,
            {**SHIPPED, "mirrors/daemonset/objects.yaml.j2": "{kind: A, apiVersion: v1, metadata: {}}"},
        )


# --- profiles ------------------------------------------------------------------------------------------------------

PROFILE = """\
apiVersion: sitewright.dev/v1
kind: Site
metadata: {{name: demo}}
spec:
  cluster: {{kubernetesVersion: 1.31.4, distribution: {distribution}, runtime: {runtime}}}
  registry: {{url: "https://harbor.demo.local", projects: {{"*": mirror}}}}
  gitops: {{agent: argocd, repository: "ssh://git@git.demo.local/a.git"}}
  trust: trust.yaml
  bundles: [{{source: bundles/demo}}]
  extensions: [{{name: web}}]
  nodes: {{{nodes}}}
"""


def read(root: Path, nodes: str, distribution: str = "kubeadm", runtime: str = "containerd") -> Site:
    text = PROFILE.format(nodes=nodes, distribution=distribution, runtime=runtime)
    (root / "profiles").mkdir()
    (root / "profiles/site.yaml").write_text(text)
    (root / "trust.yaml").touch()
    tree = WorkingTree(root, lambda place: pytest.fail(str(place)))
    return read_profile("profiles/site.yaml", tree.read, tree.list, schema("site.v1")).site


def fault(root: Path, nodes: str, distribution: str = "kubeadm", runtime: str = "containerd") -> Finding:
    with pytest.raises(InputError) as caught:
        read(root, nodes, distribution, runtime)
    (finding,) = caught.value.findings
    return finding


def test_a_profile_says_how_node_files_are_delivered(tmp_path: Path) -> None:
    site = read(tmp_path, "delivery: daemonset, image: busybox:1.37")
    assert site.nodes == Nodes(delivery=NodeDelivery.DAEMONSET, image=IMAGE)


@pytest.mark.parametrize(
    ("distribution", "runtime", "why"),
    [
        ("k3s", "containerd", "k3s reads `registries.yaml` when it starts"),
        ("rke2", "containerd", "RKE2 reads `registries.yaml` when it starts"),
        ("talos", "containerd", "the files of Talos belong to its machine configuration"),
        ("openshift", "cri-o", "the machine config operator of OpenShift writes these files"),
        ("kubeadm", "cri-o", "CRI-O reads `registries.conf.d` again only on `systemctl reload crio`"),
        ("kubekey", "docker", "Docker reads `daemon.json` when it starts"),
    ],
)
def test_runtimes_that_must_be_restarted_are_refused(tmp_path: Path, distribution: str, runtime: str, why: str) -> None:
    finding = fault(tmp_path, "delivery: daemonset, image: busybox:1.37", distribution, runtime)
    assert finding.code == "nodes-not-deliverable"
    assert finding.message.startswith(f"`delivery: daemonset` cannot serve these nodes: {why}")
    assert str(finding.where) == "profiles/site.yaml:11:21, spec.nodes.delivery"
    assert finding.expected == (
        "`delivery: files` here; `daemonset` for containerd, which reads `certs.d` at every pull"
    )
    assert finding.hint == "sitewright mirrors profiles/site.yaml --out nodes"


def test_the_pods_need_an_image(tmp_path: Path) -> None:
    finding = fault(tmp_path, "delivery: withdraw")
    assert finding.code == "missing-field"
    assert finding.message == "`delivery: withdraw` needs an `image` that has a shell"
    assert finding.where.path == "spec.nodes.image"
    assert finding.expected == "`image: docker.io/library/busybox:1.37`"
