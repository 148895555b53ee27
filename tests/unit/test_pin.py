"""Pins: every string that names an image gets the digest that a bundle vouches for, and nothing else changes."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from renderer.errors import Finding, Severity
from renderer.model.bundles.bundle import BundleImage
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.mirror import Mirror, MirrorPlan
from renderer.model.objects.manifest import Manifest, Origin
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.site import Fallback, ImagesMode
from renderer.stages.pin import Pinned, pin

AMD64 = Platform.parse("linux/amd64")


def descriptor(text: str) -> Descriptor:
    return Descriptor(media_type="application/vnd.oci.image.index.v1+json", digest=Digest.of(text.encode()), size=1)


def dictionary(*references: str) -> dict[ImageReference, BundleImage]:
    parsed = [ImageReference.parse(text) for text in references]
    return {
        one: BundleImage(reference=one, content=descriptor(str(one)), platforms={AMD64: descriptor(f"amd64 {one}")})
        for one in parsed
    }


IMAGES = dictionary(
    "docker.io/library/busybox:latest",
    "docker.io/library/redis:7",
    "docker.io/kubesphere/kubectl:v1.27.16",
    "quay.io/a/b:v1",
    "quay.io/a/b:v2",
    "docker.io/minio/minio:RELEASE.1",
    "registry.k8s.io/pause:3.9",
)
MIRRORS = MirrorPlan(
    scheme="https",
    host="harbor.site:5443",
    mirrors=(Mirror(source="docker.io", project="hub"), Mirror(source="quay.io", project="quay")),
    fallback=Fallback.NEVER,
    ca=None,
    images=tuple(IMAGES),
)


def digest_of(reference: str) -> str:
    return str(Digest.of(str(ImageReference.parse(reference)).encode()))


def pinned_text(reference: str) -> str:
    return f"{ImageReference.parse(reference)}@{digest_of(reference)}"


def manifest(kind: str = "ConfigMap", api: str = "v1", **fields: Any) -> Manifest:
    metadata = {"name": "x", "namespace": "shop", **fields.pop("metadata", {})}
    origin = Origin(extension="web", component="web", source="web/templates/a.yaml")
    return Manifest.of({"apiVersion": api, "kind": kind, "metadata": metadata, **fields}, origin)


def pod(*images: str, **spec: Any) -> Manifest:
    containers = [{"name": f"c{index}", "image": image} for index, image in enumerate(images)]
    template = {"spec": {"containers": containers, **spec}}
    return manifest("Deployment", "apps/v1", spec={"template": template})


def run(
    *manifests: Manifest,
    images: Mapping[ImageReference, BundleImage] = IMAGES,
    mode: ImagesMode = ImagesMode.MIRROR,
    mirrors: MirrorPlan | None = None,
) -> Pinned:
    return pin(manifests, images, mode=mode, mirrors=mirrors)


def only(findings: tuple[Finding, ...]) -> Finding:
    (finding,) = findings
    return finding


def containers(result: Pinned) -> list[str]:
    spec: Any = result.manifests[0].body["spec"]
    return [container["image"] for container in spec["template"]["spec"]["containers"]]


class TestWhatIsWritten:
    @pytest.mark.parametrize(
        ("written", "means"),
        [
            ("quay.io/a/b:v1", "quay.io/a/b:v1"),
            ("kubesphere/kubectl:v1.27.16", "docker.io/kubesphere/kubectl:v1.27.16"),
            ("index.docker.io/kubesphere/kubectl:v1.27.16", "docker.io/kubesphere/kubectl:v1.27.16"),
            ("busybox", "docker.io/library/busybox:latest"),
            ("docker.io/busybox", "docker.io/library/busybox:latest"),
            ("library/redis:7", "docker.io/library/redis:7"),
            ("redis:7", "docker.io/library/redis:7"),
            (" redis:7 ", "docker.io/library/redis:7"),
        ],
    )
    def test_a_container_gets_the_full_name_the_tag_and_the_digest(self, written: str, means: str) -> None:
        result = run(pod(written))
        assert containers(result) == [pinned_text(means)]
        assert [(use.path, use.text, str(use.reference)) for use in result.uses] == [
            ("spec.template.spec.containers[0].image", written.strip(), means)
        ]
        assert not result.findings

    def test_init_and_ephemeral_containers_and_image_volumes_count(self) -> None:
        volume = {"name": "v", "image": {"reference": "quay.io/a/b:v2", "pullPolicy": "Always"}}
        result = run(
            pod(initContainers=[{"image": "redis:7"}], ephemeralContainers=[{"image": "busybox"}], volumes=[volume])
        )
        assert [use.path for use in result.uses] == [
            "spec.template.spec.initContainers[0].image",
            "spec.template.spec.ephemeralContainers[0].image",
            "spec.template.spec.volumes[0].image.reference",
        ]

    def test_rewriting_writes_the_place_in_the_site_registry(self) -> None:
        result = run(pod("redis:7", "quay.io/a/b:v1"), mode=ImagesMode.REWRITE, mirrors=MIRRORS)
        assert containers(result) == [
            f"harbor.site:5443/hub/library/redis@{digest_of('redis:7')}",
            f"harbor.site:5443/quay/a/b@{digest_of('quay.io/a/b:v1')}",
        ]

    def test_rewriting_needs_to_know_where_to(self) -> None:
        with pytest.raises(ValueError, match="mirror plan"):
            run(pod("redis:7"), mode=ImagesMode.REWRITE)

    @pytest.mark.parametrize("written", ["harbor.site:5443/hub/library/redis:7", "harbor.site:5443/library/redis:7"])
    def test_names_that_charts_make_of_the_site_registry_mean_the_upstream_image(self, written: str) -> None:
        """`global.imageRegistry` in KubeSphere's charts replaces the host and drops the upstream one."""
        assert containers(run(pod(written), mirrors=MIRRORS)) == [pinned_text("redis:7")]

    def test_pinning_twice_changes_nothing(self) -> None:
        once = run(pod("redis:7", "busybox"), manifest(data={"a": "x quay.io/a/b:v1 y"}))
        again = run(*once.manifests)
        assert again.manifests == once.manifests
        assert [use.reference for use in again.uses] == [use.reference for use in once.uses]

    def test_what_does_not_change_is_the_same_object(self) -> None:
        before = pod("redis:7", volumes=[{"name": "data"}])
        after = run(before, untouched := manifest(data={"a": "b"})).manifests
        spec: Any = after[0].body["spec"]
        original: Any = before.body["spec"]
        assert spec["template"]["spec"]["volumes"] is original["template"]["spec"]["volumes"]
        assert original["template"]["spec"]["containers"][0]["image"] == "redis:7"
        assert after[1] is untouched


