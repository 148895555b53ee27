"""Signers whom a company certified: who counts, how often, and who is refused with which words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace as other_holder  # noqa: TID251 - a dataclass of these tests
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from renderer.adapters.signing import KeyFileSigner
from renderer.commands.bundle.sign import sign as sign_bundle
from renderer.errors import BundleRefusedError, Finding, InputError
from renderer.formats.bundle.artifact import describe
from renderer.model.bundles.signing import SignatureForm
from renderer.model.bundles.trust import (
    Algorithm,
    Revocation,
    SubjectPattern,
    TrustedAuthority,
    TrustedKey,
    TrustPolicy,
    TrustRule,
)
from renderer.structs import replace
from tests.simulators.authority import NOW, YEAR, Holder, authority, new_key, root, signer
from tests.simulators.bundles import Workshop
from tests.simulators.tables import rows, why_not

BOTH = (SignatureForm.COSIGN_TAG, SignatureForm.SIGSTORE_BUNDLE)


class Bank(Workshop):
    """A bundle, and a company that certifies who may sign it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.sources()
        self.build()
        self.root = directory
        self.authority = root()
        self.below = self.authority.issue("Releases", authority())

    def certified(self, *names: str, key: object = None, **more: object) -> Holder:
        """Somebody with these e-mail addresses."""
        addresses = (x509.RFC822Name(name) for name in names)
        return self.below.issue(names[0], signer(*addresses), key=key, **more)  # type: ignore[arg-type]

    def signs(self, holder: Holder, forms: Sequence[SignatureForm] = BOTH[:1], *, chain: bool = True) -> None:
        """`bundle sign --certificate`."""
        self.write({"keys/holder.pem": holder.private_pem})
        key = KeyFileSigner(self.root / "keys/holder.pem", "keys/holder.pem")
        certificates = (holder.der, self.below.der) if chain else (holder.der,)
        sign_bundle(self.open(), key, self.writer, "bundle", forms=forms, certificates=certificates)

    def trusting(
        self,
        *subjects: str,
        threshold: int = 1,
        of: Sequence[str] = ("bank",),
        pem: bytes | None = None,
        revoked: Sequence[str] = (),
        algorithms: frozenset[Algorithm] = frozenset(Algorithm),
    ) -> TrustPolicy:
        """A policy that believes the company about these subjects."""
        bank = TrustedAuthority(
            name="bank",
            pem=self.authority.pem if pem is None else pem,
            subjects=tuple(map(SubjectPattern.parse, subjects)),
            revoked=frozenset(revoked),
        )
        rule = TrustRule(bundles="demo*", threshold=threshold, of=tuple(of), algorithms=algorithms)
        return TrustPolicy(name="test", keys=tuple(self.keys.values()), authorities=(bank,), rules=(rule,))

    def refusal(self, policy: TrustPolicy) -> Finding:
        """The only finding of `bundle verify`, and of a load."""
        with pytest.raises(BundleRefusedError) as caught:
            self.load(policy)
        (finding,) = caught.value.findings
        with pytest.raises(BundleRefusedError) as again:
            self.verify(policy)
        assert again.value.findings == (finding,)
        return finding


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path)


RELEASE = "release@bank.example"


@pytest.mark.parametrize("form", BOTH)
@pytest.mark.parametrize("chain", [True, False], ids=["chain", "leaf"])
def test_a_certified_signer_counts(form: SignatureForm, chain: bool, bank: Bank) -> None:
    holder = bank.certified(RELEASE)
    bank.signs(holder, [form], chain=chain)
    policy = bank.trusting(RELEASE, pem=bank.authority.pem + (b"" if chain else bank.below.pem))
    outcome = bank.verify(policy)
    assert rows(outcome.text.splitlines()[3:5]) == [
        {
            "#": "1",
            "form": form.value,
            "signer": "bank/release@bank.example",
            "algorithm": "ecdsa-p256-sha256",
            "certificate": "CN=release@bank.example",
            "counts": "yes",
            "why not": "",
        }
    ]
    verdict: Any = outcome.document["verdict"]  # type: ignore[index,call-overload]
    (told,) = verdict["signatures"]
    assert (told["subject"], told["serial"]) == ("CN=release@bank.example", holder.serial)
    assert bank.load(policy).verdict.signers == ("bank/release@bank.example",)


@pytest.mark.parametrize("kind", ["p384", "rsa", "ed25519"])
def test_every_kind_of_key_can_be_certified(kind: str, bank: Bank) -> None:
    bank.signs(bank.certified(RELEASE, key=new_key(kind)))
    assert bank.load(bank.trusting(RELEASE)).verdict.satisfied


