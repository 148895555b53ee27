"""`sitewright generated`: what charts invent and how it is settled, from the lock and the profile alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.site_fixture import BUNDLE, LOCK, PROFILE, Shop, edit

LOCKING = ("lock", PROFILE)
SHOW = ("generated", PROFILE)
TLS = """\
{{- $ca := genCA "shop-ca" 3650 }}
{{- $cert := genSignedCert "till" nil (list "till.shop.svc") 365 $ca }}
apiVersion: v1
kind: Secret
metadata: {name: till-tls}
data:
  tls.crt: {{ b64enc $cert.Cert }}
  tls.key: {{ b64enc $cert.Key }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: till}
webhooks:
{{- range list "one" "two" }}
  - name: {{ . }}.shop.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {service: {name: till, namespace: shop}, caBundle: {{ b64enc $ca.Cert }}}
{{- end }}
"""
DOOR = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: door}
data:
  app.yaml: |
    level: info
    code: {{ randAlphaNum 12 }}
---
apiVersion: v1
kind: Secret
metadata: {name: vault}
stringData: {password: {{ randAlphaNum 12 }}}
"""
RULES = """\
  generated:
    default: external
    rules:
      - {object: "ValidatingWebhookConfiguration *", field: "webhooks*caBundle", value: Q0E=, reason: our own CA}
      - {group: "web/door/*", object: "ConfigMap *", mode: external, reason: painted on the door}
  extensions:
"""


@pytest.fixture
def inventive(shop: Shop) -> Shop:
    """A locked site whose chart invents certificates, a password and a line of a text."""
    shop.bundle(extra=TLS, door=DOOR)
    edit(PROFILE, "  extensions:\n", RULES)
    shop.ok(*LOCKING)
    return shop


def test_groups_are_listed_with_what_settles_them(inventive: Shop) -> None:
    assert inventive.ok(*SHOW) == (
        "GROUP               HOLDS                                SETTLED\n"
        "web/door/code       other                                external\n"
        "web/till-tls        private-key, certificate, ca-bundle  external, value\n"
        "web/vault/password  password                             external\n"
        "\n"
        "web/door/code: external (profiles/shop.yaml:18, painted on the door)\n"
        '  ConfigMap shop/door: data["app.yaml"], line 2 (other)\n'
        "\n"
        "web/till-tls: external (the default)\n"
        "  certificate ca: `shop-ca`, an authority, signs itself, 3650 days, rsa-2048\n"
        "  certificate till-tls: `till`, for till.shop.svc, signed by ca, 365 days, rsa-2048\n"
        '  Secret shop/till-tls: data["tls.crt"] (certificate), data["tls.key"] (private-key)\n'
        "  ValidatingWebhookConfiguration till: webhooks[0].clientConfig.caBundle (ca-bundle) and 1 more like it"
        " = profiles/shop.yaml:17\n"
        "\n"
        "web/vault/password: external (the default)\n"
        "  Secret shop/vault: stringData.password (password)\n"
    )


def test_neither_bundle_nor_chart_is_looked_at(inventive: Shop) -> None:
    shutil.rmtree(BUNDLE)
    assert inventive.ok(*SHOW).startswith("GROUP ")


def test_programs_get_everything(inventive: Shop) -> None:
    found = inventive.json(*SHOW)
    (tls,) = (group for group in found["groups"] if group["name"] == "web/till-tls")
    assert (found["site"], tls["component"]) == ("shop", "web/web")
    assert tls["kinds"] == ["private-key", "certificate", "ca-bundle"]
    assert tls["certificates"][1] == {
        "name": "till-tls", "commonName": "till", "dnsNames": ["till.shop.svc"], "ipAddresses": [],
        "usages": ["digital signature", "key encipherment", "server auth", "client auth"], "ca": False, "issuer": "ca",
        "days": 365, "algorithm": "rsa-2048",
    }  # fmt: skip
    assert tls["members"][2] == {
        "object": "ValidatingWebhookConfiguration till", "field": "webhooks[0].clientConfig.caBundle",
        "kind": "ca-bundle", "certificate": "ca", "source": "web/templates/extra.yaml", "mode": "value", "rule": 0,
        "reason": "our own CA",
    }  # fmt: skip


def test_what_follows_from_content_is_told_with_what_it_follows_from(shop: Shop) -> None:
    line = 'checksum/vault: {{ include (print $.Template.BasePath "/door.yaml") . | sha256sum }}'
    pod = f"template: {{metadata: {{labels: {{a: b}}, annotations: {{\n{line}\n}}}}, spec: {{containers: []}}}}"
    deployment = f"kind: Deployment\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  {pod}\n"
    vault = DOOR.partition("---\n")[2]
    edit(PROFILE, "  extensions:\n", "  generated: {default: external}\n  extensions:\n")
    shop.bundle(door=vault, extra=f"apiVersion: apps/v1\nmetadata: {{name: till}}\n{deployment}")
    shop.ok(*LOCKING)
    assert shop.ok(*SHOW).endswith(
        "follow from content:\n"
        '  Deployment shop/till: spec.template.metadata.annotations["checksum/vault"] (checksum) of Secret shop/vault\n'
    )
    (following,) = shop.json(*SHOW)["following"]
    assert following["of"] == ["Secret shop/vault"]


def test_a_site_whose_charts_invent_nothing(shop: Shop) -> None:
    assert shop.ok(*SHOW) == "shop: no chart invents anything\n"


def test_what_nobody_settles_any_more_is_a_finding_with_the_lines_to_add(inventive: Shop) -> None:
    rule = '      - {group: "web/door/*", object: "ConfigMap *", mode: external, reason: painted on the door}\n'
    edit(PROFILE, rule, "")
    code, out, said = inventive.run(*SHOW)
    assert (code, "web/door/code: external (the default)\n" in out) == (1, True)
    assert said.startswith("warning[lock-drift-profile]: `profiles/shop.yaml`, or a file that it names, changed")
    assert (
        'error[generated-value]: the chart invents `data["app.yaml"]#2` of `ConfigMap shop/door` at every render\n'
    ) in said
    assert '           - object: "ConfigMap shop/door"\n             field: "data*app.yaml*"\n' in said


def test_a_lock_of_the_older_form_is_read_and_told(inventive: Shop) -> None:
    edit(PROFILE, 'group: "web/door/*", ', "")
    inventive.ok(*LOCKING)
    text = Path(LOCK).read_text().partition("  certificates:\n")[0]
    Path(LOCK).write_text(re.sub(r", group: web.*?, source: ", ", source: ", text))
    code, out, said = inventive.run(*SHOW)
    assert (code, "warning[lock-drift-format]" in said) == (0, True)
    assert "follow from content:" in out
    assert "error[lock-drift-format]" in inventive.refused(1, "render", PROFILE, "--out", "out")
    inventive.ok(*LOCKING)
    assert "web/till-tls" in inventive.ok(*SHOW)


def test_without_a_lock_there_is_nothing_to_list(shop: Shop) -> None:
    Path(LOCK).unlink()
    (finding,) = shop.findings(1, *SHOW)
    assert (finding["code"], finding["hint"]) == ("lock-missing", "sitewright lock profiles/shop.yaml")
