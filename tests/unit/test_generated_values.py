"""Finding what charts invent: calls in templates, and two renders side by side."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from renderer.errors import Severity
from renderer.model.fields import Json, read_path, spell_path
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import HookPhase, Manifest, Origin
from renderer.model.rendering import Inflated
from renderer.stages.generated import UseKind, may_invent, scan_templates, template_findings
from renderer.stages.generated.discovering import discover
from renderer.structs import replace

ORIGIN = Origin(extension="demo", component="web", source="web/templates/a.yaml")


def inflated(*bodies: dict[str, Json], origin: Origin = ORIGIN) -> Inflated:
    return Inflated(manifests=tuple(Manifest.of(body, origin) for body in bodies))


def body(kind: str, name: str = "a", api: str = "v1", **fields: Json) -> dict[str, Json]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **fields}


def values(first: Inflated, second: Inflated) -> tuple[GeneratedValue, ...]:
    return discover(first.manifests, second.manifests).values


def found(first: Inflated, second: Inflated) -> list[tuple[str, str, str]]:
    return [(value.kind.value, str(value.object), value.path) for value in values(first, second)]


def calls(text: str) -> list[tuple[str, str]]:
    return [(use.function, use.kind.value) for use in scan_templates({"t": text})]


class TestScan:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("{{ randAlphaNum 5 }}", [("randAlphaNum", "random")]),
            ('{{- $ca := genCA "x" 365 -}}', [("genCA", "random")]),
            ("{{ now | htmlDate }}", [("now", "clock"), ("htmlDate", "clock")]),
            ('{{ range (lookup "v1" "Node" "" "").items }}{{ end }}', [("lookup", "lookup")]),
            ("{{ keys .Values.a | first }}", [("keys", "order")]),
            ("{{ .Capabilities.HelmVersion.Version }}", [(".Capabilities.HelmVersion", "helm-version")]),
            ("{{ toYaml $.Capabilities }}", [(".Capabilities.HelmVersion", "helm-version")]),
            ("{{ if empty .Values.x }}\n{{ uuidv4\n| quote }}{{ end }}", [("uuidv4", "random")]),
        ],
    )
    def test_finds_calls(self, text: str, expected: list[tuple[str, str]]) -> None:
        assert calls(text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "randAlphaNum 5, now and lookup are words here",
            "{{/* randAlphaNum */}}{{- /* lookup */ -}}",
            "{{ .Values.now }}{{ .date }}{{ $values }}{{ $.keys }}",
            '{{ include "lookup now" . }}{{ `genCA` }}',
            "{{ keys .Values.a | sortAlpha | first }}",
            "{{ .Capabilities.KubeVersion }}{{ .Capabilities.APIVersions.Has `x` }}",
            "{{ derivePassword 1 `long` `x` `y` `z` }}{{ nowhere }}",
        ],
    )
    def test_is_not_misled(self, text: str) -> None:
        assert calls(text) == []

    def test_names_template_and_line_in_path_order(self) -> None:
        uses = scan_templates({"b": "{{ now }}", "a": "\n\n{{ now }}{{ now }}\n{{ randInt 1 2 }}"})
        assert [(use.path, use.line) for use in uses] == [("a", 3), ("a", 4), ("b", 1)]

    def test_decides_who_is_rendered_twice(self) -> None:
        assert may_invent(scan_templates({"a": "{{ uuidv4 }}"}))
        assert may_invent(scan_templates({"values.yaml": "text: '{{ now }}'"})), "for `tpl`"
        assert not may_invent(scan_templates({"a": "{{ lookup `v1` `Node` `` `` }}{{ .Capabilities.HelmVersion }}"}))

    def test_tells_reviewers_of_lookup_and_of_the_version_of_helm(self) -> None:
        uses = scan_templates({"a": "{{ lookup `v1` `Node` `` `` }}\n{{ .Capabilities.HelmVersion }}{{ uuidv4 }}"})
        lookup, version = template_findings(uses, "demo", "web")
        assert (lookup.code, lookup.severity) == ("chart-uses-lookup", Severity.NOTE)
        assert (lookup.where.file, lookup.where.line, lookup.where.subject) == ("a", 1, "extension demo, web")
        assert (version.code, version.severity) == ("chart-prints-helm-version", Severity.WARNING)
        assert (version.where.file, version.where.line) == ("a", 2)
        assert {use.kind for use in uses} == {UseKind.LOOKUP, UseKind.HELM_VERSION, UseKind.RANDOM}

    def test_tells_them_once_for_each_chart_with_all_places(self) -> None:
        asks = "{{ lookup `v1` `Node` `` `` }}"
        uses = scan_templates({"b.tpl": f"\n{asks}", "a.tpl": f"{asks}\n\n{asks}{asks}"})
        (note,) = template_findings(uses, "demo", "web")
        assert str(note) == (
            "note[chart-uses-lookup]: the chart asks the cluster or the network with `lookup`; here both are silent, "
            "so it takes its fallback\n"
            "  --> a.tpl:1, extension demo, web\n"
            "   a.tpl:1, 3\n"
            "   b.tpl:2\n"
            "   hint: where the fallback is not what you want, set the values of the chart in the profile"
        )
        assert template_findings((), "demo", "web") == ()


class TestDifferences:
    def test_of_equal_renders_are_none(self) -> None:
        assert values(inflated(body("Secret", data={"a": "x"})), inflated(body("Secret", data={"a": "x"}))) == ()

    def test_say_component_template_object_field_and_kind(self) -> None:
        (value,) = values(inflated(body("Secret", data={"a": "x"})), inflated(body("Secret", data={"a": "y"})))
        assert value == GeneratedValue(
            component="demo/web",
            object=Manifest.of(body("Secret"), ORIGIN).id,
            path="data.a",
            kind=GeneratedKind.SECRET,
            source="web/templates/a.yaml",
            group="demo/web/a/a",
            form="alphanumeric-1",
        )

    def test_know_what_a_field_is_for(self) -> None:
        def webhook(ca: str) -> dict[str, Json]:
            hooks: Json = [{"clientConfig": {"url": "x"}}, {"clientConfig": {"caBundle": ca}}]
            return body("ValidatingWebhookConfiguration", api="admissionregistration.k8s.io/v1", webhooks=hooks)

        def deployment(text: str) -> dict[str, Json]:
            notes: Json = {"checksum/secret": text, "config-hash": text, "rollme": text}
            return body("Deployment", api="apps/v1", spec={"template": {"metadata": {"annotations": notes}}})

        def repository(ca: str) -> dict[str, Json]:
            return body("Repository", api="kubesphere.io/v1alpha1", spec={"caBundle": ca})

        first, second = (
            inflated(webhook(x), deployment(x), repository(x), body("Secret", stringData={"tls.key": x}))
            for x in ("x", "y")
        )
        assert found(first, second) == [
            ("secret", "Secret a", 'stringData["tls.key"]'),
            ("ca-bundle", "ValidatingWebhookConfiguration a", "webhooks[1].clientConfig.caBundle"),
            ("checksum", "Deployment a", "spec.template.metadata.annotations.config-hash"),
            ("checksum", "Deployment a", "spec.template.metadata.annotations.rollme"),
            ("checksum", "Deployment a", 'spec.template.metadata.annotations["checksum/secret"]'),
            ("ca-bundle", "Repository.kubesphere.io a", "spec.caBundle"),
        ]

    def test_point_at_the_lines_of_a_text(self) -> None:
        first, second = (
            inflated(body("ConfigMap", data={"app.yaml": f"a: 1\ntoken: {x}\nb: 2\n"})) for x in ("x", "y")
        )
        assert found(first, second) == [("token", "ConfigMap a", 'data["app.yaml"]#2')]

    def test_point_at_the_whole_text_when_it_is_another(self) -> None:
        first, second = (inflated(body("ConfigMap", data={"a": "line\n" * n})) for n in (2, 3))
        assert found(first, second) == [("other", "ConfigMap a", "data.a")]

    def test_match_objects_whose_name_is_invented(self) -> None:
        def job(name: str, text: str = "x") -> dict[str, Json]:
            return {**body("Job", name, "batch/v1"), "spec": {"label": name, "text": text}}

        first = inflated(job("setup-a8x1b"), job("fixed"))
        second = inflated(job("fixed"), job("setup-a9p7c", "y"))
        assert found(first, second) == [("name", "Job setup-*", "metadata.name"), ("other", "Job setup-*", "spec.text")]
        (value, _) = values(first, second)
        assert value.stable_name == "setup"

    def test_do_not_match_objects_of_other_templates_or_kinds(self) -> None:
        other = replace(ORIGIN, source="web/templates/b.yaml", hook=HookPhase.AFTER)
        first = inflated(body("Job", "setup-a", "batch/v1"))
        second = inflated(body("Job", "setup-b", "batch/v1"), origin=other)
        assert found(first, second) == [("other", "Job setup-a", ""), ("other", "Job setup-b", "")]

    def test_are_looked_for_component_by_component(self) -> None:
        def both(text: str) -> Inflated:
            other = replace(ORIGIN, component="other")
            parts = (
                inflated(body("Secret", data={"a": "x"})),
                inflated(body("Secret", data={"a": text}), origin=other),
            )
            return Inflated(manifests=parts[0].manifests + parts[1].manifests)

        assert [value.component for value in values(both("x"), both("y"))] == ["demo/other"]

    def test_show_fields_and_types_that_come_and_go(self) -> None:
        first = inflated(body("ConfigMap", data={"a": "1", "b": "2"}, list=[1, 2], flag=True))
        second = inflated(body("ConfigMap", data={"a": "1", "c": "3"}, list=[1], flag=1))
        assert [path for _, _, path in found(first, second)] == ["data.b", "data.c", "flag", "list"]

    def test_come_sorted_whatever_the_order_of_objects(self) -> None:
        bodies = [(body("Secret", name, data={"x": "1"}), body("Secret", name, data={"x": "2"})) for name in "cab"]
        one = values(inflated(*[a for a, _ in bodies]), inflated(*[b for _, b in bodies]))
        other = values(inflated(*[b for _, b in bodies[::-1]]), inflated(*[a for a, _ in bodies[::-1]]))
        assert one == other
        assert [value.object.name for value in one] == ["a", "b", "c"]


class TestPaths:
    @pytest.mark.parametrize(
        "steps",
        [
            (),
            ("a",),
            ("spec", "bundles", 0, "a.b/c", "x-y_z"),
            ("data", 'a"b', 12, 3),
            ("", "[0]", "a b"),
            ("0", 0, "1"),
        ],
    )
    def test_can_be_read_back(self, steps: tuple[str | int, ...]) -> None:
        assert read_path(spell_path(steps)) == steps

    @pytest.mark.parametrize("text", ["a b", "a[", "a[x]", 'a["x', "a..b"])
    def test_refuse_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not the path of a field"):
            read_path(text)


def test_the_documented_functions_are_the_ones_that_are_looked_for() -> None:
    text = (Path(__file__).parents[2] / "docs" / "charts.md").read_text(encoding="utf-8")
    section = text.partition("scans templates and `values.yaml` for")[2].partition("and renders a chart")[0]
    functions = re.findall(r"`(\w+)`", section)
    assert len(functions) == 31
    for function in functions:
        assert calls(f"{{{{ {function} }}}}"), function
