"""`bundle import kubesphere`: packages in every spelling become bundles, one or one for each extension."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from renderer.adapters.executors import SerialExecutor
from renderer.commands.bundle.building.workbench import Workbench
from renderer.commands.bundle.kubesphere.drafts import Naming
from renderer.commands.bundle.kubesphere.images import ImageSources
from renderer.commands.bundle.kubesphere.importing import Import, import_packages, import_sources
from renderer.errors import Finding, InputError, Severity
from renderer.model.bundles.extension import ClusterRole, Extension
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Version
from renderer.ports import Registry
from renderer.structs import replace
from tests.realworld.stand_ins import write_layout
from tests.simulators import kubesphere_packages as made
from tests.simulators.bundles import NOW, Workshop, schema
from tests.simulators.registries import MemoryRegistry

NAMING = Naming(name=None, version=None, sequence=None, created=None, now=NOW, platforms=(Platform("linux", "amd64"),))
NEEDED = (
    "docker.io/kubesphere/ks-apiserver:v4.1.3",
    "docker.io/library/busybox:latest",
    "docker.io/team/agent:1.0",
    "docker.io/team/front:1.0",
    "docker.io/team/helm-init:v0.1.0",
    "quay.io/team/telemetry:2.0",
)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A museum with two packages, the chart of ks-core as sources, and a layout with every image."""
    shop = Workshop(tmp_path)
    shop.write({"museum/monitoring-1.1.0.tgz": made.package(made.monitoring())})
    shop.write({"museum/telemetry-1.2.0.tgz": made.package(made.telemetry(), made.PACKED_AT - 86_400)})
    shop.write({f"ks-core/{path}": text for path, text in made.ks_core().items()})
    write_layout(tmp_path / "images", NEEDED)
    return shop


def bench(shop: Workshop) -> Workbench:
    """What the import works with."""
    return Workbench(engine=shop.engine, executor=SerialExecutor(), registry=shop.registry)


def run(
    shop: Workshop,
    *paths: str,
    output: str = "out",
    naming: Naming = NAMING,
    images: ImageSources = ImageSources(files=("images",)),  # noqa: B008 - frozen
    **how: Any,
) -> Outcome:
    """Import what lies at `paths` (the whole museum and ks-core unless stated)."""
    wish = Import(paths=paths or ("museum", "ks-core"), naming=naming, sources=images, **how)
    return import_packages(shop.files, wish, output, shop.writer, bench(shop), schema("bundle-source"))


def extensions(shop: Workshop, bundle: str = "out") -> dict[str, Extension]:
    """The extensions of a bundle that was imported, signed and verified."""
    shop.sign("vendor", bundle)
    policy = shop.policy("vendor", bundles="*")
    shop.verify(policy, bundle)
    return {one.name: one for one in shop.load(policy, bundle).bundle.extensions}


def failed(shop: Workshop, *paths: str, **how: Any) -> Sequence[Finding]:
    """The faults of an import that cannot be done."""
    with pytest.raises(InputError) as caught:
        run(shop, *paths, **how)
    return caught.value.findings


def document(outcome: Outcome) -> dict[str, Any]:
    """The result for programs."""
    found: dict[str, Any] = cast("Any", outcome.document)
    return found


# --- one bundle ----------------------------------------------------------------------------------------------------


def test_a_museum_becomes_one_bundle(workshop: Workshop) -> None:
    outcome = run(workshop)
    (bundle,) = document(outcome)["bundles"]
    assert (bundle["bundle"], bundle["version"], bundle["sequence"]) == ("kubesphere", "4.1.3", 202507300940)
    assert bundle["created"] == "2025-07-30T09:40:33Z"
    assert bundle["extensions"] == ["ks-core 4.1.3", "monitoring 1.1.0", "telemetry 1.2.0"]
    assert (bundle["images"], bundle["carriedImages"]) == (6, 6)
    found = extensions(workshop)
    host, agent = found["monitoring"].components
    assert (host.release, agent.release, host.namespace) == ("monitoring", "monitoring-agent", "monitoring-system")
    assert host.forced == {"tags": {"extension": True, "agent": False}, "agent": {"enabled": False}}
    assert agent.forced == {"tags": {"agent": True, "extension": False}, "extension": {"enabled": False}}
    assert found["monitoring"].cluster_role is ClusterRole.BOTH
    (telemetry,) = found["telemetry"].components
    assert (telemetry.namespace, found["telemetry"].cluster_role) == ("extension-telemetry", ClusterRole.HOST)
    (core,) = found["ks-core"].components
    assert (core.namespace, core.release) == ("kubesphere-system", "ks-core")
    assert {name: str(version) for name, version in found["ks-core"].provides.items()} == {"kubesphere": "4.1.3"}


