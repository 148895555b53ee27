"""The bill of materials of a bundle, judged by CycloneDX's own validator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from renderer.commands.bundle.building.bill import show_bill
from renderer.errors import BundleRefusedError, Where
from renderer.formats.bundle.artifact import parse_manifest
from renderer.model.outcome import Outcome
from tests.simulators.bundles import CHART, NOW, Workshop
from tests.simulators.images import ImageLayout

NGINX, API = "docker.io/library/nginx:1.27", "quay.io/team/api:2.0"
POD = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: api}}\nspec: {{containers: [{{name: api, image: '{API}'}}]}}\n"
SOURCE = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: demo, version: 1.0.0}
spec:
  sequence: 3
  created: 2026-11-01T00:00:00Z
  platforms: [linux/amd64]
  extensions:
    - name: web
      version: 1.5.0
      description: {en: Serves pages, zh: 提供网页}
      requires: [{extension: cache, version: ">=1.0.0"}, {capability: storage, version: "*"}]
      components: [{name: pages, helm: charts/web}, {name: api, manifests: manifests}]
    - {name: cache, version: 1.0.0, components: [{name: cache, helm: charts/web}]}
    - {name: disks, version: 2.0.0, provides: {storage: 1.0.0}, components: []}
  images:
    - {layout: images}
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    made.write(CHART | {"manifests/api.yaml": POD, "bundle.yaml": SOURCE})
    layout = ImageLayout(tmp_path / "images")
    layout.cosign(layout.image(NGINX, "linux/amd64", "linux/arm64"))
    layout.list(layout.manifest("linux/amd64", API), API)
    return made


def bill(workshop: Workshop, bundle: str = "bundle") -> Any:
    return show_bill(workshop.open(bundle), now=NOW).document


def by_ref(document: Any) -> dict[str, Any]:
    found = {one["bom-ref"]: one for one in document["components"]}
    return found | {two["bom-ref"]: two for one in document["components"] for two in one.get("components", [])}


def test_the_validator_of_cyclonedx_accepts_it(workshop: Workshop) -> None:
    workshop.build()
    text = show_bill(workshop.open(), now=NOW).text
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    about = document["metadata"]["component"]
    assert (about["name"], about["version"], about["bom-ref"]) == ("demo", "1.0.0", "bundle:demo@1.0.0")


def test_nothing_of_it_is_of_the_moment(workshop: Workshop) -> None:
    workshop.build("one")
    workshop.build("two")
    first, second = bill(workshop, "one"), bill(workshop, "two")
    assert first == second
    assert first["metadata"]["timestamp"] == "2026-11-01T00:00:00+00:00"
    assert first["serialNumber"].startswith("urn:uuid:")
    workshop.write({"bundle.yaml": SOURCE.replace("sequence: 3", "sequence: 4")})
    workshop.build("three")
    assert bill(workshop, "three")["serialNumber"] != first["serialNumber"]


def test_images_have_package_urls_and_digests(workshop: Workshop) -> None:
    workshop.build()
    found = by_ref(bill(workshop))
    index = found[f"image:{NGINX}"]
    amd64 = found[f"image:{NGINX}#linux/amd64"]
    names = [PackageURL.from_string(one["purl"]) for one in (index, amd64)]
    assert {(one.type, one.namespace, one.name) for one in names} == {("oci", None, "nginx")}
    assert names[0].qualifiers == {"repository_url": "docker.io/library/nginx", "tag": "1.27"}
    assert names[1].qualifiers == {"repository_url": "docker.io/library/nginx", "tag": "1.27", "arch": "amd64"}
    for one, name in zip((index, amd64), names, strict=True):
        assert one["hashes"] == [{"alg": "SHA-256", "content": str(name.version).removeprefix("sha256:")}]
    assert names[0].version != names[1].version
    told = [(one["name"], one["value"]) for one in index["properties"]]
    assert ("dev.sitewright:omitted", "linux/arm64") in told
    assert ("dev.sitewright:carried", "true") in told
    assert [name for name, _ in told].count("dev.sitewright:referrer") == 1
    alone = found[f"image:{API}"]
    assert "components" not in alone
    assert PackageURL.from_string(alone["purl"]).qualifiers["arch"] == "amd64"


def test_charts_have_their_own_name_and_version(workshop: Workshop) -> None:
    workshop.build()
    workshop.sign("vendor")
    found = by_ref(bill(workshop))
    chart, files = found["component:web@1.5.0/pages"], found["component:web@1.5.0/api"]
    assert (chart["type"], chart["name"], chart["version"]) == ("application", "web", "1.2.0")
    assert (files["type"], files["name"]) == ("file", "api")
    extension = workshop.load(workshop.policy("vendor")).bundle.extensions[-1]
    digests = [component.content.digest.hex for component in extension.components]
    assert [one["hashes"][0]["content"] for one in (chart, files)] == digests
    assert found["extension:web@1.5.0"]["description"] == "Serves pages"


def test_the_graph_says_who_needs_what(workshop: Workshop) -> None:
    workshop.build()
    document = bill(workshop)
    graph = {one["ref"]: set(one.get("dependsOn", [])) for one in document["dependencies"]}
    extensions = {"extension:web@1.5.0", "extension:cache@1.0.0", "extension:disks@2.0.0"}
    assert graph["bundle:demo@1.0.0"] == extensions | {f"image:{NGINX}"}  # no object names it
    assert graph["extension:web@1.5.0"] == {
        "component:web@1.5.0/pages",
        "component:web@1.5.0/api",
        f"image:{API}",
        "extension:cache@1.0.0",
        "extension:disks@2.0.0",
    }
    assert graph[f"image:{API}"] == set()


def test_it_is_signed_with_the_bundle(workshop: Workshop) -> None:
    workshop.build()
    workshop.sign("vendor")
    policy = workshop.policy("vendor")
    shown: Outcome = show_bill(workshop.open(), policy, now=NOW)
    assert shown.findings == ()
    verified = workshop.load(policy)
    layers = parse_manifest(workshop.open().blob(verified.manifest), Where()).layers
    (layer,) = [one for one in layers if one.media_type == "application/vnd.cyclonedx+json"]
    assert layer.annotations == {"org.opencontainers.image.title": "sbom.cdx.json"}
    place = workshop.root / "bundle/blobs/sha256" / layer.digest.hex
    place.write_bytes(place.read_bytes().replace(b"Serves", b"Sells!"))
    with pytest.raises(BundleRefusedError, match="blob-digest-mismatch"):
        workshop.verify(policy)
    with pytest.raises(BundleRefusedError, match="blob-digest-mismatch"):
        show_bill(workshop.open(), policy, now=NOW)


def test_without_a_policy_a_warning_says_so(workshop: Workshop) -> None:
    workshop.build()
    (finding,) = show_bill(workshop.open(), now=NOW).findings
    assert finding.code == "bundle-not-verified"
