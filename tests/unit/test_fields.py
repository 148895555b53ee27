"""Reading of untrusted mappings: every complaint carries the path to the field."""

import pytest

from renderer.model.fields import FieldError, Fields, spell_path
from renderer.model.reference import Platform


def test_a_path_is_spelled_as_people_write_it() -> None:
    assert spell_path(("spec", "bundles", 0, "source")) == "spec.bundles[0].source"
    assert spell_path(("metadata", "labels", "a.b/c")) == 'metadata.labels["a.b/c"]'
    assert spell_path(()) == ""


def test_a_wrong_type_names_the_field_what_was_expected_and_what_was_there() -> None:
    fields = Fields.of({"spec": {"bundles": [{"source": 5}]}})
    with pytest.raises(FieldError) as caught:
        fields.child("spec").children("bundles")[0].text("source")
    assert (caught.value.path, caught.value.expected, caught.value.got) == (
        ("spec", "bundles", 0, "source"),
        "a string",
        "an integer",
    )


def test_a_missing_field_and_a_boolean_for_an_integer_are_refused() -> None:
    fields = Fields.of({"n": True, "list": "text"})
    with pytest.raises(FieldError, match="`name` is missing") as caught:
        fields.text("name")
    assert caught.value.code == "missing-field"
    with pytest.raises(FieldError, match="must be an integer"):
        fields.integer("n")
    with pytest.raises(FieldError, match="must be a list"):
        fields.texts("list")


def test_a_noun_that_cannot_be_built_complains_at_its_field() -> None:
    with pytest.raises(FieldError, match="a platform must read") as caught:
        Fields.of({"platform": "amd64"}).parsed("platform", Platform.parse)
    assert caught.value.path == ("platform",)
    assert caught.value.got == "`amd64`"


def test_what_is_absent_reads_as_empty_or_as_the_default() -> None:
    fields = Fields.of({"nothing": None})
    assert fields.texts("nothing") == ()
    assert fields.children("nothing") == ()
    assert fields.mapping("nothing") == {}
    assert fields.text("nothing", "x") == "x"
    assert fields.optional_text("nothing") is None
    assert fields.flag("nothing", default=True) is True