def test_the_table_says_what_each_package_asks_for(workshop: Workshop) -> None:
    outcome = run(workshop)
    assert outcome.text.splitlines()[:5] == [
        "3 packages:",
        "  extension   version  clusters          namespace            images  rights that its installer asks for",
        "  ks-core     4.1.3    host              kubesphere-system    1       -",
        "  monitoring  1.1.0    host and members  monitoring-system    4       1 in the cluster and 1 in its namespace",
        "  telemetry   1.2.0    host              extension-telemetry  1       nothing beyond its namespace",
    ]
    (_, monitoring, _) = document(outcome)["packages"]
    assert monitoring["requires"] == ["telemetry >= 1.0.0-0", "gateway >=1.0.0", "capability kubesphere >=4.0.0-0"]
    assert monitoring["grants"][0] == {
        "scope": "cluster",
        "verbs": ["*"],
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["clusterroles", "clusterrolebindings"],
        "resourceNames": [],
        "nonResourceURLs": [],
    }


def test_the_image_of_an_installer_hook_is_carried(workshop: Workshop) -> None:
    outcome = run(workshop)
    (bundle,) = document(outcome)["bundles"]
    hook = next(one for one in bundle["discovery"]["images"] if "helm-init" in one["reference"])
    assert (hook["carried"], hook["declared"][1]["extension"]) == (True, "monitoring 1.1.0")
    assert "executor-hook" in {finding.code for finding in outcome.findings}


def test_the_same_packages_give_the_same_bundle(workshop: Workshop, tmp_path: Path) -> None:
    once = run(workshop, output="once")
    elsewhere = Workshop(tmp_path.parent / f"{tmp_path.name}-elsewhere")
    for path in sorted(workshop.files.list("")):
        if path.partition("/")[0] in {"museum", "ks-core", "images"}:
            elsewhere.write({f"deep/er/{path}": workshop.files.read(path)})
    again = run(
        elsewhere, "deep/er/ks-core", "deep/er/museum", images=ImageSources(files=("deep/er/images",)), output="again"
    )
    assert [one["manifest"] for one in document(once)["bundles"]] == [
        one["manifest"] for one in document(again)["bundles"]
    ]


def test_a_source_directory_is_packed_as_ksbuilder_packs_it(workshop: Workshop) -> None:
    workshop.write({f"sources/monitoring/{path}": text for path, text in made.monitoring().items()})
    workshop.write({"sources/monitoring/Chart.yaml": "name: something-else\nversion: 9.9.9\n"})
    run(workshop, "sources", "museum/telemetry-1.2.0.tgz", "ks-core", output="from-sources")
    run(workshop, output="from-museum")
    one, other = (extensions(workshop, bundle)["monitoring"] for bundle in ("from-sources", "from-museum"))
    assert replace(one, components=()) == replace(other, components=())
    assert [component.forced for component in one.components] == [component.forced for component in other.components]


# --- one bundle for each extension ---------------------------------------------------------------------------------


