"""Rules about what objects tell the container runtimes of nodes."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.checks import node_settings
from renderer.errors import Finding, Severity
from renderer.model.check import run_rules
from renderer.model.objects.manifest import Manifest
from renderer.model.reference import ImageReference
from renderer.model.site import Distribution, ImagesMode, NodeDelivery, Nodes, SecretReference, Site
from renderer.structs import replace
from tests.simulators.sites import a_deployment, a_plan, a_site, an_object, composed, pinned

OPENSHIFT = a_site(cluster={"distribution": Distribution.OPENSHIFT})
NGINX = pinned("docker.io/library/nginx:1.27")
LOGIN = SecretReference(name="harbor-pull", namespace="kube-system")


def found(*manifests: Manifest, site: Site | None = None) -> list[Finding]:
    whole = composed(a_plan((20, "extensions", manifests)), site=site or a_site(), images=(NGINX,))
    return list(run_rules(node_settings.RULES, whole))


def a_set(kind: str, field: str, *sources: str, group: str = "config.openshift.io/v1", **entry: Any) -> Manifest:
    entries = [{"source": source, "mirrors": ["harbor.site.local:5443/quay"], **entry} for source in sources]
    return an_object(kind, "theirs", group=group, spec={field: entries})


IDMS = a_set("ImageDigestMirrorSet", "imageDigestMirrors", "quay.io")
ITMS = a_set("ImageTagMirrorSet", "imageTagMirrors", "quay.io")
ICSP = a_set(
    "ImageContentSourcePolicy", "repositoryDigestMirrors", "quay.io/team", group="operator.openshift.io/v1alpha1"
)
BY_TAG = a_deployment("web", image="quay.io/team/api:2")
BY_DIGEST = a_deployment("web", image=str(pinned("quay.io/team/api:2")))


# --- tags ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mirrors", "who", "source"),
    [(IDMS, "ImageDigestMirrorSet.config.openshift.io theirs", "quay.io"),
     (ICSP, "ImageContentSourcePolicy.operator.openshift.io theirs", "quay.io/team")],
)  # fmt: skip
def test_a_tag_where_mirrors_serve_digests_only(mirrors: Manifest, who: str, source: str) -> None:
    (finding,) = found(BY_TAG, mirrors)
    assert (finding.code, finding.severity) == ("tag-under-digest-mirror", Severity.WARNING)
    assert finding.message == f"`quay.io/team/api:2` is asked for by tag, and `{who}` mirrors `{source}` by digest only"
    assert str(finding.where) == "Deployment shop/web, spec.template.spec.containers[0].image"
    assert finding.explanation[0] == (
        "the node leaves the mirror out and asks `quay.io` itself; without a way there it hangs"
    )
    assert finding.hint == "add the image to the bundle, so that it is pinned by digest"


def test_where_the_source_is_never_asked_the_node_refuses_the_tag() -> None:
    never = a_set("ImageDigestMirrorSet", "imageDigestMirrors", "quay.io", mirrorSourcePolicy="NeverContactSource")
    (finding,) = found(BY_TAG, never)
    assert finding.explanation[0] == "the node refuses it: `quay.io` is blocked, and no mirror serves tags"


def test_digests_and_tags_that_have_a_mirror_are_right() -> None:
    assert found(BY_DIGEST, IDMS) == []
    assert found(BY_TAG, IDMS, ITMS) == []
    assert found(a_deployment("web", image="quay.io.example/team/api:2"), IDMS) == []
    assert found(BY_TAG) == [], "the files of all other runtimes serve both"


def test_the_longest_source_counts() -> None:
    """CRI-O takes the longest prefix, and the table of that prefix alone."""
    (finding,) = found(BY_TAG, ICSP, ITMS)
    assert "`quay.io/team` by digest only" in finding.message


def test_on_openshift_tags_wait_for_their_own_set() -> None:
    (finding,) = found(BY_TAG, site=OPENSHIFT)
    assert finding.message == (
        "`quay.io/team/api:2` is asked for by tag, and tags have a mirror of their own, `image-tag-mirror-set.yaml`"
    )
    assert (
        finding.explanation[0] == "until an administrator has applied it, the node refuses every tag of this registry"
    )
    assert found(BY_DIGEST, site=OPENSHIFT) == []


# --- config_path ---------------------------------------------------------------------------------------------------

SEVERAL = 'config_path = "/etc/containerd/certs.d:/etc/docker/certs.d"'


def test_several_directories_in_a_config_map() -> None:
    (finding,) = found(an_object("ConfigMap", "containerd", "kube-system", data={"config.toml": f"[a]\n  {SEVERAL}\n"}))
    assert (finding.code, finding.severity) == ("config-path-list", Severity.WARNING)
    assert finding.message == ("`config_path` names several directories: `/etc/containerd/certs.d:/etc/docker/certs.d`")
    assert str(finding.where) == 'ConfigMap kube-system/containerd, data["config.toml"]'
    assert finding.expected == 'one directory, such as `config_path = "/etc/containerd/certs.d"`'
    assert finding.explanation[0] == (
        "containerd 2.1 and later takes the text for one directory, finds no `hosts.toml` there, and asks the "
        "upstream registry without a word"
    )
    assert finding.hint == "name one directory, and put the files of `nodes/containerd/certs.d` there"


def test_several_directories_in_what_a_container_runs() -> None:
    script = {"name": "setup", "image": str(NGINX), "command": ["sh", "-c", f"echo '{SEVERAL}' >> /host/config.toml"]}
    (finding,) = found(a_deployment("setup", containers=[script]))
    assert finding.where.path == "spec.template.spec.containers[0].command[2]"


@pytest.mark.parametrize("text", ['config_path = "/etc/containerd/certs.d"', 'path = "a:b"', "config_path: a:b"])
def test_one_directory_is_right(text: str) -> None:
    assert found(an_object("ConfigMap", "containerd", "kube-system", data={"config.toml": text})) == []


# --- logins --------------------------------------------------------------------------------------------------------


def delivering(**registry: Any) -> Site:
    nodes = Nodes(delivery=NodeDelivery.DAEMONSET, image=ImageReference.parse("busybox:1.37"))
    return replace(a_site(registry=registry), nodes=nodes)


def test_pods_that_write_node_files_write_no_login() -> None:
    (finding,) = found(site=delivering(credentials=LOGIN))
    assert (finding.code, finding.severity) == ("nodes-without-login", Severity.WARNING)
    assert finding.message == "the Pods that write node files write no login for the site registry"
    assert finding.where.path == "spec.nodes.delivery"
    assert "401" in finding.explanation[0]
    assert finding.hint == (
        "read `nodes/daemonset/README.md`; accept this in `spec.checks.ignore` when nodes have the login"
    )


def test_registries_without_login_and_references_that_name_the_registry_need_none() -> None:
    assert found(site=delivering()) == []
    assert found(site=delivering(credentials=LOGIN, images=ImagesMode.REWRITE)) == []
    assert found(site=a_site(registry={"credentials": LOGIN})) == []
