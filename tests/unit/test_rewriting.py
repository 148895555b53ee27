"""Charts whose templates are changed before they are inflated (stages/generated/rewriting), with the real Helm."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from renderer.adapters.helm_embedded import EmbeddedHelm
from renderer.adapters.helm_executable import ExecutableHelm
from renderer.formats.certificates import read_pem
from renderer.formats.kubernetes.manifests import load_documents
from renderer.formats.stand_ins import stand_in_pair
from renderer.ports import ChartEngine
from renderer.stages.generated import KNOWN_KEYS, OTHER_TIME, Change, rewritten
from tests.unit.test_discovery import request_for

Pack = Callable[[str | Mapping[str, str]], bytes]
CERTIFICATE, KEY = stand_in_pair()
MAKERS = """\
{{- $ca := genCA "ca" 365 }}
{{- $key := genPrivateKey "rsa" }}
a: {{ $ca.Cert | b64enc }}
b: {{ (genSelfSignedCert "self" (list "10.0.0.1") (list "a.b" "c.d") 365).Cert | b64enc }}
c: {{ index (genSignedCert "web" nil nil 365 $ca) "Key" | b64enc }}
d: {{ (genCAWithKey "ca" 365 $key).Cert | b64enc }}
e: {{ (genSelfSignedCertWithKey "self" nil nil 365 $key).Key | b64enc }}
f: {{ (genSignedCertWithKey "web" nil nil 365 $ca $key).Cert | b64enc }}
g: {{ genPrivateKey "ecdsa" | b64enc }}
h: {{ "ed25519" | genPrivateKey | b64enc }}
i: {{ tpl .Values.made . }}
"""


def inflated(engine: ChartEngine, archive: bytes, *changes: Change) -> dict[str, Any]:
    output = engine.inflate(request_for(rewritten(archive, changes), "demo")[0])
    (document,) = load_documents(output.templates[0].text.encode())
    assert isinstance(document.value, dict)
    return dict(document.value)


@pytest.fixture(params=["embedded", "executable"])
def engine(request: pytest.FixtureRequest, helm: Path) -> ChartEngine:
    return EmbeddedHelm() if request.param == "embedded" else ExecutableHelm(str(helm.resolve()))


def test_every_function_that_makes_keys_gives_the_known_ones(engine: ChartEngine, pack_chart: Pack) -> None:
    values = "made: '{{ (genCA `x` 1).Key | b64enc }}'\n"
    archive = pack_chart({"templates/a.yaml": MAKERS, "values.yaml": values})
    found = inflated(engine, archive, KNOWN_KEYS)
    opened = {key: base64.b64decode(text).decode() for key, text in found.items()}
    assert opened == {**dict.fromkeys("abdf", CERTIFICATE), **dict.fromkeys("ceghi", KEY)}


def test_what_is_no_call_stays(engine: ChartEngine, pack_chart: Pack) -> None:
    lines = (
        "a: {{ `genCA and now` }}",
        "b: genCA now",
        'c: {{ .Values.genCA }}{{/* genCA "x" */}}',
        "d: {{ $now := 3 }}{{ $now }}",
    )
    source = "\n".join(lines)
    archive = pack_chart({"templates/a.yaml": source, "values.yaml": "genCA: now\n"})
    assert inflated(engine, archive, KNOWN_KEYS, OTHER_TIME) == {
        "a": "genCA and now",
        "b": "genCA now",
        "c": "now",
        "d": 3,
    }


def test_both_changes_are_made_in_one_action(engine: ChartEngine, pack_chart: Pack) -> None:
    archive = pack_chart({"templates/a.yaml": 'a: {{ printf "%d %s" now.Year (genCA "x" 1).Cert | b64enc }}\n'})
    assert base64.b64decode(inflated(engine, archive, KNOWN_KEYS, OTHER_TIME)["a"]).decode() == f"2003 {CERTIFICATE}"


def test_the_known_pair_is_an_authority_and_its_key() -> None:
    (facts,) = read_pem(CERTIFICATE).certificates
    assert (facts.is_ca, facts.common_name, facts.subject) == (True, "stand-in", facts.issuer)
    assert read_pem(KEY).public_keys == (facts.public_key,)
    assert KEY.startswith("-----BEGIN PRIVATE KEY-----\n")


def test_a_chart_that_opens_its_certificate_finds_one(engine: ChartEngine, pack_chart: Pack) -> None:
    source = (
        '{{- $ca := genCA "x" 1 }}\n{{- $own := buildCustomCert (b64enc $ca.Cert) (b64enc $ca.Key) }}\n'
        "a: {{ $own.Cert | b64enc }}\n"
    )
    assert inflated(engine, pack_chart({"templates/a.yaml": source}), KNOWN_KEYS)["a"]