def test_a_museum_becomes_one_bundle_for_each_extension(workshop: Workshop) -> None:
    workshop.write({"museum/monitoring-1.0.9.tgz": made.package(made.monitoring("1.0.9"))})
    bundles = document(run(workshop, output="bundles", each=True))["bundles"]
    assert [(one["bundle"], one["version"], one["extensions"], one["images"]) for one in bundles] == [
        ("kubesphere-ks-core", "4.1.3", ["ks-core 4.1.3"], 1),
        ("kubesphere-monitoring", "1.1.0", ["monitoring 1.0.9", "monitoring 1.1.0"], 4),
        ("kubesphere-telemetry", "1.2.0", ["telemetry 1.2.0"], 1),
    ]
    assert [one["created"][:10] for one in bundles] == ["2025-07-30", "2025-07-30", "2025-07-29"]
    assert [one["output"] for one in bundles] == [
        "bundles/kubesphere-ks-core",
        "bundles/kubesphere-monitoring",
        "bundles/kubesphere-telemetry",
    ]
    assert list(extensions(workshop, "bundles/kubesphere-telemetry")) == ["telemetry"]


def test_bundles_of_extensions_may_be_tar_files(workshop: Workshop) -> None:
    run(workshop, output="bundles", each=True, tar=True)
    assert list(extensions(workshop, "bundles/kubesphere-telemetry.tar")) == ["telemetry"]


def test_images_that_no_bundle_took_are_told(workshop: Workshop) -> None:
    outcome = run(workshop, "museum/telemetry-1.2.0.tgz", each=True)
    (note,) = (one for one in outcome.findings if one.code == "image-unused")
    assert (note.severity, note.where.file, len(note.explanation)) == (Severity.NOTE, "images", 5)


def test_older_versions_can_be_left_out(workshop: Workshop) -> None:
    workshop.write({"museum/monitoring-1.0.9.tgz": made.package(made.monitoring("1.0.9"))})
    (bundle,) = document(run(workshop, newest=True))["bundles"]
    assert bundle["extensions"] == ["ks-core 4.1.3", "monitoring 1.1.0", "telemetry 1.2.0"]


# --- names, versions, times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "version"),
    [
        (("museum", "ks-core"), "4.1.3"),
        (("museum",), "2025.7.30"),
        (("museum/telemetry-1.2.0.tgz",), "1.2.0"),
    ],
)
def test_the_version_follows_from_what_is_imported(workshop: Workshop, paths: Sequence[str], version: str) -> None:
    (bundle,) = document(run(workshop, *paths))["bundles"]
    assert bundle["version"] == version


def test_everything_can_be_said(workshop: Workshop) -> None:
    naming = replace(
        NAMING, name="bank", version=Version(7, 1, 0), sequence=12, created=datetime(2026, 1, 2, tzinfo=UTC)
    )
    (bundle,) = document(run(workshop, naming=naming))["bundles"]
    assert (bundle["bundle"], bundle["version"], bundle["sequence"]) == ("bank", "7.1.0", 12)
    assert bundle["created"] == "2026-01-02T00:00:00Z"


def test_sources_alone_have_no_time(workshop: Workshop) -> None:
    (finding,) = failed(workshop, "ks-core")
    assert (finding.code, finding.where.file) == ("created-missing", "ks-core")
    assert finding.hint == "SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) sitewright bundle import kubesphere …"


def test_a_package_from_the_future_has_no_say(workshop: Workshop) -> None:
    future = int(NOW.timestamp()) + 3600
    workshop.write({"museum/monitoring-1.1.0.tgz": made.package(made.monitoring(), future)})
    outcome = run(workshop)
    assert document(outcome)["bundles"][0]["created"] == "2025-07-29T09:40:33Z"
    (warning,) = (one for one in outcome.findings if one.code == "packed-in-future")
    assert (warning.severity, warning.where.file) == (Severity.WARNING, "museum/monitoring-1.1.0.tgz")


# --- images --------------------------------------------------------------------------------------------------------


def test_without_a_place_for_images_the_list_is_said(workshop: Workshop) -> None:
    outcome = run(workshop, images=ImageSources())
    assert outcome.failed
    assert not (workshop.root / "out").exists()
    (finding,) = (one for one in outcome.findings if one.severity is Severity.ERROR)
    assert (finding.code, finding.where.subject) == ("images-missing", "--images")
    assert finding.explanation == tuple(f"`{reference}`" for reference in NEEDED)
    assert list(document(outcome)["discovery"]) == ["kubesphere"]


