"""Reading the certificates and keys that charts print: facts, and never the keys themselves."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from textwrap import indent

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from renderer.formats.certificates import holds_pem, read_pem, signs

START = datetime(2026, 11, 1, tzinfo=UTC)


def named(name: str, *organizations: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, one) for one in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(
    key: CertificateIssuerPrivateKeyTypes,
    subject: x509.Name,
    *extensions: x509.ExtensionType,
    issuer: x509.Name | None = None,
    by: CertificateIssuerPrivateKeyTypes | None = None,
) -> str:
    signer = by or key
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=90, hours=3))
    )
    for extension in extensions:
        made = made.add_extension(extension, critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return made.sign(signer, algorithm).public_bytes(Encoding.PEM).decode()


def written(key: CertificateIssuerPrivateKeyTypes, password: str = "") -> str:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


CA = x509.BasicConstraints(ca=True, path_length=None)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ed25519.Ed25519PrivateKey.generate()


def usages(*on: str) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{one: one in on for one in every})


def test_everything_that_a_certificate_is_for_is_read() -> None:
    names = x509.SubjectAlternativeName(
        [x509.DNSName("web.shop.svc"), x509.DNSName("*.shop"), x509.IPAddress(ipaddress.ip_address("fd00::1"))]
    )
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("1.2.3.4")])
    text = certificate(KEY, named("web", "shop"), names, usages("digital_signature", "crl_sign"), purposes)
    (facts,) = read_pem(text).certificates
    assert (facts.common_name, facts.organizations) == ("web", ("shop",))
    assert (facts.dns_names, facts.ip_addresses) == (("web.shop.svc", "*.shop"), ("fd00::1",))
    assert facts.key_usages == ("digital signature", "crl sign")
    assert facts.extended_usages == ("server auth", "1.2.3.4")
    assert (facts.days, facts.not_after.isoformat()) == (90, "2027-01-30T03:00:00+00:00")
    assert (facts.is_ca, facts.algorithm) == (False, "ecdsa-256")


def test_a_bare_certificate_is_for_nothing() -> None:
    (facts,) = read_pem(certificate(OTHER, x509.Name([]), CA)).certificates
    assert (facts.common_name, facts.dns_names, facts.key_usages, facts.extended_usages) == ("", (), (), ())
    assert (facts.is_ca, facts.algorithm) == (True, "ed25519")


def test_a_name_may_be_longer_than_it_should_be() -> None:
    with pytest.warns(UserWarning, match="length must be"):
        text = certificate(KEY, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x" * 81, _validate=False)]))
    assert read_pem(text).certificates[0].common_name == "x" * 81, "and nobody is warned again"


@pytest.mark.parametrize("kind", ["BMPString", "UniversalString", "UTF8String"])
def test_names_in_other_encodings_are_read(kind: str) -> None:
    cafe = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cafe, getattr(x509.name._ASN1Type, kind))])
    assert read_pem(certificate(KEY, name)).certificates[0].common_name == cafe


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_gives_its_public_half_only(form: PrivateFormat) -> None:
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    material = read_pem(text)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert (material.has_private_key, material.public_keys) == (True, (public,))
    assert material.certificates == ()
    assert text.splitlines()[1] not in repr(material)


def test_a_key_and_its_certificate_share_the_public_half() -> None:
    material = read_pem(certificate(KEY, named("a")) + written(KEY))
    assert material.public_keys == (material.certificates[0].public_key,)


def test_an_encrypted_key_is_a_key_all_the_same() -> None:
    material = read_pem(written(KEY, "hush"))
    assert (material.has_private_key, material.public_keys) == (True, ())


def test_text_around_and_indentation_do_not_matter() -> None:
    text = certificate(KEY, named("a"))
    deep = f"tls:\n  crt: |\n{indent(text, '    ')}  key: |\n{indent(written(KEY), '    ')}more: x\n"
    assert read_pem(deep) == read_pem(text + written(KEY))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB",
        "-----BEGIN CERTIFICATE-----\n\N{SNOWMAN}\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nbm90aGluZw==\n-----END PUBLIC KEY-----\n",
        "-----BEGIN " * 20_000,
    ],
    ids=["empty", "no certificate", "cut off", "no base64", "public", "hostile"],
)
def test_what_is_none_is_passed_over(text: str) -> None:
    material = read_pem(text)
    assert (material.certificates, material.public_keys, material.has_private_key) == ((), (), False)


def test_there_are_limits() -> None:
    text = certificate(KEY, named("a"))
    assert len(read_pem(text * 100).certificates) == 64
    assert read_pem(" " * 2**18 + text).certificates == ()
    assert holds_pem(text)
    assert not holds_pem("CERTIFICATE")


def test_who_signed_whom_is_told_by_the_signature() -> None:
    root = read_pem(certificate(KEY, named("ca"), CA)).certificates[0]
    namesake = read_pem(certificate(OTHER, named("ca"), CA)).certificates[0]
    leaf = read_pem(certificate(OTHER, named("web"), issuer=named("ca"), by=KEY)).certificates[0]
    assert signs(root, leaf)
    assert signs(root, root)
    assert not signs(namesake, leaf), "same name, another key"
    assert not signs(leaf, root)
