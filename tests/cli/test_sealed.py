"""Generated values, sealed: from `sitewright lock` to a tree that opens, and every way in which it can go wrong."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from renderer.adapters.helm_embedded import EmbeddedHelm
from renderer.formats.charts.archive import template_sources
from renderer.formats.kubernetes.manifests import load_documents, load_values
from renderer.formats.sealed.sops import sops_open
from renderer.model.bundles.chart import ChartOutput, ChartRequest
from tests.cli.site_fixture import LOCK, OUT, PROFILE, Shop, contents, edit, write
from tests.sealing_fixture import KeyPair, key_pair

SITE, OTHER = key_pair("site"), key_pair("other")
GENERATED = "profiles/shop.generated.yaml"
RENDER = ("render", PROFILE, *OUT)
TLS = """\
{{- $ca := genCA "web-ca" 365 }}
{{- $cert := genSignedCert "web" nil (list "web.shop.svc") 365 $ca }}
apiVersion: v1
kind: Secret
metadata: {name: web-tls}
type: kubernetes.io/tls
data:
  ca.crt: {{ $ca.Cert | b64enc }}
  tls.crt: {{ $cert.Cert | b64enc }}
  tls.key: {{ $cert.Key | b64enc }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: web}
webhooks:
  - name: web.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {service: {name: web, namespace: shop}, caBundle: {{ $ca.Cert | b64enc }}}
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web-config}
data:
  app.yaml: |
    colour: {{ .Values.colour }}
    password: {{ randAlphaNum 24 }}
"""
READER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: reader}
spec:
  selector: {matchLabels: {app: reader}}
  template:
    metadata:
      labels: {app: reader}
      annotations: {checksum/config: {{ include (print $.Template.BasePath "/config.yaml") . | sha256sum }}}
    spec:
      containers: [{name: reader, image: {{ .Values.image | quote }}}]
      volumes: [{name: config, configMap: {name: web-config}}]
"""
SECRET_FILE = "out/sites/shop/manifests/w040-extensions/web/secret-web-tls.yaml"
CONFIG_FILE = "out/sites/shop/manifests/w040-extensions/web/configmap-web-config.yaml"