def test_images_that_the_layout_lacks_are_told_with_who_needs_them(workshop: Workshop) -> None:
    write_layout(workshop.root / "fewer", [one for one in NEEDED if "team/" not in one])
    outcome = run(workshop, images=ImageSources(files=("fewer",)))
    assert outcome.failed
    assert not (workshop.root / "out").exists()
    agent = next(one for one in outcome.findings if "team/agent" in one.message)
    assert (agent.code, agent.where.subject) == ("image-undeclared", "bundle kubesphere 4.1.3")
    assert agent.explanation == (
        "seen in monitoring 1.1.0, monitoring-agent: Deployment agent, spec.template.spec.containers[0].image",
        '--accept "docker.io/team/agent:1.0=the reason why sites do without"',
    )
    assert [one.message for one in outcome.findings if one.code == "image-not-in-bundle"] == [
        "monitoring 1.1.0 declares 1 image that the bundle does not vouch for"
    ]


def test_nothing_is_written_when_one_of_many_bundles_lacks_an_image(workshop: Workshop) -> None:
    write_layout(workshop.root / "fewer", [one for one in NEEDED if "telemetry" not in one])
    outcome = run(workshop, images=ImageSources(files=("fewer",)), each=True)
    assert outcome.failed
    assert not (workshop.root / "out").exists()
    assert [one["bundle"] for one in document(outcome)["bundles"]] == ["kubesphere-telemetry"]


def test_what_sites_do_without_is_accepted(workshop: Workshop) -> None:
    write_layout(workshop.root / "fewer", [one for one in NEEDED if "helm-init" not in one and "busybox" not in one])
    accepted = (("docker.io/team/helm-init:*", "run by hand"), ("docker.io/library/busybox:*", "nodes have it"))
    outcome = run(workshop, images=ImageSources(files=("fewer",)), accepted=(*accepted, ("ghcr.io/*", "because")))
    assert not outcome.failed
    assert "image-not-in-bundle" not in {one.code for one in outcome.findings}
    (warning,) = (one for one in outcome.findings if one.code == "acceptance-unused")
    assert (warning.where.subject, warning.severity) == ("--accept", Severity.WARNING)
    assert "`ghcr.io/*`" in warning.message


def in_registry(shop: Workshop, prefix: str, references: Sequence[str] = NEEDED) -> MemoryRegistry:
    """A registry that has images below their own paths, as KubeSphere's offline guide fills one."""
    registry = MemoryRegistry(location="https://mirror.example")
    layout = shop.root / "pushed"
    write_layout(layout, references)
    blobs = {Digest.of(file.read_bytes()): file.read_bytes() for file in (layout / "blobs/sha256").iterdir()}
    documents = {digest: content for digest, content in blobs.items() if content.startswith(b"{")}
    types = {digest: json.loads(content).get("mediaType") for digest, content in documents.items()}
    for entry in json.loads((layout / "index.json").read_text())["manifests"]:
        reference = ImageReference.parse(entry["annotations"]["org.opencontainers.image.ref.name"])
        repository = prefix + reference.repository
        registry.blobs[repository] = blobs
        registry.manifests[repository] = {one: (documents[one], kind) for one, kind in types.items() if kind}
        registry.tagged.setdefault(repository, {})[str(reference.tag)] = Digest.parse(entry["digest"])
    return registry


def answering(shop: Workshop, registry: MemoryRegistry) -> set[str]:
    """Let a registry answer for every address; the addresses that it is asked at."""
    asked: set[str] = set()

    def at(url: str) -> Registry:
        asked.add(url)
        return registry

    shop.registry = at
    return asked


MIRROR = ImageSources(registry="https://mirror.example/ks")


def test_images_come_from_a_registry_that_has_them_below_their_own_paths(workshop: Workshop) -> None:
    registry = in_registry(workshop, "ks/")
    asked = answering(workshop, registry)
    (bundle,) = document(run(workshop, images=MIRROR))["bundles"]
    assert (asked, bundle["carriedImages"]) == ({"https://mirror.example"}, 6)
    (local,) = document(run(workshop, output="local"))["bundles"]
    assert bundle["manifest"] == local["manifest"]  # it does not matter where an image was taken from


