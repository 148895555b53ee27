"""What speaks of images, and images whose index is carried in part: into a real registry, and seen there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from renderer.adapters.registry.client import RegistryClient
from renderer.model.reference import Digest
from tests.cli.image_shop import PROFILE, QUEUE, WEB, an_image_shop, is_at
from tests.cli.site_fixture import Shop, edit
from tests.simulators.images import ImageLayout
from tests.unit.registry_fixture import RealRegistry, open_real, real_registry

LOCK = "profiles/shop.lock.yaml"
AMD, ARM = "linux/amd64", "linux/arm64"

pytestmark = pytest.mark.real


@pytest.fixture
def registry(tmp_path: Path, real: Callable[[str], Path]) -> Iterator[RealRegistry]:
    with real_registry(real("docker-registry"), tmp_path / "registry") as running:
        yield running


@dataclass
class Place:
    """A shop whose images lie in `layout`, and the registry of its site."""

    shop: Shop
    layout: ImageLayout
    registry: RealRegistry

    def ready(self, *platforms: str) -> None:
        """Build and sign the bundle for `platforms` of the images, write the lock."""
        edit("sources/bundle.yaml", "platforms: [linux/amd64]", f"platforms: [{', '.join(platforms)}]")
        self.shop.build()
        self.shop.ok("lock", PROFILE)

    def client(self) -> RegistryClient:
        return open_real(self.registry)


@pytest.fixture
def place(
    bare: Path, registry: RealRegistry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Place:
    shop = an_image_shop(bare, capsys, monkeypatch)
    is_at(registry, "insecure: true")
    layout = ImageLayout(Path("sources/images").resolve())
    return Place(shop, layout, registry)


def tag_of(subject: dict[str, Any], kind: str = "sig") -> str:
    return f"{str(subject['digest']).replace(':', '-')}.{kind}"


# --- referrers -----------------------------------------------------------------------------------------------------


@pytest.fixture
def spoken_of(place: Place) -> dict[str, dict[str, Any]]:
    """`web` with a signature, an attestation, an SBOM with a signature of its own, and what BuildKit says of it."""
    layout = place.layout
    layout.image(QUEUE, AMD)
    index = layout.image(WEB, AMD, attested=True)
    platform, attestation = layout.read(index)["manifests"]
    found = {
        "index": index,
        "platform": platform,
        "buildkit": attestation,
        "signature": layout.cosign(index),
        "attestation": layout.cosign(platform, "att"),
        "sbom": layout.referrer(index),
    }
    found["signed sbom"] = layout.cosign(found["sbom"])
    place.ready(AMD)
    return found


def test_what_speaks_of_an_image_comes_along_and_is_found(
    place: Place, spoken_of: dict[str, dict[str, Any]], real: Callable[[str], Path]
) -> None:
    shop = place.shop
    assert "2 images" in shop.ok("images", "sync", PROFILE)
    digests = {what: Digest.parse(one["digest"]) for what, one in spoken_of.items()}
    with place.client() as client:
        for what, tag in (
            ("signature", tag_of(spoken_of["index"])),
            ("attestation", tag_of(spoken_of["platform"], "att")),
        ):
            found = client.manifest("mirror/example/web", tag)
            assert found is not None
            assert found.digest == digests[what]
        # docker-registry 2.8 has no referrers API: the tag schema of the distribution specification stands in
        assert [one.digest for one in client.referrers("mirror/example/web", digests["index"])] == [digests["sbom"]]
        (listed,) = client.referrers("mirror/example/web", digests["index"])
        assert listed.artifact_type == "application/spdx+json"
        fallback = client.manifest("mirror/example/web", tag_of(spoken_of["index"]).removesuffix(".sig"))
        assert fallback is not None
        assert [one["digest"] for one in json.loads(fallback.content)["manifests"]] == [str(digests["sbom"])]
        assert client.manifest("mirror/example/web", tag_of(spoken_of["sbom"])) is not None
        assert client.manifest("mirror/example/web", str(digests["buildkit"])) is not None
    assert "2 complete" in shop.ok("images", "verify", PROFILE, "--deep")
    out = subprocess.run(
        [real("skopeo"), "list-tags", "--tls-verify=false", f"docker://127.0.0.1:{place.registry.port}/mirror/example/web"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert tag_of(spoken_of["index"]) in json.loads(out)["Tags"]


def test_the_lock_pins_what_speaks_of_an_image(place: Place, spoken_of: dict[str, dict[str, Any]]) -> None:
    line = next(one for one in Path(LOCK).read_text().splitlines() if WEB in one)
    for what in ("buildkit", "signature", "attestation", "sbom", "signed sbom"):
        assert f'digest: "{spoken_of[what]["digest"]}"' in line
    assert f"tag: {tag_of(spoken_of['index'])}" in line
    assert place.shop.ok("lock", PROFILE, "--check")


@pytest.mark.parametrize(
    ("what", "lack"),
    [
        ("signature", "signature sha256-{index}.sig {signature}: no such tag"),
        ("sbom", "referrer {sbom}: not listed for {about}"),
    ],
)
def test_what_is_missing_is_named_and_mended(
    place: Place, spoken_of: dict[str, dict[str, Any]], what: str, lack: str
) -> None:
    place.shop.ok("images", "sync", PROFILE)
    tag = tag_of(spoken_of["index"]).removesuffix("" if what == "signature" else ".sig")
    tags = place.registry.directory / "store/docker/registry/v2/repositories/mirror/example/web/_manifests/tags"
    (tags / tag).rename(place.registry.directory / "lost")
    code, out, err = place.shop.run("images", "verify", PROFILE)
    assert code == 5
    assert "error[image-incomplete]: `docker.io/example/web:1.2.0` is not whole in the site registry" in err
    said = lack.format(
        index=spoken_of["index"]["digest"].removeprefix("sha256:"),
        about=spoken_of["index"]["digest"],
        **{key: spoken_of[key]["digest"] for key in ("signature", "sbom")},
    )
    assert said in err
    assert "1 complete, 1 incomplete" in out
    assert f"hint: sitewright images sync {PROFILE} --recheck" in err
    place.shop.ok("images", "sync", PROFILE, "--recheck")
    place.shop.ok("images", "verify", PROFILE)


def test_signatures_that_the_site_added_stay(place: Place, spoken_of: dict[str, dict[str, Any]]) -> None:
    """cosign puts every signature into a layer of one manifest: the tag moves when somebody signs, too."""
    place.shop.ok("images", "sync", PROFILE)
    tag = tag_of(spoken_of["index"])
    with place.client() as client:
        held = client.manifest("mirror/example/web", tag)
        assert held is not None
        body = json.loads(held.content)
        extra = dict(body["layers"][0])
        body["layers"] = [*body["layers"], {**extra, "annotations": {"site": "signed, too"}}]
        body["layers"][1] |= {key: body["config"][key] for key in ("digest", "size")}
        client.push_manifest("mirror/example/web", tag, json.dumps(body).encode(), held.media_type)
        place.shop.ok("images", "sync", PROFILE, "--recheck")
        place.shop.ok("images", "verify", PROFILE)
        now = client.manifest("mirror/example/web", tag)
        assert now is not None
        assert now.digest != held.digest, "the signature of the site is still there"


def test_other_signatures_are_replaced_on_request_only(place: Place, spoken_of: dict[str, dict[str, Any]]) -> None:
    tag = tag_of(spoken_of["index"])
    place.shop.ok("images", "sync", PROFILE)
    with place.client() as client:
        held = client.manifest("mirror/example/web", tag)
        other = client.manifest("mirror/example/web", tag_of(spoken_of["platform"], "att"))
        assert held is not None
        assert other is not None
        client.push_manifest("mirror/example/web", tag, other.content, other.media_type)
        code, out, err = place.shop.run("images", "sync", PROFILE, "--recheck")
        assert code == 5
        assert "failed: signatures-differ" in out
        assert f"error[signatures-differ]: `mirror/example/web:{tag}` in the site registry holds signatures" in err
        assert "hint: add --retag to replace them by those of the bundle" in err
        assert place.shop.run("images", "sync", PROFILE, "--recheck", "--dry-run")[0] == 5
        place.shop.ok("images", "sync", PROFILE, "--recheck", "--retag")
        place.shop.ok("images", "verify", PROFILE)


# --- parts of indexes ----------------------------------------------------------------------------------------------


def test_where_the_registry_takes_whole_indexes_one_manifest_stands_in_for_a_part(place: Place) -> None:
    index = place.layout.image(WEB, AMD, ARM, attested=True)
    amd, *_ = place.layout.read(index)["manifests"]
    signature, of_index = place.layout.cosign(amd), place.layout.cosign(index)
    place.layout.image(QUEUE, AMD)
    place.ready(AMD)
    line = next(one for one in Path(LOCK).read_text().splitlines() if WEB in one)
    assert f'digest: "{amd["digest"]}"' in line
    assert f'index: "{index["digest"]}"' in line
    assert signature["digest"] in line
    assert of_index["digest"] not in line, "nobody asks for signatures of an index that is not there"
    place.shop.ok("images", "sync", PROFILE)
    assert "2 complete" in place.shop.ok("images", "verify", PROFILE, "--deep")
    with place.client() as client:
        tagged = client.manifest("mirror/example/web", "1.2.0")
        assert tagged is not None
        assert str(tagged.digest) == amd["digest"]
        assert client.manifest("mirror/example/web", str(index["digest"])) is None
    place.shop.ok("render", PROFILE, "--out", "out")
    deployments = [path.read_text() for path in Path("out").rglob("deployment-*.yaml")]
    assert any(f"docker.io/example/web:1.2.0@{amd['digest']}" in text for text in deployments)
    report = Path("out/sites/shop/records/report.md").read_text()
    assert f"| `{WEB}` | linux/amd64 | `{amd['digest']}` | `{index['digest']}` |" in report
    assert place.shop.ok("images", "sync", PROFILE).splitlines()[0].endswith("0 sent, 2 there already")


def test_a_value_that_names_the_index_is_pinned_to_its_stand_in(place: Place) -> None:
    index = place.layout.image(WEB, AMD, ARM)
    amd, _ = place.layout.read(index)["manifests"]
    place.layout.image(QUEUE, AMD)
    edit(PROFILE, "values: {replicas: 2}", f'values: {{replicas: 2, image: "{WEB}@{index["digest"]}"}}')
    place.ready(AMD)
    place.shop.ok("render", PROFILE, "--out", "out")
    (deployment,) = Path("out").rglob("deployment-web.yaml")
    assert f"docker.io/example/web:1.2.0@{amd['digest']}" in deployment.read_text()


def test_a_whole_index_stays_the_pin(place: Place) -> None:
    index = place.layout.image(WEB, AMD, ARM, attested=True)
    place.layout.image(QUEUE, AMD, ARM)
    place.ready(AMD, ARM)
    assert f'digest: "{index["digest"]}"' in Path(LOCK).read_text()
    assert "index:" not in Path(LOCK).read_text()
    place.shop.ok("images", "sync", PROFILE)
    assert "2 complete" in place.shop.ok("images", "verify", PROFILE, "--deep")
    with place.client() as client:
        tagged = client.manifest("mirror/example/web", "1.2.0")
        assert tagged is not None
        assert str(tagged.digest) == index["digest"]
        for one in place.layout.read(index)["manifests"]:
            held = client.manifest("mirror/example/web", one["digest"])
            assert held is not None, "docker-registry takes an index only with all that it lists"
    assert "0 sent, 2 there already" in place.shop.ok("images", "sync", PROFILE, "--recheck")


def test_a_registry_that_takes_parts_is_named_in_the_profile(place: Place) -> None:
    index = place.layout.image(WEB, AMD, ARM)
    place.layout.image(QUEUE, AMD)
    edit(PROFILE, "    insecure: true", "    insecure: true\n    indexes: sparse")
    place.ready(AMD)
    assert f'digest: "{index["digest"]}"' in Path(LOCK).read_text()
    code, _, err = place.shop.run("images", "sync", PROFILE)
    assert code == 5
    assert "error[sparse-index-refused]" in err
    assert "hint: sync with the profile of a site that says `registry.indexes: whole`" in err


def test_a_part_for_several_platforms_cannot_be_brought_to_such_a_registry(place: Place) -> None:
    place.layout.image(WEB, AMD, ARM, "linux/s390x")
    place.layout.image(QUEUE, AMD, ARM)
    edit(PROFILE, "platforms: [linux/amd64]", "platforms: [linux/amd64, linux/arm64]")
    edit("sources/bundle.yaml", "platforms: [linux/amd64]", "platforms: [linux/amd64, linux/arm64]")
    place.shop.build()
    code, _, err = place.shop.run("lock", PROFILE)
    assert code == 1
    assert (
        f"error[index-cut]: the site registry would refuse `{WEB}`: the bundle carries a part of its index only" in err
    )
    assert "profiles/shop.yaml, spec.registry.indexes" in err
    assert "the bundle lacks linux/s390x" in err
    assert "got: linux/amd64, linux/arm64, and a site with linux/amd64, linux/arm64" in err
    assert "hint: build the bundle for all platforms of its images; or say `indexes: sparse`" in err
