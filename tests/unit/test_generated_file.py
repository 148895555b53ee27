"""`profiles/<site>.generated.yaml`: its text, what opens it, what is refused, and that the real sops reads it."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from renderer.adapters.package_data import schema
from renderer.errors import Finding, InputError
from renderer.formats.documents.document import parse_document, validate
from renderer.formats.kubernetes.manifests import dump, load_values
from renderer.formats.sealed.generated_values import (
    GeneratedFile,
    Secret,
    as_earlier,
    decode_generated,
    encode_generated,
    open_generated,
    seal_secrets,
)
from renderer.formats.sealed.sops import sops_seal
from renderer.model.generated.hidden import Hidden
from renderer.model.generated.sealed import Captured, CapturedGroup, SealedObject
from renderer.model.objects.manifest import ObjectId
from renderer.model.reference import Digest
from renderer.structs import replace
from tests.sealing_fixture import counted, key_pair

ONE, OTHER = key_pair("one"), key_pair("other")
WHEN = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)
FILE = "profiles/shop.generated.yaml"
PASSWORD = Secret(
    group="shop/web", revision=1, fields=("Secret shop/web data.password", 'ConfigMap shop/web data["a.yaml"]#3'),
    value=Hidden("hunter2"),
)  # fmt: skip
KEY = Secret(group="shop/tls", revision=2, fields=('Secret shop/tls data["tls.key"]',), value=Hidden("PRIVATE"))


def sealed_object() -> SealedObject:
    document = sops_seal({"data": {"password": "aHVudGVyMg=="}}, ["data"], [ONE.recipient], WHEN, counted("object"))
    data, stanza = document["data"], document["sops"]
    assert isinstance(data, dict)
    assert isinstance(stanza, dict)
    return SealedObject(
        object=ObjectId("", "Secret", "shop", "web"),
        names=("data",),
        fingerprint=Digest.of(b"what the chart made"),
        values={"data.password": str(data["password"])},
        stanza=stanza,
    )


def shop() -> GeneratedFile:
    groups = [
        CapturedGroup(name="shop/web", revision=1, captured=date(2026, 11, 22), secret=frozenset(PASSWORD.fields)),
        CapturedGroup(
            name="shop/tls",
            revision=2,
            captured=date(2026, 11, 22),
            ends=datetime(2027, 11, 22, 8, tzinfo=UTC),
            public={
                'Secret shop/tls data["ca.crt"]': "Q0E=",
                "ValidatingWebhookConfiguration web webhooks[0].clientConfig.caBundle": "Q0E=",
                "ConfigMap shop/web data.port": 8080,
            },
            secret=frozenset(KEY.fields),
        ),
    ]
    return GeneratedFile(
        site="shop",
        captured=Captured.of([ONE.recipient], groups, [sealed_object()]),
        current=seal_secrets("shop", [PASSWORD, KEY], [ONE.recipient], WHEN, counted()),
    )


def refused(content: bytes) -> Finding:
    with pytest.raises(InputError) as caught:
        decode_generated(content, FILE, "profiles/shop.yaml")
    (finding,) = caught.value.findings
    assert finding.where.file == FILE
    assert finding.hint is not None
    assert "sitewright lock profiles/shop.yaml" in finding.hint
    return finding


def test_the_file_is_read_as_it_was_written() -> None:
    content = encode_generated(shop())
    validate(parse_document(content, FILE), schema("generated-values.v1"))
    read = decode_generated(content, FILE, "profiles/shop.yaml")
    assert read == shop()
    assert encode_generated(read) == content
    opened = open_generated(read, [ONE.identity], FILE)
    # two fields that hold the same are one secret; secrets are sorted by their group
    assert [(one.group, one.revision, one.value.reveal()) for one in opened.secrets] == [
        ("shop/tls", 2, "PRIVATE"),
        ("shop/web", 1, "hunter2"),
    ]
    assert set(opened.secrets[1].fields) == set(PASSWORD.fields)


def test_nothing_secret_is_in_clear() -> None:
    text = encode_generated(shop()).decode() + repr(shop()) + repr(open_generated(shop(), [ONE.identity], FILE))
    for secret in ("hunter2", "aHVudGVyMg", "PRIVATE"):
        assert secret not in text


def test_a_public_value_stands_once_however_many_fields_hold_it() -> None:
    assert encode_generated(shop()).decode().count("value: Q0E=") == 1


@pytest.mark.real
def test_the_real_sops_shows_the_secrets_and_changes_them(sops: Path, tmp_path: Path) -> None:
    place = tmp_path / "shop.generated.yaml"
    place.write_bytes(encode_generated(shop()))
    (tmp_path / "key.txt").write_text(ONE.text)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SOPS_AGE_KEY_FILE": str(tmp_path / "key.txt")}

    def run(*arguments: str) -> str:
        command = [str(sops), "--disable-version-check", *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True, text=True).stdout

    shown = load_values(run("-d", place.name).encode())
    assert isinstance(shown, dict)
    spec = shown["spec"]
    assert isinstance(spec, dict)
    assert [one["sealed"] for one in spec["secrets"] if isinstance(one, dict)] == ["PRIVATE", "hunter2"]  # type: ignore[union-attr]
    run("set", place.name, '["spec"]["secrets"][1]["sealed"]', '"correct horse"')
    theirs = decode_generated(place.read_bytes(), FILE, "profiles/shop.yaml")
    assert theirs.captured == shop().captured
    assert open_generated(theirs, [ONE.identity], FILE).secrets[1].value.reveal() == "correct horse"


def test_secrets_are_added_without_a_private_key() -> None:
    before = shop()
    assert before.current is not None
    more = Secret(group="shop/new", revision=1, fields=("Secret shop/new data.token",), value=Hidden("token"))
    grown = replace(
        before,
        current=seal_secrets("shop", [more], [ONE.recipient], WHEN, counted("more")),
        earlier=(as_earlier(before.current),),
    )
    content = encode_generated(grown)
    validate(parse_document(content, FILE), schema("generated-values.v1"))
    read = decode_generated(content, FILE, "profiles/shop.yaml")
    assert read == grown
    opened = open_generated(read, [ONE.identity], FILE)
    assert {one.group for one in opened.secrets} == {"shop/new", "shop/tls", "shop/web"}


def test_a_secret_that_stays_keeps_its_ciphertext() -> None:
    before = shop()
    opened = open_generated(before, [ONE.identity], FILE)
    renewed = replace(PASSWORD, revision=2, value=Hidden("new"))
    volume = seal_secrets("shop", [KEY, renewed], [ONE.recipient], WHEN, counted("later"), opened.current)
    old, new = (dump(dict(one)).splitlines() for one in (before.current or {}, volume))
    assert len(set(old) ^ set(new)) <= 6  # the ciphertext, the revision, the MAC; lastmodified is the same here


def test_a_file_without_secrets_needs_no_recipients() -> None:
    group = CapturedGroup(name="a/b", revision=1, captured=date(2026, 1, 1), public={"ConfigMap a/b data.time": "now"})
    file = GeneratedFile(site="shop", captured=Captured.of([], [group], []))
    content = encode_generated(file)
    assert b"sops" not in content.split(b"\n", 1)[1]
    assert decode_generated(content, FILE, "p.yaml") == file
    assert open_generated(file, [], FILE).secrets == ()


def test_another_key_and_a_changed_file_are_told_apart() -> None:
    with pytest.raises(InputError) as caught:
        open_generated(shop(), [OTHER.identity], FILE)
    (finding,) = caught.value.findings
    assert finding.code == "sealed-key-wrong"
    assert finding.message == f"none of your private keys opens `{FILE}`"
    assert finding.expected == f"the private key of `{ONE.recipient}`"
    assert finding.hint == "export SOPS_AGE_KEY_FILE=FILE"

    text = encode_generated(shop()).decode()
    lines = [line for line in text.splitlines() if "sealed: ENC" in line]
    swapped = text.replace(lines[0], "@").replace(lines[1], lines[0]).replace("@", lines[1])
    with pytest.raises(InputError) as caught:
        open_generated(decode_generated(swapped.encode(), FILE, "p.yaml"), [ONE.identity], FILE)
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file, finding.where.path) == ("sealed-unreadable", FILE, "sops.mac")
    assert finding.message == (
        f"the secrets in `{FILE}` cannot be read: the document was changed after it was sealed: its MAC does not fit"
    )
    assert finding.hint == f"git checkout HEAD -- {FILE}"


@pytest.mark.parametrize(
    ("old", "new", "code", "path", "said"),
    [
        ("kind: GeneratedValues", "kind: SiteLock", "unknown-api-version", "kind", "cannot read such a file"),
        ("revision: 2\n      secret", "revision: 0\n      secret", "invalid-field", "revision", "begin with 1"),
        ("captured: \"2026-11-22\"", "captured: soon", "invalid-field", "captured", "not a day"),
        ("ends: \"2027-11-22T08:00:00Z\"", "ends: \"2027\"", "invalid-field", "ends", "not a moment"),
        ("data.password: ENC", "data.password: aHVudGVyMg", "secret-in-clear", "values", "must be a ciphertext"),
        ("fingerprint: sha256:", "fingerprint: md5:", "invalid-field", "fingerprint", "digest"),
        ("spec:", "spec:\n  more: 1", "unknown-field", "spec.more", "not a field"),
        ("spec:", "spec:\nspec:", "duplicate-key", None, "twice"),
        ("kind: Secret", "kind: [", "yaml-syntax", None, "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_at_its_place(old: str, new: str, code: str, path: str | None, said: str) -> None:
    text = encode_generated(shop()).decode()
    assert old in text
    finding = refused(text.replace(old, new, 1).encode())
    assert finding.code == code
    assert said in finding.message
    assert finding.where.line is not None
    assert path is None or path in str(finding.where.path)
    assert "aHVudGVyMg" not in str(finding)


def test_an_object_that_stands_twice_is_refused() -> None:
    document = load_values(encode_generated(shop()))
    assert isinstance(document, dict)
    spec = document["spec"]
    assert isinstance(spec, dict)
    assert isinstance(spec["objects"], list)
    spec["objects"] = spec["objects"] * 2
    finding = refused(dump(document).encode())
    assert (finding.code, finding.where.path) == ("duplicate-object", "spec.objects[1].object")
