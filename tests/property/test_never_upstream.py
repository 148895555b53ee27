"""With `fallback: never` a node asks the site registry, at the right path, and nobody else: whatever tells it so.

The simulators of `tests/simulators/runtimes` say what a node asks. The second half makes each classic mistake in turn,
and the simulator must notice: otherwise the first half would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.errors import InputError
from renderer.model.images.mirror import MirrorPlan
from renderer.model.reference import ImageReference
from renderer.model.site import Fallback, ImagesMode, Site
from renderer.stages.mirrors.nodes import RUNTIMES, node_files
from renderer.stages.mirrors.plan import plan_mirrors
from tests.simulators.runtimes import containerd, docker, k3s, openshift, policy, registries_conf, talos
from tests.simulators.sites import SHIPPED, a_site, pinned

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Format:
    """What is written for a runtime, how a node reads it, and whether it has a rule for every other registry."""

    runtime: str
    asked: Callable[[Files, ImageReference], list[str]]
    catches_all: bool = True


FORMATS = {
    "containerd 2": Format("containerd", containerd.asked),
    "containerd 1": Format("containerd", partial(containerd.asked, major=1)),
    "docker 29": Format("docker", docker.asked),
    "k3s": Format("k3s", k3s.asked),
    "rke2": Format("rke2", k3s.asked),
    "talos 1.12": Format("talos", talos.asked),
    "talos 1.9": Format("talos", partial(talos.asked_before_1_12, minor=9)),
    "cri-o": Format("cri-o", registries_conf.asked, catches_all=False),
    "openshift": Format("openshift", openshift.asked, catches_all=False),
}
PROJECT = st.from_regex(r"\A[a-z][a-z0-9-]{0,8}[a-z](/[a-z]{1,4})?\Z")
NAMES = st.lists(
    st.from_regex(
        r"\A(docker\.io|quay\.io|reg-1\.example\.com:8443|registry\.k8s\.io|localhost:5000|10\.0\.0\.1:443)"
        r"(/[a-z0-9]{1,5}([._-][a-z0-9]{1,3})?){1,4}\Z"
    ),
    min_size=1,
    max_size=6,
)


def files_of(site: Site, plan: MirrorPlan, runtime: str) -> dict[str, bytes]:
    """The files for one runtime, paths relative to its directory."""
    tree = node_files(plan, site, SHIPPED, [runtime])
    return {path.split("/", 2)[2]: content for path, content in tree.items()}


def right_place(plan: MirrorPlan, image: ImageReference) -> str:
    """The URL of the image's manifest in the site registry."""
    location = plan.location(image)
    assert location is not None
    host, _, repository = location.partition("/")
    return f"{plan.scheme}://{host}/v2/{repository}/manifests/{image.digest or image.tag}"


def test_every_runtime_has_a_simulator() -> None:
    assert {one.runtime for one in FORMATS.values()} | {"policy"} == set(RUNTIMES)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(names=NAMES, projects=st.tuples(PROJECT, PROJECT), by_tag=st.booleans(), plain=st.booleans())
def test_a_node_asks_the_site_registry_and_nobody_else(
    name: str, names: list[str], projects: tuple[str, str], by_tag: bool, plain: bool
) -> None:
    form = FORMATS[name]
    url = (
        "http://harbor.site.local" if plain and name not in {"cri-o", "openshift"} else "https://harbor.site.local:5443"
    )
    registry = {
        "url": url,
        "insecure": True,
        "projects": {"docker.io": projects[0], "*": projects[1]},
        "ca": b"-----BEGIN CERTIFICATE-----\n",
    }
    images = [ImageReference.parse(f"{one}:1.2") if by_tag else pinned(f"{one}:1.2") for one in names]
    for fallback in Fallback:
        site = a_site(registry={**registry, "fallback": fallback})
        plan = plan_mirrors(site.registry, images)
        files = files_of(site, plan, form.runtime)
        for image in images:
            first, *more = form.asked(files, image)
            assert first == right_place(plan, image)
            # with a fallback there is a way out, and the simulator sees it
            assert {urlsplit(url).netloc for url in more} == (set() if fallback is Fallback.NEVER else upstream(image))


