"""What can go wrong with a registry, as findings: the cause, and what mends it. Never a credential."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from typing import Final

from renderer.errors import Finding, HopelessError, RemoteError, Where
from renderer.structs import Struct

PROXY_VARIABLES: Final = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_QUOTA: Final = r"(?i)quota|exceed the configured upper limit|toomanyblobs"
_DISK: Final = r'(?i)no space left|disk (is )?full|insufficient storage|not enough space|disk quota|"err": (28|122)\b'
"""With the numbers of ENOSPC and EDQUOT, which is all that distribution tells of some writes."""
_NO_PROJECT: Final = r"project \S+ not found"
_POLICY: Final = "PROJECTPOLICYVIOLATION"
_CLOSED: Final = r"read only mode|to a proxy project"
_IMMUTABLE: Final = r"(?i)immutable|already ?exists"
_TEXT_LIMIT: Final = 400


class Refusal(Struct, frozen=True, kw_only=True):
    """An answer that is none: its status and the beginning of what the registry says (untrusted).

    `missing` is true when the way in which it refuses says that there is no such project.
    """

    status: int
    body: bytes
    missing: bool = False

    @property
    def text(self) -> str:
        """The registry's own words: `CODE: message (detail)` of the specification's error form, or plain text."""
        try:
            errors = json.loads(self.body)["errors"]
            said = "; ".join(_error_text(error) for error in errors[:5])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            said = self.body[: 4 * _TEXT_LIMIT].decode("utf-8", "replace")
            said = "" if "<html" in said.lower() else said
        printable = "".join(char if char.isprintable() else " " for char in said)
        return " ".join(printable.split())[:_TEXT_LIMIT]


class Faults(Struct, frozen=True, kw_only=True):
    """Makes the findings of one registry. `proxies` are the proxy variables that are set, `authorities` names of CAs.

    `authorities` is None when the system's own are asked. `proxy` is true when the caller named a proxy.
    """

    location: str
    host: str
    authorities: tuple[str, ...] | None = None
    proxies: tuple[str, ...] = ()
    proxy: bool = False

    def lost(self, error: Exception, subject: str) -> RemoteError:
        """A connection that could not be made, or broke."""
        if isinstance(error, ssl.SSLError):
            return self._tls(error, subject)
        cause = _cause(error)
        explanation: tuple[str, ...] = ()
        if self.proxies:
            names = ", ".join(f"`{name}`" for name in self.proxies)
            explanation = (f"{names} set: not used here, because registries of a site are spoken to directly",)
        elif self.proxy:
            explanation = ("the connection goes through the proxy that was asked for",)
        return self._error(
            "registry-unreachable",
            f"`{self.host}` cannot be reached: {cause}",
            subject,
            expected=f"a registry that answers at {self.location}",
            explanation=explanation,
            hopeless=True,
            hint=f"curl -v --noproxy '*' {self.location}/v2/",
        )

    def _tls(self, error: ssl.SSLError, subject: str) -> RemoteError:
        reason = getattr(error, "verify_message", "") or (error.reason or str(error)).replace("_", " ").lower()
        host, _, port = self.host.rpartition(":") if not self.host.endswith("]") else (self.host, "", "443")
        address = f"{host}:{port}" if host and port.isdigit() else f"{self.host}:443"
        hint = f"openssl s_client -connect {address} -showcerts </dev/null"
        if "wrong version number" in reason or "http request" in reason:
            expected = "a registry that speaks TLS; for one that does not, say `insecure: true` and `http://`"
        elif "certificate required" in reason or "handshake failure" in reason or "alert" in reason:
            expected = "a client certificate that the registry accepts"
        elif self.authorities is None:
            expected = "a certificate of an authority that this system trusts; name its CA with --ca, or in the profile"
        else:
            names = ", ".join(f"`{name}`" for name in self.authorities) or "the CA that was given"
            expected = f"a certificate for `{self.host}` that was issued by {names}"
        return self._error(
            "registry-tls",
            f"no trusted TLS connection to `{self.host}`: {reason}",
            subject,
            expected=expected,
            hint=hint,
            hopeless=True,
        )

    def refused(
        self, refusal: Refusal, subject: str, scopes: Iterable[str] = (), *, known: bool = False, given: bool = False
    ) -> RemoteError:
        """An answer with an error status, told as what it means.

        `known` is true when the registry knows who we are, `given` when it was told.
        """
        text = refusal.text
        said = (f"the registry says: {text}",) if text else ()
        asked = tuple(sorted(scopes))
        got = f"HTTP {refusal.status}"
        if refusal.status in {500, 507} and (re.search(_DISK, text) or refusal.status == 507):
            return self._error(
                "registry-full", "the registry's disk is full", "", got=got, explanation=said, hopeless=True,
                hint="free space on the registry (garbage collection), or make its volume larger",
            )  # fmt: skip
        if refusal.status in {403, 412, 413, 429} and re.search(_QUOTA, text):
            return self._error(
                "registry-quota", f"the quota of the project `{self._project(subject)}` is used up", subject, got=got,
                explanation=said,
                hint="raise the project's quota, in Harbor: Administration, Project Quotas",
            )  # fmt: skip
        if refusal.status in {400, 403, 409, 412} and re.search(_IMMUTABLE, text):
            return self._error(
                "tag-immutable", "the tag is immutable and holds another manifest", subject, got=got, explanation=said,
                expected="a tag that does not exist yet, or holds the same digest",
                hint="take the tag out of the project's rule for immutable tags (for signatures: exclude `sha256-*`)",
            )  # fmt: skip
        if refusal.status == 412 and _POLICY in text:
            return self._error(
                "registry-policy", "a rule of the project forbids to read the image", subject, got=got,
                explanation=said, hint="bring what the rule asks for (`sitewright images sync` brings signatures), or "
                "change it; in Harbor: configuration of the project, deployment security",
            )  # fmt: skip
        if refusal.status == 401 and (refusal.missing or re.search(_NO_PROJECT, text)):
            return self._not_found(subject, got, said, asked)
        if refusal.status == 401 and not known:
            return self._unauthorized(subject, got, said, asked, given=given)
        if refusal.status == 403 and re.search(_CLOSED, text):
            return self._error(
                "registry-denied", f"`{self.host}` takes nothing here at the moment", subject,
                expected=_asked(asked), got=got, explanation=said,
                hint="ask its administrator: the registry is read-only, or the project is a cache of another one",
            )  # fmt: skip
        if refusal.status in {502, 503, 504}:
            return self._error(
                "registry-refused", f"the registry is not ready: HTTP {refusal.status}", subject, got=got,
                explanation=said, hopeless=True,
                hint=f"wait, or see what is down; Harbor tells: curl {self.location}/api/v2.0/health",
            )  # fmt: skip
        by_status = {401: self._denied, 403: self._denied, 404: self._not_found, 413: self._too_large}
        make = by_status.get(refusal.status)
        if make is not None:
            return make(subject, got, said, asked)
        return self._error(
            "registry-refused", f"the registry refused the request with HTTP {refusal.status}", subject, got=got,
            explanation=said,
        )  # fmt: skip

    def unauthorized(self, subject: str, scopes: Iterable[str], why: str, *, given: bool) -> RemoteError:
        """The token service, not the registry, will not have us; `given` when it was told who we are."""
        return self._unauthorized(subject, why, (), tuple(sorted(scopes)), given=given)

    def malformed(self, message: str, subject: str, *, expected: str | None = None) -> RemoteError:
        """An answer that breaks the rules of the specification."""
        return self._error("registry-refused", message, subject, expected=expected)

    def _unauthorized(
        self, subject: str, got: str, said: tuple[str, ...], asked: tuple[str, ...], *, given: bool
    ) -> RemoteError:
        what = "does not accept the credentials" if given else "wants to know who asks"
        return self._error(
            "registry-unauthorized", f"`{self.host}` {what}", subject,
            expected=_asked(asked), got=got, explanation=said, hopeless=given,
            hint=f"docker login {self.host}, or set SITEWRIGHT_REGISTRY_USERNAME, SITEWRIGHT_REGISTRY_PASSWORD and "
            f"SITEWRIGHT_REGISTRY_HOST={self.host}",
        )  # fmt: skip

    def _denied(self, subject: str, got: str, said: tuple[str, ...], asked: tuple[str, ...]) -> RemoteError:
        pushing = not asked or any("push" in scope for scope in asked)
        what, role = ("push to", "Developer") if pushing else ("pull from", "Limited Guest")
        return self._error(
            "registry-denied", f"this user may not do that on `{self.host}`", subject,
            expected=_asked(asked), got=got, explanation=said,
            hint=f"let the user {what} the project `{self._project(subject)}` (Harbor: role {role} or higher); "
            "some registries say the same when the project does not exist: --create-projects makes it on Harbor",
        )  # fmt: skip

    def _not_found(self, subject: str, got: str, said: tuple[str, ...], asked: tuple[str, ...]) -> RemoteError:  # noqa: ARG002 - one shape for all
        project = self._project(subject)
        return self._error(
            "registry-not-found", "the registry knows no such repository or project", subject, got=got,
            explanation=said, expected=f"a project `{project}`",
            hint="`sitewright images sync` with --create-projects makes it on Harbor; by hand: "
            f"curl -u USER {self.location}/api/v2.0/projects --json '{{\"project_name\":\"{project}\"}}'",
        )  # fmt: skip

    def _project(self, subject: str) -> str:
        """The first part of the repository that `subject` (`host/project/path@digest`) names."""
        return subject.removeprefix(f"{self.host}/").partition("/")[0]

    def _too_large(self, subject: str, got: str, said: tuple[str, ...], asked: tuple[str, ...]) -> RemoteError:  # noqa: ARG002
        return self._error(
            "registry-refused", "the request was too large for the registry, or for a proxy before it", subject,
            got=got, explanation=said, hint="raise the limit of the proxy before the registry "
            "(nginx: `client_max_body_size 0;`)",
        )  # fmt: skip

    def _error(
        self,
        code: str,
        message: str,
        subject: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
        explanation: tuple[str, ...] = (),
        hopeless: bool = False,
    ) -> RemoteError:
        where = Where(subject=subject or self.location)
        made = HopelessError if hopeless else RemoteError
        return made(
            Finding(
                code=code, message=message, where=where, expected=expected, got=got, hint=hint, explanation=explanation
            )
        )


def set_proxies(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The proxy variables that are set; their values may hold passwords and are not told."""
    return tuple(name for name in PROXY_VARIABLES if environ.get(name))


def authority_names(context: ssl.SSLContext) -> tuple[str, ...]:
    """The common names (or organisations) of the authorities that a context trusts, sorted."""
    found = set()
    for certificate in context.get_ca_certs():
        subject = certificate.get("subject", ())
        parts = {
            str(pair[0]): str(pair[1])
            for group in subject
            if isinstance(group, tuple)
            for pair in group
            if len(pair) == 2
        }
        found.add(parts.get("commonName") or parts.get("organizationName") or "an unnamed authority")
    return tuple(sorted(found))


def _asked(scopes: tuple[str, ...]) -> str:
    return f"access to {', '.join(f'`{scope}`' for scope in scopes)}" if scopes else "access to the registry"


def _cause(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "the connection broke off"


def _error_text(error: Mapping[str, object]) -> str:
    detail, message = error.get("detail"), str(error.get("message", ""))
    half = len(message) // 2 - 1
    if message == f"{message[:half]}: {message[:half]}":  # Harbor says many things twice
        message = message[:half]
    return f"{error.get('code', '')}: {message}" + (f" ({json.dumps(detail)})" if detail else "")