class TestEveryPlace:
    def test_arguments_commands_and_environment(self) -> None:
        container = {
            "image": "redis:7",
            "args": [
                "--solver-image=quay.io/a/b:v1",
                '--base="quay.io/a/b:v2"',
                "redis:6379",
                "--images=redis:7,quay.io/a/b:v1",
            ],
            "command": ["sh", "-c", "run quay.io/a/b:v1 && run kubesphere/kubectl:v1.27.16\n"],
            "env": [
                {"name": "RELATED_IMAGE_B", "value": "quay.io/a/b:v1"},
                {"name": "RELATED_IMAGE_BOX", "value": "busybox"},
            ],
        }
        result = run(manifest("Pod", spec={"containers": [container]}))
        body: Any = result.manifests[0].body
        after = body["spec"]["containers"][0]
        b1, b2 = pinned_text("quay.io/a/b:v1"), pinned_text("quay.io/a/b:v2")
        assert after["args"] == [
            f"--solver-image={b1}", f'--base="{b2}"', "redis:6379", f"--images={pinned_text('redis:7')},{b1}",
        ]  # fmt: skip
        assert after["command"][2] == f"run {b1} && run {pinned_text('kubesphere/kubectl:v1.27.16')}\n"
        assert [one["value"] for one in after["env"]] == [b1, pinned_text("busybox")]
        assert not result.findings

    def test_custom_resources(self) -> None:
        spec = {"image": "quay.io/a/b:v1", "sidecars": {"tenant": {"image": "redis:7"}}, "baseImage": "busybox"}
        result = run(manifest("Prometheus", "monitoring.coreos.com/v1", spec=spec))
        after: Any = result.manifests[0].body["spec"]
        assert after == {
            "image": pinned_text("quay.io/a/b:v1"),
            "sidecars": {"tenant": {"image": pinned_text("redis:7")}},
            "baseImage": pinned_text("busybox"),
        }

    def test_text_in_a_config_map_is_changed_in_place_and_nowhere_else(self) -> None:
        before = 'a: 1\nimage: "quay.io/a/b:v1"   # keep\nurl: https://quay.io/a/b:v1\nhost: redis:6379\n'
        result = run(manifest(data={"conf.yaml": before}))
        after: Any = result.manifests[0].body["data"]
        assert after["conf.yaml"] == before.replace('"quay.io/a/b:v1"', f'"{pinned_text("quay.io/a/b:v1")}"')
        assert [use.path for use in result.uses] == ['data["conf.yaml"]']

    def test_secrets_are_read_through_their_base64(self) -> None:
        encoded = base64.b64encode(b"image=redis:7\n").decode()
        binary = base64.b64encode(b"\x1f\x8b\x00redis:7").decode()
        result = run(manifest("Secret", data={"a": encoded, "b": binary}, stringData={"c": "redis:7"}))
        body: Any = result.manifests[0].body
        assert base64.b64decode(body["data"]["a"]).decode() == f"image={pinned_text('redis:7')}\n"
        assert body["data"]["b"] == binary
        assert body["stringData"]["c"] == pinned_text("redis:7")

    def test_annotations_count_and_other_metadata_does_not(self) -> None:
        metadata = {"annotations": {"sidecar/proxyImage": "quay.io/a/b:v1"}, "labels": {"x": "quay.io/a/b:v1"}}
        after = run(manifest(metadata=metadata)).manifests[0]
        assert after.annotations["sidecar/proxyImage"] == pinned_text("quay.io/a/b:v1")
        assert after.metadata["labels"] == {"x": "quay.io/a/b:v1"}

    def test_definitions_and_status_are_left_alone(self) -> None:
        api = "apiextensions.k8s.io/v1"
        crd = manifest("CustomResourceDefinition", api, spec={"description": "such as quay.io/unknown/x:v1"})
        result = run(crd, manifest("X", "a.example/v1", status={"image": "quay.io/unknown/x:v1"}))
        assert result.manifests[0] is crd
        assert not result.uses
        assert not result.findings


