"""Bundles that a profile takes from a registry: `lock` asks for the newest, everything else for what is locked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from renderer.formats.lockfile import decode_lock
from renderer.model.lock import LockedBundle
from tests.cli.site_fixture import BUNDLE, LOCK, OUT, PROFILE, Shop, contents, edit
from tests.realworld.stand_ins import write_layout
from tests.unit.registry_fixture import USER, Papers, RealRegistry, make_papers, open_real, real_registry

pytestmark = pytest.mark.real
REPOSITORY = "bundles/pantry"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def registry(
    shop: Shop, real: Callable[[str], Path], papers: Papers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RealRegistry]:
    """The registry of the site, behind the site's own authority; the profile takes its bundle from there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    with real_registry(real("docker-registry"), tmp_path / "registry", tls=papers) as running:
        Path("profiles/ca.pem").write_bytes(papers.ca)
        edit(PROFILE, "url: https://harbor.shop.local:5443", f"url: {running.url}\n    ca: profiles/ca.pem")
        edit(PROFILE, "source: bundles/pantry", f"source: {source(running)}")
        push(shop, running)
        shutil.rmtree(BUNDLE)
        yield running


def source(registry: RealRegistry) -> str:
    return f"oci://127.0.0.1:{registry.port}/{REPOSITORY}"


def push(shop: Shop, registry: RealRegistry, tag: str = "", *options: str) -> None:
    shop.ok("bundle", "push", BUNDLE, source(registry) + tag, "--ca", "profiles/ca.pem", *options)


def publish(shop: Shop, registry: RealRegistry, version: str, sequence: int) -> None:
    """Build another edition, sign it, push it, and throw it away."""
    shop.bundle(version=version, sequence=sequence)
    push(shop, registry)
    shutil.rmtree(BUNDLE)
    edit("sources/bundle.yaml", f"sequence: {sequence}", "sequence: 1")
    edit("sources/bundle.yaml", f"{{name: pantry, version: {version}}}", "{name: pantry, version: 1.0.0}")


def locked() -> LockedBundle:
    """The bundle that the lock names."""
    (bundle,) = decode_lock(Path(LOCK).read_bytes(), LOCK, profile=PROFILE).bundles
    return bundle


def test_a_site_whose_bundle_lies_in_its_registry(shop: Shop, registry: RealRegistry) -> None:
    before = Path("out/sites/shop/manifests")
    manifests = {path: body for path, (body, _) in contents(str(before)).items()}
    shop.ok("lock", PROFILE)
    shop.ok("render", PROFILE, *OUT)
    assert {path: body for path, (body, _) in contents(str(before)).items()} == manifests
    assert (locked().source, str(locked().version)) == (source(registry), "1.0.0")
    shop.ok("check", PROFILE)
    shop.ok("tree", PROFILE)


def test_lock_takes_the_newest_version_that_the_profile_admits(shop: Shop, registry: RealRegistry) -> None:
    for version, sequence in (("1.9.0", 2), ("1.10.0", 3), ("2.0.0", 4)):
        publish(shop, registry, version, sequence)
    shop.ok("lock", PROFILE)
    assert str(locked().version) == "1.10.0"
    edit(PROFILE, '">=1.0.0 <2.0.0"', '"*"')
    shop.ok("lock", PROFILE)
    assert str(locked().version) == "2.0.0"


def test_what_is_locked_stays_until_somebody_locks_again(shop: Shop, registry: RealRegistry) -> None:
    shop.ok("lock", PROFILE)
    before = locked()
    publish(shop, registry, "1.1.0", 2)
    assert shop.ok("lock", PROFILE, "--check") == f"{LOCK}: is up to date\n"
    shop.ok("render", PROFILE, *OUT)
    assert locked() == before
    assert "bundle pantry 1.0.0 -> 1.1.0" in shop.ok("lock", PROFILE)


def test_what_was_locked_renders_without_the_registry(shop: Shop, registry: RealRegistry) -> None:
    shop.ok("lock", PROFILE)
    registry.stop()
    shop.ok("render", PROFILE, *OUT)
    shop.ok("lock", PROFILE, "--check")
    shop.ok("images", "list", PROFILE)


def test_on_another_machine_the_locked_bundle_is_fetched_by_its_digest(
    shop: Shop, registry: RealRegistry, tmp_path: Path
) -> None:
    shop.ok("lock", PROFILE)
    digest = locked().digest
    publish(shop, registry, "1.1.0", 2)
    shutil.rmtree(tmp_path / "cache")
    before = (registry.directory / "log").read_text()
    shop.ok("render", PROFILE, *OUT)
    asked = (registry.directory / "log").read_text().removeprefix(before)
    assert f"/manifests/{digest}" in asked
    assert "tags/list" not in asked
    registry.stop()
    shutil.rmtree("out")
    shop.ok("render", PROFILE, *OUT)


def test_a_changed_file_in_the_cache_is_fetched_again(shop: Shop, registry: RealRegistry, tmp_path: Path) -> None:
    shop.ok("lock", PROFILE)
    files = list((tmp_path / "cache/sitewright/bundles/blobs/sha256").iterdir())
    assert files
    for file in files:
        file.write_bytes(b"changed")
    shop.ok("render", PROFILE, *OUT)
    registry.stop()
    shop.ok("render", PROFILE, *OUT)


