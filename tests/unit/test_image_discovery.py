"""`bundle build` looks for images: what is used, declared, missing, accepted, and where each of them stands."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import Finding, InputError, Severity
from renderer.formats.bundle.remote_source import RemoteImage
from renderer.formats.bundle.source import read_bundle_source
from renderer.model.bundles.chart import ChartOutput, ChartRequest
from renderer.model.outcome import Outcome
from tests.realworld.stand_ins import write_layout
from tests.simulators import kubesphere_packages
from tests.simulators.bundles import Workshop, schema

HEAD = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: demo, version: 1.0.0}
spec:
  sequence: 1
  created: 2026-11-01T00:00:00Z
  platforms: [linux/amd64]
"""
WEB = """\
  extensions:
    - name: web
      version: 1.2.0
      namespace: shop
      components: [{name: web, helm: chart}]
"""
IMAGES = "  images: [{layout: images}]\n"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A working directory with a layout that holds nginx and an API."""
    made = Workshop(tmp_path)
    write_layout(tmp_path / "images", ("docker.io/library/nginx:1.27", "quay.io/team/api:2.0"))
    return made


def build(workshop: Workshop, templates: str | Mapping[str, str], source: str = HEAD + WEB + IMAGES) -> Outcome:
    """Build a bundle of one chart with these templates (one, or several by name)."""
    files = {"web.yaml": templates} if isinstance(templates, str) else templates
    workshop.write({f"chart/templates/{name}": text for name, text in files.items()})
    chart = "apiVersion: v2\nname: web\nversion: 1.2.0\n"
    workshop.write({"chart/Chart.yaml": chart} if not (workshop.root / "chart/Chart.yaml").exists() else {})
    workshop.write({"bundle.yaml": source})
    return workshop.build()


def deployment(image: str, name: str = "web") -> str:
    """A Deployment whose only container runs `image`."""
    return kubesphere_packages.deployment(name, image)


def report(outcome: Outcome) -> dict[str, Any]:
    """The records of a build by reference."""
    document: Any = outcome.document
    return {image["reference"]: image for image in document["discovery"]["images"]}


def standing(outcome: Outcome) -> dict[str, str]:
    """What becomes of each image."""
    return {reference: record["standing"] for reference, record in report(outcome).items()}


def found(outcome: Outcome, code: str) -> list[Finding]:
    """The findings of one kind."""
    return [finding for finding in outcome.findings if finding.code == code]


# --- missing images ------------------------------------------------------------------------------------------------


def test_an_image_that_the_bundle_lacks_ends_the_build(workshop: Workshop) -> None:
    outcome = build(workshop, deployment("busybox:1.36"))
    (finding,) = found(outcome, "image-undeclared")
    assert (outcome.failed, outcome.exit_code, finding.severity) == (True, 1, Severity.ERROR)
    assert not (workshop.root / "bundle").exists()
    assert finding.message == (
        "objects of web 1.2.0 name `docker.io/library/busybox:1.36`, and the bundle does not have it"
    )
    assert (finding.where.file, finding.where.line, finding.where.path) == ("bundle.yaml", 13, "spec.images")
    assert finding.explanation[0] == ("seen in web 1.2.0, web: Deployment web, spec.template.spec.containers[0].image")
    assert outcome.text.splitlines() == [
        "bundle demo 1.0.0: not built, 1 image missing",
        "  1 object looked through: 1 image seen, 0 declared and not seen",
    ]


def test_every_missing_image_is_told_at_once_with_every_place(workshop: Workshop) -> None:
    many = "---\n".join([deployment("busybox:1.36", f"web-{number}") for number in range(7)])
    outcome = build(workshop, {"a.yaml": many, "b.yaml": deployment("redis:7", "cache")})
    busybox, redis = found(outcome, "image-undeclared")
    assert [line for line in busybox.explanation if line.startswith(("seen", "and"))][-1] == "and in 2 more places"
    assert "`docker.io/library/redis:7`" in redis.message
    assert len(report(outcome)["docker.io/library/busybox:1.36"]["seen"]) == 7


def test_the_report_of_a_refused_build_has_all_places(workshop: Workshop) -> None:
    record = report(build(workshop, deployment("busybox:1.36")))["docker.io/library/busybox:1.36"]
    assert record == {
        "reference": "docker.io/library/busybox:1.36",
        "standing": "missing",
        "digest": None,
        "carried": False,
        "declared": [],
        "seen": [
            {
                "extension": "web 1.2.0",
                "component": "web",
                "object": "Deployment web",
                "path": "spec.template.spec.containers[0].image",
                "valueSets": ["default"],
                "certain": True,
                "dropped": False,
            }
        ],
        "accepted": None,
    }


SECRET = base64.b64encode(b'{"sidecar": "ghcr.io/team/sidecar:1.4.0"}').decode()
PLACES = {
    "an argument": 'kind: Pod\nspec: {containers: [{name: a, image: nginx:1.27, args: ["--solver-image=IMAGE"]}]}',
    "an environment variable": "kind: Pod\nspec: {containers: [{name: a, image: nginx:1.27,"
    " env: [{name: RELATED_IMAGE_X, value: IMAGE}]}]}",
    "text of a ConfigMap": "kind: ConfigMap\ndata:\n  config: |\n    proxy:\n      image: IMAGE  # of the mesh\n",
    "a Secret": f"kind: Secret\ndata: {{config: {SECRET}}}",
    "a custom resource": "kind: Jaeger\nspec: {agent: {image: IMAGE}}",
    "parts": "kind: Jaeger\nspec: {agent: {registry: ghcr.io, repository: team/sidecar, tag: 1.4.0}}",
    "parts inside text": "kind: ConfigMap\ndata:\n  values: |\n    repository: ghcr.io/team/sidecar\n    tag: 1.4.0\n",
    "an annotation": "kind: Pod\nmetadata: {name: x, annotations: {inject: IMAGE}}\nspec: {containers: []}",
}


@pytest.mark.parametrize("place", PLACES)
def test_images_are_found_wherever_they_stand(workshop: Workshop, place: str) -> None:
    text = PLACES[place].replace("IMAGE", "ghcr.io/team/sidecar:1.4.0")
    group = "jaegertracing.io/v1" if "kind: Jaeger" in text else "v1"
    named = "" if "metadata:" in text else "metadata: {name: x}\n"
    outcome = build(workshop, f"apiVersion: {group}\n{named}{text}")
    assert standing(outcome)["ghcr.io/team/sidecar:1.4.0"] == "missing"


OTHER = f"sha256:{'3' * 64}"


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("busybox:1.36", '{registry: "oci://docker.io/library/busybox:1.36"}'),
        (f"busybox:1.36@{OTHER}", f'{{registry: "oci://docker.io/library/busybox:1.36@{OTHER}"}}'),
        (
            f"busybox@{OTHER}",
            (
                f'{{registry: "oci://docker.io/library/busybox@{OTHER}", '
                'reference: "docker.io/library/busybox:333333333333"}'
            ),
        ),
    ],
)
def test_the_lines_to_add_can_be_copied(workshop: Workshop, wanted: str, line: str) -> None:
    outcome = build(workshop, deployment(wanted))
    (finding,) = found(outcome, "image-undeclared")
    reference = next(one for one in report(outcome) if "busybox" in one)
    assert finding.explanation[1:] == (
        "add it to `spec.images`:",
        f"  - {line}",
        "or to `spec.discovery.accepted`, with the reason why sites do without:",
        f'  - {{reference: "{reference}", reason: …}}',
    )
    copied = f"{HEAD}{WEB}  images:\n  - {{layout: images}}\n  - {line}\n"
    asked = read_bundle_source(copied.encode(), "bundle.yaml", schema("bundle-source")).images[1]
    assert isinstance(asked, RemoteImage)
    assert str(asked.source).startswith("oci://registry-1.docker.io/library/busybox")
    assert finding.hint == f"skopeo copy --all docker://{reference} oci:images:{asked.reference}"


def test_what_the_bundle_has_of_the_same_name_is_named(workshop: Workshop) -> None:
    (finding,) = found(build(workshop, deployment("quay.io/team/api:2.1")), "image-undeclared")
    assert finding.got == "in the bundle is `quay.io/team/api:2.0`"


# --- digests -------------------------------------------------------------------------------------------------------


def test_a_reference_with_the_digest_of_the_bundle_is_fine(workshop: Workshop) -> None:
    digest = report(build(workshop, deployment("nginx:1.27")))["docker.io/library/nginx:1.27"]["digest"]
    for image in (f"nginx:1.27@{digest}", f"nginx@{digest}"):
        outcome = build(workshop, deployment(image))
        assert not outcome.failed, image
        assert standing(outcome)["docker.io/library/nginx:1.27"] == "vouched"


def test_another_digest_than_that_of_the_bundle_is_missing(workshop: Workshop) -> None:
    other = f"sha256:{'0' * 64}"
    (finding,) = found(build(workshop, deployment(f"nginx:1.27@{other}")), "image-undeclared")
    assert finding.got is not None
    assert finding.got.endswith(f"in the bundle, `{other}` in the object")


def test_a_digest_alone_that_the_bundle_lacks_is_missing(workshop: Workshop) -> None:
    reference = f"docker.io/library/redis@sha256:{'1' * 64}"
    assert standing(build(workshop, deployment(reference)))[reference] == "missing"


def test_an_image_that_is_vouched_for_without_being_carried_is_fine(workshop: Workshop) -> None:
    one = f"sha256:{'2' * 64}"
    entry = (
        f'{{reference: "redis:7", digest: "{one}", size: 1, platforms: {{linux/amd64: {{digest: "{one}", size: 1}}}}}}'
    )
    outcome = build(workshop, deployment("redis:7"), f"{HEAD}{WEB}  images: [{entry}]\n")
    record = report(outcome)["docker.io/library/redis:7"]
    assert (outcome.failed, record["standing"], record["carried"], record["digest"]) == (False, "vouched", False, one)


# --- value sets ----------------------------------------------------------------------------------------------------

CACHE = "{{ if .Values.cache }}\n" + deployment("redis:7", "cache") + "{{ end }}\n"


def test_a_value_set_switches_on_what_the_defaults_leave_out(workshop: Workshop) -> None:
    templates = {"web.yaml": deployment("nginx:1.27"), "cache.yaml": CACHE}
    assert not build(workshop, templates).failed
    sets = "  discovery: {valueSets: [{name: cached, extension: w*, values: {cache: true}}]}\n"
    outcome = build(workshop, templates, HEAD + WEB + IMAGES + sets)
    assert [place["valueSets"] for place in report(outcome)["docker.io/library/redis:7"]["seen"]] == [["cached"]]
    assert [place["valueSets"] for place in report(outcome)["docker.io/library/nginx:1.27"]["seen"]] == [
        ["default", "cached"]
    ]
    (finding,) = found(outcome, "image-undeclared")
    assert finding.explanation[0].endswith("spec.template.spec.containers[0].image (values `cached`)")


def test_two_value_sets_have_two_names(workshop: Workshop) -> None:
    sets = "  discovery: {valueSets: [{name: a, extension: web}, {name: a, extension: db}]}\n"
    with pytest.raises(InputError) as caught:
        build(workshop, deployment("nginx:1.27"), HEAD + WEB + IMAGES + sets)
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.path) == ("duplicate-value-set", "spec.discovery.valueSets[1].name")


def test_values_of_a_set_may_come_from_a_file(workshop: Workshop) -> None:
    workshop.write({"values/cached.yaml": "cache: true\n"})
    sets = (
        "  discovery: {valueSets: [{name: cached, extension: web, component: web, valuesFrom: [values/cached.yaml]}]}\n"
    )
    outcome = build(workshop, CACHE, HEAD + WEB + IMAGES + sets)
    assert standing(outcome)["docker.io/library/redis:7"] == "missing"


def test_a_value_set_for_nothing_is_told(workshop: Workshop) -> None:
    sets = "  discovery: {valueSets: [{name: odd, extension: wep}, {name: other, extension: web, component: db}]}\n"
    outcome = build(workshop, deployment("nginx:1.27"), HEAD + WEB + IMAGES + sets)
    assert [(one.where.path, one.expected, one.got) for one in found(outcome, "value-set-unused")] == [
        ("spec.discovery.valueSets[0].extension", "`web`", "`wep`"),
        ("spec.discovery.valueSets[1].extension", "`web`", "`web`, component `db`"),
    ]


def test_objects_behind_a_kind_that_the_bundle_brings_are_seen(workshop: Workshop) -> None:
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n"
        "spec: {group: example.com, names: {kind: Thing, plural: things}, scope: Namespaced,"
        " versions: [{name: v1, served: true, storage: true}]}\n"
    )
    workshop.write({"definitions/crd.yaml": definition})
    more = "    - {name: things, version: 1.0.0, components: [{name: things, manifests: definitions}]}\n"
    gated = '{{ if .Capabilities.APIVersions.Has "example.com/v1/Thing" }}\n' + deployment("redis:7") + "{{ end }}\n"
    assert standing(build(workshop, gated, HEAD + WEB + more + IMAGES))["docker.io/library/redis:7"] == "missing"


def test_charts_are_told_a_kubernetes_version_that_the_extension_runs_on(workshop: Workshop) -> None:
    image = "{{ .Capabilities.KubeVersion.Minor }}"
    source = HEAD + WEB.replace("namespace:", 'kubernetes: "<1.22.0-0"\n      namespace:') + IMAGES
    assert "docker.io/library/k8s:21" in report(build(workshop, deployment(f"k8s:{image}"), source))
    several = source + "  discovery: {kubernetesVersions: [1.20.0, 1.21.4]}\n"
    assert {"docker.io/library/k8s:20", "docker.io/library/k8s:21"} <= report(
        build(workshop, deployment(f"k8s:{image}"), several)
    ).keys()


def test_a_component_that_cannot_be_inflated_is_told_until_a_value_set_can(workshop: Workshop) -> None:
    template = '{{ required "name the host" .Values.host }}\n'
    outcome = build(workshop, {"a.yaml": "# " + template})
    (finding,) = found(outcome, "component-not-inflated")
    assert (outcome.failed, finding.severity) == (False, Severity.WARNING)
    assert finding.where.subject == "extension web 1.2.0, web"
    assert any("name the host" in line for line in finding.explanation)
    sets = "  discovery: {valueSets: [{name: any, extension: web, values: {host: a.example}}]}\n"
    assert not found(build(workshop, {"a.yaml": "# " + template}, HEAD + WEB + IMAGES + sets), finding.code)


def test_templates_of_ours_are_told_of_a_site_that_does_not_exist(workshop: Workshop) -> None:
    workshop.write({"templates/web.yaml.j2": deployment("nginx:1.27").replace("web", "{{ site.labels.region }}", 1)})
    source = HEAD + WEB.replace("helm: chart", "jinja: templates") + IMAGES
    sets = "  discovery: {valueSets: [{name: east, extension: web, labels: {region: east}}]}\n"
    outcome = build(workshop, "", source + sets)
    (place,) = report(outcome)["docker.io/library/nginx:1.27"]["seen"]
    assert (place["object"], place["valueSets"]) == ("Deployment east", ["east"])


def test_the_order_of_work_does_not_show(workshop: Workshop) -> None:
    templates = {"web.yaml": deployment("nginx:1.27"), "cache.yaml": CACHE}
    sets = "  discovery: {valueSets: [{name: a, extension: web, values: {cache: true}}, {name: b, extension: web}]}\n"
    once, twice = (build(workshop, templates, HEAD + WEB + IMAGES + sets) for _ in range(2))
    assert json.dumps(once.document) == json.dumps(twice.document)


class CountingHelm:
    """The chart engine, and how often it was asked."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.asked = engine, 0
        self.name, self.helm_version = engine.name, engine.helm_version

    def inflate(self, request: ChartRequest) -> ChartOutput:
        """Count and inflate."""
        self.asked += 1
        output: ChartOutput = self.engine.inflate(request)
        return output

    def chart_files(self, request: ChartRequest) -> Mapping[str, str]:
        """The template sources."""
        files: Mapping[str, str] = self.engine.chart_files(request)
        return files


