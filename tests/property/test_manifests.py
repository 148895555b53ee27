"""Kubernetes YAML, for any value and any text."""

from __future__ import annotations

import io
from collections.abc import Callable

import yaml
from helm_python.chart import values_from_yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from renderer.errors import InputError
from renderer.formats.documents.document import parse_document
from renderer.formats.kubernetes.manifests import YamlError, dump, dump_manifest, load_documents, load_values
from renderer.model.fields import Json
from tests.property.strategies import json_objects, json_values, same_json, yaml_texts

_patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@_patient
@given(json_objects)
def test_go_pyyaml_and_ruamel_read_what_we_write(value: dict[str, Json]) -> None:
    text = dump(value)
    assert same_json(values_from_yaml(text), value)
    assert same_json(yaml.load(text, yaml.CSafeLoader), value)
    assert same_json(YAML(typ="safe", pure=True).load(io.StringIO(text)), value)


@given(json_values)
def test_reading_what_was_written_gives_the_value_and_the_same_bytes(value: Json) -> None:
    text = dump({"value": value})
    again = load_values(text.encode())
    assert same_json(again, {"value": value})
    assert dump(again) == text


@given(json_objects, json_objects)
def test_an_object_keeps_its_value_and_is_one_document(body: dict[str, Json], metadata: dict[str, Json]) -> None:
    whole: dict[str, Json] = {**body, "metadata": metadata}
    (document,) = load_documents(dump_manifest(whole), strict_keys=True)
    assert same_json(document.value, whole)
    shuffled = dict(reversed(whole.items()))
    assert dump_manifest(shuffled) == dump_manifest(whole)


@_patient
@given(yaml_texts)
def test_what_we_accept_go_reads_the_same(text: str) -> None:
    try:
        ours = load_values(text.encode())
    except YamlError:
        return  # refusing more than Go is safe; the unit tests say what must be read
    if isinstance(ours, dict):
        assert same_json(ours, values_from_yaml(text))


@_patient
@given(yaml_texts)
def test_what_people_may_write_go_reads_the_same(text: str) -> None:
    try:
        ours = parse_document(text.encode(), "file.yaml").value
    except InputError:
        return  # what two readers could read differently is refused
    if isinstance(ours, dict) and "\\/" not in text:  # JSON has that escape, and go-yaml v2 does not know it
        assert same_json(ours, values_from_yaml(text))


@settings(deadline=10_000)
@given(st.one_of(st.binary(max_size=80), st.text("-?:{}[]!&*#|>%@'\"\\ \n\ta1.,~<", max_size=50).map(str.encode)))
def test_any_bytes_give_a_value_or_a_typed_error_with_a_place(content: bytes) -> None:
    place = read_or_place(lambda: [dump(document.value) for document in load_documents(content)])
    assert place is None or min(place) >= 1
    place = read_or_place(lambda: parse_document(content, "file.yaml"))
    assert place is None or min(place) >= 1


def read_or_place(read: Callable[[], object]) -> tuple[int, int] | None:
    """Line and column of the error that `read` raises, if it raises one."""
    try:
        read()
    except YamlError as error:
        return error.line, error.column
    except InputError as error:
        where = error.findings[0].where
        return where.line or 0, where.column or 0
    return None
