"""Jinja templates: what they can say, and what is told when they cannot."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from renderer.formats.templates.sandbox import TemplateError, render_template


def render(text: str, values: Mapping[str, Any] | None = None, **includes: str) -> str:
    return render_template(text, values or {}, name="a.j2", includes=includes)


def fault(text: str, values: Mapping[str, Any] | None = None, **includes: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(text, values, **includes)
    return caught.value


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ a }} {{ b.c }} {{ b['d'][0] }}", "1 2 3"),
        ("{{ true }} {{ 1.5 }} {{ 'x' ~ 1 ~ false }}", "true 1.5 x1false"),
        ("{{ m.items }}", "mine"),
        ("{% for k, v in b.items() %}{{ k }}{{ loop.index }}{{ ',' if not loop.last }}{% endfor %}", "c1,d2"),
        ("{{ missing | default('x') }} {{ missing is defined }}", "x false"),
        ("{{ b | to_json }}", '{"c": 2, "d": [3]}'),
        ("{{ b | tojson }}", '{"c": 2, "d": [3]}'),
        ("{{ '<&>é😀' | to_json }}{{ '<&>é😀\n' | quote }}", '"<&>é😀""<&>é😀\\n"'),
        ("{{ b | to_yaml }}", "c: 2\nd:\n- 3"),
        ("x:\n  {{ b | to_yaml | indent(2) }}", "x:\n  c: 2\n  d:\n  - 3"),
        ("{{ 'yes' | to_yaml }}", '"yes"'),
        (
            "{{ 'é' | b64encode }} {{ 'a' | sha256 }}",
            "w6k= " + "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
        ),
        ("{{ 'a\n\nb' | indent(2) }}|{{ 'a' | indent(2, first=true) }}", "a\n\n  b|  a"),
        ("{{ [3, 1] | sort | join('-') }} {{ [b, b] | join('+', attribute='c') }}", "1-3 2+2"),
        ("{{ 'a-b'.split('-') | first }} {{ 'v1'.removeprefix('v') }}", "a 1"),
        ("{{ 'abc'[1:] }} {{ 'abc'[::2] }} {{ [1, 2, 3][:-1] | to_json }}", "bc ac [1, 2]"),
        ("{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "3"),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}{{ m('a') }}", "<1><a>"),
        ("{% raw %}{{ a }}{% endraw %}", "{{ a }}"),
        ("{{ 7 % 4 }} {{ 2 ** 10 }} {{ 'ab' * 2 }} {{ 7 // 2 }}", "3 1024 abab 3"),
        ("{% if a %}\n  yes\n{% endif %}\nend\n", "  yes\nend\n"),
        ("  {% if a %}x{% endif %}\nend\n", "xend\n"),
    ],
)
def test_templates_say_what_people_need(text: str, result: str) -> None:
    assert render(text, {"a": 1, "b": {"c": 2, "d": [3]}, "m": {"items": "mine"}}) == result


def test_templates_include_import_and_extend_what_they_are_given() -> None:
    includes = {
        "part": "part {{ a }}", "macros": "{% macro m(x) %}[{{ x }}]{% endmacro %}",
        "base": "<{% block body %}{% endblock %}>",
    }  # fmt: skip
    values = {"a": 1}
    assert render("{% include 'part' %}", values, **includes) == "part 1"
    assert render("{% import 'macros' as t %}{{ t.m(2) }}", values, **includes) == "[2]"
    assert render("{% from 'macros' import m %}{{ m(3) }}", values, **includes) == "[3]"
    assert render("{% extends 'base' %}{% block body %}{{ a }}{% endblock %}", values, **includes) == "<1>"


def test_a_name_that_is_not_there_is_told_with_names_that_are_near() -> None:
    error = fault("one\ntwo {{ values.replica }}\n", {"values": {"replicas": 1, "image": "x"}})
    assert (error.name, error.line) == ("a.j2", 2)
    assert error.message == "`replica` is not defined; did you mean `replicas`?"
    assert str(error) == "line 2: `replica` is not defined; did you mean `replicas`?"
    assert fault("{{ zzz }}").message == "`zzz` is not defined"


@pytest.mark.parametrize("name", ["to_json", "to_yaml"])
@pytest.mark.parametrize("value", ["zzz", "[zzz]", "{'a': {'b': [1, zzz]}}"])
def test_values_that_are_written_out_must_be_defined_to_their_ends(value: str, name: str) -> None:
    assert fault(f"{{{{ {value} | {name} }}}}").message == "`zzz` is not defined"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a\n{% if x %}\n", 2, "Unexpected end of template"),
        ("{{ a | nothing }}", 1, "No filter named 'nothing'"),
        ("\n\n{{ [1] }}", 3, "a list has no text of its own; use `| to_json`, `| to_yaml` or `| join`"),
        ("{{ {'a': 1} }}", 1, "a mapping has no text of its own"),
        ("{{ none }}", 1, "null has no text of its own"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("{{ 'a' + 1 }}", 1, "can only concatenate str"),
        ("{{ '%s' % 1 }}", 1, "`%` divides numbers; put texts together with `~`"),
        ("{% include 'x' %}", 1, "there is no template `x` to include; there are: none"),
        ("{{ 'a' | int | nofilter }}", 1, "No filter named 'nofilter'"),
    ],
)
def test_a_fault_says_where_and_what(text: str, line: int, message: str) -> None:
    error = fault(text)
    assert error.line == line
    assert error.message.startswith(message)


def test_a_fault_in_an_included_template_is_told_there() -> None:
    error = fault("x\n{% include 'part' %}", part="a\nb\n{{ gone }}")
    assert (error.name, error.line) == ("part", 3)


def test_start_up_does_without_jinja() -> None:
    loaded = "renderer.formats.templates.sandbox, renderer.stages.template"
    code = f"import sys; import {loaded}; assert 'jinja2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
