"""Laws: two renders that differ in what a chart invents settle to the same bytes, and layers keep what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from renderer.formats.kubernetes.manifests import dump_manifest
from renderer.model.fields import Json, read_path, spell_path
from renderer.model.generated.discovered import Discovered
from renderer.model.generated.policy import GeneratedPolicy, GeneratedRule, Mode
from renderer.model.objects.manifest import Manifest, Origin
from renderer.model.rendering import Inflated
from renderer.model.site import ValuesLayer
from renderer.stages.generated.discovering import discover
from renderer.stages.settle import Settled, settle
from renderer.stages.values import layer

KEYS = st.sampled_from(["a", "b", "caBundle", "checksum/x", "annotations", "data", "x.y", "name"])
SLOT = "<slot>"
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.sampled_from(["", "text", SLOT, f"a: 1\nb: {SLOT}\n", f"x-{SLOT}"]),
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3), max_leaves=12
)
KINDS = st.sampled_from([("v1", "Secret"), ("v1", "ConfigMap"), ("batch/v1", "Job"), ("a.b/v1", "Thing")])
NAMES = st.sampled_from(["one", "two", f"made-{SLOT}", f"other-{SLOT}"])
OBJECTS = st.lists(
    st.tuples(KINDS, NAMES, st.dictionaries(st.sampled_from(["data", "spec", "stringData"]), VALUES, max_size=2)),
    max_size=5,
    unique_by=lambda one: one[:2],
)
RULES = st.lists(
    st.builds(
        GeneratedRule,
        object=st.sampled_from(["*", "Secret *", "ConfigMap *"]),
        field=st.sampled_from(["*", "*caBundle", "data*"]),
        mode=st.sampled_from([None, *Mode]),
        value=st.sampled_from(["given", None, 5]),
        reason=st.just("because"),
    ),
    max_size=3,
).map(lambda rules: GeneratedPolicy(rules=tuple(rules)))


def rendered(objects: list[tuple[tuple[str, str], str, dict[str, Json]]], invented: str) -> Inflated:
    """One render: every slot holds what was invented this time."""

    def filled(value: Json) -> Json:
        if isinstance(value, str):
            return value.replace(SLOT, invented)
        if isinstance(value, dict):
            return {key: filled(below) for key, below in value.items()}
        return [filled(below) for below in value] if isinstance(value, list) else value

    origin = Origin(extension="demo", component="web", source="web/templates/a.yaml")
    return Inflated(
        manifests=tuple(
            Manifest.of(
                cast(
                    "Mapping[str, Json]",
                    filled({"apiVersion": api, "kind": kind, "metadata": {"name": name}, **fields}),
                ),
                origin,
            )
            for (api, kind), name, fields in objects
        )
    )


def written(settled: Settled) -> list[bytes]:
    everything = [*settled.manifests, *(external.manifest for external in settled.external)]
    return [dump_manifest(one.body) for one in everything]


@given(OBJECTS, RULES)
def test_two_renders_settle_to_the_same_bytes(
    objects: list[tuple[tuple[str, str], str, dict[str, Json]]], rules: GeneratedPolicy
) -> None:
    first, second, third = (rendered(objects, text) for text in ("q1w2e3", "z9y8x7", "m4n5b6"))
    generated = discover(first.manifests, second.manifests).values
    one, other = (settle(render.manifests, generated, rules) for render in (second, third))
    assert written(one) == written(other)
    assert one.findings == other.findings
    for invented in ("z9y8x7", "m4n5b6"):
        assert invented not in str(one) + str(other)


@given(OBJECTS)
def test_equal_renders_have_no_differences(objects: list[tuple[tuple[str, str], str, dict[str, Json]]]) -> None:
    assert discover(rendered(objects, "same").manifests, rendered(objects, "same").manifests) == Discovered()


@given(st.lists(st.text(alphabet='ab.-_/[]" 0', max_size=6).filter(lambda key: '"' not in key) | st.integers(0, 99)))
def test_paths_read_back_as_they_were_spelled(steps: list[str | int]) -> None:
    assert read_path(spell_path(steps)) == tuple(steps)


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=3), max_size=4))
def test_every_leaf_of_merged_values_has_the_layer_that_said_it(values: list[dict[str, Json]]) -> None:
    layers = [ValuesLayer(origin=str(number), values=one) for number, one in enumerate(values)]
    found = layer(layers)
    leaves = dict(_leaves(dict(found.values), ()))
    assert set(found.origins) == {spell_path(path) for path in leaves}
    for path, leaf in leaves.items():
        said: object = values[int(found.origins[spell_path(path)])]
        for step in path:
            assert isinstance(said, dict)
            said = said[step]
        assert said == leaf


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=3), min_size=2, max_size=4))
def test_layers_may_be_merged_in_steps(values: list[dict[str, Json]]) -> None:
    def merged(*ones: Mapping[str, Json]) -> Mapping[str, Json]:
        return layer([ValuesLayer(origin="x", values=one) for one in ones]).values

    assert merged(merged(*values[:-1]), values[-1]) == merged(*values)


def _leaves(value: Json, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Json]]:
    if isinstance(value, dict) and (value or not path):
        return [leaf for key, below in value.items() for leaf in _leaves(below, (*path, key))]
    return [(path, value)]
