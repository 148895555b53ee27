"""Public keys and certificates in files, for what is signed with a key that lies elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.formats.trust.certificate import Certificate, parse_certificate
from renderer.formats.trust.keys import parse_public_key
from renderer.formats.trust.pem import bounded_chain, certificates_of

_FILE_LIMIT: Final = 512 * 1024


def read_public_key(location: str) -> bytes:
    """The public key in the file `location`, as PEM. Raises InputError: `key-not-found`, `invalid-public-key`."""
    pem = _content(location, "key-not-found", "public key")
    try:
        parse_public_key(pem)
    except ValueError as error:
        raise InputError(
            Finding(
                code="invalid-public-key",
                message=f"the public key `{location}` cannot be used: {error}",
                where=Where(file=location),
                hint=f"openssl pkey -in PRIVATE -pubout -out {location}",
            )
        ) from error
    return pem


class Certificates:
    """The signer's certificate and those that lead on from it, without the root: that one is the checker's to name.

    The file `certificate` may hold the chain as well. Each must be issued in the name of the next; whether the
    signatures hold is for those to say who trust a root. Raises InputError: `certificate-not-found`,
    `invalid-certificate`.
    """

    def __init__(self, certificate: str, chain: str | None) -> None:
        self._location = certificate
        found = list(_parsed(certificate))
        if chain is not None:
            found += [one for one in _parsed(chain) if one.der != found[0].der]
        _check_links(found, chain or certificate)
        self._signer = found[0]
        self.content = (self._signer.der, *(one.der for one in found[1:] if not one.self_issued))
        """The certificates as DER, the signer's first."""
        try:
            bounded_chain(self.content)
            self._certified = self._signer.public_key()
        except ValueError as error:
            raise _invalid(certificate, str(error)) from error

    @property
    def public_key(self) -> bytes:
        """The key that the first certificate is for, as PEM."""
        return self._signer.public_key_pem()

    def require_key(self, public_pem: bytes) -> None:
        """Refuse a certificate that is for another key. Raises InputError (`certificate-of-another-key`)."""
        signs, certified = parse_public_key(public_pem).fingerprint, self._certified.fingerprint
        if certified == signs:
            return
        raise InputError(
            Finding(
                code="certificate-of-another-key",
                message=f"the certificate `{self._location}` is not that of the key that signs",
                where=Where(file=self._location, subject=self._signer.subject),
                expected=str(signs),
                got=str(certified),
                hint=f"openssl x509 -in {self._location} -noout -pubkey",
            )
        )


def _parsed(location: str) -> tuple[Certificate, ...]:
    content = _content(location, "certificate-not-found", "certificate")
    try:
        found = tuple(parse_certificate(one) for one in certificates_of(content))
        if not found:
            raise ValueError("there is no certificate in it (`-----BEGIN CERTIFICATE-----`)")
    except ValueError as error:
        raise _invalid(location, str(error)) from error
    return found


def _check_links(chain: Sequence[Certificate], location: str) -> None:
    for below, above in itertools.pairwise(chain):
        if below.issuer != above.subject:
            raise _invalid(
                location,
                f"`{below.subject}` is not issued by the certificate that follows it",
                expected=f"the certificate of `{below.issuer}`",
                got=f"`{above.subject}`",
            )


def _content(location: str, code: str, what: str) -> bytes:
    try:
        with Path(location).open("rb") as stream:
            return stream.read(_FILE_LIMIT)
    except OSError as error:
        raise InputError(
            Finding(
                code=code,
                message=f"the {what} `{location}` cannot be read: {error.strerror}",
                where=Where(file=location),
                hint=f"ls -l {location}",
            )
        ) from error


def _invalid(location: str, message: str, *, expected: str | None = None, got: str | None = None) -> InputError:
    return InputError(
        Finding(
            code="invalid-certificate",
            message=f"the certificate `{location}` cannot be used: {message}",
            where=Where(file=location),
            expected=expected or "PEM certificates: the signer's first, then the one that issued it, and so on",
            got=got,
            hint=f"openssl x509 -in {location} -noout -subject -issuer",
        )
    )
