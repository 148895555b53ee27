"""Mirror plans, and node files read back as each runtime reads them."""

from __future__ import annotations

import tomllib
from typing import Any, cast

import pytest

from renderer.errors import InputError
from renderer.formats.kubernetes.manifests import load_values
from renderer.model.images.mirror import Mirror, MirrorPlan
from renderer.model.reference import ImageReference
from renderer.model.site import Distribution, Fallback, Runtime, SecretReference, Site
from renderer.model.trees.tree import FileTree
from renderer.model.version import Version
from renderer.stages.mirrors.nodes import node_files, runtimes_of
from renderer.stages.mirrors.plan import plan_mirrors
from tests.simulators.sites import SHIPPED, a_site, pinned

IMAGES = (
    pinned("nginx:1.27"),
    pinned("quay.io/team/api:2"),
    pinned("ghcr.io/team/job:3"),
    pinned("localhost:5000/a:1"),
)
EVERYTHING = {"projects": {"docker.io": "dockerhub", "quay.io": "quay", "*": "mirror"}}


def planned(site: Site, *images: ImageReference) -> tuple[MirrorPlan, FileTree]:
    plan = plan_mirrors(site.registry, images or IMAGES)
    return plan, node_files(plan, site, SHIPPED)


# --- plan --------------------------------------------------------------------------------------------------------


def test_a_plan_has_every_source_that_is_named_or_listed() -> None:
    plan = plan_mirrors(a_site(registry=EVERYTHING).registry, IMAGES[:1] + IMAGES[2:])
    assert plan.mirrors == (
        Mirror(source="*", project="mirror"),
        Mirror(source="docker.io", project="dockerhub"),
        Mirror(source="ghcr.io", project="mirror"),
        Mirror(source="localhost:5000", project="mirror"),
        Mirror(source="quay.io", project="quay"),
    )
    assert plan.location(IMAGES[0]) == "harbor.site.local:5443/dockerhub/library/nginx"


def test_a_source_without_project_has_no_mirror() -> None:
    plan = plan_mirrors(a_site().registry, IMAGES)
    assert {mirror.source for mirror in plan.mirrors} == {"docker.io", "quay.io"}
    assert plan.location(IMAGES[2]) is None


def test_the_site_registry_needs_no_mirror() -> None:
    site = a_site(registry=EVERYTHING)
    own = pinned("harbor.site.local:5443/dockerhub/library/nginx:1.27")
    assert "harbor.site.local:5443" not in {one.source for one in plan_mirrors(site.registry, [own]).mirrors}


# --- which runtimes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "runtime", "directories"),
    [
        (Distribution.KUBEADM, Runtime.CONTAINERD, ("containerd",)),
        (Distribution.KUBEKEY, Runtime.CONTAINERD, ("containerd",)),
        (Distribution.OTHER, Runtime.CRIO, ("cri-o",)),
        (Distribution.K3S, Runtime.CONTAINERD, ("k3s",)),
        (Distribution.RKE2, Runtime.CONTAINERD, ("rke2",)),
        (Distribution.OPENSHIFT, Runtime.CRIO, ("openshift",)),
        (Distribution.TALOS, Runtime.CONTAINERD, ("talos",)),
        (Distribution.KUBEADM, Runtime.DOCKER, ("docker",)),
    ],
)
def test_only_what_the_site_runs_is_written(
    distribution: Distribution, runtime: Runtime, directories: tuple[str, ...]
) -> None:
    site = a_site(cluster={"distribution": distribution, "runtime": runtime})
    _, tree = planned(site)
    assert runtimes_of(site) == directories
    assert {path.split("/")[1] for path in tree} == {name.replace("-", "") for name in directories}
    assert len([path for path in tree if path.endswith("/README.md")]) == 1


def test_a_known_containerd_version_gets_one_snippet() -> None:
    for version, file in (("1.7.22", "config-1.x.toml"), ("2.1.0", "config-2.x.toml")):
        _, tree = planned(a_site(cluster={"runtime_version": Version.parse(version)}))
        assert [path for path in tree if "config-" in path] == [f"nodes/containerd/{file}"]
    _, tree = planned(a_site())
    assert len([path for path in tree if "config-" in path]) == 2


# --- each format read back as its runtime does it ----------------------------------------------------------------


RUNTIMES: dict[str, dict[str, Any]] = {
    "containerd": {},
    "k3s": {"distribution": Distribution.K3S},
    "crio": {"runtime": Runtime.CRIO},
    "talos": {"distribution": Distribution.TALOS},
    "openshift": {"distribution": Distribution.OPENSHIFT, "runtime": Runtime.CRIO},
    "docker": {"runtime": Runtime.DOCKER},
}
"""What a profile says of clusters with each of these. tests/property/test_never_upstream.py has how nodes read them."""


