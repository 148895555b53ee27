"""Differences of JSON values: none exactly when the values are equal, and telling one from the other."""

import json

from hypothesis import given
from hypothesis import strategies as st

from renderer.model.fields import Json
from renderer.stages.review.differences import differences

names = st.sampled_from(["name", "value", "a", "b", "a.b/c"])
scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "y\nz"])
values = st.recursive(
    scalars, lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=3), max_leaves=12
)


def spelled(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


@given(values)
def test_a_value_does_not_differ_from_itself(value: Json) -> None:
    assert list(differences(value, json.loads(json.dumps(value)))) == []


@given(values, values)
def test_different_values_differ_somewhere_and_every_difference_is_one(before: Json, after: Json) -> None:
    found = list(differences(before, after))
    assert bool(found) == (spelled(before) != spelled(after))
    for change in found:
        added_or_removed_null = change.before is None and change.after is None
        assert added_or_removed_null or spelled(change.before) != spelled(change.after)


@given(values, values)
def test_the_way_back_touches_as_many_fields(before: Json, after: Json) -> None:
    forth, back = list(differences(before, after)), list(differences(after, before))
    assert bool(forth) == bool(back)
