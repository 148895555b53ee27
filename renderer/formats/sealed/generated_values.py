"""`profiles/<site>.generated.yaml`: what was captured of a site's generated values (schemas/generated-values.v1.json).

One document of SOPS: the values of secrets stand below keys `sealed` and are the only part that is encrypted, so that
`sops -d` shows them to whoever has a private key. All else is in clear, because a render needs it and has no key.

Secrets can be added without a private key. The data key of the document is not known then, so what it holds is moved
as it is into `earlier`, as text, and the document begins anew with the new secrets; who has a key joins them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast

from renderer.errors import Finding, InputError, Where
from renderer.formats.bundle.document import only
from renderer.formats.kubernetes.manifests import YamlError, dump, load_values
from renderer.formats.own_files import OWN_LIMITS, read_own_file
from renderer.formats.sealed.age import AgeIdentity, Random
from renderer.formats.sealed.captured import captured_json, read_captured
from renderer.formats.sealed.sops import STANZA, Opened, WrongKeyError, sops_open, sops_seal
from renderer.model.fields import FieldError, Fields, Json, spell_path
from renderer.model.generated.hidden import Hidden
from renderer.model.generated.recipient import AgeRecipient
from renderer.model.generated.sealed import Captured
from renderer.structs import Struct

__all__ = [
    "API_VERSION",
    "KIND",
    "GeneratedFile",
    "OpenedFile",
    "Secret",
    "decode_generated",
    "encode_generated",
    "open_generated",
    "seal_secrets",
]

API_VERSION: Final = "sitewright.dev/v1"
KIND: Final = "GeneratedValues"
_HEADER: Final = (
    "# Written by `sitewright lock`; do not edit. Whoever has a private key reads the secrets with `sops -d`.\n"
)
_SEALED: Final = "sealed"
_MOST_EARLIER: Final = 100

Volume = Mapping[str, Json]
"""A document of SOPS that holds secrets and nothing else."""


class GeneratedFile(Struct, frozen=True, kw_only=True):
    """The file of a site. `current` is None where nothing is secret; `earlier` could not be joined for want of a key.

    Both are documents of SOPS, the second ones as text.
    """

    site: str
    captured: Captured
    current: Volume | None = None
    earlier: tuple[str, ...] = ()


class Secret(Struct, frozen=True, kw_only=True):
    """One captured secret: the group and its revision, the names of the fields that it stands in, and the value."""

    group: str
    revision: int
    fields: tuple[str, ...]
    value: Hidden

    @property
    def order(self) -> tuple[str, int, tuple[str, ...]]:
        """The key by which secrets are sorted in the file."""
        return self.group, self.revision, self.fields


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """All secrets of a file. `current` is what its newest document was sealed with, to seal it alike."""

    secrets: tuple[Secret, ...]
    current: Opened | None = field(default=None, repr=False)


# --- secrets ---------------------------------------------------------------------------------------------------------


def seal_secrets(
    site: str,
    secrets: Iterable[Secret],
    recipients: Sequence[AgeRecipient],
    when: datetime,
    random: Random,
    before: Opened | None = None,
) -> Volume:
    """The document that holds `secrets`; with `before`, equal ones keep their ciphertexts."""
    listed: list[Json] = [
        {
            "group": secret.group,
            "revision": secret.revision,
            "fields": cast("Json", sorted(secret.fields)),
            _SEALED: secret.value.reveal(),
        }
        for secret in sorted(secrets, key=lambda one: one.order)
    ]
    document = {**_head(site), "spec": {"secrets": cast("Json", listed)}}
    return sops_seal(document, [_SEALED], recipients, when, random, before)


def open_generated(file: GeneratedFile, identities: Sequence[AgeIdentity], path: str) -> OpenedFile:
    """All secrets of a file that lies at `path` (for messages).

    Raises InputError: `sealed-key-wrong` when none of `identities` opens it, `sealed-unreadable` when it was changed
    after it was sealed. No message holds anything secret.
    """
    try:
        opened = [sops_open(_volume_of(text), identities) for text in file.earlier]
        current = sops_open(file.current, identities) if file.current is not None else None
    except WrongKeyError as error:
        raise InputError(_wrong_key(error, path)) from None
    except YamlError as error:
        raise InputError(_unreadable(error.message, path, ())) from None
    except FieldError as error:
        raise InputError(_unreadable(error.message, path, error.path)) from None
    everything = [*opened, *([current] if current else [])]
    return OpenedFile(secrets=tuple(one for part in everything for one in _secrets(part)), current=current)


def _secrets(opened: Opened) -> Iterable[Secret]:
    for entry in Fields.of(opened.content).child("spec").children("secrets"):
        yield Secret(
            group=entry.text("group"),
            revision=entry.integer("revision"),
            fields=entry.texts("fields"),
            value=Hidden(cast("Json", entry.content.get(_SEALED))),
        )


def _volume_of(text: str) -> Volume:
    value = load_values(text.encode(), limits=OWN_LIMITS, strict_keys=True)
    return cast("Volume", Fields.of(value).content)


def _wrong_key(error: WrongKeyError, path: str) -> Finding:
    return Finding(
        code="sealed-key-wrong",
        message=f"none of your private keys opens `{path}`",
        where=Where(file=path),
        expected="the private key of " + " or ".join(f"`{one}`" for one in error.recipients),
        hint="export SOPS_AGE_KEY_FILE=FILE",
    )


def _unreadable(message: str, path: str, at: tuple[str | int, ...]) -> Finding:
    return Finding(
        code="sealed-unreadable",
        message=f"the secrets in `{path}` cannot be read: {message}",
        where=Where(file=path, path=spell_path(at) or None),
        expected="the file as `sitewright lock` wrote it",
        hint=f"git checkout HEAD -- {path}",
    )


# --- the file --------------------------------------------------------------------------------------------------------


def encode_generated(file: GeneratedFile) -> bytes:
    """The bytes of the file. Equal content gives equal bytes."""
    spec = captured_json(file.captured)
    document: dict[str, Json] = {**_head(file.site), "spec": spec}
    if file.earlier:
        spec["earlier"] = list(file.earlier)
    if file.current is not None:
        spec["secrets"] = cast("dict[str, Json]", file.current["spec"])["secrets"]
        document[STANZA] = file.current[STANZA]
    return (_HEADER + dump(document)).encode()


def as_earlier(volume: Volume) -> str:
    """A document of secrets as text: itself a file that `sops -d` opens."""
    return dump(dict(volume))


def _head(site: str) -> dict[str, Json]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": site}}


def decode_generated(content: bytes, file: str, profile: str) -> GeneratedFile:
    """The file in `content`. `file` is its name and `profile` that of the profile it belongs to, for messages.

    Nothing is decrypted. Raises InputError with one finding: `yaml-syntax`, `duplicate-key`, `yaml-limit`,
    `unknown-api-version`, `missing-field`, `unknown-field`, `invalid-field`, `duplicate-object`, `secret-in-clear`.
    """
    hint = f"git checkout HEAD -- {file}, or write it anew: sitewright lock {profile}"
    return read_own_file(content, _file, file=file, what="the file of captured values", hint=hint)


def _file(document: Fields) -> GeneratedFile:
    given = document.content.get("apiVersion"), document.content.get("kind")
    if given != (API_VERSION, KIND):
        raise FieldError(
            document.at("apiVersion" if given[0] != API_VERSION else "kind"),
            "this version of Sitewright cannot read such a file",
            code="unknown-api-version",
            expected=f"`{API_VERSION}`, kind `{KIND}`",
            got=f"`{given[0]}`, kind `{given[1]}`",
        )
    only(document, f"apiVersion kind metadata spec {STANZA}")
    metadata, spec = document.child("metadata"), document.child("spec")
    only(metadata, "name")
    only(spec, "recipients groups objects secrets earlier")
    earlier = spec.texts("earlier")
    if len(earlier) > _MOST_EARLIER:
        raise FieldError(spec.at("earlier"), f"more than {_MOST_EARLIER} documents")
    site = metadata.text("name")
    return GeneratedFile(site=site, captured=read_captured(spec), current=_current(document, site), earlier=earlier)


def _current(document: Fields, site: str) -> Volume | None:
    """The part of the document that is one of SOPS; looked at for its shape only."""
    spec = document.child("spec")
    if not ("secrets" in spec or STANZA in document):
        return None
    for entry in spec.children("secrets"):
        only(entry, f"group revision fields {_SEALED}")
    secrets, stanza = spec.content.get("secrets"), document.mapping(STANZA)
    return {**_head(site), "spec": {"secrets": cast("Json", secrets)}, STANZA: stanza}