def test_images_that_the_site_has_already_are_vouched_for_without_being_carried(workshop: Workshop) -> None:
    registry = in_registry(workshop, "ks/")
    workshop.registry = lambda _: registry
    (bundle,) = document(run(workshop, images=replace(MIRROR, carried=False)))["bundles"]
    assert (bundle["images"], bundle["carriedImages"]) == (6, 0)
    assert registry.count("read") == 0
    extensions(workshop)
    (other,) = document(run(workshop, images=ImageSources(files=("images",), carried=False), output="b"))["bundles"]
    assert other["manifest"] == bundle["manifest"]


def test_images_come_from_upstream_and_from_what_is_at_hand(workshop: Workshop) -> None:
    write_layout(workshop.root / "some", ["quay.io/team/telemetry:2.0"])
    registry = in_registry(workshop, "")
    asked = answering(workshop, registry)
    (bundle,) = document(run(workshop, images=ImageSources(files=("some",), upstream=True)))["bundles"]
    assert (asked, bundle["carriedImages"]) == ({"https://registry-1.docker.io"}, 6)


def test_an_image_that_the_registry_lacks_is_told_with_who_needs_it(workshop: Workshop) -> None:
    registry = in_registry(workshop, "ks/", [one for one in NEEDED if "busybox" not in one])
    workshop.registry = lambda _: registry
    (finding,) = failed(workshop, images=MIRROR)
    assert (finding.code, finding.where.subject) == ("remote-not-found", "bundle kubesphere 4.1.3")
    assert finding.explanation == ("needed by: monitoring 1.1.0; in no object",)
    assert finding.hint == (
        '--accept "docker.io/library/busybox:latest=the reason why sites do without", or copy it there'
    )


def test_a_layout_that_is_none_is_told(workshop: Workshop) -> None:
    (finding,) = failed(workshop, images=ImageSources(files=("museum",)))
    assert finding.where.file == "museum"


# --- sources that people edit --------------------------------------------------------------------------------------


def sources(shop: Workshop, *paths: str, output: str, images: ImageSources = MIRROR, **how: Any) -> Outcome:
    """Write bundle sources."""
    wish = Import(paths=paths or ("museum", "ks-core"), naming=NAMING, sources=images, **how)
    return import_sources(shop.files, wish, output, bench(shop), schema("bundle-source"))


def test_the_source_says_who_needs_each_image(workshop: Workshop) -> None:
    outcome = sources(workshop, output="bundle.yaml", images=ImageSources())
    assert outcome.text.splitlines()[-2:] == [
        "bundle.yaml: bundle kubesphere 4.1.3, 3 extensions, 6 images",
        "edit what is written there, then: sitewright bundle build bundle.yaml -o DIRECTORY",
    ]
    assert (
        (workshop.root / "bundle.yaml").read_text()
        == """\
# Made by `sitewright bundle import kubesphere`. Edit it, then `sitewright bundle build`.
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: kubesphere, version: "4.1.3"}
spec:
  sequence: 202507300940
  created: 2025-07-30T09:40:33Z
  platforms: [linux/amd64]
  extensions:
    - name: ks-core
      version: "4.1.3"
      title: {en: "KubeSphere core", zh: "KubeSphere 核心"}
      namespace: kubesphere-system
      provides: {kubesphere: "4.1.3"}
      components: [{name: ks-core, helm: ks-core, release: ks-core}]
    - kubesphere: museum/monitoring-1.1.0.tgz
    - kubesphere: museum/telemetry-1.2.0.tgz
  images:
    - registry: https://docker.io
      images:
        - docker.io/kubesphere/ks-apiserver:v4.1.3  # ks-core 4.1.3; not declared
        - docker.io/library/busybox:latest  # monitoring 1.1.0; in no object
        - docker.io/team/agent:1.0  # monitoring 1.1.0
        - docker.io/team/front:1.0  # monitoring 1.1.0
        - docker.io/team/helm-init:v0.1.0  # monitoring 1.1.0; in no object
    - registry: https://quay.io
      images:
        - quay.io/team/telemetry:2.0  # telemetry 1.2.0; not declared
"""
    )


