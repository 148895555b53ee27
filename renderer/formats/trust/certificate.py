"""One certificate (RFC 5280): DER bytes to what it says, before anybody believes it. A home of `cryptography`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from renderer.formats.trust import der
from renderer.formats.trust.armour import wrapped
from renderer.formats.trust.keys import PublicKey, parse_public_key
from renderer.model.bundles.trust import NameKind, SubjectName
from renderer.structs import Struct

_NAME_LIMIT: Final = 1024
_SHOWN: Final = 200


class Certificate(Struct, frozen=True):
    """One certificate, read and not believed. `serial` is lower-case hexadecimal, `names` are those of its subject.

    `read` is what `cryptography` made of it, for the modules that judge it.
    """

    der: bytes
    subject: str
    issuer: str
    serial: str
    names: tuple[SubjectName, ...]
    read: Any

    @property
    def self_issued(self) -> bool:
        """True when subject and issuer are the same: a root, or a root's successor."""
        return bool(self.read.subject == self.read.issuer)

    def public_key(self) -> PublicKey:
        """The certified key. Raises ValueError when it is none that signs bundles."""
        return parse_public_key(self.public_key_pem())

    def public_key_pem(self) -> bytes:
        """The certified key as PEM, whatever its kind. Raises ValueError."""
        return wrapped("PUBLIC KEY", self._public_key_info())

    def _public_key_info(self) -> bytes:
        return _fields(self.read.tbs_certificate_bytes)[5].encoded


def parse_certificate(content: bytes) -> Certificate:
    """Read one certificate in DER. Raises ValueError; nothing about it has been checked."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        signed, _, signature = der.elements(der.inside(content))
        serial = int.from_bytes(_fields(signed.encoded)[0].content, signed=True)
        if serial < 1 or signature.content[:1] != b"\0":
            # `cryptography` warns of the one on standard error, and does not look at the other: unused bits
            raise ValueError("a serial number is positive, and a signature has whole bytes")
        read = x509.load_der_x509_certificate(content)
        extensions = tuple(read.extensions)
        subject, issuer = read.subject, read.issuer
        names = [*_alternative_names(extensions), *_common_names(subject)]
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise ValueError("the certificate cannot be read") from error
    for name in names:
        if len(name.value) > _NAME_LIMIT or not name.value.isprintable():
            raise ValueError("a name in the certificate is too long, or has characters that are not shown")
    return Certificate(
        der=content,
        subject=_shown(subject.rfc4514_string()),
        issuer=_shown(issuer.rfc4514_string()),
        serial=f"{serial:x}",
        names=tuple(names),
        read=read,
    )


def _fields(signed: bytes) -> tuple[der.Element, ...]:
    """Serial, algorithm, issuer, validity, subject, public key, and so on: what is signed. Raises ValueError."""
    fields = der.elements(der.inside(signed))
    fields = fields[1:] if fields and fields[0].tag == der.EXPLICIT_0 else fields
    if len(fields) < 6:
        raise ValueError("the certificate cannot be read")
    return fields


def _alternative_names(extensions: Sequence[Any]) -> Iterator[SubjectName]:
    from cryptography import x509

    kinds: dict[type, NameKind] = {
        x509.RFC822Name: NameKind.EMAIL,
        x509.UniformResourceIdentifier: NameKind.URI,
        x509.DNSName: NameKind.DNS,
    }
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            for general in extension.value:
                if type(general) in kinds:
                    yield SubjectName(kinds[type(general)], str(general.value))


def _common_names(subject: Any) -> Iterator[SubjectName]:
    from cryptography.x509.oid import NameOID

    for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield SubjectName(NameKind.COMMON_NAME, str(attribute.value))


def _shown(name: str) -> str:
    """A distinguished name as it may stand on a terminal."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
