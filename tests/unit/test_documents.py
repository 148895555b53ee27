"""Documents that people write: every fault at once, each with its place, in words that say what to do."""

from __future__ import annotations

import time

import pytest

from renderer.adapters.package_data import schema, schema_names, template, template_names
from renderer.errors import Finding, InputError
from renderer.formats.documents.document import (
    Document,
    DocumentLimits,
    Faults,
    locate_error,
    merge_layers,
    parse_document,
    validate,
)
from renderer.formats.documents.editing import edit
from renderer.formats.documents.nearest import did_you_mean
from renderer.model.fields import FieldError, Json

PROFILE = b"""\
# a site
apiVersion: example.dev/v1   # the version
kind: Site
spec:
  agent: argocd
  version: "1.10"
  bundles:
    - source: ./a.tar
    - {source: ./b.tar, size: 10}
  values: {image: {tag: v1}}
"""


def faults(content: bytes, limits: DocumentLimits | None = None) -> list[tuple[str, str, str]]:
    """Code, place and message of everything that is wrong with a text."""
    with pytest.raises(InputError) as caught:
        parse_document(content, "p.yaml", limits=limits or DocumentLimits())
    return [(finding.code, str(finding.where), finding.message) for finding in caught.value.findings]


class TestReading:
    def test_values_are_plain_json(self) -> None:
        assert parse_document(PROFILE, "p.yaml").value == {
            "apiVersion": "example.dev/v1",
            "kind": "Site",
            "spec": {
                "agent": "argocd",
                "version": "1.10",
                "bundles": [{"source": "./a.tar"}, {"source": "./b.tar", "size": 10}],
                "values": {"image": {"tag": "v1"}},
            },
        }

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("2026-01-01", "2026-01-01"), ("1:30", "1:30"), ("1e3", 1000), ("1.10", 1.1), ("0o17", 15), ("0x1F", 31),
            ("+7", 7),
            ("08", 8), ("1e400", "1e400"),
            ("~", None), ("", None), ("True", True), ("=", "="), ("v1", "v1"), ("!!str 12", "12"),
            ("! 12", "12"), ("!!int 12", 12), ('"\\u4e2d"', "中"), ("|\n  a\n  b\n", "a\nb\n"), ("{}", {}), ("[]", []),
            ("18446744073709551616", 18446744073709551616.0), ("1" * 320, "1" * 320),
            ("0x" + "f" * 300, "0x" + "f" * 300),
        ],
    )  # fmt: skip
    def test_scalars_mean_what_yaml_1_2_and_kubernetes_agree_on(self, text: str, value: Json) -> None:
        found = parse_document(f"a: {text}".encode(), "p.yaml").value
        assert found == {"a": value}

    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("yes", "true"), ("off", "false"), ("0777", "511"), ("1_000", "1000"), ("0b11", "3"),
            (".5_0", "0.5"), ("-0x1F", "-31"),
        ],
    )  # fmt: skip
    def test_scalars_on_which_they_disagree_are_refused(self, text: str, meant: str) -> None:
        with pytest.raises(InputError) as caught:
            parse_document(f"a: {text}".encode(), "p.yaml")
        (finding,) = caught.value.findings
        assert finding.code == "ambiguous-value"
        assert finding.hint == f'write `{meant}`, or "{text}" for the text'

    def test_all_faults_come_at_once_in_the_order_of_the_file(self) -> None:
        text = b"a: yes\nb: 1\nb: 2\ny: 1\nf: .inf\nh: !foo x\n<<: [1]\ni: [1\n"
        assert faults(text) == [
            ("ambiguous-value", "p.yaml:1:4", '`yes` means `true` to Kubernetes and the text "yes" to YAML 1.2'),
            ("duplicate-key", "p.yaml:3:1", "the key `b` is given twice"),
            ("ambiguous-value", "p.yaml:4:1", "the key `y` is not text to every reader"),
            ("ambiguous-value", "p.yaml:5:4", "`.inf` is no number that JSON and Kubernetes know"),
            ("yaml-syntax", "p.yaml:6:4", "the tag `!foo` is not used here"),
            ("yaml-syntax", "p.yaml:7:1", "`<<` takes a mapping or a list of mappings"),
        ]

    @pytest.mark.parametrize(
        ("text", "place", "message"),
        [
            (b"\ta: 1", "p.yaml:1:1", "found character that cannot start any token"),
            ("a: b\u2028c".encode(), "p.yaml:1:5", "the character U+2028 ends a line to some readers of YAML"),
            (b'{"a": "\\ud83d\\ude00"}', "p.yaml:1:10", "found invalid Unicode character escape code"),
            (b"a: [1", "p.yaml:1:6", "did not find expected ',' or ']'"),
            (b"a: 1\n---\nb: 1", "p.yaml:2:1", "one document is expected in this file; a second one starts here"),
            (b"a: *x", "p.yaml:1:4", "no anchor `&x` stands before the alias `*x`"),
            (b"a: &x [*x]", "p.yaml:1:8", "the anchor `&x` contains itself"),
            (b"[a]: 1", "p.yaml:1:1", "the key of a mapping must be text"),
            (b"a: b\x07", "p.yaml:1:5", "this character is not allowed in YAML"),
            (b"a: \xff", "p.yaml:1:4", "the text is not UTF-8"),
            (b"%YAML 1.1\n---\na: 1", "p.yaml:1:1", "directives (`%YAML`, `%TAG`) are not used here"),
            (b"x: 1\n<<: {x: 2}", "p.yaml:2:1", "`<<` stands behind the key `x`"),
            (b"a: !!int x", "p.yaml:1:4", "`x` is not of the type `!!int`"),
        ],
    )
    def test_syntax_errors_have_a_place(self, text: bytes, place: str, message: str) -> None:
        code, where, found = faults(text)[0]
        assert (where, found[: len(message)]) == (place, message)
        assert code in {"yaml-syntax", "ambiguous-value"}

    def test_merges_and_aliases(self) -> None:
        text = b"base: &b {k: 1, l: [1]}\none: {<<: *b, k: 2}\ntwo: {<<: [{m: 3}, *b]}\nkey: &k name\nmap: {*k : 1}\n"
        document = parse_document(text, "p.yaml")
        value = document.value
        assert isinstance(value, dict)
        assert value["one"] == {"k": 2, "l": [1]}
        assert value["two"] == {"m": 3, "k": 1, "l": [1]}
        assert value["map"] == {"name": 1}
        assert document.locate(("one", "l", 0)) == (2, 1) or document.locate(("one", "l", 0)) == (2, 6)

    @pytest.mark.parametrize(
        ("text", "limits"),
        [
            (b"a" * 20, DocumentLimits(bytes=10)),
            (b"[" * 200, DocumentLimits()),
            (b"{a: " * 1000, DocumentLimits()),
            (b"[1, 2, 3, 4]", DocumentLimits(values=4)),
            (b"a: &a [[1]]\nb: [*a]", DocumentLimits(depth=3)),
            (b"a: &a [1,2,3]\nb: [*a, *a, *a]", DocumentLimits(aliased=10)),
        ],
    )
    def test_what_costs_too_much_is_refused(self, text: bytes, limits: DocumentLimits) -> None:
        start = time.perf_counter()
        assert [code for code, _, _ in faults(text, limits)] == ["yaml-limit"]
        assert time.perf_counter() - start < 10, "slow machines get time, endless work does not"

    def test_an_empty_file_holds_nothing(self) -> None:
        assert parse_document(b"# nothing\n", "p.yaml").value is None
        assert parse_document(b"\xef\xbb\xbf{}", "p.yaml").value == {}


