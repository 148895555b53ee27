"""The schemas of what people write: every property helps an editor, every example is right."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from renderer.adapters.package_data import schema
from renderer.formats.documents.document import Document, parse_document, validate

NAMES = ("site.v1", "trust-policy.v1", "site-lock.v1", "generated-values.v1")


def subschemas(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property and definition of a schema."""
    if isinstance(node, dict):
        for keyword in ("properties", "$defs"):
            for name, below in node.get(keyword, {}).items():
                yield f"{path}/{name}", below
                yield from subschemas(below, f"{path}/{name}")
        for keyword in ("items", "additionalProperties"):
            yield from subschemas(node.get(keyword), f"{path}/{keyword}")


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_a_schema(name: str) -> None:
    meta.validate(schema(name))
    assert schema(name)["$id"] == f"https://sitewright.dev/schemas/{name}.json"


@pytest.mark.parametrize("name", NAMES)
def test_every_property_has_a_title_a_description_and_examples(name: str) -> None:
    for path, found in [("", schema(name)), *subschemas(schema(name))]:
        below: Any = found
        if set(below) == {"$ref"}:
            continue  # the definition says it
        assert {"title", "description", "examples"} <= set(below), path
        assert below["description"].endswith((".", "`")), path


@pytest.mark.parametrize("name", ["site.v1", "trust-policy.v1"])
def test_every_example_is_right(name: str) -> None:
    whole: Any = schema(name)
    for path, found in [("", whole), *subschemas(whole)]:
        if path in {"/spec", "/spec/"} or set(found) == {"$ref"}:
            continue  # the example of a whole spec shows a few fields only
        part = Draft202012Validator({"$defs": whole["$defs"], **found} if "$defs" in whole else found)
        for example in found["examples"]:
            assert part.is_valid(example), f"{path}: {example}"


@pytest.mark.parametrize("page", ["profile.md", "profile.zh.md"])
def test_the_examples_in_the_docs_obey_the_schema(page: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    whole, generated = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    profile: Any = parse_document(whole.encode(), page).value
    profile["spec"] |= parse_document(generated.encode(), page).value
    validate(Document(page, profile), schema("site.v1"))


def test_the_docs_name_every_field_of_a_profile() -> None:
    spec: Any = schema("site.v1")["properties"]
    parts: Any = schema("site.v1")["$defs"]
    for page in ("profile.md", "profile.zh.md"):
        text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
        names = {*spec["spec"]["properties"]}
        for part in ("cluster", "registry", "gitops", "bundle", "extension", "generated", "generatedRule"):
            names |= set(parts[part]["properties"])
        missing = sorted(name for name in names if not re.search(rf"\b{name}\b", text))
        assert missing == [], page