@pytest.fixture
def sealed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop with a chart that invents certificates and a password, locked for one recipient. No key at hand."""
    for variable in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(Path.cwd()))
    shop.bundle(tls=TLS, config=CONFIG, reader=READER)
    recipients(SITE)
    edit(PROFILE, "agent: argocd", "agent: flux")
    shop.ok("lock", PROFILE)
    shop.ok(*RENDER)
    return shop


def recipients(*pairs: KeyPair) -> None:
    """Name the recipients in the profile, instead of those that it names."""
    text = Path(PROFILE).read_text(encoding="utf-8").partition("  generated:\n")[0]
    named = ", ".join(str(pair.recipient) for pair in pairs)
    Path(PROFILE).write_text(f"{text}  generated:\n    recipients: [{named}]\n", encoding="utf-8")


def key_at_hand(monkeypatch: pytest.MonkeyPatch, pair: KeyPair = SITE) -> None:
    write("site.agekey", pair.text)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", "site.agekey")


def body(path: str) -> dict[str, Any]:
    content = load_values(Path(path).read_bytes())
    assert isinstance(content, dict)
    return content


def opened(path: str, pair: KeyPair = SITE) -> dict[str, Any]:
    return dict(sops_open(body(path), [pair.identity]).content)


def only(text: str) -> dict[str, Any]:
    """The one finding in an answer in JSON."""
    (finding,) = json.loads(text)["findings"]
    assert isinstance(finding, dict)
    return finding


# --- the way of the values ---------------------------------------------------------------------------------------


def test_what_a_lock_says_of_what_it_captures(shop: Shop) -> None:
    shop.bundle(tls=TLS, config=CONFIG)
    recipients(SITE)
    said = shop.ok("lock", PROFILE).splitlines()
    assert "  captured web/web-config/password" in said
    assert "  captured web/web-tls" in said
    assert Path(GENERATED).read_text(encoding="utf-8").startswith("# Written by `sitewright lock`; do not edit.")


@pytest.mark.usefixtures("sealed")
def test_certificates_go_into_the_tree_in_clear_and_secrets_sealed() -> None:
    (hook_file,) = Path("out").rglob("validatingwebhookconfiguration-web.yaml")
    secret, hook = body(SECRET_FILE), body(str(hook_file))
    assert {str(value).partition(",")[0] for value in secret["data"].values()} == {"ENC[AES256_GCM"}
    bundle = hook["webhooks"][0]["clientConfig"]["caBundle"]
    assert base64.b64decode(bundle).startswith(b"-----BEGIN CERTIFICATE-----")
    assert opened(SECRET_FILE)["data"]["ca.crt"] == bundle
    assert opened(CONFIG_FILE)["data"]["app.yaml"].startswith("colour: green\npassword: ")
    waves = Path("out/sites/shop/agent/waves.yaml").read_text(encoding="utf-8")
    assert waves.count("name: sops-age") == 1


@pytest.mark.real
@pytest.mark.usefixtures("sealed")
def test_the_captured_certificate_is_one_for_openssl(real: Callable[[str], Path], tmp_path: Path) -> None:
    data = opened(SECRET_FILE)["data"]
    for key, value in data.items():
        (tmp_path / key).write_bytes(base64.b64decode(value))

    def openssl(*arguments: str) -> str:
        command = [str(real("openssl")), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True).stdout

    assert openssl("verify", "-CAfile", "ca.crt", "tls.crt") == "tls.crt: OK\n"
    public = openssl("x509", "-in", "tls.crt", "-noout", "-pubkey")
    assert public == openssl("pkey", "-in", "tls.key", "-pubout")


@pytest.mark.real
@pytest.mark.usefixtures("sealed")
def test_the_real_sops_opens_the_file_and_the_tree(sops: Path) -> None:
    write("key.txt", SITE.text)
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "SOPS_AGE_KEY_FILE": "key.txt"}
    for path in (GENERATED, SECRET_FILE, CONFIG_FILE):
        command = [str(sops), "--disable-version-check", "-d", path]
        shown = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
        assert load_values(shown) == opened(path)


@pytest.mark.real
@pytest.mark.usefixtures("sealed")
def test_what_the_docs_give_to_a_plugin_of_argo_cd_decrypts_the_tree(sops: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/generated-values.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    write("key.txt", SITE.text)
    path = f"{sops.parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": "/nonexistent", "SOPS_AGE_KEY_FILE": str(Path("key.txt").resolve())}
    manifests = "out/sites/shop/manifests"
    done = subprocess.run(["sh", "-c", script], cwd=manifests, env=environment, capture_output=True, check=True)
    assert done.stderr == b""
    objects = [document.value for document in load_documents(done.stdout)]
    assert len(objects) == len(list(Path(manifests).rglob("*.yaml")))
    assert opened(SECRET_FILE) in objects
    assert not any("sops" in one for one in objects if isinstance(one, dict))


def test_lock_and_render_are_functions_of_what_was_captured(sealed: Shop) -> None:
    locked, file, tree = Path(LOCK).read_bytes(), Path(GENERATED).read_bytes(), contents("out")
    for _ in range(3):
        sealed.ok("lock", PROFILE)
        sealed.ok(*RENDER)
    assert (Path(LOCK).read_bytes(), Path(GENERATED).read_bytes()) == (locked, file)
    assert contents("out") == tree
    assert sealed.ok("lock", PROFILE, "--check") == f"{LOCK}: is up to date\n"


def written(out: str) -> dict[str, bytes]:
    """The files of a tree."""
    return {path.removeprefix(f"{out}/"): content for path, (content, _) in contents(out).items()}


def inflated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates of every chart that is given to Helm from now on."""
    seen: list[str] = []
    inflate = EmbeddedHelm.inflate

    def spied(self: EmbeddedHelm, request: ChartRequest) -> ChartOutput:
        seen.extend(template_sources(request.archive).values())
        return inflate(self, request)

    monkeypatch.setattr(EmbeddedHelm, "inflate", spied)
    return seen