class TestPlaces:
    def test_a_value_a_key_and_what_is_not_there(self) -> None:
        document = parse_document(PROFILE, "p.yaml")
        assert document.locate(("spec", "agent")) == (5, 10)
        assert document.locate(("spec", "agent"), key=True) == (5, 3)
        assert document.locate(("spec", "bundles")) == (7, 3), "a nested list is shown by its key"
        assert document.locate(("spec", "bundles", 1, "size")) == (9, 31)
        assert document.locate(("spec", "bundles", 7, "size")) == (7, 3)
        assert document.locate(("nothing",)) == (2, 1)
        assert str(document.where(("spec", "bundles", 1))) == "p.yaml:9:7, spec.bundles[1]"
        assert Document("p.yaml", None).locate(("a",)) == (1, 1)

    def test_faults_of_the_model_get_their_place(self) -> None:
        document = parse_document(PROFILE, "p.yaml")
        collected = Faults()
        with collected.at(document):
            raise FieldError(("spec", "version"), "this is no version", expected="semver")
        with collected.at(document):
            raise FieldError(("spec", "bundles", 0, "digest"), "`digest` is missing", code="missing-field")
        with collected.at(document):
            raise InputError(Finding(code="other", message="another"))
        with pytest.raises(InputError) as caught:
            collected.raise_if_any()
        assert [str(finding.where) for finding in caught.value.findings] == [
            "",
            "p.yaml:6:12, spec.version",
            "p.yaml:8:7, spec.bundles[0].digest",
        ]
        Faults().raise_if_any()
        found = locate_error(document, FieldError(("spec", "agent"), "no", code="unknown-field"))
        assert (found.where.line, found.where.column) == (5, 3)