def test_equal_values_are_inflated_once(workshop: Workshop) -> None:
    workshop.engine = CountingHelm(workshop.engine)
    sets = "  discovery: {valueSets: [{name: a, extension: web}, {name: b, extension: web, values: {cache: true}}]}\n"
    outcome = build(workshop, deployment("nginx:1.27"), HEAD + WEB + IMAGES + sets)
    assert workshop.engine.asked == 2
    (place,) = report(outcome)["docker.io/library/nginx:1.27"]["seen"]
    assert place["valueSets"] == ["default", "a", "b"]


# --- declared images -----------------------------------------------------------------------------------------------


def test_what_is_declared_and_never_seen_is_a_note(workshop: Workshop) -> None:
    source = HEAD + WEB.replace("namespace:", 'images: ["quay.io/team/api:2.0", "redis:7"]\n      namespace:') + IMAGES
    outcome = build(workshop, deployment("nginx:1.27"), source)
    assert standing(outcome) == {
        "docker.io/library/nginx:1.27": "vouched",
        "docker.io/library/redis:7": "untaken",
        "quay.io/team/api:2.0": "vouched",
    }
    (note,) = found(outcome, "image-unseen")
    assert (note.severity, note.explanation) == (
        Severity.NOTE,
        ("`quay.io/team/api:2.0` (web 1.2.0, images)",),
    )
    (warning,) = found(outcome, "image-not-in-bundle")
    assert (warning.severity, warning.explanation) == (Severity.WARNING, ("`docker.io/library/redis:7`",))