def test_outdated_asks_the_registry(shop: Shop, registry: RealRegistry, papers: Papers) -> None:
    shop.ok("lock", PROFILE)
    edit("sources/bundle.yaml", "version: 1.2.0", "version: 1.3.0")
    publish(shop, registry, "1.1.0", 2)
    publish(shop, registry, "2.0.0", 3)
    document = shop.json("outdated", PROFILE)
    (bundle,) = document["bundles"]
    assert (bundle["locked"], bundle["newest"], bundle["source"]) == ("1.0.0", "2.0.0", f"{source(registry)}:2.0.0")
    (extension,) = document["extensions"]
    assert (extension["name"], extension["locked"], extension["newest"]) == ("web", "1.2.0", "1.3.0")
    Path("profiles/ca.pem").write_bytes(make_papers(papers.directory / "other", "Another Root").ca)
    code, out, err = shop.run("outdated", PROFILE)
    assert (code, out) == (0, "site shop: nothing newer is offered\n")
    assert err.startswith("warning[registry-tls]")


def test_no_version_that_fits(shop: Shop, registry: RealRegistry) -> None:
    edit(PROFILE, '">=1.0.0 <2.0.0"', '">=3.0.0"')
    (finding,) = shop.findings(1, "lock", PROFILE)
    assert (finding["code"], finding["expected"], finding["got"]) == ("bundle-version", "`>=3.0.0`", "`1.0.0`")
    assert finding["message"] == f"`{source(registry)}` has no version that the profile admits"
    assert finding["where"]["path"] == "spec.bundles[0].source"
    assert finding["hint"] == f"sitewright bundle push BUNDLE {source(registry)}"


def test_a_tag_that_stands_for_another_version_is_refused(shop: Shop, registry: RealRegistry) -> None:
    """Who may write to the registry cannot pass an old bundle off as a new one."""
    with open_real(registry, ca=Path("profiles/ca.pem").read_bytes()) as client:
        found = client.manifest(REPOSITORY, "1.0.0")
        assert found is not None
        client.push_manifest(REPOSITORY, "1.5.0", found.content, found.media_type)
    (finding,) = shop.findings(3, "lock", PROFILE)
    assert (finding["code"], finding["expected"]) == ("bundle-tag-differs", "`pantry` 1.5.0")
    assert finding["got"] == f"`pantry 1.0.0`, {found.digest}"


def test_an_older_sequence_is_refused(shop: Shop, registry: RealRegistry) -> None:
    publish(shop, registry, "1.1.0", 5)
    shop.ok("lock", PROFILE)
    publish(shop, registry, "1.2.0", 4)
    (finding,) = shop.findings(3, "lock", PROFILE)
    assert (finding["code"], finding["got"]) == ("bundle-rollback", "sequence 4")


def test_a_bundle_that_is_not_signed_enough_is_refused(shop: Shop, registry: RealRegistry) -> None:
    shop.bundle(version="1.1.0", sequence=2, signers=("vendor",))
    push(shop, registry)
    (finding,) = shop.findings(3, "lock", PROFILE)
    assert finding["code"] == "trust-threshold"
    assert finding["where"]["file"] == source(registry)
    assert finding["hint"] == (
        f"sitewright bundle sign --key KEY BUNDLE; sitewright bundle push BUNDLE {source(registry)}"
    )
    shop.ok("bundle", "sign", BUNDLE, "--key", "keys/office.key")
    push(shop, registry)
    shop.ok("lock", PROFILE)


def test_the_password_of_one_registry_is_not_told_to_another(
    shop: Shop, real: Callable[[str], Path], papers: Papers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile names any registry; what the environment says counts for the host that it names."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SITEWRIGHT_REGISTRY_USERNAME", USER.username)
    monkeypatch.setenv("SITEWRIGHT_REGISTRY_PASSWORD", USER.password)
    monkeypatch.setenv("SSL_CERT_FILE", f"{papers.directory}/ca.pem")
    with real_registry(real("docker-registry"), tmp_path / "registry", tls=papers, basic=True) as other:
        shop.ok("bundle", "push", BUNDLE, source(other))
        edit(PROFILE, "source: bundles/pantry", f"source: {source(other)}")
        (finding,) = shop.findings(5, "lock", PROFILE)
        assert finding["code"] == "registry-unauthorized"
        monkeypatch.setenv("SITEWRIGHT_REGISTRY_HOST", f"127.0.0.1:{other.port}")
        shop.ok("lock", PROFILE)


@pytest.mark.usefixtures("registry")
def test_a_registry_of_another_authority_is_not_believed(shop: Shop, papers: Papers) -> None:
    Path("profiles/ca.pem").write_bytes(make_papers(papers.directory / "other", "Another Root").ca)
    (finding,) = shop.findings(5, "lock", PROFILE)
    assert finding["code"] == "registry-tls"


def test_images_go_from_the_bundle_in_the_registry_to_their_place(shop: Shop, registry: RealRegistry) -> None:
    write_layout(Path("sources/images"), ("docker.io/example/queue:2.0.1", "docker.io/example/web:1.2.0"))
    text = Path("sources/bundle.yaml").read_text()
    head, _, rest = text.partition("  images:\n")
    Path("sources/bundle.yaml").write_text(
        f"{head}  images: [{{layout: images}}]\n{rest[rest.index('  discovery:') :]}"
    )
    publish(shop, registry, "1.1.0", 2)
    shop.ok("lock", PROFILE)
    document = shop.json("images", "sync", PROFILE, "--quiet")
    assert [image["state"] for image in document["images"]] == ["sent", "sent"]
    blobs = document["blobs"]
    assert (blobs["sent"], blobs["mounted"]) == (0, 4)  # the registry has them, in the repository of the bundle
    shop.ok("images", "verify", PROFILE, "--deep")