def test_a_render_makes_no_keys_and_a_lock_makes_them_once(sealed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    given = inflated(monkeypatch)
    sealed.ok("render", PROFILE, "--out", "again")
    assert given
    assert not any("genCA" in text for text in given)
    assert written("again") == written("out")
    del given[:]
    sealed.ok("lock", PROFILE)
    assert sum("genCA" in text for text in given) == 1


def test_a_chart_that_does_not_bear_the_well_known_key_makes_its_own(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    picky = TLS.replace("apiVersion", '{{ if not (contains "RSA" $ca.Key) }}{{ fail "RSA!" }}{{ end }}\napiVersion', 1)
    shop.bundle(tls=picky)
    edit(PROFILE, "agent: argocd", "agent: flux")
    recipients(SITE)
    shop.ok("lock", PROFILE)
    given = inflated(monkeypatch)
    shop.ok(*RENDER)
    assert any("genCA" in text for text in given)
    shop.ok("render", PROFILE, "--out", "again")
    assert written("again") == written("out")


def test_no_secret_is_in_clear_in_any_file_or_message(sealed: Shop) -> None:
    """Secret values as they are, and in base64."""
    password = opened(CONFIG_FILE)["data"]["app.yaml"].split("password: ")[1].strip()
    key = opened(SECRET_FILE)["data"]["tls.key"]
    secrets = [password, base64.b64encode(password.encode()).decode(), key, base64.b64decode(key).decode()[40:120]]
    files = [content for path, (content, _) in contents("out", "profiles").items()]
    said = [sealed.ok("generated", PROFILE), sealed.ok("diff", PROFILE, *OUT), sealed.ok("lock", PROFILE)]
    everything = b"".join(files) + "".join(said).encode()
    assert not any(secret.encode() in everything for secret in secrets)


def test_renewing_a_group_says_what_restarts_and_changes_nothing_else(sealed: Shop) -> None:
    before = contents("out")
    said = sealed.ok("lock", PROFILE, "--rotate", "web/web-config/password").splitlines()
    assert said[1:] == ["  renewed web/web-config/password: revision 2", "    restarts Deployment shop/reader"]
    sealed.ok(*RENDER)
    changed = {path for path, (content, _) in contents("out").items() if content != before[path][0]}
    changed = {path for path in changed if "/records/" not in path}
    reader = CONFIG_FILE.replace("configmap-web-config", "deployment-reader")
    assert changed == {CONFIG_FILE, reader}


def test_certificates_that_end_soon_are_told_and_renewed(sealed: Shop) -> None:
    edit(PROFILE, "    recipients:", "    expiring: 400d\n    recipients:")
    code, _, said = sealed.run("lock", PROFILE)
    assert code == 0
    assert "warning[certificate-expiring]: a certificate of `web/web-tls` ends on " in said
    assert f"hint: sitewright lock {PROFILE} --rotate web/web-tls" in said
    code, _, said = sealed.run("lock", PROFILE, "--check")
    assert (code, "certificate-expiring" in said) == (0, True)
    code, _, said = sealed.run(*RENDER)
    assert (code, "certificate-expiring" in said) == (0, True)
    assert not any(b"expiring" in content for content, _ in contents("out").values()), "no part of what is rendered"
    code, renewed, _ = sealed.run("lock", PROFILE, "--expiring", "400d")
    assert "renewed web/web-tls: revision 2, its certificates are valid to " in renewed
    assert "web-config" not in renewed


def test_what_stands_beside_a_secret_may_change_with_the_key(sealed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    password = opened(CONFIG_FILE)["data"]["app.yaml"].split("password: ")[1]
    edit("profiles/values/web.yaml", "green", "blue")
    key_at_hand(monkeypatch)
    assert "  sealed ConfigMap shop/web-config anew" in sealed.ok("lock", PROFILE).splitlines()
    sealed.ok(*RENDER)
    assert opened(CONFIG_FILE)["data"]["app.yaml"] == f"colour: blue\npassword: {password}"


def test_other_recipients_open_what_was_captured(sealed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = opened(SECRET_FILE)
    recipients(OTHER)
    key_at_hand(monkeypatch)
    sealed.ok("lock", PROFILE)
    sealed.ok(*RENDER)
    assert opened(SECRET_FILE, OTHER) == before


# --- what can go wrong -------------------------------------------------------------------------------------------


def test_secrets_that_nobody_could_open(shop: Shop) -> None:
    shop.bundle(tls=TLS, config=CONFIG)
    assert shop.refused(1, "lock", PROFILE) == (
        "error[no-recipients]: charts invent 2 secrets that nobody could open: the profile names no recipients\n"
        "  --> spec.generated.recipients\n"
        "   expected: the public key of the site, which `age-keygen` prints\n"
        "   make a key, keep it out of git, and name its public half in the profile:\n"
        "     age-keygen -o site.agekey\n"
        "     spec:\n"
        "       generated:\n"
        "         recipients: [age1…]\n"
        "   or let an operator create these objects: `default: external`\n"
        "   it is about web/web-config/password, web/web-tls\n"
        "   hint: age-keygen -o site.agekey\n"
    )


def test_a_private_key_is_needed_and_is_not_there(sealed: Shop) -> None:
    edit("profiles/values/web.yaml", "green", "blue")
    assert sealed.refused(1, "lock", PROFILE) == (
        "error[sealed-key-needed]: a private key is needed to seal `ConfigMap shop/web-config` anew\n"
        f"  --> {GENERATED}\n"
        f"   expected: the private key of `{SITE.recipient}`\n"
        "   seal `ConfigMap shop/web-config` anew\n"
        "   hint: export SOPS_AGE_KEY_FILE=FILE\n"
    )


def test_the_private_key_is_another_one(sealed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    edit("profiles/values/web.yaml", "green", "blue")
    key_at_hand(monkeypatch, OTHER)
    assert sealed.refused(1, "lock", PROFILE) == (
        f"error[sealed-key-wrong]: none of your private keys opens `{GENERATED}`\n"
        f"  --> {GENERATED}\n"
        f"   expected: the private key of `{SITE.recipient}`\n"
        "   hint: export SOPS_AGE_KEY_FILE=FILE\n"
    )


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (None, "key-not-found", "the private keys in `site.agekey` cannot be read: No such file or directory"),
        ("AGE-SECRET-KEY-1ABC\n", "invalid-private-key", "the private keys in `site.agekey` cannot be used: line 1"),
    ],
)
def test_a_private_key_that_is_none(
    sealed: Shop, monkeypatch: pytest.MonkeyPatch, text: str | None, code: str, said: str
) -> None:
    edit("profiles/values/web.yaml", "green", "blue")
    if text is not None:
        write("site.agekey", text)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", "site.agekey")
    finding = only(sealed.refused(1, "lock", PROFILE, "--format", "json"))
    assert finding["code"] == code
    assert finding["message"].startswith(said)
    assert "ABC" not in str(finding)
    assert finding["hint"].startswith("export SOPS_AGE_KEY_FILE=FILE")


def test_sealed_values_that_somebody_moved(sealed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in Path(GENERATED).read_text(encoding="utf-8").splitlines() if " sealed: ENC" in line]
    text = Path(GENERATED).read_text(encoding="utf-8")
    swapped = text.replace(lines[0], "@").replace(lines[1], lines[0]).replace("@", lines[1])
    Path(GENERATED).write_text(swapped, encoding="utf-8")
    edit("profiles/values/web.yaml", "green", "blue")
    key_at_hand(monkeypatch)
    finding = only(sealed.refused(1, "lock", PROFILE, "--format", "json"))
    assert finding["code"] == "sealed-unreadable"
    assert finding["where"] == {"file": GENERATED, "path": "sops.mac"}
    assert finding["hint"] == f"git checkout HEAD -- {GENERATED}"


def test_a_file_that_is_not_the_one_of_the_lock(sealed: Shop) -> None:
    Path(GENERATED).write_bytes(Path(GENERATED).read_bytes() + b"# touched\n")
    said = sealed.refused(1, *RENDER)
    assert said.startswith(
        f"error[lock-drift-generated]: the file of captured values `{GENERATED}` is not the one that the lock was "
        f"written with\n  --> {GENERATED}\n   expected: sha256:"
    )
    assert said.endswith(f"   hint: git checkout HEAD -- {GENERATED}, or sitewright lock {PROFILE}\n")
    code, out, said = sealed.run("lock", PROFILE, "--check")
    assert (code, out) == (1, f"{LOCK}: has drifted\n")
    assert "error[lock-drift-generated]" in said
    code, _, said = sealed.run("lock", PROFILE)
    assert code == 0
    assert f"warning[lock-drift-generated]: the file of captured values `{GENERATED}` was changed after" in said
    sealed.ok(*RENDER)


def test_a_file_that_is_gone(sealed: Shop) -> None:
    Path(GENERATED).unlink()
    assert "is not there" in sealed.refused(1, *RENDER)
    assert sealed.refused(1, "lock", PROFILE) == (
        f"error[captured-values-lost]: the lock was written with captured values, and `{GENERATED}` is not there: new "
        "ones would replace them\n"
        f"  --> {GENERATED}\n"
        "   to give up what was captured, remove the lock too\n"
        f"   hint: git checkout HEAD -- {GENERATED}\n"
    )


def test_a_file_of_another_site(sealed: Shop) -> None:
    edit(PROFILE, "metadata: {name: shop}", "metadata: {name: store}")
    finding = only(sealed.refused(1, "lock", PROFILE, "--format", "json"))
    assert finding["code"] == "captured-for-another-site"
    assert (finding["expected"], finding["got"]) == ("`store`", "`shop`")


def test_a_group_that_is_gone(sealed: Shop) -> None:
    Path("sources/charts/web/templates/tls.yaml").unlink()
    edit("sources/bundle.yaml", "sequence: 2", "sequence: 3")
    sealed.build()
    code, out, said = sealed.run("lock", PROFILE)
    assert code == 0
    assert "warning[generated-gone]: no chart makes `web/web-tls` any more" in said
    assert "  removed web/web-tls: no chart makes it any more" in out


def test_a_group_that_moved(sealed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    write("sources/charts/web/templates/config.yaml", CONFIG.replace("web-config", "settings"))
    write("sources/charts/web/templates/reader.yaml", READER.replace("web-config", "settings"))
    edit("sources/bundle.yaml", "sequence: 2", "sequence: 3")
    sealed.build()
    move = f"sitewright lock {PROFILE} --move web/web-config/password=web/settings/password"
    assert sealed.refused(1, "lock", PROFILE) == (
        "error[generated-moved]: no chart makes `web/web-config/password` any more, and `web/settings/password` looks "
        "like it under another name\n"
        "  --> group web/web-config/password\n"
        "   expected: a decision: the value stays, or a new one is made\n"
        f"   a new value instead: sitewright lock {PROFILE} --rotate web/settings/password\n"
        f"   hint: {move}\n"
    )
    password = opened(CONFIG_FILE)["data"]["app.yaml"]
    assert "sealed-key-needed" in sealed.refused(1, *move.split()[1:])
    key_at_hand(monkeypatch)
    assert "  moved web/web-config/password to web/settings/password" in sealed.ok(*move.split()[1:])
    sealed.ok(*RENDER)
    assert opened(CONFIG_FILE.replace("web-config", "settings"))["data"]["app.yaml"] == password


@pytest.mark.parametrize(
    ("option", "value", "code", "said"),
    [
        ("--rotate", "web/nothing", 1, "no sealed group of generated values is called `web/nothing`"),
        ("--move", "web/a=web/web-tls", 1, "no sealed group of generated values is called `web/a`"),
        ("--move", "web/a", 2, "`web/a` does not say what moves where"),
        ("--expiring", "soon", 2, "`soon` is not a number of days"),
    ],
)
def test_options_that_make_no_sense(sealed: Shop, option: str, value: str, code: int, said: str) -> None:
    finding = only(sealed.refused(code, "lock", PROFILE, option, value, "--format", "json"))
    assert finding["message"] == said
    if code == 1:
        assert finding["code"] == "unknown-group"
        assert finding["hint"] == f"sitewright generated {PROFILE}"


def test_what_sops_cannot_single_out(shop: Shop) -> None:
    recipients(SITE)
    shop.bundle(
        extra="apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
        "    - {name: p, image: docker.io/example/web:1.2.0, env: [{name: TOKEN, value: {{ randAlphaNum 9 }}}]}\n"
    )
    said = shop.refused(1, "lock", PROFILE)
    assert "error[generated-value]: the chart invents `spec.containers[0].env[0].value` of `Pod shop/p`" in said


def test_argo_cd_is_told_that_it_needs_a_plugin(sealed: Shop) -> None:
    edit(PROFILE, "agent: flux", "agent: argocd")
    sealed.ok("lock", PROFILE)
    code, _, said = sealed.run(*RENDER)
    assert code == 0
    assert "warning[sealed-needs-decryption]: Argo CD cannot open 2 objects that SOPS has encrypted" in said
