"""Layers of values: merged as Helm merges values files, remembering who said what."""

from __future__ import annotations

from copy import deepcopy

from renderer.model.fields import Json
from renderer.model.site import ValuesLayer
from renderer.stages.values import layer


def layers(*values: dict[str, Json]) -> list[ValuesLayer]:
    return [ValuesLayer(origin=f"layer-{number}", values=one) for number, one in enumerate(values)]


def test_mappings_merge_and_everything_else_replaces() -> None:
    found = layer(
        layers(
            {"image": {"name": "a", "tag": "1"}, "args": [1, 2], "port": 80},
            {"image": {"tag": "2"}, "args": [3], "port": {"http": 81}},
        )
    )
    assert found.values == {"image": {"name": "a", "tag": "2"}, "args": [3], "port": {"http": 81}}
    assert found.origins == {
        "args": "layer-1",
        "image.name": "layer-0",
        "image.tag": "layer-1",
        "port.http": "layer-1",
    }


def test_a_null_is_kept_for_helm_and_forgets_what_it_replaces() -> None:
    found = layer(layers({"a": {"b": 1, "c": 2}, "d": None}, {"a": None}))
    assert found.values == {"a": None, "d": None}
    assert found.origins == {"a": "layer-1", "d": "layer-0"}


def test_a_mapping_over_a_null_starts_anew() -> None:
    found = layer(layers({"a": {"b": 1}}, {"a": None}, {"a": {"c": 2}}))
    assert found.values == {"a": {"c": 2}}
    assert found.origins == {"a.c": "layer-2"}


def test_an_empty_mapping_changes_a_mapping_no_more_than_in_helm() -> None:
    found = layer(layers({"a": {"b": 1}, "c": {}, "e": 1}, {"a": {}, "c": {"d": 1}, "e": {}}))
    assert found.values == {"a": {"b": 1}, "c": {"d": 1}, "e": {}}
    assert found.origins == {"a.b": "layer-0", "c.d": "layer-1", "e": "layer-1"}


def test_paths_are_spelled_as_in_findings() -> None:
    found = layer(layers({"a.b/c": {"d": 1}, "list": [{"e": 1}]}))
    assert found.origins == {'["a.b/c"].d': "layer-0", "list": "layer-0"}


def test_nothing_that_was_given_is_changed() -> None:
    given = layers({"a": {"b": {"c": 1}}}, {"a": {"b": {"d": 2}}}, {"a": {"b": {"c": None}}})
    before = deepcopy([one.values for one in given])
    assert layer(given).values == {"a": {"b": {"c": None, "d": 2}}}
    assert [one.values for one in given] == before


def test_no_layers_are_no_values() -> None:
    assert (layer([]).values, layer([]).origins) == ({}, {})
