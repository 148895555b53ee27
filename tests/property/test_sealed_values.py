"""Sealed values: what is sealed comes back, what was changed is refused, and renewing one value touches it alone."""

from __future__ import annotations

import contextlib
import string
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.errors import InputError
from renderer.formats.sealed.age import age_open
from renderer.formats.sealed.generated_values import (
    GeneratedFile,
    Secret,
    decode_generated,
    encode_generated,
    open_generated,
    seal_secrets,
)
from renderer.formats.sealed.sops import WrongKeyError, sops_open, sops_seal
from renderer.formats.sealed.sops_values import is_sealed
from renderer.model.fields import FieldError, Json
from renderer.model.generated.hidden import Hidden
from renderer.model.generated.sealed import Captured, CapturedGroup
from renderer.model.objects.manifest import Manifest, ObjectId, Origin
from tests.sealing_fixture import counted
from tests.simulators.sealing import FILE, NOW, ONE, lock

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=8)
VALUES = st.recursive(
    SCALARS | st.text(max_size=20),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS.filter(lambda key: key != "sops"), VALUES, max_size=5)
EDITS = st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=6)), min_size=1, max_size=3)


def leaves(value: Json, inside: bool, names: set[str]) -> list[tuple[Json, bool]]:
    """Every scalar, and whether it stands below one of the names."""
    if isinstance(value, dict):
        return [one for key, below in value.items() for one in leaves(below, inside or key in names, names)]
    if isinstance(value, list):
        return [one for below in value for one in leaves(below, inside, names)]
    return [(value, inside)]


@given(DOCUMENTS, st.sets(KEYS, min_size=1, max_size=3))
@settings(deadline=None)
def test_a_document_comes_back_and_only_the_named_parts_were_sealed(document: dict[str, Json], names: set[str]) -> None:
    sealed = sops_seal(document, sorted(names), [ONE.recipient], WHEN, counted())
    assert sops_open(sealed, [ONE.identity]).content == document
    body: Json = {key: value for key, value in sealed.items() if key != "sops"}
    for (before, inside), (after, _) in zip(leaves(document, False, names), leaves(body, False, names), strict=True):
        if inside and before is not None and before != "":
            assert is_sealed(after)
        else:
            assert after == before


def generated_file(secrets: int) -> GeneratedFile:
    held = [
        Secret(group="g/a", revision=1, fields=(f"Secret s/a data.k{number}",), value=Hidden(f"value {number}"))
        for number in range(secrets)
    ]
    group = CapturedGroup(
        name="g/a",
        revision=1,
        captured=WHEN.date(),
        public={"ConfigMap s/a data.x": "y"},
        secret=frozenset(where for one in held for where in one.fields),
    )
    current = seal_secrets("s", held, [ONE.recipient], WHEN, counted())
    return GeneratedFile(site="s", captured=Captured.of([ONE.recipient], [group], []), current=current)


CONTENT = encode_generated(generated_file(3))


@given(EDITS)
@settings(deadline=None)
def test_whatever_the_bytes_are_a_file_is_read_or_refused(edits: list[tuple[int, bytes]]) -> None:
    content = bytearray(CONTENT)
    for position, run in edits:
        start = position % len(content)
        content[start : start + len(run)] = run
    with contextlib.suppress(InputError):
        file = decode_generated(bytes(content), FILE, "p.yaml")
        opened = open_generated(file, [ONE.identity], FILE)
        # what opens is what was sealed, in the order in which it was sealed
        assert [one.value.reveal() for one in opened.secrets] in ([f"value {number}" for number in range(3)], [])


@given(st.text(max_size=300) | st.binary(max_size=200).map(lambda content: content.decode("latin-1")))
def test_whatever_the_text_is_it_opens_as_age_or_is_refused(text: str) -> None:
    armored = f"-----BEGIN AGE ENCRYPTED FILE-----\n{text}\n-----END AGE ENCRYPTED FILE-----\n"
    for one in (text, armored):
        with contextlib.suppress(ValueError):
            age_open(one, [ONE.identity])


@given(DOCUMENTS | st.fixed_dictionaries({"sops": VALUES}) | st.fixed_dictionaries({"sops": DOCUMENTS}))
def test_whatever_the_document_is_it_opens_or_is_refused(document: dict[str, Json]) -> None:
    with contextlib.suppress(FieldError, WrongKeyError):
        sops_open(document, [ONE.identity])


def chart(seed: str, secrets: int) -> list[Manifest]:
    """So many Secrets with a token each, and a Deployment with a checksum of each of them."""
    origin = Origin(extension="shop", component="web", source="templates/all.yaml")
    bodies: list[dict[str, Json]] = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"s{number}", "namespace": "shop"},
            "stringData": {"token": f"token-{number}-{seed}-0123456789"},
        }
        for number in range(secrets)
    ]
    return [Manifest.of(body, origin) for body in bodies]


@given(st.integers(1, 5), st.data())
@settings(max_examples=20, deadline=None)
def test_rendering_is_a_function_and_renewing_one_value_changes_its_object_alone(
    secrets: int, data: st.DataObject
) -> None:
    before = lock(chart("a", secrets), chart("b", secrets))
    again = lock(chart("c", secrets), chart("d", secrets), before.file, key=None)
    assert (again.tree, again.file) == (before.tree, before.file)
    group = data.draw(st.sampled_from(sorted(before.file.captured.groups)))
    (where,) = before.file.captured.groups[group].secret
    renewed = lock(chart("e", secrets), chart("f", secrets), before.file, key=None, renew=frozenset({group}))
    changed = {one.id for one, old in zip(renewed.tree, before.tree, strict=True) if one != old}
    assert changed == {ObjectId("", "Secret", "shop", where.split()[1].partition("/")[2])}
    assert renewed.file.captured.groups[group].captured == NOW.date()