SCHEMA: dict[str, Json] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "agent"],
    "properties": {
        "name": {"$ref": "#/$defs/label"},
        "agent": {"enum": ["argocd", "flux"], "description": "Who applies the tree. More."},
        "kind": {"const": "Site"},
        "version": {"type": "string"},
        "sizes": {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"type": "integer", "minimum": 3}},
        "labels": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}},
        "until": {"type": "string", "format": "date", "x-expected": "a day, such as 2026-12-31"},
        "flag": {"type": ["string", "boolean"]},
        "source": {
            "oneOf": [
                {"type": "string", "pattern": "^oci://"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["path"],
                    "properties": {"path": {"type": "string"}},
                },
            ]
        },
        "need": {"oneOf": [{"required": ["extension"]}, {"required": ["capability"]}]},
    },
    "$defs": {"label": {"type": "string", "pattern": "^[a-z]+$", "x-expected": "lower-case letters"}},
}


def violations(text: str) -> list[str]:
    """Every violation of SCHEMA, on one line each."""
    with pytest.raises(InputError) as caught:
        validate(parse_document(text.encode(), "p.yaml"), SCHEMA, kind="site")
    return [
        f"{found.where.line}:{found.where.column} {found.code}: {found.message}"
        f"\n  expected {found.expected}; got {found.got}; hint: {found.hint}"
        for found in caught.value.findings
    ]


