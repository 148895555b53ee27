"""Who we are: Basic, or the Bearer tokens of a token service.

Rules: RFC 9110 (11, challenges), https://distribution.github.io/distribution/spec/auth/token/ and `/oauth/`.
Credentials go to the registry itself and to the token service that it names, never anywhere else.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from renderer.adapters.registry.credentials import Credentials, CredentialSource
from renderer.adapters.registry.faults import Faults, Refusal
from renderer.adapters.registry.patience import Patience
from renderer.formats.canonical_json import parse_json
from renderer.model.fields import Fields
from renderer.structs import Struct

_CHALLENGE_LIMIT: Final = 4096
_TOKEN_LIMIT: Final = 256 * 1024
_DEFAULT_LIFE: Final = 60
_HARBOR: Final = "harbor-registry"
"""The name of Harbor's token service."""
_SPARE: Final = 10.0
_PARAMETER = r'[A-Za-z0-9_-]+[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[^\s,"]+)'
_CHALLENGE = re.compile(rf"([A-Za-z]+)[ \t]+({_PARAMETER}(?:[ \t]*,[ \t]*{_PARAMETER})*)")
_PAIR = re.compile(r'([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')

Ask = Callable[[str, str, Mapping[str, str], bytes], tuple[int, bytes]]
"""method, URL, headers, body -> status, body; tries again by itself. Given by the transport."""


class Challenge(Struct, frozen=True):
    """One demand of `WWW-Authenticate`: a scheme in lower case and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def read_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of the `WWW-Authenticate` headers `values`; what cannot be read is left out."""
    found = []
    for value in values:
        for scheme, parameters in _CHALLENGE.findall(value[:_CHALLENGE_LIMIT]):
            pairs = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
                for name, quoted, plain in _PAIR.findall(parameters)
            }
            found.append(Challenge(scheme.lower(), pairs))
    return tuple(found)


class Authentication:
    """Answers the challenges of one registry. Thread-safe; a token serves until shortly before its end."""

    def __init__(self, source: CredentialSource, *, ask: Ask, faults: Faults, patience: Patience, secure: bool) -> None:
        self._source = source
        self._ask = ask
        self._faults = faults
        self._now = patience.now
        self._secure = secure
        self._lock = threading.RLock()
        self._challenge: Challenge | None = None
        self._known: dict[str, Credentials | None] = {}
        self._tokens: dict[object, dict[frozenset[str], tuple[str, float]]] = {}
        self._right: dict[Credentials, bool] = {}
        self._wanted: dict[tuple[str, frozenset[str]], tuple[str, ...]] = {}

    def header(self, repository: str, scopes: frozenset[str]) -> str | None:
        """The value of `Authorization`, or None before the first challenge or without credentials."""
        with self._lock:
            challenge = self._challenge
            if challenge is None:
                return None
            if challenge.scheme == "basic":
                credentials = self._credentials(repository)
                return _basic(credentials) if credentials and credentials.username else None
            return f"Bearer {self._token(challenge, repository, scopes)}"

    def challenged(self, values: Iterable[str], repository: str, scopes: frozenset[str], sent: str | None) -> bool:
        """Learn from an answer 401; true when the request is worth sending again. `sent` is the header it had.

        Where tokens are used, a token that is not enough is tried again with a new one, once: Harbor asks for Basic
        then, which a registry that gives tokens need not be told. Raises RemoteError when the password is wrong.
        """
        challenges = {challenge.scheme: challenge for challenge in read_challenges(values)}
        challenge = challenges.get("bearer") or challenges.get("basic")
        with self._lock:
            tokens = self._challenge is not None and self._challenge.scheme == "bearer"
            if tokens and sent is not None and sent.startswith("Bearer "):
                again = self._forget(repository, sent)
                self.check(repository)
                if challenge is None or challenge.scheme == "basic":
                    return again
            if challenge is None or (tokens and challenge.scheme == "basic"):
                return False
            self._challenge = challenge
            self._wanted[repository, scopes] = tuple(challenge.parameters.get("scope", "").split())
            if challenge.scheme == "bearer":
                return True
            credentials = self._credentials(repository)
            return credentials is not None and bool(credentials.username) and sent != _basic(credentials)

    def _forget(self, repository: str, sent: str) -> bool:
        """Drop the token that was sent: expired before its time, revoked, or not enough. True for one that we kept."""
        kept = self._tokens.get(self._shared(repository), {})
        held = [asked for asked, (token, _) in kept.items() if sent == f"Bearer {token}"]
        for asked in held:
            del kept[asked]
        return bool(held)

    def check(self, repository: str) -> bool:
        """Whether there are credentials, and the token service takes them. Raises HopelessError when it does not.

        Asked without a scope, as `docker login` does: Harbor answers a wrong password with an anonymous token
        otherwise. Once for all credentials; an identity token is checked by every answer of the token service.
        """
        with self._lock:
            credentials, challenge = self._credentials(repository), self._challenge
            if credentials is None or challenge is None or challenge.scheme != "bearer":
                return credentials is not None
            if credentials.username and credentials not in self._right:
                status, _ = self._ask(*_token_request(challenge, (), credentials))
                self._right[credentials] = status != 401
            if self._right.get(credentials) is False:
                why = "the token service does not know this user with this password"
                raise self._faults.unauthorized(repository, (), why, given=True)
            return True

    def basic(self, repository: str) -> str | None:
        """The credentials as Basic, for an API beside the registry's that knows no tokens."""
        with self._lock:
            credentials = self._credentials(repository)
            return _basic(credentials) if credentials and credentials.username else None

    def _credentials(self, repository: str) -> Credentials | None:
        if repository not in self._known:
            self._known[repository] = self._source(repository)
        return self._known[repository]

    def _token(self, challenge: Challenge, repository: str, scopes: frozenset[str]) -> str:
        """A token for `scopes`: one at hand that covers them, or a new one."""
        kept = self._tokens.setdefault(self._shared(repository), {})
        wanted = union_of_scopes([*scopes, *self._wanted.get((repository, scopes), ())])
        actions = _actions(wanted, by_project=self.is_harbor)
        for asked, (token, end) in tuple(kept.items()):
            if self._now() > end:
                del kept[asked]
            elif actions <= asked:
                return token
        kept[actions] = self._fetch(challenge, repository, wanted)
        return kept[actions][0]

    @property
    def is_harbor(self) -> bool:
        """True when a token holds for a whole project, as those of Harbor do (core/service/token, `v2token`)."""
        return self._challenge is not None and self._challenge.parameters.get("service") == _HARBOR

    def _shared(self, repository: str) -> object:
        """What has tokens in common: a repository, or with Harbor the whole project for one user."""
        if not self.is_harbor:
            return repository
        return repository.partition("/")[0], self._credentials(repository)

    def _fetch(self, challenge: Challenge, repository: str, wanted: tuple[str, ...]) -> tuple[str, float]:
        """A new token, and when to stop using it."""
        realm = challenge.parameters.get("realm", "")
        parts = urlsplit(realm)
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username:
            raise self._faults.malformed("the registry names no token service that can be used", repository)
        if parts.scheme == "http" and self._secure:
            message = f"the token service `{parts.netloc}` would get the credentials without encryption"
            raise self._faults.malformed(message, repository, expected="a token service behind `https://`")
        started = self._now()
        status, body = self._ask(*_token_request(challenge, wanted, self._credentials(repository)))
        if status != 200:
            refusal = Refusal(status=status, body=body)
            if status in {400, 401, 403, 404}:
                why = f"the token service `{parts.netloc}` answers HTTP {status}"
                given = self._credentials(repository) is not None
                raise self._faults.unauthorized(repository, wanted, f"{why}: {refusal.text}".rstrip(": "), given=given)
            raise self._faults.refused(refusal, f"token service {parts.netloc}", wanted)
        return self._read_token(body, started, parts.netloc)

    def _read_token(self, body: bytes, started: float, service: str) -> tuple[str, float]:
        try:
            answer = Fields.of(parse_json(body, limit=_TOKEN_LIMIT))
            token = answer.text("token", "") or answer.text("access_token")
            life = answer.integer("expires_in", _DEFAULT_LIFE)
        except ValueError:  # the body may hold a secret
            token, life = "", 0
        if not token or not token.isascii() or not token.isprintable():
            raise self._faults.malformed(f"the token service `{service}` gives no token", "")
        return token, started + max(life - _SPARE, life / 2)


