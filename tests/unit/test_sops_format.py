"""Documents of SOPS: made here and opened by the real sops, and the other way round; changes are noticed."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from renderer.formats.documents.document import parse_document
from renderer.formats.kubernetes.manifests import dump_manifest, load_values
from renderer.formats.sealed.sops import WrongKeyError, names_rule, sops_open, sops_recipients, sops_seal
from renderer.model.fields import FieldError, Json, spell_path
from tests.sealing_fixture import KeyPair, counted, key_pair

ONE, OTHER = key_pair("one"), key_pair("other")
WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
SECRET: dict[str, Json] = {
    "apiVersion": "v1",
    "data": {"empty": "", "password": "c2VjcmV0", "tls.key": "a2V5"},
    "kind": "Secret",
    "metadata": {"labels": {"app": "web"}, "name": "web", "namespace": "shop"},
    "stringData": {"list": ["a", {"b": 1}], "number": 1.25, "on": True, "text": "a: b\nc\n", "nothing": None},
    "type": "Opaque",
}


def sealed(document: dict[str, Json] = SECRET, *recipients: KeyPair) -> dict[str, Any]:
    wanted = [pair.recipient for pair in recipients or (ONE,)]
    return sops_seal(document, ["data", "stringData"], wanted, WHEN, counted())


def run(sops: Path, *arguments: str, key: KeyPair = ONE, where: Path) -> str:
    """The output of the real sops, which finds this private key and no other, and asks no network for its version."""
    (where / "key.txt").write_text(key.text)
    environment = {"PATH": os.environ["PATH"], "HOME": str(where), "SOPS_AGE_KEY_FILE": str(where / "key.txt")}
    command = [str(sops), "--disable-version-check", *arguments]
    return subprocess.run(command, cwd=where, env=environment, capture_output=True, check=True, text=True).stdout


@pytest.mark.real
def test_the_real_sops_opens_what_is_sealed_here(sops: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_bytes(dump_manifest(sealed(SECRET, OTHER, ONE)))
    for key in (ONE, OTHER):
        assert load_values(run(sops, "-d", "secret.yaml", key=key, where=tmp_path).encode()) == SECRET


@pytest.mark.real
def test_flux_opens_what_is_sealed_here(sops: Path, tmp_path: Path) -> None:
    """As the kustomize-controller does it: the object as JSON with sorted keys, opened with the JSON store of SOPS.

    `DecryptResource` in https://github.com/fluxcd/kustomize-controller, internal/decryptor/decryptor.go: any object
    with a field `sops` that is not empty, unless it is annotated with `kustomize.toolkit.fluxcd.io/decrypt: disabled`.
    The controller leaves out the check of the MAC, which `sops` makes here all the same.
    """
    (tmp_path / "secret.json").write_text(json.dumps(sealed(), sort_keys=True))
    opened = run(sops, "-d", "--input-type", "json", "--output-type", "json", "secret.json", where=tmp_path)
    assert json.loads(opened) == SECRET


@pytest.mark.real
@pytest.mark.parametrize(
    "rule",
    [
        "mac_only_encrypted: true, encrypted_regex: ^(data|stringData)$",
        "encrypted_regex: ^data$",
        "unencrypted_regex: ^(metadata|kind)$",
        "encrypted_suffix: ata",
        "unencrypted_suffix: Version",
        "",
    ],
)
def test_what_the_real_sops_seals_is_opened_here(sops: Path, tmp_path: Path, rule: str) -> None:
    recipients = f"{OTHER.recipient},{ONE.recipient}"
    (tmp_path / ".sops.yaml").write_text(f"creation_rules: [{{age: '{recipients}', {rule}}}]")
    (tmp_path / "secret.yaml").write_bytes(b"# a comment\n" + dump_manifest(SECRET) + b"# and one more\n")
    theirs = parse_document(run(sops, "encrypt", "secret.yaml", where=tmp_path).encode(), "secret.yaml").value
    assert isinstance(theirs, dict)
    assert sops_recipients(theirs) == (str(OTHER.recipient), str(ONE.recipient))
    assert sops_open(theirs, [ONE.identity]).content == SECRET


@pytest.mark.real
def test_what_the_real_sops_changed_is_opened_here(sops: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_bytes(dump_manifest(sealed()))
    run(sops, "set", "secret.yaml", '["data"]["password"]', '"bmV3"', where=tmp_path)
    theirs = parse_document((tmp_path / "secret.yaml").read_bytes(), "secret.yaml").value
    assert isinstance(theirs, dict)
    content = sops_open(theirs, [ONE.identity]).content
    assert content == {**SECRET, "data": {"empty": "", "password": "bmV3", "tls.key": "a2V5"}}


def test_everything_but_the_named_parts_stays_in_clear() -> None:
    document = sealed()
    clear = {name: value for name, value in document.items() if name not in {"data", "stringData", "sops"}}
    assert clear == {name: value for name, value in SECRET.items() if name not in {"data", "stringData"}}
    assert document["data"]["empty"] == ""  # as SOPS leaves it
    assert document["data"]["password"].startswith("ENC[AES256_GCM,data:")
    assert document["stringData"]["on"].endswith(",type:bool]")
    assert document["sops"]["encrypted_regex"] == "^(data|stringData)$"
    assert document["sops"]["mac_only_encrypted"] is True
    assert "c2VjcmV0" not in json.dumps(document)


def test_labels_may_change_after_sealing() -> None:
    document = {**sealed(), "metadata": {"name": "web", "labels": {"wave": "20"}}}
    assert sops_open(document, [ONE.identity]).content["metadata"] == {"name": "web", "labels": {"wave": "20"}}


def test_a_key_with_dots_is_named_exactly() -> None:
    document: dict[str, Json] = {"data": {"app.yaml": "x", "appyyaml": "x"}, "kind": "ConfigMap"}
    found = sops_seal(document, ["app.yaml"], [ONE.recipient], WHEN, counted())
    data = found["data"]
    assert isinstance(data, dict)
    assert data["appyyaml"] == "x"
    assert data["app.yaml"] != "x"
    assert names_rule(["app.yaml"]) == r"^(app\.yaml)$"
    assert sops_open(found, [ONE.identity]).content == document


def test_sealing_again_changes_what_changed_and_nothing_else() -> None:
    before = sealed()
    changed: dict[str, Json] = {**SECRET, "data": {"empty": "", "password": "bmV3", "tls.key": "a2V5"}}
    opened = sops_open(before, [ONE.identity])
    again: Any = sops_seal(changed, ["data", "stringData"], [ONE.recipient], WHEN, counted("later"), opened)
    assert again["data"]["tls.key"] == before["data"]["tls.key"]
    assert again["data"]["password"] != before["data"]["password"]
    assert again["sops"]["age"] == before["sops"]["age"]
    assert sops_open(again, [ONE.identity]).content == changed


def test_for_other_recipients_everything_is_sealed_anew() -> None:
    before = sealed()
    opened = sops_open(before, [ONE.identity])
    again: Any = sops_seal(SECRET, ["data", "stringData"], [OTHER.recipient], WHEN, counted("later"), opened)
    assert again["data"]["tls.key"] != before["data"]["tls.key"]
    with pytest.raises(WrongKeyError):
        sops_open(again, [ONE.identity])
    assert sops_open(again, [OTHER.identity]).content == SECRET


def test_another_key_does_not_open() -> None:
    with pytest.raises(WrongKeyError, match="none of the private keys opens this") as caught:
        sops_open(sealed(), [OTHER.identity])
    assert caught.value.recipients == (str(ONE.recipient),)


def test_no_secret_in_a_repr() -> None:
    opened = sops_open(sealed(), [ONE.identity])
    assert repr(opened) == f"Opened(recipients=('{ONE.recipient}',))"


def changed(*steps: str | int, value: Json) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(sealed()))
    place: Any = document
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = value
    return document


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        (changed("data", "password", value=sealed()["data"]["tls.key"]), "data.password", "changed or moved"),
        (changed("data", "password", value="plain"), "data.password", "not a value that SOPS sealed"),
        (changed("data", "password", value=3), "data.password", "should be sealed, and is not"),
        (changed("data", "more", value=""), None, None),
        (changed("data", "password", value=""), "sops.mac", "its MAC does not fit"),
        (changed("sops", "mac", value="ENC[]"), "sops.mac", "its MAC does not fit"),
        (changed("sops", "lastmodified", value="2026-05-04T03:02:02Z"), "sops.mac", "its MAC does not fit"),
        (changed("sops", "lastmodified", value="yesterday"), "sops.lastmodified", "not a time"),
        (changed("sops", "mac_only_encrypted", value=False), "sops.mac", "its MAC does not fit"),
        (changed("sops", "encrypted_regex", value="(a+)+$"), "sops.encrypted_regex", "plain names"),
        (changed("sops", "encrypted_suffix", value="x"), "sops.encrypted_regex", "one rule"),
        (changed("sops", "key_groups", value=[{}]), "sops.key_groups", "not read here"),
        (changed("sops", "age", value=[]), "sops.age", "not sealed to any recipient"),
        (changed("sops", "age", value=[{}] * 200), "sops.age", "more than 100"),
        (changed("sops", "age", 0, "enc", value="x"), "sops.age[0].enc", "not an age file"),
        (changed("sops", value="x"), "sops", "must be a mapping"),
    ],
)
def test_what_was_changed_is_refused_with_its_place(document: dict[str, Any], path: str | None, said: str) -> None:
    if path is None:  # an empty value adds nothing to the MAC, in SOPS too
        sops_open(document, [ONE.identity])
        return
    with pytest.raises(FieldError, match=said) as caught:
        sops_open(document, [ONE.identity])
    assert spell_path(caught.value.path) == path
    assert "c2VjcmV0" not in str(caught.value)


def test_a_document_without_stanza_and_a_deep_one_are_refused() -> None:
    with pytest.raises(FieldError, match="must be a mapping"):
        sops_open(SECRET, [ONE.identity])
    deep: Json = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(FieldError, match="nested deeper"):
        sops_seal({"data": deep}, ["data"], [ONE.recipient], WHEN, counted())
    with pytest.raises(ValueError, match="sealed already"):
        sealed(sealed())
