"""Rules about what happens on a node when it pulls through a mirror."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from renderer.checks import nodes
from renderer.errors import Finding, Severity
from renderer.model.check import run_rules
from renderer.model.objects.manifest import Manifest
from renderer.model.site import Distribution, ImagesMode, Runtime, Site
from tests.simulators.sites import a_deployment, a_plan, a_site, an_object, composed, pinned

NGINX = pinned("nginx:1.27")
OURS = "harbor.site.local:5443/dockerhub"


def found(code: str, *manifests: Manifest, site: Site | None = None) -> list[Finding]:
    whole = composed(a_plan((20, "extensions", manifests)), site=site or a_site(), images=(NGINX,))
    return [finding for finding in run_rules(nodes.RULES, whole) if finding.code == code]


def a_login(*registries: str, **fields: Any) -> Manifest:
    text = json.dumps({"auths": {name: {"auth": "eA=="} for name in registries}})
    content = fields or {"data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()}}
    return an_object("Secret", "login", "shop", type="kubernetes.io/dockerconfigjson", **content)


WITH_LOGIN = a_deployment("web", imagePullSecrets=[{"name": "login"}])


@pytest.mark.parametrize(
    ("key", "registry"),
    [("https://index.docker.io/v1/", "docker.io"), ("docker.io", "docker.io"), ("quay.io/team", "quay.io")],
)
def test_a_pull_secret_for_a_mirrored_registry(key: str, registry: str) -> None:
    (finding,) = found("pull-secret-and-mirror", WITH_LOGIN, a_login(key))
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        f"the login for `{registry}` in `Secret shop/login` is used where nodes ask the site registry"
    )
    assert str(finding.where) == "Secret shop/login"
    assert finding.explanation == (
        f"{nodes._CONTAINERD}: the pull is denied if that does not know it",
        "used by Deployment shop/web",
    )
    assert nodes._CONTAINERD.startswith("the kubelet hands the login to the runtime")
    assert finding.hint == "leave the pull secret out in the values of the extension, and give nodes the login"


def test_what_happens_differs_with_the_runtime() -> None:
    for cluster in ({"runtime": Runtime.CRIO}, {"distribution": Distribution.OPENSHIFT}):
        site = a_site(cluster=cluster)
        (finding,) = found("pull-secret-and-mirror", WITH_LOGIN, a_login("docker.io"), site=site)
        assert finding.explanation[0] == "CRI-O drops the login for a mirror on another host: it does not help there"


def test_a_pull_secret_of_a_service_account_counts() -> None:
    account = an_object("ServiceAccount", "web", "shop", imagePullSecrets=[{"name": "login"}])
    (finding,) = found("pull-secret-and-mirror", account, a_login("docker.io"))
    assert finding.explanation[1] == "used by ServiceAccount shop/web"


@pytest.mark.parametrize(
    "secret",
    [
        a_login("harbor.site.local:5443"),
        a_login(),
        a_login(stringData={".dockerconfigjson": "{"}),
        a_login(stringData={".dockerconfigjson": "[]"}),
        a_login(stringData={".dockerconfigjson": '{"auths": []}'}),
        a_login(data={".dockerconfigjson": "%"}),
        a_login(data={"other": "eA=="}),
    ],
)
def test_other_pull_secrets_are_nobodys_business(secret: Manifest) -> None:
    assert found("pull-secret-and-mirror", WITH_LOGIN, secret) == []


def test_pull_secrets_that_are_not_in_the_tree_are_one_note() -> None:
    other = a_deployment("api", imagePullSecrets=[{"name": "vendor"}, {}, {"name": ""}])
    (finding,) = found("pull-secret-and-mirror", WITH_LOGIN, other)
    assert finding.severity is Severity.NOTE
    assert finding.expected == "logins for none of `docker.io`, `quay.io`"
    assert finding.explanation[1:] == (
        "Secret shop/login, used by Deployment shop/web",
        "Secret shop/vendor, used by Deployment shop/api",
    )


def test_rewritten_images_may_have_pull_secrets() -> None:
    site = a_site(registry={"images": ImagesMode.REWRITE})
    assert found("pull-secret-and-mirror", WITH_LOGIN, a_login("docker.io"), site=site) == []


def test_a_single_name_in_the_site_registry_lacks_its_library() -> None:
    (finding,) = found("image-without-library", a_deployment("web", image=f"{OURS}/nginx:1.27"))
    assert finding.message == (
        f"`{OURS}/nginx:1.27` is asked for as it stands, but single-name images are copied to `library/`"
    )
    assert str(finding.where) == "Deployment shop/web, spec.template.spec.containers[0].image"
    assert finding.expected == f"`{OURS}/library/nginx`"
    assert finding.got == f"`{OURS}/nginx`"
    assert finding.hint == "use the upstream name in the values of the extension"


@pytest.mark.parametrize(
    "image", [f"{OURS}/library/nginx:1.27", f"{OURS}/team/web:1", "harbor.site.local:5443/other/web:1", "nginx:1", "A?"]
)
def test_other_names_have_what_they_need(image: str) -> None:
    assert found("image-without-library", a_deployment("web", image=image)) == []


def test_operators_that_are_told_images_are_listed_where_images_are_rewritten() -> None:
    names = ("RELATED_IMAGE_A", "RELATED_IMAGE_B", "AGENT_IMAGE", "PORT")
    env = [{"name": name, "value": f"{OURS}/team/{name.lower()}:1"} for name in names]
    switch = {"name": "ALLOW_AD_HOC_IMAGE", "value": "false"}
    containers = [{"name": "main", "image": "x:1", "env": [switch, *env]}]
    operators = [a_deployment(f"operator-{number}", containers=containers) for number in range(7)]
    site = a_site(registry={"images": ImagesMode.REWRITE})
    (finding,) = found("operator-images", *operators, a_deployment("web"), site=site)
    assert finding.severity is Severity.NOTE
    assert finding.explanation[0] == (
        "Deployment shop/operator-0, spec.template.spec.containers[0]: RELATED_IMAGE_A, RELATED_IMAGE_B …"
    )
    assert finding.explanation[-1] == "and 2 more"
    assert finding.hint == "use `images: mirror` if one of them replaces its Pods for ever or refuses its own image"
    assert found("operator-images", *operators) == []
    assert found("operator-images", a_deployment("web"), site=site) == []