@pytest.mark.parametrize("right", [True, False])
def test_a_declared_digest_is_that_of_the_bundle(workshop: Workshop, right: bool) -> None:
    digest = report(build(workshop, deployment("nginx:1.27")))["quay.io/team/api:2.0"]["digest"] if right else OTHER
    images = f'images: ["quay.io/team/api:2.0@{digest}"]\n      namespace:'
    outcome = build(workshop, deployment("nginx:1.27"), HEAD + WEB.replace("namespace:", images) + IMAGES)
    assert standing(outcome)["quay.io/team/api:2.0"] == ("vouched" if right else "untaken")


def test_the_annotations_of_charts_declare_images(workshop: Workshop) -> None:
    annotations = (
        "annotations:\n  artifacthub.io/images: |\n    - {name: api, image: quay.io/team/api:2.0}\n"
        "  helm.sh/images: |\n    - {name: web, image: nginx:1.27}\n"
    )
    workshop.write({"chart/Chart.yaml": f"apiVersion: v2\nname: web\nversion: 1.2.0\n{annotations}"})
    outcome = build(workshop, deployment("nginx:1.27"))
    assert report(outcome)["quay.io/team/api:2.0"]["declared"][1] == {
        "extension": "web 1.2.0",
        "how": "artifacthub.io/images",
    }
    workshop.sign("vendor")
    (extension,) = workshop.load(workshop.policy("vendor")).bundle.extensions
    assert [str(image) for image in extension.images] == ["quay.io/team/api:2.0", "docker.io/library/nginx:1.27"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "is not YAML"),
        ("image: x", "is not a list"),
        ("- name: x", "has an entry without `image`"),
        ("- image: team/UPPER:1", "names no image: `team/UPPER` is not a repository path"),
    ],
)
def test_an_annotation_that_cannot_be_read_is_told(workshop: Workshop, text: str, message: str) -> None:
    chart = {"apiVersion": "v2", "name": "web", "version": "1.2.0", "annotations": {"artifacthub.io/images": text}}
    workshop.write({"chart/Chart.yaml": json.dumps(chart)})
    (finding,) = found(build(workshop, deployment("nginx:1.27")), "invalid-annotation")
    assert (finding.severity, finding.where.path) == (Severity.WARNING, "Chart.yaml, annotations")
    assert message in finding.message