def union_of_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """One scope for each repository with all actions asked for: `repository:a/b:pull,push`; those to push to first.

    Harbor gives the robot of a project rights in the project of the first scope only.
    """
    actions: dict[str, set[str]] = {}
    for scope in scopes:
        name, _, asked = scope.rpartition(":")
        if name:
            actions.setdefault(name, set()).update(asked.split(","))
    ordered = sorted(actions.items(), key=lambda one: ("push" not in one[1], one[0]))
    return tuple(f"{name}:{','.join(sorted(asked))}" for name, asked in ordered)


def _actions(scopes: Iterable[str], *, by_project: bool) -> frozenset[str]:
    """Scopes as single actions, `repository:a/b:pull`, to tell which token covers which request."""
    split = ((name, actions.split(",")) for name, _, actions in (scope.rpartition(":") for scope in scopes))
    return frozenset(
        f"{name.partition('/')[0] if by_project else name}:{action}" for name, actions in split for action in actions
    )


def _token_request(
    challenge: Challenge, scopes: tuple[str, ...], credentials: Credentials | None
) -> tuple[str, str, dict[str, str], bytes]:
    """GET with Basic for a password (or nobody), POST (OAuth2) for an identity token."""
    realm, service = challenge.parameters["realm"], challenge.parameters.get("service", "")
    if credentials is not None and credentials.identity_token:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": credentials.identity_token,
            "client_id": "sitewright",
            "service": service,
            "scope": " ".join(scopes),
        }
        return "POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(form).encode()
    query = [("service", service)] if service else []
    query += [("scope", scope) for scope in scopes]
    address = realm + ("&" if urlsplit(realm).query else "?") + urlencode(query, quote_via=quote, safe=":/,")
    headers = {"Authorization": _basic(credentials)} if credentials is not None and credentials.username else {}
    return "GET", address, headers, b""


def _basic(credentials: Credentials) -> str:
    return "Basic " + base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
