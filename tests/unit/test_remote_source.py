"""Names in registries as a bundle source writes them (formats/bundle/remote_source.py)."""

from __future__ import annotations

import pytest

from renderer.errors import Finding, InputError
from renderer.formats.bundle.remote_source import RemoteChart, RemoteImage
from renderer.formats.bundle.source import BundleSourceDocument, SourceExtension, read_bundle_source
from tests.simulators.bundles import SOURCE, schema

DIGEST = f"sha256:{'1f' * 32}"


def read(image: str = "{layout: images}", chart: str = "helm: charts/web") -> BundleSourceDocument:
    text = SOURCE.replace("{layout: images}", image).replace("helm: charts/web", chart)
    return read_bundle_source(text.encode(), "bundle.yaml", schema("bundle-source"))


def images(text: str) -> list[RemoteImage]:
    found = [one for one in read(text).images if isinstance(one, RemoteImage)]
    assert len(found) == len(read(text).images)
    return found


def fault(image: str = "{layout: images}", chart: str = "helm: charts/web") -> Finding:
    with pytest.raises(InputError) as caught:
        read(image, chart)
    (finding,) = caught.value.findings
    return finding


@pytest.mark.parametrize(
    ("text", "url", "repository", "asked", "reference"),
    [
        ("oci://quay.io/team/api:2.0", "https://quay.io", "team/api", "2.0", "quay.io/team/api:2.0"),
        (f"oci://quay.io/team/api:2.0@{DIGEST}", "https://quay.io", "team/api", DIGEST, "quay.io/team/api:2.0"),
        ("oci://h:5000/a:1", "https://h:5000", "a", "1", "h:5000/a:1"),
        ("oci://localhost/a/b:1", "https://localhost", "a/b", "1", "localhost/a/b:1"),
        ("oci://docker.io/nginx:1", "https://registry-1.docker.io", "library/nginx", "1", "docker.io/library/nginx:1"),
    ],
)
def test_one_image_is_named_as_helm_names_charts(
    text: str, url: str, repository: str, asked: str, reference: str
) -> None:
    (image,) = images(f"{{registry: '{text}'}}")
    assert (image.source.url, image.source.repository, image.source.asked) == (url, repository, asked)
    assert str(image.reference) == reference


def test_an_image_may_have_another_name_and_no_tls() -> None:
    name = f"oci://mirror:5000/hub/nginx@{DIGEST}"
    (image,) = images(f"{{registry: '{name}', reference: 'nginx:1.27', insecure: true}}")
    assert (image.source.url, str(image.source)) == ("http://mirror:5000", name)
    assert str(image.reference) == "docker.io/library/nginx:1.27"
    assert image.source.for_skopeo == f"docker://mirror:5000/hub/nginx@{DIGEST}"


@pytest.mark.parametrize(("address", "prefix"), [("https://m.io", ""), ("http://m.io:80/a/b/", "a/b/")])
def test_a_registry_of_copies_is_named_by_its_address(address: str, prefix: str) -> None:
    one, two = images(f"{{registry: '{address}', images: [nginx:1, 'quay.io/team/api:2@{DIGEST}']}}")
    assert one.source.url == address.rstrip("/").removesuffix(f"/{prefix}".rstrip("/") if prefix else "")
    assert [one.source.repository, two.source.repository] == [f"{prefix}library/nginx", f"{prefix}team/api"]
    assert [one.source.asked, two.source.asked] == ["1", DIGEST]
    assert [str(one.reference), str(two.reference)] == ["docker.io/library/nginx:1", "quay.io/team/api:2"]


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("{registry: 'oci://team/api:2.0'}", "registry", "the host of a registry"),
        ("{registry: 'oci://quay.io/team/api'}", "registry", "neither a tag nor a digest"),
        (f"{{registry: 'oci://quay.io/team/api@{DIGEST}'}}", "registry", "is named by its tag, and this has none"),
        ("{registry: 'oci://quay.io/team/API:1'}", "registry", "repository path"),
        ("{registry: 'ftp://quay.io/a:1'}", "registry", "cannot be"),
        ("{registry: 'https://quay.io?x=1', images: [a/b:1]}", "registry", "is neither `oci://…` nor"),
        (f"{{registry: 'oci://q.io/a:1', reference: 'a/b@{DIGEST}'}}", "reference", "the digest belongs to"),
        ("{registry: 'oci://q.io/a:1', images: [a/b:1]}", "images", "names one image already"),
        ("{registry: 'https://q.io'}", "", "nothing says which images are meant"),
        ("{registry: 'https://q.io', images: [a/b:1], insecure: true}", "insecure", "belongs to one image"),
        ("{registry: 'https://q.io', images: [a/b:1], reference: a/c:1}", "reference", "belongs to one image"),
        (f"{{registry: 'https://q.io', images: ['a/b@{DIGEST}']}}", "images[0]", "is named by its tag"),
        ("{registry: 'https://q.io', images: [a/B:1]}", "images[0]", "repository path"),
        ("{layout: images, insecure: true}", "insecure", "`insecure` does not go with `layout`"),
        (f"{{archive: a.tar, digest: '{DIGEST}'}}", "", "exactly one of several things"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused_where_it_stands(text: str, field: str, message: str) -> None:
    finding = fault(text)
    assert finding.where.path == f"spec.images[0]{'.' if field else ''}{field}"
    assert message in finding.message


@pytest.mark.parametrize("text", ["oci://user:secret@quay.io/a:1", "https://user:secret@quay.io/a"])
def test_a_password_is_refused_and_not_repeated(text: str) -> None:
    for finding in (fault(f"{{registry: '{text}'}}"), fault(chart=f"helm: '{text.replace('https', 'oci')}'")):
        assert "holds a user name or a password" in finding.message
        assert "secret" not in str(finding)
        assert finding.hint == "docker login HOST, or --authfile"


def test_a_chart_has_a_version_a_digest_or_both() -> None:
    def chart(text: str) -> RemoteChart:
        (extension,) = read(chart=f"helm: 'oci://ghcr.io/team/web', {text}").extensions
        assert isinstance(extension, SourceExtension)
        content = extension.components[0].content
        assert isinstance(content, RemoteChart)
        return content

    assert [chart("version: 1.2.0").source.asked, chart("version: 1.2.0+build.5").source.asked] == [
        "1.2.0",
        "1.2.0_build.5",  # a tag may not have a `+`
    ]
    assert chart(f"digest: '{DIGEST}'").version is None
    both = chart(f"version: 1.2.0, digest: '{DIGEST}'")
    assert (both.version, both.source.asked) == ("1.2.0", DIGEST)
    assert str(both.source) == f"oci://ghcr.io/team/web:1.2.0@{DIGEST}"


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("helm: 'oci://ghcr.io/team/web'", "helm", "nothing says which version of the chart is meant"),
        ("helm: 'oci://ghcr.io/team/web:1.0.0', version: 1.0.0", "helm", "not part of its name"),
        (f"helm: 'oci://ghcr.io/team/web@{DIGEST}', version: 1.0.0", "helm", "not part of its name"),
        ("helm: 'oci://team/web', version: 1.0.0", "helm", "the host of a registry"),
        ("helm: charts/web, version: 1.0.0", "version", "belongs to a chart in a registry"),
        ("helm: charts/web, insecure: true", "insecure", "belongs to a chart in a registry"),
    ],
)
def test_a_chart_that_cannot_be_meant_is_refused_where_it_stands(text: str, field: str, message: str) -> None:
    finding = fault(chart=text)
    assert finding.where.path == f"spec.extensions[0].components[0].{field}"
    assert message in finding.message
