"""Kubernetes YAML: what we read is what Kubernetes reads, what we write is read as the same by everybody.

The oracle is Go's own sigs.k8s.io/yaml, which comes with the embedded Helm; kubectl confirms it where it is here.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import cast

import pytest
import yaml
from helm_python.chart import values_from_yaml

from renderer.formats.kubernetes.manifests import (
    DuplicateKey,
    Limits,
    UnwritableError,
    YamlError,
    dump,
    dump_manifest,
    load_documents,
    load_values,
)
from renderer.model.fields import Json
from tests.property.strategies import TRAPS, same_json


def read(text: str) -> Json:
    """The value of the key `a`, once our reader and Go agree on the whole document."""
    ours = load_values(text.encode())
    assert same_json(ours, values_from_yaml(text)), text
    return cast("dict[str, Json]", ours).get("a")


REFUSED_BY_US_ALONE = {"a: [a:]\n", "{}: a\n"}
"""Garbage that go-yaml v2 reads somehow and libyaml refuses."""


def both(text: str) -> tuple[object, object]:
    """What we read and what Go reads; an error where one of the two refuses."""
    ours: object
    theirs: object
    try:
        ours = load_values(text.encode())
    except YamlError as error:
        ours = error
    try:
        theirs = values_from_yaml(text)
    except Exception as error:  # noqa: BLE001 - Go's errors have no common type
        theirs = error
    return ours, theirs


class TestScalars:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("on", True), ("yes", True), ("y", True), ("Y", True), ("TRUE", True), ("off", False), ("n", False),
            ("yEs", "yEs"), ("~", None), ("", None), ("Null", None), ("nULL", "nULL"),
            ("0777", 511), ("0o777", 511), ("08", 8), ("012345678901", 12345678901), ("0123456701", 21913025),
            ("1_000", 1000), ("1_", 1), ("0b101", 5), ("0b-1", -1), ("0x1F", 31), ("0x_1F", 31), ("-0777", -511),
            ("1e3", 1000), ("6e10", 60000000000), ("12e03", 12000), ("1e999", "1e999"), ("12e45678", "12e45678"),
            ("1.0", 1), ("1.50", 1.5), (".5", 0.5), (".5_0", 0.5), (".5__0", ".5__0"), ("-0.0", 0), ("1.2.3", "1.2.3"),
            ("2001-01-01", "2001-01-01"), ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("1:30", "1:30"), ("190:20:30", "190:20:30"), ("=", "="), ("<<", "<<"),
            ("!!str 12", "12"), ('!!int "12"', 12), ("!!float 1", 1), ("! 12", "12"), ("!foo bar", "bar"),
            ("!!binary aGk=", "hi"), ("!!binary gIE=", "\ufffd\ufffd"), ("!!timestamp 2001-01-01", "2001-01-01"),
            ('"\\u00e9\\x41\\N"', "éA\x85"), ("'it''s'", "it's"), ('"it\\\'s"', "it's"),
            ("18446744073709551615", 18446744073709551615.0), ("0xFFFFFFFFFFFFFFFF", 18446744073709551615.0),
            ("+0xFFFFFFFFFFFFFFFF", "+0xFFFFFFFFFFFFFFFF"), ("1" * 400, "1" * 400),
        ],
    )  # fmt: skip
    def test_mean_what_go_yaml_v2_says(self, text: str, value: Json) -> None:
        assert json.dumps(read(f"a: {text}\n")) == json.dumps(value)

    @pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap.strip() and trap.isprintable()])
    def test_every_trap_bare_as_value_and_as_key_reads_as_in_go(self, trap: str) -> None:
        for text in (f"a: {trap}\n", f"{trap}: a\n", f"a: [{trap}]\n"):
            ours, theirs = both(text)
            if isinstance(theirs, Exception):
                # Helm's reader takes mappings only; anything else that Go refuses we must refuse too.
                assert isinstance(ours, YamlError) or not isinstance(ours, dict), text
            elif text not in REFUSED_BY_US_ALONE:
                assert same_json(ours, theirs), text

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("y", "true"), ("off", "false"), ("010", "8"), ("1.0", "1"), ("1.1", "1.1"),
            ("0.1234567890123", "0.12345679"),
            ("100000.5", "100000.5"), ("1e6", "1e+06"), ("100000000.0", "1e+08"), ("16777217.0", "1.6777216e+07"),
            ("0.00001", "1e-05"), ("1e39", ".inf"), (".inf", ".inf"), ("-.inf", "-.inf"),
            (".nan", ".nan"), ("2001-01-01", "2001-01-01"),
        ],
    )  # fmt: skip
    def test_become_keys_the_way_go_spells_them(self, text: str, key: str) -> None:
        read(f"{text}: 1\n")
        assert load_values(f"{text}: 1".encode()) == {key: 1}

    def test_64_bit_integers_stay_exact(self) -> None:
        # Helm's reader makes floats of them; kubectl and the API server do not.
        assert load_values(b"[9007199254740993, 9223372036854775807, -9223372036854775808, 1e18]") == [
            9007199254740993, 9223372036854775807, -9223372036854775808, 10**18,
        ]  # fmt: skip
        assert isinstance(cast("list[Json]", load_values(b"[1e18]"))[0], int)
        assert isinstance(cast("list[Json]", load_values(b"[1e19]"))[0], float)


class TestStructure:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("{k: 3, <<: {k: 4}}", {"k": 4}),
            ("{<<: {k: 4}, k: 3}", {"k": 3}),
            ("{<<: [{k: 1}, {k: 2, l: 3}]}", {"k": 1, "l": 3}),
            ('{"<<": {k: 4}}', {"<<": {"k": 4}}),
            ("{!!merge <<: {k: 4}}", {"k": 4}),
            ("{k: 1, k: 2}", {"k": 2}),
            ("[&x 1, *x, {*x : 2}]", [1, 1, {"1": 2}]),
            ("[&x yes, *x, {*x : 2}]", [True, True, {"true": 2}]),
            ("[&x {k: 1}, &x [2], *x]", [{"k": 1}, [2], [2]]),
            ("[&x .inf]", None),
        ],
    )
    def test_merges_aliases_and_duplicates_follow_go(self, text: str, value: Json) -> None:
        if value is None:
            with pytest.raises(YamlError):
                load_values(f"a: {text}".encode())
            return
        assert read(f"a: {text}\n") == value

    @pytest.mark.parametrize(
        ("text", "line", "column", "message"),
        [
            ("a: .inf", 1, 4, "`.inf` and `.nan` are no JSON numbers; Kubernetes refuses them"),
            ("a:\n- .nan", 2, 3, "`.inf` and `.nan` are no JSON numbers; Kubernetes refuses them"),
            ("~: 1", 1, 1, "this cannot be the key of a mapping: Kubernetes refuses null and integers above 63 bits"),
            ("[1]: 1", 1, 1, "a mapping or a list cannot be the key of a mapping"),
            ("a: *x", 1, 4, "no anchor `x` stands before this alias"),
            ("a: &x [*x]", 1, 8, "the anchor `x` contains itself"),
            ("<<: 1", 1, 5, "`<<` takes a mapping or a list of mappings"),
            ("<<: [1]", 1, 6, "`<<` takes a mapping or a list of mappings"),
            ("a: !!int x", 1, 4, "`x` is no int"),
            ("a: !!timestamp 2001-13-01", 1, 4, "`2001-13-01` is no timestamp"),
            ("a: !!binary '*'", 1, 4, "`!!binary` holds invalid base64"),
            ('a: "x\\/y"', 1, 4, "Kubernetes does not know the escape `\\/`; write `/`"),
            ("%YAML 1.2\n---\na: 1", 1, 1, "Kubernetes reads YAML 1.1 and refuses the directive `%YAML 1.2`"),
            ("a: [1", 2, 1, "did not find expected ',' or ']' while parsing a flow sequence"),
            ("\ta: 1", 1, 1, "found character that cannot start any token while scanning for the next token"),
            ("a: é\x7f", 1, 5, "control characters are not allowed"),
        ],
    )
    def test_what_kubernetes_refuses_is_refused_with_its_place(
        self, text: str, line: int, column: int, message: str
    ) -> None:
        with pytest.raises(Exception):  # noqa: B017, PT011 - Go's error has no type of its own
            values_from_yaml(text)
        with pytest.raises(YamlError) as caught:
            load_values(text.encode())
        assert (caught.value.line, caught.value.column, caught.value.message) == (line, column, message)

    def test_bytes_that_are_not_utf8(self) -> None:
        for content in (b"a: \xff", b"\xff\xfea\x00", b"a: \xed\xa0\x80"):
            with pytest.raises(YamlError):
                load_documents(content)
        assert load_values(b"\xef\xbb\xbfa: 1") == {"a": 1}


class TestStreams:
    def test_empty_documents_are_left_out_and_lines_counted(self) -> None:
        stream = b"# only a comment\n---\n---\nnull\n---\na: 1\n---\n\n# b\nb: 2\n"
        assert [(document.value, document.line) for document in load_documents(stream)] == [
            ({"a": 1}, 6),
            ({"b": 2}, 10),
        ]

    def test_content_on_the_line_of_the_dashes_is_refused_as_kubectl_does(self) -> None:
        with pytest.raises(YamlError, match=r"line 1, .* content on the line of `---`"):
            load_documents(b"--- {a: 1}\n")
        assert load_documents(b"--- # fine\na: 1\n")[0].value == {"a": 1}

    def test_a_key_given_twice_is_noted_or_refused(self) -> None:
        stream = b"a: 1\n---\nx:\n  y: 1\n  'true': 2\nx: {}\n"
        first, second = load_documents(stream)
        assert first.duplicates == ()
        assert second.duplicates == (DuplicateKey(5, "true"), DuplicateKey(6, "x"))
        with pytest.raises(YamlError, match="line 5, column 3: the key `true` is given twice") as caught:
            load_documents(stream, strict_keys=True)
        assert caught.value.code == "duplicate-key"

    def test_a_merge_may_be_overridden_but_may_not_override(self) -> None:
        assert load_documents(b"<<: {a: 1}\na: 2", strict_keys=True)[0].value == {"a": 2}
        assert load_documents(b"a: 2\n<<: {a: 1}")[0].duplicates == (DuplicateKey(2, "a"),)

    def test_lines_stay_right_where_a_document_needs_a_closer_look(self) -> None:
        stream = b'a: 1\n---\nb: "it\\\'s"\n---\nc: "\\/"\n'
        with pytest.raises(YamlError) as caught:
            load_documents(stream)
        assert (caught.value.line, caught.value.column) == (5, 4)
        found = load_documents(stream.replace(b"\\/", b"/") + b"c: 2\n")
        assert [document.line for document in found] == [1, 3, 5]
        assert found[1].value == {"b": "it's"}
        assert found[2].duplicates == (DuplicateKey(6, "c"),)

    def test_backslashes_before_apostrophes_elsewhere_are_left_alone(self) -> None:
        text = "a: 'x\\'\nb: \"it\\'s \\\\'\"\nc: |\n  \\'\nd: x\\'y\n"
        assert load_values(text.encode()) == values_from_yaml(text)

    def test_values_files_hold_one_document(self) -> None:
        assert load_values(b"") == {}
        assert load_values(b"# nothing\n") == {}
        with pytest.raises(YamlError, match="line 3, column 1: one document is expected here"):
            load_values(b"a: 1\n---\nb: 2\n")


class TestLimits:
    BOMB = b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)
    )

    @pytest.mark.parametrize(
        ("content", "limits", "message"),
        [
            (b"a" * 11, Limits(bytes=10), "the stream has 11 bytes; 10 are allowed"),
            (b"[" * 50_000, Limits(), "nested deeper than 200 levels"),
            (b"{a: " * 50_000, Limits(), "nested deeper than 200 levels"),
            (b"- " * 50_000, Limits(), "nested deeper than 200 levels"),
            (b"[[1]]", Limits(depth=1), "nested deeper than 1 levels"),
            (b"x: &x [[1]]\ny: [*x]", Limits(depth=3), "nested deeper than 3 levels"),
            (b"[1, 2, 3]", Limits(nodes=3), "more than 3 values"),
            (BOMB, Limits(), "aliases stand for more than 400000 values"),
            (b"---\na\n" * 4, Limits(documents=3), "more than 3 documents"),
            (b"---\n'\\''\n---\n\"\\'\"\n" * 4, Limits(documents=3), None),
        ],
    )
    def test_what_costs_too_much_is_refused_at_once(self, content: bytes, limits: Limits, message: str | None) -> None:
        start = time.perf_counter()
        with pytest.raises(YamlError) as caught:
            load_documents(content, limits=limits)
        assert time.perf_counter() - start < 10, "slow machines get time, endless work does not"
        if message is not None:
            assert (caught.value.message, caught.value.code) == (message, "yaml-limit")

    def test_an_alias_repeats_the_value_without_copying_it(self) -> None:
        value = cast("dict[str, Json]", load_values(b"x: &x [1]\nz: *x"))
        assert value["x"] is value["z"]


class TestWriting:
    def test_an_object_has_its_identity_first(self) -> None:
        body: dict[str, Json] = {
            "spec": {"b": [{"z": 1, "a": [[1, "x"], {}]}, []], "a": None},
            "metadata": {
                "uid": "u",
                "annotations": {"b": "2", "a": "on"},
                "labels": {},
                "namespace": "shop",
                "name": "08",
            },
            "kind": "Thing",
            "apiVersion": "example.com/v1",
            "data": {
                "run.sh": "#!/bin/sh\n\necho\n",
                "keep": "a\n\n",
                "cut": "a\nb",
                "in": "  a\nb\n",
                "tab": "\ta\n\tb",
            },
        }
        assert dump_manifest(body).decode() == (
            "apiVersion: example.com/v1\n"
            "kind: Thing\n"
            "metadata:\n"
            '  name: "08"\n'
            "  namespace: shop\n"
            "  labels: {}\n"
            "  annotations:\n"
            '    a: "on"\n'
            '    b: "2"\n'
            "  uid: u\n"
            "data:\n"
            "  cut: |-\n    a\n    b\n"
            "  in: |2\n      a\n    b\n"
            "  keep: |+\n    a\n\n"
            "  run.sh: |\n    #!/bin/sh\n\n    echo\n"
            "  tab: |2-\n    \ta\n    \tb\n"
            "spec:\n"
            "  a: null\n"
            "  b:\n"
            "  - a:\n"
            "    - - 1\n"
            "      - x\n"
            "    - {}\n"
            "    z: 1\n"
            "  - []\n"
        )
        assert load_values(dump_manifest(body)) == body

    def test_every_trap_is_read_back_by_go_pyyaml_and_ourselves(self) -> None:
        value: Json = {
            "keys": {trap: trap for trap in TRAPS},
            "list": [*TRAPS, list(TRAPS)],
            "deep": [[{"a": list(TRAPS)}]],
        }
        text = dump(value)
        assert values_from_yaml(text) == value
        assert yaml.load(text, yaml.CSafeLoader) == value
        assert load_values(text.encode()) == value

    @pytest.mark.parametrize(
        "text",
        [
            "nginx",
            "nginx:1.25",
            "10Mi",
            "30s",
            "1.5Gi",
            "v1.2.3",
            "a b",
            "http://a/b?c=d#e",
            "/bin/sh",
            "{a}"[1:],
            "中文",
            "(x)",
        ],
    )
    def test_harmless_text_stays_bare(self, text: str) -> None:
        assert dump(text) == f"{text}\n"

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "null"), (True, "true"), (0, "0"), (-1, "-1"), (1.0, "1"), (-0.0, "0"), (1.5, "1.5"),
            (1e-7, "1.0e-07"),
            (1e16, "10000000000000000"), (1e19, "1.0e+19"), (1.5e300, "1.5e+300"), (2**63 - 1, "9223372036854775807"),
            (2**64, "18446744073709551616"), ([], "[]"), ({}, "{}"), ("", '""'), ("\n", '"\\n"'),
            ("a\x85b", '"a\\x85b"'),
            ("\u202eb", '"\\u202Eb"'), ("\x1b", '"\\x1B"'), ("a\r\nb", '"a\\r\\nb"'),
            (" \na", '" \\na"'), ("a\n ", '"a\\n "'),
        ],
    )  # fmt: skip
    def test_one_line_spellings(self, value: Json, text: str) -> None:
        assert dump(value) == f"{text}\n"

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (float("inf"), "`inf` is not a JSON number; Kubernetes refuses it"),
            (float("nan"), "`nan` is not a JSON number; Kubernetes refuses it"),
            (2**64 + 1, "18446744073709551617 is outside 64 bits; Kubernetes would read another number"),
            (10**400, "outside 64 bits"),
            ("a\ud800", "is half of a character"),
            ({"\udfff": 1}, "is half of a character"),
            ({1: 1}, "the key of a mapping must be a string, not an integer"),
            ({1: 1, "a": 1}, "the keys of a mapping must be strings"),
            (b"a", "a value of type `bytes` is not JSON"),
        ],
    )
    def test_what_kubernetes_yaml_cannot_say_is_refused(self, value: Json, message: str) -> None:
        with pytest.raises(UnwritableError, match=message):
            dump({"a": [value]})

    def test_a_value_without_end_is_refused(self) -> None:
        endless: list[Json] = []
        endless.append(endless)
        with pytest.raises(UnwritableError, match="nested too deeply"):
            dump(endless)
        with pytest.raises(UnwritableError, match="nested too deeply"):
            dump_manifest({"spec": endless})

    def test_long_text_is_never_folded_and_long_keys_are_explicit(self) -> None:
        assert dump({"a": "word " * 500 + "end"}).count("\n") == 1
        assert dump({"k" * 1100: [1]}) == f"? {'k' * 1100}\n:\n- 1\n"

    def test_an_empty_object_is_still_a_document(self) -> None:
        assert dump_manifest({}) == b"{}\n"
        assert dump_manifest({"metadata": {}}) == b"metadata: {}\n"


@pytest.mark.real
def test_kubectl_reads_what_we_write_and_we_read_what_it_reads(kubectl: Path) -> None:
    written: list[Json] = [1, 1.5, 1e18, 1e19, 2**63 - 1, -(2**63), 9007199254740993, True, None, [*TRAPS]]
    bare = [
        "on",
        "0777",
        "1e3",
        "1.0",
        "9007199254740993",
        "18446744073709551615",
        "1e18",
        "2001-01-01",
        ".5_0",
        "! 12",
        "0b-1",
    ]

    def document(value: str) -> str:
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\nvalue: {value}\n"

    texts = [
        dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "value": value}) for value in written
    ] + [document(text) for text in bare]
    stream = "---\n".join(texts)
    run = subprocess.run(
        [kubectl, "label", "--local", "-o", "json", "-f", "-", "x=y"],
        input=stream.encode(),
        capture_output=True,
        check=True,
    )
    items = []
    decoder, rest = json.JSONDecoder(), run.stdout.decode().strip()
    while rest:
        item, end = decoder.raw_decode(rest)
        items.append(item)
        rest = rest[end:].strip()
    ours = [cast("dict[str, Json]", document.value).get("value") for document in load_documents(stream.encode())]
    theirs = [item.get("value") for item in items]
    assert len(theirs) == len(ours) == len(texts)
    assert [(type(value), value) for value in ours if not isinstance(value, float)] == [
        (type(other), other) for value, other in zip(ours, theirs, strict=True) if not isinstance(value, float)
    ]
    assert [float(value) for value in ours if isinstance(value, float)] == [
        float(other) for value, other in zip(ours, theirs, strict=True) if isinstance(value, float)
    ]
