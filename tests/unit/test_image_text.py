"""References inside larger texts: what has their shape, what has not, and what is taken for an image."""

import pytest

from renderer.model.images.slots import split_blocks, split_image
from renderer.model.images.text import looks_like_image, spot_references

DIGEST = "sha256:" + "ab" * 32


def spotted(text: str) -> list[str]:
    return [text[one.start : one.end] for one in spot_references(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("quay.io/a/b:v1", ["quay.io/a/b:v1"]),
        ("registry.local:5000/a/b:v1", ["registry.local:5000/a/b:v1"]),
        (f"a/b:1@{DIGEST}", [f"a/b:1@{DIGEST}"]),
        (f"registry.local:5000/a@{DIGEST}", [f"registry.local:5000/a@{DIGEST}"]),
        ("--image=quay.io/a/b:v1", ["quay.io/a/b:v1"]),
        ('--image="quay.io/a/b:v1"', ["quay.io/a/b:v1"]),
        ("images: [a/b:1, 'c/d:2',e/f:3 g/h:4]", ["a/b:1", "c/d:2", "e/f:3", "g/h:4"]),
        ("IMAGE=a/b:1\nOTHER=c/d:2\n", ["a/b:1", "c/d:2"]),
        ("image: a/b:1 # the newest", ["a/b:1"]),
        ('{"image":"a/b:1","tag":"x"}', ["a/b:1"]),
        ('"{\\"image\\": \\"a/b:1\\"}"', ["a/b:1"]),
        ('"image: a/b:1\\nother: c/d:2"', ["a/b:1", "c/d:2"]),
        ("line\\na/b:1", ["a/b:1"]),
        ("<image>a/b:1</image>", ["a/b:1"]),
        ("docker pull a/b:1.", ["a/b:1"]),
        ("${IMAGE:-a/b:1}", ["a/b:1"]),
        ("docker://quay.io/a/b:1", ["quay.io/a/b:1"]),
        ("oci://quay.io/charts/b:1", ["quay.io/charts/b:1"]),
        ("redis:7", ["redis:7"]),
    ],
)
def test_references_are_found_in_every_kind_of_text(text: str, found: list[str]) -> None:
    assert spotted(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "https://quay.io/a/b:v1",
        "git@github.com:a/b.git",
        "/usr/share/a:1",
        "./a/b:1",
        "$(REGISTRY)/a/b:1",
        "{{ .Values.registry }}/a/b:1",
        "${REGISTRY}a/b:1",
        "a/b:v1-$(ARCH)",
        "a/b:{{ .Values.tag }}",
        "a/b:1${SUFFIX}",
        "system:serviceaccount:kube-system:default",
        "arn:aws:iam::123456789012:role/x",
        "key: value",
        "a/b:1/c",
        f"@{DIGEST}",
        f"{DIGEST}",
        "00:11:22:33:44:55",
    ],
)
def test_what_is_no_reference_is_left_alone(text: str) -> None:
    assert spotted(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "quay.io/prometheus/prometheus:v2.51.2",
        "docker.io/golang:1.17",
        "ghcr.io/a/b:main",
        "harbor.site.local:5443/a/b:1.2",
        "kubesphere/kubectl:v1.27.16",
        "org/app:latest",
        "minio/minio:RELEASE.2022-09-17T00-09-45Z",
        "registry.example.com/team/api:1.4",
        "nvcr.io/nvidia/cuda:12.3.2-base-ubi8",
    ],
)
def test_an_unknown_image_in_free_text_is_noticed(text: str) -> None:
    (one,) = spot_references(text)
    assert looks_like_image(one.name, one.tag)


@pytest.mark.parametrize(
    "text",
    [
        "localhost:8080",
        "127.0.0.1:9090",
        "redis:6379",
        "default/mysql:3306",
        "ks-apiserver.kubesphere-system.svc:80",
        "apiserver_request:burnrate5m",
        "instance:node_cpu:ratio",
        "node-role.kubernetes.io/master:NoSchedule",
        "topology.kubernetes.io/zone:v1",
        "apps/v1:Deployment",
        "policies/rules:read",
        "cluster.local/path:v1",
        "image/png:1",
        "v1.2:3",
        "12:30",
        "15m:1m",
        "font-size:12px",
        "deepseek-r1:1.5b",
        "admin:admin",
    ],
)
def test_ports_times_rules_and_labels_are_not_taken_for_images(text: str) -> None:
    assert not [one for one in spot_references(text) if looks_like_image(one.name, one.tag)]


@pytest.mark.parametrize(
    ("content", "name", "tag"),
    [
        ({"repository": "quay.io/a/b", "tag": "v1"}, "quay.io/a/b", "v1"),
        ({"registry": "quay.io", "repository": "a/b", "tag": "v1", "digest": ""}, "quay.io/a/b", "v1"),
        ({"registry": "docker.io", "image": "a/b", "tag": "v1", "digest": ""}, "docker.io/a/b", "v1"),
        ({"repository": "nvcr.io/nvidia", "image": "dcgm", "version": "3.3"}, "nvcr.io/nvidia/dcgm", "3.3"),
        ({"image_name": "quay.io/kiali/kiali", "image_version": "v1.59"}, "quay.io/kiali/kiali", "v1.59"),
        ({"hub": "docker.io/istio", "image": "pilot", "tag": "1.16.5"}, "docker.io/istio/pilot", "1.16.5"),
    ],
)
def test_charts_spell_an_image_in_parts_in_many_ways(content: dict[str, object], name: str, tag: str) -> None:
    split = split_image(content)  # type: ignore[arg-type]
    assert split is not None
    assert (split.name, split.tag) == (name, tag)


@pytest.mark.parametrize(
    "content",
    [
        {"repository": "https://charts.example.org", "version": "1.0.0"},
        {"image": "quay.io/prometheus/prometheus:v2.51.2", "version": "v2.51.2"},
        {"image": "quay.io/prometheus/prometheus", "version": "v2.51.2"},
        {"repository": "a/b", "tag": ""},
        {"repository": "a/b", "tag": 1.5},
        {"tag": "v1"},
        {"version": "1"},
    ],
)
def test_other_mappings_are_no_split_images(content: dict[str, object]) -> None:
    """`version` beside a whole `image` is what an operator parses: it is not touched."""
    assert split_image(content) is None  # type: ignore[arg-type]


def test_siblings_in_text_are_grouped_and_others_are_not() -> None:
    text = """\
controller:
  image:
    # the controller
    registry: docker.io
    digest: ""
    image: 'a/b'   # name
    pullPolicy: Always
    tag: v1
other:
  tag: v2
list:
  - repository: c/d
    tag: v3
  - repository: e/f
    tag: "v4"
"""
    groups = [{key: one.value for key, one in block.items()} for block in split_blocks(text)]
    assert groups == [
        {"registry": "docker.io", "digest": "", "image": "a/b", "tag": "v1"},
        {"repository": "c/d", "tag": "v3"},
        {"repository": "e/f", "tag": "v4"},
    ]


def test_siblings_are_found_in_json_too() -> None:
    pretty = '{\n  "repository": "a/b",\n  "tag": "v1"\n}'
    tight = '{"x":{"repository":"a/b","tag":"v1"}}'
    escaped = '"{\\"repository\\":\\"a/b\\",\\"tag\\":\\"v1\\"}"'
    for text in (pretty, tight, escaped):
        (block,) = split_blocks(text)
        assert {key: one.value for key, one in block.items()} == {"repository": "a/b", "tag": "v1"}
        assert all(text[one.start : one.end] == one.value for one in block.values())