def upstream(image: ImageReference) -> set[str]:
    """The host that an image comes from where no mirror is configured."""
    return {"registry-1.docker.io" if image.registry == "docker.io" else image.registry}


@pytest.mark.parametrize("name", FORMATS)
def test_a_registry_nobody_listed(name: str) -> None:
    site = a_site(registry={"projects": {"docker.io": "dockerhub", "*": "rest"}})
    plan = plan_mirrors(site.registry, [pinned("nginx:1")])
    other = pinned("gcr.io/x/y:1")
    (url,) = FORMATS[name].asked(files_of(site, plan, FORMATS[name].runtime), other)
    host = "harbor.site.local:5443/v2/rest" if FORMATS[name].catches_all else "gcr.io/v2"
    assert url == f"https://{host}/x/y/manifests/{other.digest}"


@pytest.mark.parametrize("mode", ImagesMode)
def test_a_policy_accepts_the_locked_images_and_nothing_else(mode: ImagesMode) -> None:
    site = a_site(registry={"images": mode})
    image = pinned("nginx:1.27")
    plan = plan_mirrors(site.registry, [image])
    files = files_of(site, plan, "policy")
    named = image
    if mode is ImagesMode.REWRITE:
        named = ImageReference.parse(f"{plan.location(image)}@{image.digest}")
    assert policy.accepted(files, named)
    for other in (image.without_digest(), pinned("nginx:1.28"), pinned("quay.io/team/api:2")):
        assert not policy.accepted(files, other)


# --- each classic mistake is noticed -----------------------------------------------------------------------------