def test_some_images_of_a_layout_can_be_taken(workshop: Workshop) -> None:
    source = HEAD + WEB + "  images: [{layout: images, images: [nginx:1.27]}]\n"
    assert list(report(build(workshop, deployment("nginx:1.27"), source))) == ["docker.io/library/nginx:1.27"]
    with pytest.raises(InputError) as caught:
        build(workshop, deployment("nginx:1.27"), source.replace("[nginx:1.27]", '[nginx:1.27, "redis:7"]'))
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.path) == ("image-not-there", "spec.images[0].layout")
    assert finding.hint == "skopeo copy --all docker://docker.io/library/redis:7 oci:images:docker.io/library/redis:7"


def test_images_that_nothing_needs_are_told(workshop: Workshop) -> None:
    (note,) = found(build(workshop, deployment("nginx:1.27")), "image-unused")
    assert (note.severity, note.explanation) == (Severity.NOTE, ("`quay.io/team/api:2.0` (spec.images[0].layout)",))


# --- acceptances ---------------------------------------------------------------------------------------------------


def accepting(*globs: str) -> str:
    """A source that accepts that images are missing."""
    listed = ", ".join(f'{{reference: "{glob}", reason: another bundle has it}}' for glob in globs)
    return f"{HEAD}{WEB}{IMAGES}  discovery: {{accepted: [{listed}]}}\n"