class TestImagesInParts:
    def test_the_tag_takes_the_digest_when_there_is_no_field_for_it(self) -> None:
        spec = {"validator": {"repository": "quay.io/a", "image": "b", "version": "v1"}}
        result = run(manifest("ClusterPolicy", "nvidia.com/v1", spec=spec))
        after: Any = result.manifests[0].body["spec"]
        assert after["validator"] == {
            "repository": "quay.io/a", "image": "b", "version": f"v1@{digest_of('quay.io/a/b:v1')}",
        }  # fmt: skip
        assert [(use.path, use.text) for use in result.uses] == [("spec.validator.version", "quay.io/a/b:v1")]

    def test_a_digest_field_is_used_when_there_is_one(self) -> None:
        spec = {"image": {"registry": "quay.io", "repository": "a/b", "tag": "v1", "digest": ""}}
        after: Any = run(manifest("X", "a.example/v1", spec=spec)).manifests[0].body["spec"]
        assert after["image"] == {**spec["image"], "digest": digest_of("quay.io/a/b:v1")}

    @pytest.mark.parametrize(
        ("parts", "moved"),
        [
            ({"repository": "quay.io/a/b", "tag": "v1"}, {"repository": "harbor.site:5443/quay/a/b"}),
            (
                {"registry": "quay.io", "repository": "a/b", "tag": "v1"},
                {"registry": "harbor.site:5443", "repository": "quay/a/b"},
            ),
            (
                {"repository": "quay.io/a", "image": "b", "version": "v1"},
                {"repository": "harbor.site:5443/quay/a", "image": "b"},
            ),
        ],
    )
    def test_parts_move_to_the_site_registry(self, parts: dict[str, str], moved: dict[str, str]) -> None:
        result = run(manifest("X", "a.example/v1", spec=parts), mode=ImagesMode.REWRITE, mirrors=MIRRORS)
        tag = "version" if "version" in parts else "tag"
        assert result.manifests[0].body["spec"] == {**parts, **moved, tag: f"v1@{digest_of('quay.io/a/b:v1')}"}

    def test_parts_in_text_are_pinned_in_place(self) -> None:
        before = 'image:\n  digest: ""\n  image: a/b\n  registry: quay.io\n  tag: v1\n'
        after: Any = run(manifest(data={"config.yaml": before})).manifests[0].body["data"]
        assert after["config.yaml"] == before.replace('""', f'"{digest_of("quay.io/a/b:v1")}"')

    def test_pinning_parts_twice_changes_nothing(self) -> None:
        spec = {
            "a": {"repository": "quay.io/a/b", "tag": "v1"},
            "b": {"image_name": "quay.io/a/b", "image_version": "v2"},
        }
        once = run(manifest("X", "a.example/v1", spec=spec))
        again = run(*once.manifests)
        assert again.manifests == once.manifests
        assert not again.findings

    def test_unknown_parts_with_a_registry_are_an_error(self) -> None:
        spec = {"driver": {"repository": "quay.io/a", "image": "driver", "version": "550"}}
        finding = only(run(manifest("X", "a.example/v1", spec=spec)).findings)
        assert (finding.code, finding.severity) == ("image-not-in-bundle", Severity.ERROR)
        assert finding.where.path == "spec.driver.version"

    def test_a_chart_and_its_version_are_no_image(self) -> None:
        spec = {"chart": {"repository": "https://charts.example.org", "name": "x", "version": "1.2.3"}}
        assert not run(manifest("HelmRelease", "helm.toolkit.fluxcd.io/v2", spec=spec)).findings