def test_an_intermediate_that_nobody_brings_is_told(bank: Bank) -> None:
    bank.signs(bank.certified(RELEASE), chain=False)
    finding = bank.refusal(bank.trusting(RELEASE))
    assert finding.code == "signature-untrusted"
    assert why_not(finding) == [
        "unknown: not certified by `bank`: `CN=Releases`, which issued the certificate, leads to no root"
    ]


def test_whom_no_pattern_asks_for_does_not_count(bank: Bank) -> None:
    bank.signs(bank.certified("intern@bank.example"))
    (told,) = why_not(bank.refusal(bank.trusting(RELEASE, "cn:Release*")))
    assert told.startswith("unknown: `bank` certified it, but its subjects do not include ")
    assert told.endswith("`email:intern@bank.example`, `cn:intern@bank.example`")


def test_an_authority_that_the_rule_does_not_ask_for_does_not_count(bank: Bank) -> None:
    bank.signs(bank.certified(RELEASE))
    bank.sign("vendor")
    bank.key("office")
    finding = bank.refusal(bank.trusting(RELEASE, threshold=2, of=("vendor", "office")))
    assert "bank/release@bank.example: the rule `demo*` does not ask for this signer" in why_not(finding)


def test_somebody_elses_company_does_not_count(bank: Bank) -> None:
    stranger = root().issue("Releases", authority())  # of the same names as ours
    bank.signs(stranger.issue(RELEASE, signer(x509.RFC822Name(RELEASE))), chain=False)
    assert "not certified by `bank`" in why_not(bank.refusal(bank.trusting(RELEASE)))[0]


def test_a_policy_without_authorities_says_so(bank: Bank) -> None:
    bank.signs(bank.certified(RELEASE))
    bank.key("vendor")
    finding = bank.refusal(bank.policy("vendor"))
    assert why_not(finding) == ["unknown: no key of the trust policy made it, and the policy names no authority"]
    assert rows(finding.explanation)[0]["certificate"] == "CN=release@bank.example"


def test_a_certificate_that_was_stuck_to_a_signature_of_another_key(bank: Bank) -> None:
    # Whoever carries the bundle may add certificates to it: they are not signed.
    mallory = bank.certified("mallory@bank.example")
    forged = other_holder(mallory, certificate=bank.certified(RELEASE).certificate)
    bank.signs(forged)
    assert why_not(bank.refusal(bank.trusting(RELEASE))) == ["unknown: it is not by the key in its certificate"]


# --- counting -----------------------------------------------------------------------------------------------------


def test_two_certified_signers_are_two(bank: Bank) -> None:
    for name in (RELEASE, "security@bank.example"):
        bank.signs(bank.certified(name))
    verdict = bank.load(bank.trusting("*@bank.example", threshold=2)).verdict
    assert verdict.signers == ("bank/release@bank.example", "bank/security@bank.example")


def test_two_certificates_of_one_key_are_one_signer(bank: Bank) -> None:
    key = new_key()
    bank.signs(bank.certified(RELEASE, key=key))
    bank.signs(bank.certified("security@bank.example", key=key), [SignatureForm.SIGSTORE_BUNDLE])
    finding = bank.refusal(bank.trusting("*@bank.example", threshold=2))
    assert (finding.code, finding.got) == ("trust-threshold", "`bank/release@bank.example`")
    assert why_not(finding)[1].endswith("another signature of the same signer has been counted")


def test_two_keys_of_one_person_are_one_signer(bank: Bank) -> None:
    bank.signs(bank.certified(RELEASE))
    bank.signs(bank.certified("Release@bank.example", "other@bank.example"))
    assert bank.refusal(bank.trusting("*@bank.example", threshold=2)).code == "trust-threshold"


def test_a_key_that_is_also_certified_is_one_signer(bank: Bank) -> None:
    holder = bank.certified(RELEASE)
    bank.signs(holder)
    pem = holder.public_pem
    bank.keys["vendor"] = TrustedKey(name="vendor", pem=pem)
    assert bank.refusal(bank.trusting(RELEASE, threshold=2, of=("bank", "vendor"))).code == "trust-threshold"
    for member in ("bank", "vendor"):
        assert bank.load(bank.trusting(RELEASE, of=(member,))).verdict.satisfied, "each may speak for it"


def test_both_forms_of_a_signature_are_one_signer(bank: Bank) -> None:
    bank.signs(bank.certified(RELEASE), BOTH)
    finding = bank.refusal(bank.trusting(RELEASE, threshold=2))
    assert [row["counts"] for row in rows(finding.explanation)] == ["yes", "no"]