def test_building_the_source_gives_what_the_import_gives(workshop: Workshop) -> None:
    accepted = (("docker.io/library/busybox:*", "nodes have it"),)
    at_hand = ImageSources(files=("images",))
    sources(workshop, output="sources/bundle.yaml", images=at_hand, accepted=accepted)
    built = workshop.build("built", "sources/bundle.yaml")
    (imported,) = document(run(workshop, accepted=accepted))["bundles"]
    assert document(built)["manifest"] == imported["manifest"]


def test_every_extension_can_have_a_source_of_its_own(workshop: Workshop) -> None:
    outcome = sources(workshop, output="sources", images=ImageSources(files=("images",)), each=True)
    files = [one["file"] for one in document(outcome)["sources"]]
    assert files == [f"sources/kubesphere-{name}.yaml" for name in ("ks-core", "monitoring", "telemetry")]
    text = (workshop.root / files[2]).read_text()
    assert text.endswith(
        '  images:\n    - layout: "../images"\n      images:\n'
        "        - quay.io/team/telemetry:2.0  # telemetry 1.2.0; not declared\n"
    )
    assert not workshop.build("built", files[2]).failed


# --- what lies at paths --------------------------------------------------------------------------------------------


def test_a_tree_of_sources_and_archives_is_searched(workshop: Workshop) -> None:
    front = made.packed({"Chart.yaml": "apiVersion: v2\nname: front\nversion: 1.0.0\n"}, "front")
    workshop.write({f"repository/{path}": text for path, text in made.ks_core().items() if not path.endswith(".yaml")})
    workshop.write({f"repository/telemetry/{path}": text for path, text in made.telemetry().items()})
    workshop.write({"repository/telemetry/charts/front-1.0.0.tgz": front})  # a subchart: it belongs to its package
    workshop.write({"repository/.extensions-museum/monitoring-1.1.0.tgz": made.package(made.monitoring())})
    workshop.write({"repository/charts/front-1.0.0.tgz": front, "repository/README.md": "# hello\n"})
    workshop.write({f"repository/config/ks-core/{path}": text for path, text in made.ks_core().items()})
    outcome = run(workshop, "repository")
    assert [(one["extension"], one["path"]) for one in document(outcome)["packages"]] == [
        ("ks-core", "repository/config/ks-core"),
        ("monitoring", "repository/.extensions-museum/monitoring-1.1.0.tgz"),
        ("telemetry", "repository/telemetry"),
    ]
    (note,) = (one for one in outcome.findings if one.code == "not-a-package")
    assert (note.severity, note.explanation) == (Severity.NOTE, ("`repository/charts/front-1.0.0.tgz`",))


def test_a_packed_ks_core_is_an_extension_too(workshop: Workshop) -> None:
    workshop.write({"museum/ks-core-1.1.4.tgz": made.packed(made.ks_core(), "ks-core")})
    assert document(run(workshop, "museum"))["bundles"][0]["version"] == "4.1.3"


def test_what_is_named_must_be_a_package(workshop: Workshop) -> None:
    workshop.write({"front.tgz": made.packed({"Chart.yaml": "apiVersion: v2\nname: front\nversion: 1.0.0\n"}, "front")})
    workshop.write({"empty/README.md": "nothing here\n"})
    for path in ("front.tgz", "empty"):
        (finding,) = failed(workshop, path)
        assert (finding.code, finding.where.file) == ("not-a-package", path)
    assert [one.code for one in failed(workshop, "nowhere", "nothing.tgz")] == ["file-not-found", "file-not-found"]