class TestWhatNoBundleVouchesFor:
    def test_a_container_image_is_an_error_that_names_what_is_near(self) -> None:
        finding = only(run(pod("quay.io/minio/minio:RELEASE.1")).findings)
        assert finding.code == "image-not-in-bundle"
        assert finding.severity is Severity.ERROR
        assert finding.message == "`quay.io/minio/minio:RELEASE.1` is not vouched for by any bundle"
        assert str(finding.where) == "Deployment shop/x, spec.template.spec.containers[0].image"
        assert finding.expected == "a reference that one of the site's bundles lists"
        assert finding.explanation == ("from extension web, web: web/templates/a.yaml",)
        assert finding.hint is not None
        assert finding.hint.startswith("the bundles have `docker.io/minio/minio:RELEASE.1`; list the image")

    @pytest.mark.parametrize("written", ["alpine", "auto", "alpine:3", "${IMAGE}", "Not/Lower:1", "a b"])
    def test_whatever_stands_in_a_container_must_be_vouched_for(self, written: str) -> None:
        finding = only(run(pod(written)).findings)
        assert (finding.code, finding.severity) == ("image-not-in-bundle", Severity.ERROR)

    @pytest.mark.parametrize(
        "fields",
        [
            {"kind": "X", "api": "a.example/v1", "spec": {"image": "quay.io/other/x:1"}},
            {"kind": "X", "api": "a.example/v1", "spec": {"image": "quay.io/other/x"}},
            {"kind": "X", "api": "a.example/v1", "spec": {"args": ["--sidecar-image=quay.io/other/x:1"]}},
            {"kind": "X", "api": "a.example/v1", "spec": {"env": [{"name": "RELATED_IMAGE_X", "value": "org/x:v1"}]}},
            {"data": {"a": "image: quay.io/a/b:v3"}},
        ],
    )
    def test_a_slot_for_images_and_a_known_name_are_certain(self, fields: dict[str, Any]) -> None:
        assert only(run(manifest(**fields)).findings).severity is Severity.ERROR

    def test_free_text_only_warns(self) -> None:
        finding = only(run(manifest(data={"a": "try docker.io/golang:1.17"})).findings)
        assert (finding.code, finding.severity) == ("image-not-in-bundle", Severity.WARNING)
        assert finding.where.path == "data.a"

    def test_a_host_and_port_is_no_unknown_version_of_an_image(self) -> None:
        assert not run(manifest(data={"a": "redis:6379"})).findings

    def test_another_digest_than_the_bundle_s_is_refused(self) -> None:
        other = "sha256:" + "0" * 64
        finding = only(run(pod(f"quay.io/a/b:v1@{other}")).findings)
        assert finding.code == "image-digest-mismatch"
        assert finding.expected == f"`{digest_of('quay.io/a/b:v1')}`"
        assert finding.got == f"`{other}`"
        assert finding.hint is not None
        assert "build the bundle with `quay.io/a/b@sha256:000" in finding.hint

    def test_a_digest_without_a_tag_is_looked_up_by_name(self) -> None:
        digest = digest_of("quay.io/a/b:v2")
        result = run(pod(f"quay.io/a/b@{digest}"))
        assert containers(result) == [pinned_text("quay.io/a/b:v2")]
        assert only(run(pod(f"quay.io/a/b@sha256:{'0' * 64}")).findings).code == "image-not-in-bundle"

    def test_the_digest_of_a_platform_is_vouched_for_and_kept(self) -> None:
        digest = Digest.of(b"amd64 quay.io/a/b:v1")
        assert containers(run(pod(f"quay.io/a/b:v1@{digest}"))) == [f"quay.io/a/b:v1@{digest}"]

    def test_an_image_without_a_project_cannot_be_rewritten(self) -> None:
        finding = only(run(pod("registry.k8s.io/pause:3.9"), mode=ImagesMode.REWRITE, mirrors=MIRRORS).findings)
        assert finding.code == "image-not-mirrored"
        assert finding.expected == "a project for `registry.k8s.io`"
        assert (
            finding.hint
            == 'add `registry.k8s.io: <project>` or `"*": <project>` to `spec.registry.projects` in the profile'
        )

    def test_each_fault_is_told_once_for_each_field(self) -> None:
        text = "docker.io/golang:1.17 docker.io/golang:1.17 docker.io/node:14.1"
        assert len(run(manifest(data={"a": text, "b": text})).findings) == 4
