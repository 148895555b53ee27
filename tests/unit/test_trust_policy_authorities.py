"""Authorities and revocations in trust policies as files, and everything that can be wrong with them."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from renderer.adapters.files import WorkingTree
from renderer.adapters.layout import open_layout
from renderer.adapters.package_data import schema
from renderer.errors import Finding, InputError
from renderer.formats.trust.policy import read_trust_policy
from renderer.model.bundles.trust import Revocation, TrustPolicy
from tests.simulators.authority import Holder, authority, root, signer

POLICY = """\
apiVersion: sitewright.dev/v1
kind: TrustPolicy
metadata: {name: bank}
spec:
  keys:
    - {name: vendor, publicKeyFile: keys/vendor.pub}
  authorities:
    - name: bank-ca
      certificateFile: keys/ca.pem
      subjects: [release@bank.example, "cn:Release Office"]
      revoked: ["0x0A:1B"]
  rules:
    - bundles: "*"
      require: {threshold: 2, of: [vendor, bank-ca]}
"""


@pytest.fixture(scope="module")
def bank() -> Holder:
    return root()


def load(directory: Path, bank: Holder, text: str = POLICY, files: Mapping[str, bytes] | None = None) -> TrustPolicy:
    content = {"trust.yaml": text.encode(), "keys/vendor.pub": root().public_pem, "keys/ca.pem": bank.pem}
    for path, data in (content | dict(files or {})).items():
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    read = WorkingTree(directory, lambda path: open_layout(path, path.name)).read
    return read_trust_policy("trust.yaml", read, schema("trust-policy.v1"))


def fault(directory: Path, bank: Holder, text: str = POLICY, files: Mapping[str, bytes] | None = None) -> Finding:
    with pytest.raises(InputError) as caught:
        load(directory, bank, text, files)
    (finding,) = caught.value.findings
    return finding


def test_an_authority_is_read_with_its_certificates(tmp_path: Path, bank: Holder) -> None:
    policy = load(tmp_path, bank)
    (found,) = policy.authorities
    assert (found.name, found.pem) == ("bank-ca", bank.pem)
    assert list(map(str, found.subjects)) == ["release@bank.example", "cn:Release Office"]
    assert found.revoked == {"a1b"}
    assert policy.rules[0].of == ("vendor", "bank-ca")
    assert policy.signers == ("vendor", "bank-ca")


def test_a_policy_may_name_authorities_alone(tmp_path: Path, bank: Holder) -> None:
    text = POLICY.replace("  keys:\n    - {name: vendor, publicKeyFile: keys/vendor.pub}\n", "")
    policy = load(tmp_path, bank, text.replace("[vendor, bank-ca]", "[bank-ca]"))
    assert (policy.keys, policy.rules[0].threshold) == ((), 2), "an authority may certify two"


def test_roots_and_intermediates_stand_in_one_file(tmp_path: Path, bank: Holder) -> None:
    below = bank.issue("Releases", authority())
    assert load(tmp_path, bank, files={"keys/ca.pem": below.pem + bank.pem}).authorities[0].pem.startswith(below.pem)


@pytest.mark.parametrize(
    ("revoked", "expected"),
    [
        ("true", Revocation()),
        ("{since: 2026-10-01, reason: laptop stolen}", Revocation(since=date(2026, 10, 1), reason="laptop stolen")),
        ("{reason: laptop stolen}", Revocation(reason="laptop stolen")),
        ("{since: 2026-10-01}", Revocation(since=date(2026, 10, 1))),
        ("{}", Revocation()),
        ("false", None),
    ],
)
def test_a_key_is_revoked(revoked: str, expected: Revocation | None, tmp_path: Path, bank: Holder) -> None:
    text = POLICY.replace("keys/vendor.pub}", f"keys/vendor.pub, revoked: {revoked}}}")
    assert load(tmp_path, bank, text).keys[0].revoked == expected


@pytest.mark.parametrize(
    ("old", "new", "code", "path", "message"),
    [
        ('["0x0A:1B"]', "[12]", "wrong-type", "spec.authorities[0].revoked[0]", "`spec.authorities[0].revoked[0]`"),
        ('["0x0A:1B"]', '["serial"]', "invalid-value", "spec.authorities[0].revoked[0]", "`spec.authorities[0].rev"),
        ("[release@bank.example, ", "[", "", "", ""),
        (
            'release@bank.example, "cn:Release Office"',
            "",
            "invalid-value",
            "spec.authorities[0].subjects",
            "`spec.auth",
        ),
        ('"cn:Release Office"', '"cn:"', "invalid-field", "spec.authorities[0].subjects[1]", "a pattern for subjects"),
        ("name: bank-ca", "name: vendor", "duplicate-key-name", "spec.authorities[0].name", "two keys or authorities"),
        ("keys/ca.pem", "keys/no.pem", "file-not-found", "spec.authorities[0].certificateFile", "`keys/no.pem` does"),
        ("keys/ca.pem", "../ca.pem", "path-escape", "spec.authorities[0].certificateFile", "`../ca.pem` leads out"),
        ("keys/vendor.pub}", "keys/vendor.pub, revoked: yes}", "ambiguous-value", "", ""),
        (
            "keys/vendor.pub}",
            "keys/vendor.pub, revoked: {since: soon}}",
            "invalid-value",
            "spec.keys[0].revoked.since",
            "`spec.keys[0].revoked.since`",
        ),
        (
            "keys/vendor.pub}",
            "keys/vendor.pub, revoked: {day: 2026-10-01}}",
            "unknown-field",
            "spec.keys[0].revoked.day",
            "`day` is",
        ),
    ],
)
def test_what_cannot_be_meant(
    old: str, new: str, code: str, path: str, message: str, tmp_path: Path, bank: Holder
) -> None:
    text = (
        POLICY.replace(old, new)
        .replace("of: [vendor, bank-ca]", "of: [vendor]")
        .replace("threshold: 2", "threshold: 1")
    )
    if not code:
        assert len(load(tmp_path, bank, text).authorities[0].subjects) == 1
        return
    with pytest.raises(InputError) as caught:
        load(tmp_path, bank, text)
    finding = caught.value.findings[0]
    assert finding.code == code
    assert finding.where.line is not None
    if path:
        assert finding.where.path == path
        assert finding.message.startswith(message)


def test_a_signers_certificate_is_no_authority(tmp_path: Path, bank: Holder) -> None:
    release = bank.issue("release", signer())
    finding = fault(tmp_path, bank, files={"keys/ca.pem": release.pem})
    assert finding.code == "not-an-authority"
    assert str(finding.where) == "trust.yaml:9:24, spec.authorities[0].certificateFile"
    assert finding.message == (
        "`keys/ca.pem` does not hold the certificates of an authority: certificate 1 (`CN=release`) is not that of an "
        "authority: its basic constraints do not say `CA:TRUE`"
    )
    assert finding.hint == "openssl x509 -noout -text -in keys/ca.pem"


def test_a_private_key_beside_a_certificate_is_refused(tmp_path: Path, bank: Holder) -> None:
    finding = fault(tmp_path, bank, files={"keys/ca.pem": bank.pem + bank.private_pem})
    assert (finding.code, finding.expected) == ("private-key", "`-----BEGIN CERTIFICATE-----`")
    assert bank.private_pem.splitlines()[1].decode() not in str(finding)


def test_sm2_without_its_extra(tmp_path: Path, bank: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    from renderer.stages.verify.signers import Signers
    from tests.unit.test_sm2 import POINT, spki

    policy = load(tmp_path, bank, files={"keys/vendor.pub": spki(POINT)})
    found = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "gmalg":
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError) as caught:
        Signers.of(policy)
    (finding,) = caught.value.findings
    assert finding.code == "extra-missing"
    assert finding.message == "the key `vendor` is for SM2, and the extra `sm` of Sitewright is not installed"
    assert finding.hint == "pip install 'sitewright[sm]'"
    assert finding.where.subject == "trust policy bank, key vendor"
