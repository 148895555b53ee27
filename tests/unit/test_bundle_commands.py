"""bundle build, sign, verify, inspect: real files, real keys, real programs as judges."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from renderer.errors import BundleRefusedError, Finding, InputError, Severity
from renderer.formats.archives import unpack
from renderer.formats.bundle.artifact import REF_NAME
from renderer.model.outcome import Outcome
from renderer.model.reference import ImageReference, Platform
from tests.realworld.stand_ins import write_layout
from tests.simulators.bundles import SOURCE, Workshop, signed

FORMS = ["bundle", "bundle.tar"]


def document(outcome: Outcome) -> dict[str, Any]:
    """What `--format json` prints."""
    json.dumps(outcome.document)
    return cast("dict[str, Any]", outcome.document)


def faults(act: Callable[[], object]) -> list[Finding]:
    """The findings of the InputError that `act` must end in."""
    with pytest.raises(InputError) as caught:
        act()
    return list(caught.value.findings)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    made.sources()
    return made


# --- build -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_two_builds_in_two_places_give_the_same_bytes(form: str, tmp_path: Path) -> None:
    digests, contents = [], []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        workshop = Workshop(tmp_path / place)
        workshop.sources()
        digests.append(document(workshop.build(form))["manifest"])
        target = tmp_path / place / form
        files = [target] if target.is_file() else sorted(path for path in target.rglob("*") if path.is_file())
        contents.append([(path.relative_to(tmp_path / place), path.read_bytes()) for path in files])
    assert digests[0] == digests[1]
    assert contents[0] == contents[1]


def test_directory_and_tar_file_hold_the_same_bundle(workshop: Workshop) -> None:
    one, two = workshop.build("bundle"), workshop.build("bundle.tar")
    assert document(one)["manifest"] == document(two)["manifest"]
    assert workshop.open("bundle").digests() == workshop.open("bundle.tar").digests()


def test_build_says_what_it_made(workshop: Workshop) -> None:
    outcome = workshop.build()
    made = document(outcome)
    assert outcome.text.splitlines()[:2] == [
        "bundle demo 1.0.0, sequence 3, created 2026-11-01T00:00:00Z",
        "  1 extension, 2 components, 2 images (2 carried) for linux/amd64",
    ]
    assert outcome.text.endswith(f"  {made['manifest']} (not signed yet)")
    assert (made["extensions"], made["images"], made["carriedImages"]) == (["web 1.2.0"], 2, 2)
    assert ([finding.code for finding in outcome.findings], outcome.failed) == (["image-unused"], False)


def test_components_are_packed_charts_and_files(workshop: Workshop) -> None:
    workshop.write({"charts/web/.helmignore": "secret.txt\n", "charts/web/secret.txt": "x", "charts/web/a.txt": "y"})
    workshop.build()
    workshop.sign("vendor")
    (extension,) = workshop.load(workshop.policy("vendor")).bundle.extensions
    web, rbac = extension.components
    assert (web.name, web.kind.value, web.release, web.namespace) == ("web", "helm", "web", "shop")
    chart = unpack(workshop.open().blob(web.content))
    assert list(chart) == [
        f"web/{path}" for path in (".helmignore", "Chart.yaml", "a.txt", "templates/web.yaml", "values.yaml")
    ]
    assert list(unpack(workshop.open().blob(rbac.content))) == ["rbac.yaml"]
    assert web.content.annotations == {
        "org.opencontainers.image.title": "web-1.2.0.tgz",
        "org.opencontainers.image.version": "1.2.0",
    }


@pytest.mark.real
def test_helm_renders_a_packed_directory_as_the_directory(workshop: Workshop, helm: Path, tmp_path: Path) -> None:
    workshop.build()
    workshop.sign("vendor")
    (extension,) = workshop.load(workshop.policy("vendor")).bundle.extensions
    (tmp_path / "web.tgz").write_bytes(workshop.open().blob(extension.components[0].content))
    environment = {"HOME": str(tmp_path), "PATH": "/nonexistent"}
    from_archive, from_directory = (
        subprocess.run(
            [helm, "template", "web", chart], cwd=tmp_path, check=True, capture_output=True, env=environment
        ).stdout
        for chart in ("web.tgz", "charts/web")
    )
    assert from_archive == from_directory
    assert b'replicas: "1"' in from_archive


def test_a_packaged_chart_is_kept_byte_for_byte(workshop: Workshop) -> None:
    workshop.build()
    workshop.sign("vendor")
    policy = workshop.policy("vendor")
    packed = workshop.open().blob(workshop.load(policy).bundle.extensions[0].components[0].content)
    workshop.write(
        {"charts/web-1.2.0.tgz": packed, "bundle.yaml": SOURCE.replace("charts/web}", "charts/web-1.2.0.tgz}")}
    )
    workshop.build("again")
    workshop.sign("vendor", "again")
    content = workshop.load(policy, "again").bundle.extensions[0].components[0].content
    assert workshop.open("again").blob(content) == packed


def test_values_are_layered_and_a_schema_goes_along(workshop: Workshop) -> None:
    workshop.write(
        {
            "values/a.yaml": "image: {tag: '1', pull: Always}\nlist: [1, 2]\n",
            "values/b.yaml": "image: {tag: '2'}\n",
            "web.schema.json": '{"type": "object"}',
            "bundle.yaml": SOURCE.replace(
                "helm: charts/web}",
                "helm: charts/web, values: {list: [3], none: null}, valuesFrom: [values/a.yaml, values/b.yaml],"
                " valuesSchema: web.schema.json, release: shop-web, namespace: other}",
            ),
        }
    )
    workshop.build()
    workshop.sign("vendor")
    web = workshop.load(workshop.policy("vendor")).bundle.extensions[0].components[0]
    assert web.values == {"image": {"tag": "2", "pull": "Always"}, "list": [3], "none": None}
    assert web.values_schema == {"type": "object"}
    assert (web.release, web.namespace) == ("shop-web", "other")


def test_the_clock_is_never_read(workshop: Workshop) -> None:
    workshop.write({"bundle.yaml": SOURCE.replace("  created: 2026-11-01T00:00:00Z\n", "")})
    (finding,) = faults(workshop.build)
    assert (finding.code, finding.where.file) == ("created-missing", "bundle.yaml")
    assert finding.hint is not None
    assert finding.hint.startswith("SOURCE_DATE_EPOCH=")
    made = workshop.build(created=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC))
    assert document(made)["created"] == "2026-01-02T03:04:05Z"


def test_an_image_that_an_extension_names_and_nobody_vouches_for_is_a_warning(workshop: Workshop) -> None:
    workshop.write({"bundle.yaml": SOURCE.replace("namespace: shop", "namespace: shop\n      images: [redis:7]")})
    (finding,) = (one for one in workshop.build().findings if one.severity is Severity.WARNING)
    assert (finding.code, finding.severity) == ("image-not-in-bundle", Severity.WARNING)
    assert finding.where.subject == "extension web 1.2.0"
    assert finding.explanation == ("`docker.io/library/redis:7`",)


def test_the_chart_file_of_a_source_directory_does_not_count(workshop: Workshop) -> None:
    metadata = (
        "apiVersion: v1\nname: a\nversion: 1.0.0\ndisplayName: {en: X}\ndescription: {en: X}\ncategory: c\n"
        "provider: {en: {name: n}}\nicon: https://x/y.svg\n"
    )
    workshop.write({"packages/a/extension.yaml": metadata, "packages/a/Chart.yaml": "name: b\nversion: 2.0.0\n"})
    spec = SOURCE[: SOURCE.index("    - name: web")] + "    - kubesphere: packages/a\n"
    workshop.write({"bundle.yaml": spec})
    assert document(workshop.build())["extensions"] == ["a 1.0.0"]


def test_kubesphere_packages_are_found_by_glob_and_from_source(workshop: Workshop) -> None:
    metadata = (
        "apiVersion: v1\nname: {name}\nversion: 1.0.0\ndisplayName: {{en: X}}\ndescription: {{en: X}}\ncategory: c\n"
        "provider: {{en: {{name: n}}}}\nicon: https://x/y.svg\nimages: [nginx:1.27]\n"
    )
    workshop.write(
        {
            "packages/one/extension.yaml": metadata.format(name="one"),
            "packages/one/values.yaml": "a: 1\n",
            "packages/two/extension.yaml": metadata.format(name="two"),
            "packages/readme.txt": "x",
            "bundle.yaml": SOURCE.replace("  images:", "    - kubesphere: packages/*\n  images:", 1),
        }
    )
    outcome = workshop.build()
    assert document(outcome)["extensions"] == ["one 1.0.0", "two 1.0.0", "web 1.2.0"]
    workshop.sign("vendor")
    one = workshop.load(workshop.policy("vendor")).bundle.extensions[0]
    content = workshop.open().blob(one.components[0].content)
    assert list(unpack(content)) == ["one/Chart.yaml", "one/extension.yaml", "one/values.yaml"]
    # The package that was made is read again as one.
    workshop.write(
        {
            "one-1.0.0.tgz": content,
            "bundle.yaml": SOURCE.replace("  images:", "    - kubesphere: '*.tgz'\n  images:", 1),
        }
    )
    workshop.build("again")
    workshop.sign("vendor", "again")
    assert workshop.load(workshop.policy("vendor"), "again").bundle.extensions[0] == one


# --- images ------------------------------------------------------------------------------------------------------


def test_an_index_is_cut_to_the_platforms_asked_for(workshop: Workshop, tmp_path: Path) -> None:
    write_layout(tmp_path / "many", ["quay.io/team/multi:1"], ["linux/amd64", "linux/arm64/v8", "linux/s390x"])
    workshop.write({"bundle.yaml": SOURCE.replace("layout: images", "layout: many")})
    workshop.build()
    workshop.sign("vendor")
    policy = workshop.policy("vendor")
    (image,) = workshop.load(policy).bundle.images
    index = json.loads((tmp_path / "many/index.json").read_text())["manifests"][0]
    assert image.reference == ImageReference.parse("quay.io/team/multi:1")
    assert str(image.digest) == index["digest"]
    assert list(image.platforms) == [Platform.parse("linux/amd64")]
    assert [str(one) for one in image.omitted] == ["linux/arm64/v8", "linux/s390x"]
    assert workshop.verify(policy).findings == ()
    arm = SOURCE.replace("layout: images", "layout: many").replace("[linux/amd64]", "[linux/amd64, linux/arm64]")
    workshop.write({"bundle.yaml": arm})
    workshop.build("both")
    workshop.sign("vendor", "both")
    assert [str(one) for one in workshop.load(policy, "both").bundle.images[0].platforms] == [
        "linux/amd64",
        "linux/arm64/v8",
    ]


def test_a_platform_that_an_image_lacks_is_told(workshop: Workshop) -> None:
    workshop.write({"bundle.yaml": SOURCE.replace("[linux/amd64]", "[linux/amd64, linux/arm64]")})
    found = faults(workshop.build)
    assert [finding.code for finding in found] == ["platform-missing"] * 2
    assert found[0].message == "`docker.io/library/nginx:1.27` does not exist for linux/arm64"
    assert (found[0].where.file, found[0].where.path) == ("bundle.yaml", "spec.images[0].layout")
    assert found[0].got == "linux/amd64"


def test_one_reference_with_two_contents_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    write_layout(tmp_path / "other", ["quay.io/team/api:2.0"], ["linux/amd64", "linux/arm64"])
    workshop.write({"bundle.yaml": SOURCE + "    - {layout: other}\n"})
    (finding,) = faults(workshop.build)
    assert (finding.code, finding.where.path) == ("image-conflict", "spec.images[1].layout")
    assert finding.message == "`quay.io/team/api:2.0` stands for two different images"


def test_the_same_image_may_be_named_twice(workshop: Workshop) -> None:
    workshop.write({"bundle.yaml": SOURCE + "    - {layout: images}\n"})
    assert document(workshop.build())["images"] == 2


@pytest.mark.parametrize("name", ["1.27", "quay.io/team/api", "quay.io/team/API:1", ""])
def test_an_image_without_a_full_name_is_refused(name: str, workshop: Workshop, tmp_path: Path) -> None:
    index = json.loads((tmp_path / "images/index.json").read_text())
    index["manifests"][0]["annotations"] = {REF_NAME: name} if name else {}
    (tmp_path / "images/index.json").write_text(json.dumps(index))
    (finding,) = faults(workshop.build)
    assert (finding.code, finding.where.path) == ("image-unnamed", "spec.images[0].layout")
    assert finding.expected == "a full reference with a tag in `org.opencontainers.image.ref.name`"


def test_a_damaged_image_is_not_taken_over(workshop: Workshop, tmp_path: Path) -> None:
    path = max((tmp_path / "images/blobs/sha256").iterdir(), key=lambda one: one.stat().st_size)
    path.write_bytes(path.read_bytes() + b" ")
    (finding,) = faults(workshop.build)
    assert finding.code == "blob-digest-mismatch"
    assert not (tmp_path / "bundle").exists()


# --- faults of sources -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ("helm: charts/web}", "helm: charts/none}", "file-not-found", "spec.extensions[0].components[0].helm"),
        ("helm: charts/web}", "helm: manifests}", "not-a-chart", "spec.extensions[0].components[0].helm"),
        ("helm: charts/web}", "helm: x.tgz}", "archive-refused", "spec.extensions[0].components[0].helm"),
        ("helm: charts/web}", "helm: ../web}", "path-escape", "spec.extensions[0].components[0].helm"),
        ("helm: charts/web}", "helm: charts/web, jinja: x}", "invalid-value", "spec.extensions[0].components[0]"),
        ("name: rbac", "name: web", "duplicate-component", "spec.extensions[0].components[1].name"),
        ("manifests: manifests", "manifests: empty", "empty-component", "spec.extensions[0].components[1].manifests"),
        ("layout: images", "layout: charts", "not-a-layout", "spec.images[0].layout"),
        ("layout: images", "layout: nowhere", "bundle-not-found", "spec.images[0].layout"),
        (
            "helm: charts/web}",
            "helm: charts/web, valuesFrom: [x.tgz]}",
            "yaml-syntax",
            "spec.extensions[0].components[0].valuesFrom[0]",
        ),
        (
            "helm: charts/web}",
            "helm: charts/web, valuesSchema: x.tgz}",
            "invalid-schema",
            "spec.extensions[0].components[0].valuesSchema",
        ),
        ("  images:", "    - kubesphere: none/*.tgz\n  images:", "file-not-found", "spec.extensions[1].kubesphere"),
        ("  images:", "    - kubesphere: charts/*.tgz\n  images:", "no-packages", "spec.extensions[1].kubesphere"),
        ("sequence: 3", "sequence: 0", "invalid-value", "spec.sequence"),
        ("name: demo", "nmae: demo", "unknown-field", "metadata"),
        ("version: 1.0.0}", 'version: "1.0"}', "invalid-field", "metadata.version"),
        ("created: 2026-11-01T00:00:00Z", "created: yesterday", "invalid-value", "spec.created"),
        ("[linux/amd64]", "[]", "invalid-value", "spec.platforms"),
    ],
)
def test_a_fault_of_a_source_is_told_where_it_stands(
    old: str, new: str, code: str, path: str, workshop: Workshop, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    workshop.write({"x.tgz": b"\x1f\x8b nonsense", "bundle.yaml": SOURCE.replace(old, new, 1)})
    found = [(finding.code, finding.where.path, finding.where.file) for finding in faults(workshop.build)]
    assert (code, path) in [(one[0], one[1] if code != "unknown-field" else path) for one in found], found
    assert {one[2] for one in found} == {"bundle.yaml"}
    assert not (tmp_path / "bundle").exists()


def test_faults_of_all_parts_are_told_at_once(workshop: Workshop) -> None:
    source = SOURCE.replace("charts/web}", "charts/none}").replace("layout: images", "layout: nowhere")
    workshop.write({"bundle.yaml": source})
    assert [finding.code for finding in faults(workshop.build)] == ["file-not-found", "bundle-not-found"]


def test_faults_of_all_components_and_places_are_told_with_what_to_do(workshop: Workshop) -> None:
    text = (workshop.root / "bundle.yaml").read_text().replace("helm: charts/web", "helm: charts/gone")
    text = text.replace("manifests: manifests", "manifests: gone")
    text = text.replace("{layout: images}", "{layout: gone}\n    - {archive: gone.tar}\n    - {layout: charts}")
    workshop.write({"bundle.yaml": text})
    findings = faults(workshop.build)
    assert [(one.code, one.where.path, one.hint) for one in findings] == [
        ("file-not-found", "spec.extensions[0].components[0].helm", None),
        ("file-not-found", "spec.extensions[0].components[1].manifests", None),
        ("bundle-not-found", "spec.images[0].layout", "skopeo copy --all docker://REFERENCE oci:gone:REFERENCE"),
        ("bundle-not-found", "spec.images[1].archive", "podman save -o gone.tar REFERENCE"),
        ("not-a-layout", "spec.images[2].layout", "skopeo copy --all docker://REFERENCE oci:charts:REFERENCE"),
    ]
    assert findings[2].message == "there are no images at `gone`"


def test_one_extension_version_twice_is_refused(workshop: Workshop) -> None:
    twice = "    - {name: web, version: 1.2.0, components: []}\n  images:"
    workshop.write({"bundle.yaml": SOURCE.replace("  images:", twice, 1)})
    (finding,) = faults(workshop.build)
    assert (finding.code, finding.message) == ("duplicate-extension", "the bundle would hold `web 1.2.0` twice")


# --- sign and verify ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_verify_shows_every_signature_and_hashes_every_blob(form: str, tmp_path: Path) -> None:
    workshop, _ = signed(tmp_path, form)
    workshop.sign("third", form)
    outcome = workshop.verify(workshop.policy("vendor", "office", threshold=2), form)
    assert outcome.text.splitlines()[3:7] == [
        "  #  form        signer  algorithm          counts  why not",
        "  1  cosign-tag  vendor  ecdsa-p256-sha256  yes",
        "  2  cosign-tag  office  ed25519            yes",
        "  3  cosign-tag  third   ecdsa-p256-sha256  no      the rule `demo*` does not ask for this signer",
    ]
    told = document(outcome)
    assert (told["verified"], told["verdict"]["signers"]) == (True, ["office", "vendor"])
    assert told["blobs"] == len(workshop.open(form).digests())
    assert outcome.findings == ()


@pytest.mark.parametrize("form", FORMS)
def test_signing_leaves_the_bundle_itself_alone(form: str, workshop: Workshop) -> None:
    before = document(workshop.build(form))["manifest"]
    blobs = set(workshop.open(form).digests())
    for key in ("vendor", "office", "vendor"):
        workshop.sign(key, form)
    assert workshop.load(workshop.policy("vendor"), form).manifest.digest.hex in before
    assert blobs <= set(workshop.open(form).digests())
    assert len(set(workshop.open(form).digests()) - blobs) == 3  # one payload for both, a config, a manifest


def test_signing_again_with_the_same_key_changes_nothing(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build()
    first = document(workshop.sign("vendor"))
    index = (tmp_path / "bundle/index.json").read_bytes()
    second = workshop.sign("vendor")
    assert (first["added"], document(second)["added"]) == (True, False)
    assert "was signed before with the ECDSA P-256 key" in second.text
    assert (tmp_path / "bundle/index.json").read_bytes() == index


@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa"])
def test_every_kind_of_key_signs(kind: str, workshop: Workshop) -> None:
    workshop.key("signer", kind)
    workshop.build()
    workshop.sign("signer")
    assert workshop.verify(workshop.policy("signer")).document["verified"] is True  # type: ignore[call-overload,index]


def test_a_damaged_bundle_is_not_signed(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build()
    for path in (tmp_path / "bundle/blobs/sha256").iterdir():
        if path.read_bytes().startswith(b'{"apiVersion"'):
            path.write_bytes(b"{}")
    with pytest.raises(BundleRefusedError) as caught:
        workshop.sign("vendor")
    assert caught.value.findings[0].code == "blob-digest-mismatch"


# --- inspect -----------------------------------------------------------------------------------------------------


def test_inspect_says_that_nobody_vouched(tmp_path: Path) -> None:
    from renderer.commands.bundle.inspect import View, inspect
    from tests.simulators.bundles import NOW

    workshop, policy = signed(tmp_path)
    plain = inspect(workshop.open(), now=NOW, view=View.IMAGES)
    assert plain.text.splitlines()[1] == "  NOT VERIFIED: 2 signatures found, none of them checked"
    assert document(plain)["verified"] is False
    (finding,) = plain.findings
    assert (finding.code, finding.severity) == ("bundle-not-verified", Severity.WARNING)
    assert finding.hint == "sitewright bundle verify bundle --trust trust.yaml"
    assert "docker.io/library/nginx:1.27" in plain.text
    assert "  web   1.2.0    web (helm), rbac (manifests)" in plain.text.splitlines()

    checked = inspect(workshop.open(), policy, now=NOW)
    assert checked.text.splitlines()[1] == "  VERIFIED: signed by office, vendor (trust policy test)"
    assert (document(checked)["verified"], checked.findings) == (True, ())
    assert "docker.io/library/nginx:1.27" not in checked.text
    assert [image["reference"] for image in document(checked)["images"]] == [
        "docker.io/library/nginx:1.27",
        "quay.io/team/api:2.0",
    ]


def test_inspect_with_a_policy_shows_nothing_that_it_refuses(workshop: Workshop) -> None:
    from renderer.commands.bundle.inspect import inspect
    from tests.simulators.bundles import NOW

    workshop.build()
    workshop.key("vendor")
    with pytest.raises(BundleRefusedError):
        inspect(workshop.open(), workshop.policy("vendor"), now=NOW)


# --- other people's tools ----------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("form", FORMS)
def test_skopeo_finds_images_and_bundle_by_name(form: str, real: Callable[[str], Path], tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path, form)
    skopeo = real("skopeo")
    transport = "oci-archive" if form.endswith(".tar") else "oci"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [skopeo, "--insecure-policy", "--tmpdir", str(tmp_path), *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    verified = workshop.load(policy, form)
    for image in verified.bundle.images:
        raw = run("inspect", "--raw", f"{transport}:{form}:{image.reference}")
        assert len(raw) == image.content.size
        run("copy", f"{transport}:{form}:{image.reference}", f"dir:{tmp_path / 'copied'}")
    raw = run("inspect", "--raw", f"{transport}:{form}:demo:1.0.0")
    assert len(raw) == verified.manifest.size
    tag = str(verified.manifest.digest).replace(":", "-") + ".sig"
    run("copy", f"{transport}:{form}:{tag}", f"dir:{tmp_path / 'signatures'}")


@pytest.mark.real
def test_openssl_verifies_a_signature_as_cosign_stores_it(real: Callable[[str], Path], tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.sources()
    manifest = document(workshop.build())["manifest"]
    workshop.sign("vendor")
    index = json.loads((tmp_path / "bundle/index.json").read_text())
    tag = manifest.replace(":", "-") + ".sig"
    (entry,) = [one for one in index["manifests"] if one["annotations"][REF_NAME] == tag]
    blobs = tmp_path / "bundle/blobs/sha256"
    signatures = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_text())
    assert signatures["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    (layer,) = signatures["layers"]
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    (tmp_path / "signature").write_bytes(base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"]))
    payload = blobs / layer["digest"].removeprefix("sha256:")
    assert json.loads(payload.read_text())["critical"]["image"]["docker-manifest-digest"] == manifest
    done = subprocess.run(
        [real("openssl"), "dgst", "-sha256", "-verify", "keys/vendor.pub", "-signature", "signature", payload],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "Verified OK\n"