def test_a_key_and_a_certified_signer_are_two(bank: Bank) -> None:
    bank.sign("vendor")
    bank.signs(bank.certified(RELEASE))
    policy = bank.trusting(RELEASE, threshold=2, of=("vendor", "bank"))
    assert bank.load(policy).verdict.signers == ("bank/release@bank.example", "vendor")


# --- validity and revocation --------------------------------------------------------------------------------------


def test_an_expired_certificate_does_not_count_whenever_it_signed(bank: Bank) -> None:
    bank.signs(bank.certified(RELEASE, end=NOW - timedelta(seconds=1)))
    (told,) = why_not(bank.refusal(bank.trusting(RELEASE)))
    period = "from 2025-11-20 to 2026-11-20 only"
    assert told == f"unknown: not certified by `bank`: the certificate is valid {period}"
    assert bank.load(bank.trusting(RELEASE), now=NOW - YEAR / 2).verdict.satisfied


def test_a_revoked_serial_number_does_not_count(bank: Bank) -> None:
    holder = bank.certified(RELEASE)
    bank.signs(holder)
    assert why_not(bank.refusal(bank.trusting(RELEASE, revoked=[holder.serial]))) == [
        f"bank/{RELEASE}: the certificate `CN=release@bank.example` with serial number {holder.serial} is revoked"
    ]
    assert bank.load(bank.trusting(RELEASE, revoked=["1234"])).verdict.satisfied


def test_a_revoked_intermediate_takes_everybody_with_it(bank: Bank) -> None:
    bank.signs(bank.certified(RELEASE))
    finding = bank.refusal(bank.trusting(RELEASE, revoked=[bank.below.serial]))
    assert why_not(finding) == [
        f"bank/{RELEASE}: the certificate `CN=Releases` with serial number {bank.below.serial} is revoked"
    ]


@pytest.mark.parametrize("since", [None, date(2026, 11, 20)])
def test_a_revoked_key_does_not_count_with_any_certificate(since: date | None, bank: Bank) -> None:
    holder = bank.certified(RELEASE)
    bank.signs(holder)
    lost = Revocation(since=since, reason="laptop stolen")
    bank.keys["lost"] = TrustedKey(name="lost", pem=holder.public_pem, revoked=lost)
    for member in ("bank", "lost"):
        finding = bank.refusal(bank.trusting(RELEASE, of=(member,)))
        assert finding.code == "signature-untrusted"
        told = "revoked since 2026-11-20 (laptop stolen)" if since else "revoked (laptop stolen)"
        assert why_not(finding)[0].endswith(f"the key `lost` is {told}")


def test_a_revocation_begins_on_its_day(bank: Bank) -> None:
    bank.sign("vendor")
    later = Revocation(since=date(2026, 11, 21))
    bank.keys["vendor"] = replace(bank.keys["vendor"], revoked=later)
    assert bank.load(bank.policy("vendor")).verdict.satisfied
    with pytest.raises(BundleRefusedError):
        bank.load(bank.policy("vendor"), now=NOW + timedelta(days=1))


def test_algorithms_hold_for_certified_keys(bank: Bank) -> None:
    bank.signs(bank.certified(RELEASE))
    policy = bank.trusting(RELEASE, algorithms=frozenset({Algorithm.ED25519}))
    assert why_not(bank.refusal(policy)) == [
        "bank/release@bank.example: the rule `demo*` does not allow ecdsa-p256-sha256"
    ]


# --- the policy's own faults --------------------------------------------------------------------------------------


def test_an_authority_that_cannot_be_read_is_the_policy_owners_fault(bank: Bank) -> None:
    bank.sign("vendor")
    with pytest.raises(InputError) as caught:
        bank.load(bank.trusting(RELEASE, pem=b"nothing"))
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.subject) == ("not-an-authority", "trust policy test, authority bank")


def test_nothing_is_parsed_that_nobody_signed(bank: Bank) -> None:
    # A manifest that would not even be JSON: without a signature nobody looks into it.
    poison = b"{" * 100_000
    index = json.loads((bank.root / "bundle/index.json").read_text())
    index["manifests"][0].update(digest=str(describe(poison, "").digest), size=len(poison))
    bank.write({f"bundle/blobs/sha256/{describe(poison, '').digest.hex}": poison})
    bank.write({"bundle/index.json": json.dumps(index)})
    bank.key("vendor")
    assert bank.refusal(bank.policy("vendor")).code == "bundle-unsigned"
