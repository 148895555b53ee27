"""Where libyaml stops or goes on and go-yaml v2 does not (formats/kubernetes/yaml_events.py)."""

from __future__ import annotations

import pytest

from renderer.formats.kubernetes.manifests import YamlError, load_documents, load_values


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: \"it\\'s\n", "found unknown escape character", (1, 7)),  # no closing quote, so nothing to spell out
        ('a: "x"\nb: "\\/"\n', "Kubernetes does not know the escape `\\/`; write `/`", (2, 4)),
        ("a: \x01\n", "control characters are not allowed", (1, 4)),
        ("ä: ü\x01\n", "control characters are not allowed", (1, 5)),
    ],
)
def test_a_refusal_says_where(text: str, message: str, place: tuple[int, int]) -> None:
    with pytest.raises(YamlError) as caught:
        load_documents(text.encode())
    assert caught.value.code == "yaml-syntax"
    assert (caught.value.line, caught.value.column) == place
    assert message in caught.value.message


def test_a_bare_tag_makes_text() -> None:
    assert load_values(b"a: ! 1\nb: &x ! true\nc: *x\nd: 1\n") == {"a": "1", "b": "true", "c": "true", "d": 1}


def test_an_escaped_apostrophe_is_read_as_old_libyaml_reads_it() -> None:
    assert load_values(b'a: "it\\\'s"\nb: "it\\\\\\\'s"\n') == {"a": "it's", "b": "it\\'s"}


def test_an_escaped_slash_outside_of_double_quotes_is_text() -> None:
    assert load_values(b"a: '\\/'\nb: x\\/y\nc: \"x\"\n") == {"a": "\\/", "b": "x\\/y", "c": "x"}


def test_a_bare_tag_without_a_value_is_empty_text() -> None:
    assert load_values(b"a: [!, x]\nb: {c: ! }\nd: !\n") == {"a": ["", "x"], "b": {"c": ""}, "d": ""}