def test_what_is_accepted_with_a_reason_does_not_end_the_build(workshop: Workshop) -> None:
    outcome = build(workshop, deployment("busybox:1.36"), accepting("docker.io/library/busybox:*"))
    record = report(outcome)["docker.io/library/busybox:1.36"]
    assert (outcome.failed, record["standing"], record["accepted"]) == (False, "accepted", "another bundle has it")


def test_an_acceptance_that_nothing_needs_is_told(workshop: Workshop) -> None:
    source = accepting("docker.io/library/nginx:*", "docker.io/library/busybox:1.35")
    outcome = build(workshop, deployment("nginx:1.27"), source)
    assert [(one.severity, one.where.path) for one in found(outcome, "acceptance-unused")] == [
        (Severity.WARNING, "spec.discovery.accepted[0].reference"),
        (Severity.WARNING, "spec.discovery.accepted[1].reference"),
    ]


def test_an_image_of_a_helm_test_is_not_needed(workshop: Workshop) -> None:
    test = deployment("busybox:1.36", "check").replace(
        "metadata: {name: check}", 'metadata: {name: check, annotations: {"helm.sh/hook": test}}'
    )
    outcome = build(workshop, {"web.yaml": deployment("nginx:1.27"), "test.yaml": test})
    record = report(outcome)["docker.io/library/busybox:1.36"]
    assert (outcome.failed, record["standing"], record["seen"][0]["dropped"]) == (False, "dropped", True)


