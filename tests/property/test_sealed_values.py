"""Sealed values: what is sealed comes back, what was changed is refused, and renewing one value touches it alone."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import string
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
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


SHAPES = st.lists(st.sampled_from(["token", "shared token", "line", "certificate", "job"]), min_size=1, max_size=4)
ORIGIN = Origin(extension="shop", component="shop", source="templates/all.yaml")


def chart(seed: str, shapes: list[str]) -> list[Manifest]:
    """One render: the objects of every shape, named after its number, with whatever this `seed` invents in them."""
    return [one for number, shape in enumerate(shapes) for one in objects(shape, f"x{number}", f"{number}-{seed}")]


def objects(shape: str, name: str, seed: str) -> list[Manifest]:
    """A Secret and a Deployment with a checksum of it; beside them one more Secret, a text, a webhook, or a Job."""
    token = hashlib.sha256(seed.encode()).hexdigest()[:24]
    if shape == "job":
        return [of("batch/v1", "Job", f"{name}-{token[:6]}", spec={"backoffLimit": 1})]
    if shape == "line":
        return [of("v1", "ConfigMap", name, data={"app.yaml": f"a: 1\npassword: {token}\n"}), pods(name, token, shape)]
    if shape == "certificate":
        authority, certificate, key = papers(seed)
        hook: Json = {"name": "a.b.c", "clientConfig": {"caBundle": coded(authority)}}
        return [
            of("v1", "Secret", name, data={"tls.crt": coded(certificate), "tls.key": coded(key)}),
            of("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", name, webhooks=[hook]),
            pods(name, key, shape),
        ]
    copy = [of("v1", "Secret", f"{name}-copy", data={"url": coded(f"amqp://u:{token}@q")})]
    secret = of("v1", "Secret", name, stringData={"token": token})
    return [secret, *(copy if shape == "shared token" else []), pods(name, token, shape)]


def of(api_version: str, kind: str, name: str, **fields: Json) -> Manifest:
    place = {} if kind.endswith("Configuration") else {"namespace": "shop"}
    body: dict[str, Json] = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **place}, **fields}
    return Manifest.of(body, ORIGIN)


def pods(name: str, content: str, shape: str) -> Manifest:
    held: dict[str, Json] = {"configMap": {"name": name}} if shape == "line" else {"secret": {"secretName": name}}
    annotations: Json = {"checksum/config": hashlib.sha256(content.encode()).hexdigest()}
    pod: Json = {"metadata": {"annotations": annotations}, "spec": {"volumes": [{"name": "v", **held}]}}
    return of("apps/v1", "Deployment", name, spec={"template": pod})


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@cache
def papers(seed: str) -> tuple[str, str, str]:  # noqa: ARG001 - what is remembered by
    """An authority, a certificate that it signed, and the key of that: new ones, the same for equal seeds."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("ca", "web")]
    texts = []
    for key, name in zip(keys, names, strict=True):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(key.public_key())
        dated = builder.not_valid_before(WHEN).not_valid_after(WHEN.replace(year=2036))
        built = dated.serial_number(x509.random_serial_number()).add_extension(
            x509.BasicConstraints(ca=key is keys[0], path_length=None), critical=True
        )
        texts.append(built.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return texts[0], texts[1], keys[1].private_bytes(*form).decode()


def number_of(identity: ObjectId) -> str:
    """The shape that an object belongs to."""
    return identity.name.partition("-")[0]


@given(SHAPES, st.data())
@settings(max_examples=25, deadline=None)
def test_rendering_is_a_function_and_renewing_one_group_changes_what_depends_on_it(
    shapes: list[str], data: st.DataObject
) -> None:
    before = lock(chart("a", shapes), chart("b", shapes))
    assert before.findings == ()
    again = lock(chart("c", shapes), chart("d", shapes), before.file, key=None)
    assert (again.tree, again.file) == (before.tree, before.file)
    groups = before.file.captured.groups
    assert len(groups) == sum(shape != "job" for shape in shapes)
    if not groups:
        return
    group = data.draw(st.sampled_from(sorted(groups)))
    renewed = lock(chart("e", shapes), chart("f", shapes), before.file, key=None, renew=frozenset({group}))
    changed = {one.id for one, old in zip(renewed.tree, before.tree, strict=True) if one != old}
    # everything of that shape holds the value, or a checksum of what holds it; nothing else changes by a byte
    numbers = {number_of(one) for one in changed}
    assert numbers == {re.split("[/-]", group)[1]}
    assert changed == {one.id for one in before.tree if number_of(one.id) in numbers}
    assert renewed.file.captured.groups[group].captured == NOW.date()


@given(SHAPES)
@settings(max_examples=25, deadline=None)
def test_no_secret_is_in_clear_in_any_object(shapes: list[str]) -> None:
    locked = lock(chart("a", shapes), chart("b", shapes))
    written = str(locked.tree) + str(locked.findings) + encode_generated(locked.file).decode()
    for number, shape in enumerate(shapes):
        seed = f"{number}-a"
        secret = papers(seed)[2] if shape == "certificate" else hashlib.sha256(seed.encode()).hexdigest()[:24]
        for spelled in () if shape == "job" else (secret, coded(secret), coded(f"amqp://u:{secret}@q")):
            assert spelled not in written