def test_faults_of_all_packages_are_told_at_once(workshop: Workshop) -> None:
    bad = made.monitoring()
    bad["permissions.yaml"] = "kind: ClusterRole\nrules: [\n"
    bad["extension.yaml"] = bad["extension.yaml"].replace("Multicluster", "Everywhere")
    workshop.write({"museum/monitoring-1.1.0.tgz": made.package(bad), "museum/broken.tgz": b"\x1f\x8bnothing"})
    workshop.write({"ks-core/Chart.yaml": "name: ks-core\nversion: 1.0.0\nappVersion: newest\n"})
    assert [(one.code, one.where.file) for one in failed(workshop)] == [
        ("archive-refused", "museum/broken.tgz"),
        ("invalid-field", "museum/monitoring-1.1.0.tgz!/monitoring/extension.yaml"),
        ("unreadable-permissions", "museum/monitoring-1.1.0.tgz!/monitoring/permissions.yaml"),
        ("invalid-field", "ks-core/Chart.yaml"),
    ]


def test_a_package_that_is_there_twice_is_a_fault(workshop: Workshop) -> None:
    workshop.write({f"telemetry/{path}": text for path, text in made.telemetry().items()})
    (finding,) = failed(workshop, "museum", "telemetry", "ks-core")
    assert (finding.code, finding.where.file) == ("duplicate-extension", "telemetry")
    assert finding.got == "`museum/telemetry-1.2.0.tgz` holds it as well"


def test_requirements_that_nothing_here_meets_are_told(workshop: Workshop) -> None:
    (note,) = (
        one for one in run(workshop, "museum/monitoring-1.1.0.tgz").findings if one.code == "requirement-elsewhere"
    )
    assert (note.severity, note.explanation) == (
        Severity.NOTE,
        ("capability kubesphere >=4.0.0-0: for monitoring 1.1.0", "telemetry >= 1.0.0-0: for monitoring 1.1.0"),
    )
    assert "requirement-elsewhere" not in {one.code for one in run(workshop).findings}


def test_what_lies_about_in_a_museum_is_told_with_what_to_do(workshop: Workshop) -> None:
    whole = (workshop.root / "museum/telemetry-1.2.0.tgz").read_bytes()
    workshop.write(
        {
            "museum/README.md": "x",
            "museum/index.yaml": "entries: {}",
            "museum/cut-1.0.0.tgz": whole[:300],
            "museum/zero.tgz": b"",
            **{f"museum/monitoring/{path}": text for path, text in made.monitoring("1.2.0").items()},
            "museum/monitoring/permissions.yaml": "rules: [",
            **{f"museum/older/{path}": text for path, text in made.monitoring("1.0.0").items()},
        }
    )
    (workshop.root / "museum/older/static/favicon.svg").unlink()
    findings = failed(workshop, "museum")
    assert [(one.code, one.where.file) for one in findings] == [
        ("archive-refused", "museum/cut-1.0.0.tgz"),
        ("unreadable-permissions", "museum/monitoring/permissions.yaml"),
        ("icon-not-found", "museum/older/extension.yaml"),
        ("archive-refused", "museum/zero.tgz"),
    ]
    assert [one.hint for one in findings] == [
        "copy the package again from where it was published, or take it out of the directory",
        "mend the file, or tell the package's author: KubeSphere grants fewer rights here, without a word",
        "put the file there, or let `icon` be a URL",
        "copy the package again from where it was published, or take it out of the directory",
    ]
    (workshop.root / "museum/latest.tgz").symlink_to("telemetry-1.2.0.tgz")
    (finding,) = failed(workshop, "museum")
    assert (finding.code, finding.message) == ("link-refused", "`museum/latest.tgz` is a link")
    assert finding.hint == "remove it, or put the file itself there"


def test_a_long_list_of_images_is_cut_and_says_where_the_rest_is(workshop: Workshop) -> None:
    write_layout(workshop.root / "more", [f"docker.io/team/other:{number}" for number in range(25)])
    outcome = run(workshop, images=ImageSources(files=("images", "more")))
    (note,) = (one for one in outcome.findings if one.code == "image-unused")
    assert note.message.startswith("25 images of the bundle")
    assert (len(note.explanation), note.explanation[-1]) == (11, "… and 15 more (all of them: `--format json`)")