def test_a_field_for_an_image_that_names_none_is_told(workshop: Workshop) -> None:
    outcome = build(workshop, deployment("{{ .Values.repository }}:latest"))
    (finding,) = found(outcome, "image-unreadable")
    assert (finding.severity, finding.where.path) == (Severity.WARNING, "spec.template.spec.containers[0].image")
    assert finding.where.subject == "extension web 1.2.0, web, Deployment web"


# --- KubeSphere packages -------------------------------------------------------------------------------------------

PACKAGE = """\
apiVersion: v1
name: monitoring
version: 1.0.0
displayName: {en: Monitoring}
description: {en: Watches.}
category: observability
provider: {en: {name: Someone}}
icon: https://example.com/icon.svg
installationMode: Multicluster
dependencies:
  - {name: front, tags: [extension]}
  - {name: agent, tags: [agent], condition: agent.on}
annotations: {executor-hook-image.kubesphere.io/install: "team/init:v1"}
"""


def test_both_parts_of_a_kubesphere_package_are_looked_through_on_both_kinds_of_clusters(workshop: Workshop) -> None:
    chart = "apiVersion: v2\nname: {}\nversion: 1.0.0\n"
    role = '{{ if eq .Values.global.clusterInfo.role "ROLE" }}\n'
    member, host = (
        role.replace("ROLE", name) + deployment(f"{name}:1", name) + "{{ end }}\n" for name in ("member", "host")
    )
    workshop.write(
        {
            "package/extension.yaml": PACKAGE,
            "package/values.yaml": "agent: {on: true}\n",
            "package/charts/front/Chart.yaml": chart.format("front"),
            "package/charts/front/templates/a.yaml": deployment("front:1"),
            "package/charts/agent/Chart.yaml": chart.format("agent"),
            "package/charts/agent/templates/member.yaml": member,
            "package/charts/agent/templates/host.yaml": host,
        }
    )
    outcome = build(workshop, "", f"{HEAD}  extensions: [{{kubesphere: package}}]\n{IMAGES}")
    seen = {
        reference.removeprefix("docker.io/library/"): [(one["component"], one["valueSets"]) for one in record["seen"]]
        for reference, record in report(outcome).items()
        if record["seen"]
    }
    assert seen == {
        "front:1": [("monitoring", ["default"])],
        "host:1": [("monitoring-agent", ["default"])],
        "member:1": [("monitoring-agent", ["default on a member cluster"])],
    }
    assert standing(outcome)["docker.io/team/init:v1"] == "untaken"  # the image of the installer's hook