class TestSchema:
    def test_a_valid_document_passes(self) -> None:
        validate(parse_document(b"name: a\nagent: flux\nsource: {path: x}\nneed: {extension: a}", "p.yaml"), SCHEMA)

    @pytest.mark.parametrize(
        ("text", "place_and_code", "message", "expected", "got", "hint"),
        [
            ("kind: site", "1:7 invalid-value", "`kind` cannot be `site`", "`Site`", None, None),
            (
                "agent: argo",
                "1:8 invalid-value",
                "`agent` cannot be `argo`",
                "`argocd` or `flux`",
                None,
                "did you mean `argocd`?",
            ),
            ("name: A", "1:7 invalid-value", "`name` cannot be `A`", "lower-case letters", None, None),
            ("until: soon", "1:8 invalid-value", "`until` cannot be `soon`", "a day, such as 2026-12-31", None, None),
            (
                "version: 1.10",
                "1:10 wrong-type",
                "`version` must be a string",
                "a string",
                "a number (`1.10`)",
                'put it in quotes: "1.10"',
            ),
            (
                "flag: [1]",
                "1:7 wrong-type",
                "`flag` must be a string or `true` or `false`",
                "a string or `true` or `false`",
                "a list",
                None,
            ),
            ("sizes: [3]", "1:8 invalid-value", "`sizes` cannot be a list of 1 item", "2 or more items", None, None),
            ("sizes: [3, 3]", "1:8 invalid-value", "`sizes` cannot be a list of 2 items", "no value twice", None, None),
            ("sizes: [3, 1]", "1:12 invalid-value", "`sizes[1]` cannot be `1`", "at least 3", None, None),
            (
                "labels: {A: 1}",
                "1:10 invalid-value",
                "`A` cannot be a name in `labels`",
                "text that matches `^[a-z]+$`",
                "`A`",
                None,
            ),
            (
                "source: 1",
                "1:9 wrong-type",
                "`source` must be a string or a mapping",
                "a string or a mapping",
                "an integer",
                None,
            ),
            (
                "source: http://x",
                "1:9 invalid-value",
                "`source` cannot be `http://x`",
                "text that matches `^oci://`",
                None,
                None,
            ),
            (
                "source: {paht: x}",
                "1:10 unknown-field",
                "`paht` is not a field of `source`",
                "`path`",
                None,
                "did you mean `path`?",
            ),
            (
                "need: {extension: a, capability: b}",
                "1:1 invalid-value",
                "`need` fits more than one of the forms that it may have",
                "fields of one form only",
                None,
                "sitewright schema site",
            ),
            (
                "need: {x: 1}",
                "1:1 missing-field",
                "`need` lacks one of `extension` or `capability`",
                "`extension` or `capability`",
                None,
                "sitewright schema site",
            ),
        ],
    )
    def test_each_violation_in_words(
        self, text: str, place_and_code: str, message: str, expected: str, got: str | None, hint: str | None
    ) -> None:
        finding = f"{place_and_code}: {message}\n  expected {expected}; got {got}; hint: {hint}"
        assert finding in violations(text)

    def test_all_violations_in_the_order_of_the_file(self) -> None:
        found = [line.split("\n")[0] for line in violations("nmae: a\nversion: 1\nkind: Site\n")]
        assert found == [
            "1:1 missing-field: the document lacks `agent`",
            "1:1 missing-field: the document lacks `name`",
            "1:1 unknown-field: `nmae` is not a field of the document",
            "2:10 wrong-type: `version` must be a string",
        ]

    def test_an_empty_document_must_be_a_mapping(self) -> None:
        (found,) = violations("# nothing")
        assert found.startswith("1:1 wrong-type: the document must be a mapping\n  expected a mapping; got null")


class TestLayers:
    def test_maps_merge_and_everything_else_replaces(self) -> None:
        base = parse_document(b"spec:\n  a: {x: 1, z: 2}\n  list: [1, 2]\n  gone: {q: 1}\n", "base.yaml")
        site = parse_document(b"spec:\n  a: {z: 3, w: {v: 4}}\n  list:\n    - num: 5\n  gone: null\n", "site.yaml")
        merged = merge_layers([base, site])
        assert merged.file == "site.yaml"
        assert merged.value == {"spec": {"a": {"x": 1, "z": 3, "w": {"v": 4}}, "list": [{"num": 5}], "gone": None}}
        assert merged.provenance() == {
            ("spec", "a", "x"): ("base.yaml", 2),
            ("spec", "a", "z"): ("site.yaml", 2),
            ("spec", "a", "w", "v"): ("site.yaml", 2),
            ("spec", "list"): ("site.yaml", 3),
            ("spec", "gone"): ("site.yaml", 5),
        }
        assert str(merged.where(("spec", "list", 0, "num"))) == "site.yaml:4:12, spec.list[0].num"
        assert str(merged.where(("spec", "gone", "q"))) == "site.yaml:5:9, spec.gone.q"
        assert base.value == {"spec": {"a": {"x": 1, "z": 2}, "list": [1, 2], "gone": {"q": 1}}}, (
            "a layer stays as it is"
        )

    def test_a_violation_points_into_the_layer_that_caused_it(self) -> None:
        layers = [parse_document(b"name: a\nagent: argo", "base.yaml"), parse_document(b"kind: Site", "site.yaml")]
        with pytest.raises(InputError) as caught:
            validate(merge_layers(layers), SCHEMA)
        assert [str(finding.where) for finding in caught.value.findings] == ["base.yaml:2:8, agent"]

    def test_one_layer_is_itself_and_none_is_a_mistake(self) -> None:
        one = parse_document(PROFILE, "p.yaml")
        assert merge_layers([one]) == one
        with pytest.raises(ValueError, match="nothing to merge"):
            merge_layers([])