def test_without_fallback_no_file_names_an_upstream_host() -> None:
    for cluster in RUNTIMES.values():
        _, tree = planned(a_site(cluster=cluster, registry=EVERYTHING))
        for path, content in tree.items():
            if path.endswith(".toml"):
                assert b"registry-1.docker.io" not in content, path


def test_a_format_without_a_rule_for_all_registries_says_so() -> None:
    for runtime, said in (
        ("crio", b"This file format has no such rule"),
        ("openshift", b"Mirror sets have no such rule"),
    ):
        _, tree = planned(a_site(cluster=RUNTIMES[runtime], registry=EVERYTHING))
        assert said in tree.files[f"nodes/{runtime}/README.md"]
        _, tree = planned(a_site(cluster=RUNTIMES[runtime]))
        assert said not in tree.files[f"nodes/{runtime}/README.md"]


def test_containerd_files_for_an_air_gapped_site() -> None:
    _, tree = planned(a_site(registry={"ca": b"-----BEGIN CERTIFICATE-----\n"}), IMAGES[0])
    assert tree.files["nodes/containerd/certs.d/docker.io/hosts.toml"].decode() == (
        "# Written by Sitewright. Images of docker.io come from harbor.site.local:5443, and only from there.\n"
        'server = "https://harbor.site.local:5443/v2/dockerhub"\n'
        'capabilities = ["pull", "resolve"]\n'
        "override_path = true\n"
        'ca = "/etc/containerd/certs.d/harbor.site.local_5443_/ca.crt"\n'
        "\n"
        "# Older releases of containerd 1.x refuse a file without this table, and then ask the upstream registry.\n"
        "[host]\n"
    )
    assert tree.files["nodes/containerd/certs.d/harbor.site.local_5443_/hosts.toml"].decode() == (
        "# Written by Sitewright. How nodes reach the site registry when an image names it directly.\n"
        'server = "https://harbor.site.local:5443"\n'
        'capabilities = ["pull", "resolve"]\n'
        'ca = "/etc/containerd/certs.d/harbor.site.local_5443_/ca.crt"\n'
        "\n"
        "# Older releases of containerd 1.x refuse a file without this table.\n"
        "[host]\n"
    )
    assert tree.files["nodes/containerd/certs.d/harbor.site.local_5443_/ca.crt"] == b"-----BEGIN CERTIFICATE-----\n"


def test_containerd_files_with_a_way_back_to_the_internet() -> None:
    _, tree = planned(a_site(registry={"fallback": Fallback.UPSTREAM}), IMAGES[0])
    assert tree.files["nodes/containerd/certs.d/docker.io/hosts.toml"].decode() == (
        "# Written by Sitewright. Images of docker.io come from harbor.site.local:5443.\n"
        'server = "https://registry-1.docker.io"\n'
        "\n"
        '[host."https://harbor.site.local:5443/v2/dockerhub"]\n'
        '  capabilities = ["pull", "resolve"]\n'
        "  override_path = true\n"
    )


def test_an_insecure_registry_is_said_to_be_so() -> None:
    plain = {"url": "http://harbor.site.local", "insecure": True}
    unchecked = {"insecure": True}
    _, tree = planned(a_site(cluster={"runtime": Runtime.CRIO}, registry=plain))
    registries = tomllib.loads(tree.files["nodes/crio/registries.conf.d/50-sitewright.conf"].decode())["registry"]
    assert all(mirror["insecure"] for one in registries for mirror in one.get("mirror", []))
    assert registries[-1] == {"prefix": "harbor.site.local", "location": "harbor.site.local", "insecure": True}
    _, tree = planned(a_site(registry=unchecked))
    assert tomllib.loads(tree.files["nodes/containerd/certs.d/docker.io/hosts.toml"].decode())["skip_verify"] is True
    assert b"is **not** verified" in tree.files["nodes/containerd/README.md"]
    _, tree = planned(a_site(cluster={"distribution": Distribution.K3S}, registry=unchecked))
    config = cast("dict[str, Any]", load_values(tree.files["nodes/k3s/registries.yaml"]))
    assert config["configs"]["harbor.site.local:5443"]["tls"] == {"insecure_skip_verify": True}
    _, tree = planned(a_site(cluster={"distribution": Distribution.K3S}, registry=plain))
    config = cast("dict[str, Any]", load_values(tree.files["nodes/k3s/registries.yaml"]))
    assert config["mirrors"]["harbor.site.local"] == {"endpoint": ["http://harbor.site.local"]}


