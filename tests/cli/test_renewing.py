"""Sealed values from end to end: captured once, renewed on demand, told in a diff, seen nowhere."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.site_fixture import OUT, PROFILE, Shop, edit
from tests.cli.test_generated import TLS

VAULT = """\
apiVersion: v1
kind: Secret
metadata: {name: vault}
stringData: {password: {{ randAlphaNum 24 }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: till}
spec:
  selector: {matchLabels: {app: till}}
  template:
    metadata:
      labels: {app: till}
      annotations: {checksum/tls: {{ include (print $.Template.BasePath "/tls.yaml") . | sha256sum }}}
    spec:
      containers:
        - name: till
          image: docker.io/example/web:1.2.0
          volumeMounts: [{name: tls, mountPath: /tls}]
      volumes: [{name: tls, secret: {secretName: till-tls}}]
"""
GENERATED = "profiles/shop.generated.yaml"
TREE = "out/sites/shop"


@pytest.fixture
def sealed(shop: Shop, real: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A site whose chart invents a certificate and a password, sealed for a key that is not at hand."""
    made = subprocess.run([real("age-keygen"), "-o", "site.agekey"], capture_output=True, text=True, check=True)
    recipient = made.stderr.split()[-1]
    edit(PROFILE, "{agent: argocd,", "{agent: flux,")
    edit(
        PROFILE,
        "  extensions:\n",
        f"  secrets: {{mode: sops}}\n  generated: {{recipients: [{recipient}]}}\n  extensions:\n",
    )
    shop.bundle(tls=TLS, vault=VAULT)
    for name in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    lock(shop)
    render(shop)
    return shop


def lock(shop: Shop, *given: str) -> str:
    """What `lock` says."""
    code, out, err = shop.run("lock", PROFILE, *given)
    assert code == 0, err
    return out + err


def render(shop: Shop, *place: str) -> str:
    """What `render` says."""
    code, out, err = shop.run("render", PROFILE, *(place or OUT))
    assert code == 0, err
    return out + err


def opened(sops: Path, file: str | Path) -> Any:
    """A document of SOPS, opened with the real program."""
    given = {"SOPS_AGE_KEY_FILE": "site.agekey", "PATH": "/usr/bin:/bin"}
    command = [str(sops), "-d", "--input-type", "yaml", "--output-type", "json", str(file)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, env=given).stdout)


def secrets(sops: Path, file: Path) -> Iterator[str]:
    """Every secret in a file of captured values, those included that were captured before the last lock."""
    document = opened(sops, file)
    for secret in document["spec"]["secrets"]:
        yield str(secret["sealed"])
    for number, earlier in enumerate(document["spec"].get("earlier", ())):
        (inner := Path(f"earlier-{number}.yaml")).write_text(earlier)
        yield from secrets(sops, inner)
        inner.unlink()


def test_a_second_lock_and_render_change_nothing(sealed: Shop) -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    lock(sealed)
    render(sealed)
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_no_secret_stands_anywhere_in_clear(sealed: Shop, sops: Path) -> None:
    said = lock(sealed, "--rotate", "web/vault/password") + render(sealed)
    said += "".join(
        sealed.run(*command)[1] for command in (("generated", PROFILE), ("diff", PROFILE, "--against", "out"))
    )
    values = list(secrets(sops, Path(GENERATED)))
    assert any("PRIVATE KEY" in value or "PRIVATE KEY" in decoded(value) for value in values)
    assert len(values) >= 2
    places = [
        path for path in Path().rglob("*") if path.is_file() and not str(path).startswith(("keys", "site.agekey"))
    ]
    texts = {str(path): path.read_bytes() for path in places} | {"what was said": said.encode()}
    for value in values:
        for spelled in {value, decoded(value), base64.b64encode(value.encode()).decode()} - {""}:
            found = [name for name, text in texts.items() if spelled.encode() in text]
            assert not found, f"a secret stands in {found}"


def decoded(value: str) -> str:
    """What is behind base64, or nothing."""
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return ""


def test_a_renewed_certificate_reads_as_one_sentence(sealed: Shop) -> None:
    said = lock(sealed, "--rotate", "web/till-tls")
    assert "web/till-tls" in said
    render(sealed, "--out", "next")
    document = sealed.json("diff", "next", "--against", "out")["sites"][0]
    (renewed,) = document["renewed"]
    assert (renewed["group"], renewed["restart"]) == ("web/till-tls", ["Deployment shop/till"])
    assert renewed["message"].startswith("certificate of shop-ca, till renewed (web/till-tls), valid to 20")
    assert renewed["message"].endswith("; pods of Deployment shop/till restart")
    changed = {one["object"]["kind"]: one["fields"] for one in document["objects"] if one["change"] == "changed"}
    assert set(changed) == {"Secret", "ValidatingWebhookConfiguration", "Deployment"}
    assert {field["after"] for field in changed["Secret"]} == {"(sealed anew)"}
    assert changed["ValidatingWebhookConfiguration"][0]["after"].startswith("certificate of shop-ca, valid 20")
    assert [field["path"] for field in changed["Deployment"]] == ['spec.template.metadata.annotations["checksum/tls"]']
    _, out, _ = sealed.run("diff", "next", "--against", "out")
    assert "renewed:\n  certificate of shop-ca, till renewed" in out
    assert "ENC[" not in out


def test_renewing_a_password_changes_only_the_secret_that_holds_it(sealed: Shop) -> None:
    lock(sealed, "--rotate", "web/vault/password")
    render(sealed, "--out", "next")
    document = sealed.json("diff", "next", "--against", "out")["sites"][0]
    assert [one["object"]["name"] for one in document["objects"]] == ["vault"]
    assert document["renewed"][0]["message"] == "password renewed (web/vault/password)"


@pytest.mark.usefixtures("sealed")
def test_the_certificates_of_the_tree_fit_each_other(sops: Path, real: Callable[[str], Path]) -> None:
    secret = next(Path(TREE, "manifests").rglob("secret-till-tls.yaml"))
    data = opened(sops, secret)["data"]
    webhook = next(Path(TREE, "manifests").rglob("validatingwebhookconfiguration-till.yaml")).read_text()
    bundle = next(line.split(": ")[1] for line in webhook.splitlines() if "caBundle" in line)
    for name, text in (("ca.pem", bundle.strip("\"'")), ("tls.pem", data["tls.crt"]), ("tls.key", data["tls.key"])):
        Path(name).write_bytes(base64.b64decode(text))
    openssl = str(real("openssl"))
    subprocess.run([openssl, "verify", "-CAfile", "ca.pem", "tls.pem"], check=True, capture_output=True)
    halves = [
        subprocess.run([openssl, *command.split()], check=True, capture_output=True).stdout
        for command in ("x509 -in tls.pem -noout -pubkey", "pkey -in tls.key -pubout")
    ]
    assert halves[0] == halves[1]