class TestEditing:
    @pytest.mark.parametrize(
        ("path", "value", "old", "new"),
        [
            (("spec", "agent"), "flux", b"agent: argocd", b"agent: flux"),
            (("spec", "agent"), "on", b"agent: argocd", b'agent: "on"'),
            (("spec", "version"), "1.20", b'version: "1.10"', b'version: "1.20"'),
            (("spec", "bundles", 1, "size"), 11, b"size: 10", b"size: 11"),
            (("apiVersion",), "v2", b"example.dev/v1   # the", b"v2   # the"),
            (("spec", "new", "deep"), "yes", b"{tag: v1}}\n", b'{tag: v1}}\n  new:\n    deep: "yes"\n'),
            (("spec", "bundles", 2), {"source": "c"}, b"size: 10}\n", b"size: 10}\n    - source: c\n"),
        ],
    )
    def test_only_the_one_place_changes(self, path: tuple[str | int, ...], value: Json, old: bytes, new: bytes) -> None:
        assert edit(PROFILE, path, value) == PROFILE.replace(old, new)

    def test_comments_and_blocks_survive_a_change_of_structure(self) -> None:
        text = b"# top\na: 1  # one\n\n# about b\nb: |\n  x\nc:\n- 1\n"
        assert edit(text, ("b",), "y\nz\n") == text.replace(b"  x\n", b"  y\n  z\n")
        assert edit(text, ("a",), ["p"]).startswith(b"# top\na:")
        assert edit(b"", ("a",), 1) == b"a: 1\n"

    @pytest.mark.parametrize("path", [("a", "b"), ("c", 5), ("c", "x"), ("a", 0)])
    def test_what_cannot_be_changed_is_refused(self, path: tuple[str | int, ...]) -> None:
        with pytest.raises(InputError) as caught:
            edit(b"a: 1\nc: [1]\n", path, 2)
        assert caught.value.findings[0].code == "cannot-edit"


class TestPackageData:
    def test_schemas_and_templates_ship_with_the_package(self) -> None:
        assert "site.v1" in schema_names()
        assert schema("site.v1")["type"] == "object"
        names = template_names("argocd/")
        assert names
        assert all(template(name) for name in names)

    @pytest.mark.parametrize("name", ["nothing", "../pyproject", "/etc/passwd", ""])
    def test_what_is_not_there_is_a_key_error(self, name: str) -> None:
        with pytest.raises(KeyError):
            schema(name)
        with pytest.raises(KeyError):
            template(name)


@pytest.mark.parametrize(
    ("path", "siblings", "hint"),
    [
        ("bundles/shpo.tar", ["shop.tar", "shop", "other.tar"], "did you mean `bundles/shop.tar`?"),
        ("demo-1.0.tar", ["demo-1.0.0.tar", "demo-1.0.0"], "did you mean `demo-1.0.0.tar`?"),
        ("bundel", ["bundle", "bundle.tar"], "did you mean `bundle`?"),
        ("x.tar", ["y.yaml"], None),
        ("x", [], None),
    ],
)
def test_a_name_that_is_almost_there_is_suggested(path: str, siblings: list[str], hint: str | None) -> None:
    assert did_you_mean(path, siblings) == hint