def test_the_ca_of_the_registry_goes_along() -> None:
    for cluster, place in (
        ({"runtime": Runtime.CRIO}, "/etc/containers/certs.d/harbor.site.local:5443/ca.crt"),
        ({"distribution": Distribution.RKE2}, "/etc/rancher/rke2/site-registry-ca.crt"),
    ):
        _, tree = planned(a_site(cluster=cluster, registry={"ca": b"PEM"}))
        (directory,) = {path.split("/")[1] for path in tree}
        assert tree.files[f"nodes/{directory}/ca.crt"] == b"PEM"
        assert f"Copy `ca.crt` to `{place}`." in tree.files[f"nodes/{directory}/README.md"].decode()
    config = cast("dict[str, Any]", load_values(tree.files["nodes/rke2/registries.yaml"]))
    assert config["configs"]["harbor.site.local:5443"]["tls"] == {"ca_file": place}


def test_credentials_are_named_and_never_written() -> None:
    credentials = SecretReference(name="harbor-pull", namespace="kube-system")
    for cluster in RUNTIMES.values():
        _, tree = planned(a_site(cluster=cluster, registry={"credentials": credentials}))
        (readme,) = (content.decode() for path, content in tree.items() if path.endswith("README.md"))
        assert "The profile names the Secret `kube-system/harbor-pull`.\nNo password is written to git." in readme
        configs = [content for path, content in tree.items() if not path.endswith("README.md")]
        assert not any(b"harbor-pull" in content for content in configs)


def test_a_readme_says_where_files_go_what_restarts_and_how_to_check() -> None:
    digest = IMAGES[0].digest
    expected = {
        "containerd": ["Copy the directory `certs.d` to `/etc/containerd/certs.d`", "systemctl restart containerd",
                       f"crictl pull docker.io/library/nginx@{digest}"],
        "crio": ["to `/etc/containers/registries.conf.d/`", "`systemctl reload crio`",
                 f"crictl pull docker.io/library/nginx@{digest}"],
        "k3s": ["`/etc/rancher/k3s/registries.yaml`", "`systemctl restart k3s` (agents: `k3s-agent`)",
                f"k3s crictl pull docker.io/library/nginx@{digest}"],
        "talos": ["talosctl patch machineconfig", "nothing restarts",
                  f"--namespace cri docker.io/library/nginx@{digest}"],
        "openshift": ["oc apply -f image-digest-mirror-set.yaml", "drains every node",
                      f"chroot /host crictl pull docker.io/library/nginx@{digest}"],
        "docker": ["Copy the directory `certs.d` to `/etc/docker/certs.d`", "systemctl restart docker",
                   f"docker pull docker.io/library/nginx@{digest}", "29 or later"],
    }  # fmt: skip
    for runtime, cluster in RUNTIMES.items():
        _, tree = planned(a_site(cluster=cluster), IMAGES[0])
        readme = tree.files[f"nodes/{runtime}/README.md"].decode()
        assert all(part in readme for part in expected[runtime]), readme


# --- templates of a site -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("mirrors/containerd/hosts.toml.j2", "server = https://x", "could not read its text as TOML"),
        ("mirrors/containerd/hosts.toml.j2", "{{ nothing }}", "`nothing` is not defined"),
        ("mirrors/containerd/README.md.j2", None, "it is missing"),
    ],
)
def test_a_broken_template_of_a_site_is_refused(name: str, text: str | None, reason: str) -> None:
    site = a_site()
    templates = {key: value for key, value in SHIPPED.items() if key != name} | ({name: text} if text else {})
    with pytest.raises(InputError) as caught:
        node_files(plan_mirrors(site.registry, IMAGES), site, templates)
    (finding,) = caught.value.findings
    assert finding.code == "template-failed"
    assert finding.message.startswith(f"the template `{name}` cannot be used: ")
    assert reason in finding.message
    assert finding.where.file == name
    assert (
        finding.hint
        == "correct it in the directory that `spec.templates` names, or remove it there to use the shipped one"
    )


def test_a_broken_registries_yaml_is_refused() -> None:
    site = a_site(cluster={"distribution": Distribution.RKE2})
    for text, reason in (("- a\n", "its text is no YAML mapping"), ("a: [", "could not read its text as YAML")):
        templates = {**SHIPPED, "mirrors/k3s/registries.yaml.j2": text}
        with pytest.raises(InputError, match=reason):
            node_files(plan_mirrors(site.registry, IMAGES), site, templates)


def test_hostile_project_names_stay_inside_their_strings() -> None:
    project = 'x"\n[host."https://evil.example"]\n#'
    for cluster in RUNTIMES.values():
        _, tree = planned(a_site(cluster=cluster, registry={"projects": {"*": project}}), IMAGES[0])
        for path, content in tree.items():
            if path.endswith((".toml", ".conf")):
                assert "https://evil.example" not in tomllib.loads(content.decode()).get("host", {}), path