SITE = a_site(registry={"projects": {"docker.io": "dockerhub", "quay.io": "quay"}})
DIGEST = pinned("nginx:1.27")
TAG = ImageReference.parse("nginx:1.27")
HOSTS = "certs.d/docker.io/hosts.toml"
DIGESTS, TAGS = "image-digest-mirror-set.yaml", "image-tag-mirror-set.yaml"
CRIO = "registries.conf.d/50-sitewright.conf"
HUB = "https://registry-1.docker.io/v2/library/nginx/manifests/1.27"
HARBOR = "https://harbor.site.local:5443"


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "asked"),
    [
        # containerd and Docker: hosts.toml
        ("containerd 2", HOSTS, f'server = "{HARBOR}/v2/dockerhub"\n', "", [HUB]),
        ("containerd 2", HOSTS, "/v2/dockerhub", "/dockerhub", [f"{HARBOR}/dockerhub/library/nginx/manifests/1.27"]),
        ("containerd 2", HOSTS, "override_path = true\n", "",
         [f"{HARBOR}/v2/dockerhub/v2/library/nginx/manifests/1.27"]),
        ("containerd 2", HOSTS, '"resolve"', '"solve"', [HUB]),
        ("containerd 2", HOSTS, '["pull", "resolve"]', '["pull"]', []),
        ("containerd 2", HOSTS, "override_path = true", "override_path = True", [HUB]),
        ("containerd 1", HOSTS, "[host]", "", [HUB]),
        ("containerd 2", "config-2.x.toml", "containerd/certs.d", "containerd/certs.d:/etc/docker/certs.d", [HUB]),
        ("docker 29", HOSTS, "override_path = true\n", "",
         [f"{HARBOR}/v2/dockerhub/v2/library/nginx/manifests/1.27"]),
        ("docker 29", "daemon.json", "true", "false", [HUB]),
        # k3s and RKE2
        ("k3s", "config.yaml.d/50-sitewright.yaml", "true", "false",
         [f"{HARBOR}/v2/dockerhub/library/nginx/manifests/1.27", HUB]),
        ("k3s", "config.yaml.d/50-sitewright.yaml", "disable-default-registry-endpoint", "disable-default-endpoint",
         [f"{HARBOR}/v2/dockerhub/library/nginx/manifests/1.27", HUB]),
        ("k3s", "registries.yaml", '"docker.io"', '"index.docker.io"', [HUB]),
        ("k3s", "registries.yaml", '"dockerhub/$1"', '"dockerhub/$1s"', [f"{HARBOR}/v2/dockerhub//manifests/1.27"]),
        ("k3s", "registries.yaml", '"^(.*)$": "dockerhub/$1"', '"^(.*)$": "dockerhub/$1"\n      "^library": "hub"',
         [f"{HARBOR}/v2/dockerhub/library/nginx/manifests/1.27", f"{HARBOR}/v2/hub/nginx/manifests/1.27", ]),
        ("k3s", "registries.yaml", f'["{HARBOR}"]', f'["{HARBOR}/dockerhub"]',
         [f"{HARBOR}/dockerhub/dockerhub/library/nginx/manifests/1.27"]),
        # CRI-O and Podman
        ("cri-o", CRIO, "blocked = true\n", "", [f"{HARBOR}/v2/dockerhub/library/nginx/manifests/1.27", HUB]),
        ("cri-o", CRIO, 'dockerhub"\n', 'dockerhub"\npull-from-mirror = "digest-only"\n', []),
        ("cri-o", CRIO, "blocked = true\n", "blocked = true\nmirror-by-digest-only = true\n", []),
        ("cri-o", CRIO, "/dockerhub", "/dockerhub/library",
         [f"{HARBOR}/v2/dockerhub/library/library/nginx/manifests/1.27"]),
        # OpenShift
        ("openshift", TAGS, "ImageTagMirrorSet", "ImageDigestMirrorSet", []),
        ("openshift", TAGS, "source: docker.io", "source: docker.com", []),
        # Talos
        ("talos 1.12", "registries.yaml", "skipFallback: true", "skipFallback: false",
         [f"{HARBOR}/v2/dockerhub/library/nginx/manifests/1.27", HUB]),
        ("talos 1.12", "registries.yaml", "    overridePath: true\n", "",
         [f"{HARBOR}/v2/dockerhub/v2/library/nginx/manifests/1.27"]),
        ("talos 1.12", "registries.yaml", "    overridePath: true\n", "overridePath: true\n", [HUB]),
        ("talos 1.9", "registries-before-1.12.yaml", "        skipFallback: true\n", "",
         [f"{HARBOR}/v2/dockerhub/library/nginx/manifests/1.27", HUB]),
    ],
)  # fmt: skip
def test_a_mistake_is_noticed(name: str, file: str, old: str, new: str, asked: list[str]) -> None:
    form = FORMATS[name]
    plan = plan_mirrors(SITE.registry, [DIGEST])
    files = files_of(SITE, plan, form.runtime)
    assert form.asked(files, TAG) == [right_place(plan, TAG)]
    text = files[file].decode()
    assert old in text
    files[file] = text.replace(old, new).encode()
    assert form.asked(files, TAG) == asked


def test_an_openshift_cluster_with_digest_mirrors_alone_refuses_tags() -> None:
    plan = plan_mirrors(SITE.registry, [DIGEST])
    files = files_of(SITE, plan, "openshift")
    del files[TAGS]
    assert openshift.asked(files, DIGEST) == [right_place(plan, DIGEST)]
    assert openshift.asked(files, TAG) == []


def test_openshift_asks_the_source_when_nobody_forbids_it() -> None:
    plan = plan_mirrors(SITE.registry, [DIGEST])
    files = files_of(SITE, plan, "openshift")
    for name in (DIGESTS, TAGS):
        files[name] = b"".join(line for line in files[name].splitlines(keepends=True) if b"SourcePolicy" not in line)
        files[name] = files[name].replace(b"    mirrors:", b"  - mirrors:")
    assert openshift.asked(files, TAG) == [right_place(plan, TAG), HUB]


@pytest.mark.parametrize("name", FORMATS)
def test_an_image_that_was_copied_without_library_is_not_where_nodes_look(name: str) -> None:
    plan = plan_mirrors(SITE.registry, [DIGEST])
    files = files_of(SITE, plan, FORMATS[name].runtime)
    assert f"{HARBOR}/v2/dockerhub/nginx/manifests/1.27" not in FORMATS[name].asked(files, TAG)


