"""Kubernetes objects in the model: identity, copies, and what is refused."""

import pytest

from renderer.model.bundles.extension import Component, ComponentKind, Descriptor
from renderer.model.fields import FieldError
from renderer.model.objects.manifest import DuplicateObjectError, Manifest, ManifestSet, ObjectId, Origin
from renderer.model.reference import Digest

ORIGIN = Origin(extension="web", component="web", source="web/templates/web.yaml")


def config_map(name: str = "a", **metadata: object) -> Manifest:
    return Manifest.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}, ORIGIN)  # type: ignore[dict-item]


def test_the_api_version_is_not_part_of_an_identity() -> None:
    first = Manifest.of({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}, ORIGIN)
    second = Manifest.of({"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "a"}}, ORIGIN)
    assert first.id == second.id == ObjectId("apps", "Deployment", "", "a")
    with pytest.raises(DuplicateObjectError, match="Deployment a is defined twice: by extension web"):
        ManifestSet([first, second])


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"kind": "A", "metadata": {"name": "a"}}, ("apiVersion",)),
        ({"apiVersion": "v1", "metadata": {"name": "a"}}, ("kind",)),
        ({"apiVersion": "v1", "kind": "A"}, ("metadata",)),
        ({"apiVersion": "v1", "kind": "A", "metadata": {"name": 1}}, ("metadata", "name")),
        ({"apiVersion": "v1", "kind": "A", "metadata": {"generateName": "a-"}}, ("metadata", "generateName")),
        ({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a", "namespace": 7}}, ("metadata", "namespace")),
    ],
)
def test_an_object_without_identity_is_refused_at_the_field_that_lacks(
    body: dict[str, object], path: tuple[str, ...]
) -> None:
    with pytest.raises(FieldError) as caught:
        Manifest.of(body, ORIGIN)  # type: ignore[arg-type]
    assert caught.value.path == path


def test_a_change_is_a_copy() -> None:
    before = config_map()
    after = before.annotated({"a": "1"}).with_metadata(namespace="shop")
    assert "annotations" not in before.metadata
    assert after.id == ObjectId("", "ConfigMap", "shop", "a")
    assert after.annotations == {"a": "1"}
    assert after.with_metadata(namespace=None).id == before.id


def test_an_identity_is_printed_as_people_name_objects() -> None:
    assert str(ObjectId("apps", "Deployment", "shop", "web")) == "Deployment shop/web"
    assert str(ObjectId("cert-manager.io", "Certificate", "shop", "web")) == "Certificate.cert-manager.io shop/web"
    assert str(ObjectId("rbac.authorization.k8s.io", "ClusterRole", "", "admin")) == "ClusterRole admin"


@pytest.mark.parametrize("name", ["-x", "--post-renderer=x", "a b", "A", "", "a/b", "a\n"])
def test_a_component_and_its_release_have_names_that_no_program_takes_for_an_option(name: str) -> None:
    content = Descriptor(media_type="application/x", digest=Digest.of(b""), size=0)
    for component, release in ((name, "web"), ("web", name)):
        with pytest.raises(ValueError, match="cannot name a component or a release"):
            Component(name=component, release=release, kind=ComponentKind.HELM, content=content, namespace="shop")
