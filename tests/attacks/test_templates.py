"""Templates that try to get out of the sandbox, to cost without end, or to yield something else every time."""

import time

import pytest

from renderer.formats.templates.sandbox import TemplateError, TemplateLimits, render_template
from renderer.model.fields import Json

VALUES: dict[str, Json] = {"x": 1, "text": "z" * 100_000, "list": ["a"], "map": {"a": 1}}
INCLUDES = {"self.j2": "{% include 'self.j2' %}", "twice.j2": "{% include 'twice.j2' %}{% include 'twice.j2' %}"}
LOOP = "{% set ns = namespace(x='aa', l=[1]) %}{% for i in range(80) %}"


def refused(text: str) -> TemplateError:
    began = time.process_time()
    with pytest.raises(TemplateError) as caught:
        render_template(text, VALUES, name="evil.j2", includes=INCLUDES)
    assert time.process_time() - began < 5
    assert caught.value.__cause__ is not None
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ [].__class__.__base__ }}",
        "{{ x.__class__ }}",
        "{{ map.__init__.__globals__ }}",
        "{{ self }}",
        "{{ self.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ joiner }}",
        "{{ lipsum.__globals__ }}",
        "{{ get_flashed_messages.__globals__ }}",
        "{{ config }}",
        "{{ request }}",
        "{{ url_for }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ range.__self__ }}",
        "{{ range.__func__ }}",
        "{{ dict.__base__ }}",
        "{{ dict.fromkeys }}",
        "{% for i in list %}{{ loop.__class__ }}{% endfor %}",
        "{% for i in list %}{{ loop._iterator }}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
        "{% macro m() %}{% endmacro %}{{ m._func }}",
        "{% macro m() %}{% endmacro %}{{ m.name }}",
        "{{ text.format }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ '{x.__class__}'.format_map(map) }}",
        "{{ '%s' % x }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ x | attr('__class__') }}",
        "{{ [x] | map(attribute='__class__') | list | first }}",
        "{{ [x] | map('attr', '__class__') | list }}",
        "{{ list | sort(attribute='__class__') }}",
        "{{ text.encode() }}",
        "{{ text.translate({}) }}",
        "{{ x.to_bytes(8) }}",
        "{{ list.append(2) }}",
        "{{ map.update({'b': 2}) }}",
        "{{ map.clear() }}",
        "{% set map.a = 2 %}",
        "{{ x() }}",
        "{{ map.items.__self__ }}",
        "{% import 'os' as os %}{{ os }}",
        "{% include '/etc/passwd' %}",
        "{% include '../secret' %}",
        "{% include ['/etc/passwd', 'os'] %}",
        "{% extends '/etc/passwd' %}",
        "{% from 'os' import system %}",
        "{% debug %}",
        "{% do 1 %}",
        "{{ range }}",
        "{{ dict }}",
        "{{ map.items }}",
        "{{ list | map('upper') }}",
        "{{ list | random }}",
        "{{ now() }}",
        "{{ text | pprint }}",
        "{{ text | urlize }}",
    ],
)
def test_a_template_reaches_nothing_but_its_values(text: str) -> None:
    refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ range(10 ** 9) | list }}",
        "{{ range(100000) | list }}{{ 1 / 0 }}",
        "{{ 'a' * 10 ** 9 }}",
        "{{ 10 ** 9 * 'a' }}",
        "{{ [1] * 10 ** 9 }}",
        "{{ 2 ** 99999999 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{{ text }}{% endfor %}",
        LOOP + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        LOOP + "{% set ns.x = ns.x + ns.x %}{% endfor %}",
        LOOP + "{% set ns.x = ns.x * 2 %}{% endfor %}",
        LOOP + "{% set ns.x = [ns.x, ns.x] | join('') %}{% endfor %}",
        LOOP + "{% set ns.x = ns.x | replace('a', ns.x) %}{% endfor %}",
        LOOP + "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}",
        LOOP + "{% set ns.l = ns.l + ns.l %}{% endfor %}",
        LOOP + "{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | to_json }}",
        LOOP + "{% set ns.l = dict(a=ns.l, b=ns.l) %}{% endfor %}{{ ns.l | to_yaml }}",
        LOOP + "{% set ns.x = ns.x | b64encode %}{% endfor %}",
        "{% set ns = namespace(n=3) %}{% for i in range(80) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% for i in list recursive %}{{ loop(list) }}{% endfor %}",
        "{% include 'self.j2' %}",
        "{% include 'twice.j2' %}",
        "{% extends 'self.j2' %}",
        "{{ 'aaaa' | replace('a', 'b' * 4000000) }}",
        "{{ 'aaaa' | replace('', 'b') }}",
        "{{ range(100000) | join(text) }}",
        "{{ text | indent(100000) }}",
        "{{ ('\\n' * 4000000) | indent(200) }}",
        "{{ map | to_json(indent=100000) }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "[" * 5000 + "]" * 5000 + " }}",
        "{{ " + "1 + " * 20000 + "1 }}",
        "{% if x %}" * 2000 + "{% endif %}" * 2000,
        "x" * (1 << 20) + "y",
    ],
)
def test_a_template_cannot_cost_without_end(text: str) -> None:
    refused(text)


def test_work_on_long_texts_counts_as_work() -> None:
    for expression in ("text | upper", "text[1:]", "text.upper()", "text ~ i", "text | replace('q', i | string)"):
        error = refused("{% for i in range(90000) %}{% set y = " + expression + " %}{% endfor %}")
        assert "steps" in error.message


def test_limits_are_told() -> None:
    with pytest.raises(TemplateError, match="more than 3 steps"):
        render_template("{% for i in range(9) %}{% endfor %}", {}, name="a", limits=TemplateLimits(steps=3))
    with pytest.raises(TemplateError, match="a text of more than 5 characters"):
        render_template("123456", {}, name="a", limits=TemplateLimits(text=5))
    with pytest.raises(TemplateError, match="the template has more than 5 characters"):
        render_template("123456", {}, name="a", limits=TemplateLimits(source=5))


def test_nothing_that_depends_on_the_machine_gets_out() -> None:
    """Addresses, set order, time: what has no text of its own is refused instead of printed by Python."""
    for expression in (
        "range",
        "dict",
        "namespace",
        "map.items",
        "namespace(a=1)",
        "map.items()",
        "list",
        "map",
        "none",
    ):
        refused("{{ " + expression + " }}")
        refused("{{ " + expression + " ~ '' }}")
        refused("{{ " + expression + " | string }}")


def test_a_rendering_leaves_nothing_behind_for_the_next() -> None:
    text = "{% set ns = namespace(n=0) %}{% for i in range(1000) %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}"
    for _ in range(50):
        assert render_template(text, {}, name="a.j2", limits=TemplateLimits(steps=3000)) == "1000"
    assert render_template("{{ x }}", {"x": "<&>"}, name="a.j2") == "<&>"