def test_docker_before_29_asks_the_internet_whatever_is_written() -> None:
    plan = plan_mirrors(SITE.registry, [DIGEST])
    files = files_of(SITE, plan, "docker")
    assert docker.asked(files, TAG, major=28) == [HUB]
    files["daemon.json"] = f'{{"registry-mirrors": ["{HARBOR}/dockerhub"]}}'.encode()
    assert docker.asked(files, TAG, major=28) == [f"{HARBOR}/dockerhub/v2/library/nginx/manifests/1.27", HUB]


def test_talos_before_1_9_does_not_know_how_to_stay_inside() -> None:
    plan = plan_mirrors(SITE.registry, [DIGEST])
    files = files_of(SITE, plan, "talos")
    assert talos.asked_before_1_12(files, TAG, minor=8) == [right_place(plan, TAG), HUB]


# --- and templates of a site that make one are refused -----------------------------------------------------------


@pytest.mark.parametrize(
    ("runtime", "template", "old", "new", "reason"),
    [
        ("containerd", "containerd/hosts.toml", "server = {{ mirror_url | tojson }}\n", "",
         "without `server` containerd asks the upstream registry at last"),
        ("containerd", "containerd/hosts.toml", "mirror_url | tojson }}\n", "'https://quay.io' | tojson }}\n",
         "it lets nodes ask `https://quay.io`, although the profile says never"),
        ("docker", "containerd/hosts.toml", "override_path = true\n", "",
         "rightly only with `/v2/` before its path and `override_path = true`"),
        ("containerd", "containerd/hosts.toml", '["pull", "resolve"]', '["pull"]', "without `resolve` no tag"),
        ("containerd", "containerd/hosts.toml", "\n[host]\n", "\n", "refuse a file without a `[host]` table"),
        ("containerd", "containerd/config-2.x.toml", "{{ certs_directory | tojson }}", '"/etc/a:/etc/b"',
         "names several directories; containerd 2.1 and later then uses no mirror"),
        ("openshift", "openshift/image-tag-mirror-set.yaml", "{{ mirror.source | tojson }}", "example.com",
         "`docker.io` has no mirror by tag: CRI-O says that the registry is blocked"),
        ("openshift", "openshift/image-digest-mirror-set.yaml", "NeverContactSource", "AllowContactingSource",
         "`docker.io` needs `mirrorSourcePolicy: NeverContactSource`: nodes ask it otherwise"),
        ("docker", "docker/daemon.json", "true}", "true", "a node could not read its text as JSON"),
        ("docker", "docker/daemon.json", "{", "[{", "a node could not read its text as JSON"),
        ("talos", "talos/registries.yaml", "---", "--- [1]", "could not read its text as YAML"),
        ("talos", "talos/registries.yaml", "apiVersion: v1alpha1", "apiVersion: [v1alpha1",
         "could not read its text as YAML"),
    ],
)  # fmt: skip
def test_a_template_that_would_lead_upstream_is_refused(
    runtime: str, template: str, old: str, new: str, reason: str
) -> None:
    name = f"mirrors/{template}.j2"
    assert old in SHIPPED[name]
    templates = {**SHIPPED, name: SHIPPED[name].replace(old, new)}
    with pytest.raises(InputError) as caught:
        node_files(plan_mirrors(SITE.registry, [DIGEST]), SITE, templates, [runtime])
    (finding,) = caught.value.findings
    assert finding.code == "template-failed"
    assert reason in finding.message


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [("docker/daemon.json", "[]", "its text is no JSON object"), ("talos/registries.yaml", "- a\n", "YAML mappings")],
)
def test_a_template_with_another_shape_is_refused(name: str, text: str, reason: str) -> None:
    templates = {**SHIPPED, f"mirrors/{name}.j2": text}
    with pytest.raises(InputError, match=reason):
        node_files(plan_mirrors(SITE.registry, [DIGEST]), SITE, templates, [name.partition("/")[0]])


def test_with_a_way_back_a_template_may_name_other_registries() -> None:
    site = a_site(registry={"fallback": Fallback.UPSTREAM})
    text = 'server = "https://quay.io"\n'
    templates = {**SHIPPED, "mirrors/containerd/hosts.toml.j2": text}
    assert node_files(plan_mirrors(site.registry, [DIGEST]), site, templates).files
