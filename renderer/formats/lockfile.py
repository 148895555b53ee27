"""Lock files: `Lock` to YAML and back (schemas/site-lock.v1.json).

One line per pin, fixed key order, sorted: a git diff of a lock reads like a list of what changed. Only `sitewright
lock` writes locks, so reading is strict and fast; positions are looked up only for a lock that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NoReturn, TypeVar

from renderer.formats.bundle.document import only
from renderer.formats.kubernetes.yaml_quoting import double_quoted, needs_quotes
from renderer.formats.locked_values import (
    Flow,
    read_certificate,
    read_generated,
    written_certificate,
    written_generated,
)
from renderer.formats.own_files import read_own_file
from renderer.model.bundles.extension import extension_name
from renderer.model.fields import FieldError, Fields
from renderer.model.generated.groups import CertificateWish
from renderer.model.images.referrers import PinnedReferrer
from renderer.model.lock import Lock, LockedBundle, LockedEngine, LockedExtension, LockedImage, LockedSignatures
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Version

__all__ = ["API_VERSION", "KIND", "decode_lock", "encode_lock"]

API_VERSION: Final = "sitewright.dev/v1"
KIND: Final = "SiteLock"
_HEADER: Final = "# Written by `sitewright lock`; do not edit.\n"
# Text that stands bare inside `{…}` and `[…]`, where a comma or bracket would end it.
_BARE_IN_FLOW: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/+-]*\Z")

T = TypeVar("T")


# --- writing -------------------------------------------------------------------------------------------------------


def encode_lock(lock: Lock) -> bytes:
    """The bytes of the lock file. Equal locks give equal bytes, in whatever order their pins come."""
    lines = [
        f"apiVersion: {API_VERSION}",
        f"kind: {KIND}",
        f"metadata: {_flow({'name': lock.site})}",
        "spec:",
        f"  sitewright: {_flow(lock.sitewright)}",
        f"  engine: {_flow({'name': lock.engine.name, 'helm': lock.engine.helm})}",
        f"  profile: {_flow(str(lock.profile))}",
        *([f"  captured: {_flow(str(lock.captured))}"] if lock.captured else []),
        *_section("apiVersions", sorted(lock.api_versions)),
        *_section("bundles", map(_bundle, sorted(lock.bundles, key=lambda entry: (entry.name, entry.version)))),
        *_section("extensions", map(_extension, sorted(lock.extensions, key=lambda entry: entry.name))),
        *_section("images", map(_image, sorted(lock.images, key=lambda entry: str(entry.reference)))),
        *_section("generated", map(written_generated, sorted(lock.generated, key=lambda entry: entry.order))),
        *_section("certificates", map(written_certificate, sorted(lock.certificates or (), key=lambda one: one.order))),
    ]
    return (_HEADER + "\n".join(lines) + "\n").encode()


def _section(name: str, pins: Iterable[Flow]) -> Iterator[str]:
    lines = [f"    - {_flow(pin)}" for pin in pins]
    yield f"  {name}:" if lines else f"  {name}: []"
    yield from lines


def _bundle(entry: LockedBundle) -> Flow:
    return {
        "name": entry.name,
        "version": str(entry.version),
        "sequence": entry.sequence,
        "digest": str(entry.digest),
        "source": entry.source,
        "signers": entry.signers,
    }


def _extension(entry: LockedExtension) -> Flow:
    return {
        "name": entry.name,
        "version": str(entry.version),
        "bundle": entry.bundle,
        "wave": entry.wave,
        "requiredBy": entry.required_by,
        "components": {name: str(digest) for name, digest in sorted(entry.components.items())},
    }


def _image(entry: LockedImage) -> Flow:
    body: dict[str, Flow] = {
        "reference": str(entry.reference),
        "digest": str(entry.digest),
        "platforms": {str(platform): str(digest) for platform, digest in sorted(entry.platforms.items())},
        "mirror": entry.mirror,
    }
    if entry.index is not None:
        body["index"] = str(entry.index)
    if entry.referrers:
        body["referrers"] = [_referrer(referrer) for referrer in entry.referrers]
    if entry.signatures is not None:
        body["signatures"] = {"bundle": entry.signatures.bundle, "keys": entry.signatures.keys}
    return body


def _referrer(referrer: PinnedReferrer) -> Flow:
    tag: dict[str, Flow] = {"tag": referrer.tag} if referrer.tag is not None else {}
    return {"digest": str(referrer.digest), "subject": str(referrer.subject), **tag}


def _flow(value: Flow) -> str:
    """A value on one line, read as the same value by every YAML reader."""
    if isinstance(value, str):
        bare = _BARE_IN_FLOW.match(value) is not None and not needs_quotes(value)
        return value if bare else double_quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_flow(key)}: {_flow(below)}' for key, below in value.items())}}}"
    return f"[{', '.join(map(_flow, value))}]"


# --- reading -------------------------------------------------------------------------------------------------------


def decode_lock(content: bytes, file: str, profile: str) -> Lock:
    """The lock in `content`. `file` is its name and `profile` that of the profile it belongs to, for messages.

    Raises InputError: `yaml-syntax`, `duplicate-key`, `yaml-limit`, `unknown-api-version`, `missing-field`,
    `unknown-field`, `invalid-field`.
    """
    return read_own_file(content, _lock, file=file, what="the lock", hint=f"sitewright lock {profile}")


def _lock(document: Fields) -> Lock:
    api_version, kind = document.content.get("apiVersion"), document.content.get("kind")
    if (api_version, kind) != (API_VERSION, KIND):
        raise FieldError(
            document.at("apiVersion" if api_version != API_VERSION else "kind"),
            "this version of Sitewright cannot read such a lock",
            code="unknown-api-version",
            expected=f"`{API_VERSION}`, kind `{KIND}`",
            got=f"`{api_version}`, kind `{kind}`",
            hint="use the version of Sitewright that wrote it, or write it anew",
        )
    only(document, "apiVersion kind metadata spec")
    metadata, spec = document.child("metadata"), document.child("spec")
    only(metadata, "name")
    only(spec, "sitewright engine profile captured apiVersions bundles extensions images generated certificates")
    engine = spec.child("engine")
    only(engine, "name helm")
    return Lock(
        site=metadata.text("name"),
        sitewright=spec.text("sitewright"),
        engine=LockedEngine(name=engine.text("name"), helm=engine.text("helm")),
        profile=spec.parsed("profile", Digest.parse),
        api_versions=spec.texts("apiVersions"),
        bundles=tuple(_read(spec, "bundles", _read_bundle)),
        extensions=tuple(_read(spec, "extensions", _read_extension)),
        images=tuple(_read(spec, "images", _read_image)),
        generated=tuple(_read(spec, "generated", read_generated)),
        certificates=_certificates(spec),
        captured=spec.optional("captured", Digest.parse),
    )


def _certificates(spec: Fields) -> tuple[CertificateWish, ...] | None:
    """None in a lock that was written before generated values had groups."""
    if "certificates" not in spec.content and spec.content.get("generated"):
        return None
    return tuple(_read(spec, "certificates", read_certificate))


def _read(spec: Fields, key: str, read: Callable[[Fields], T]) -> Iterator[T]:
    """The pins of one list, each one once."""
    seen: set[object] = set()
    for fields in spec.children(key):
        pin = read(fields)
        identity = _identity(pin)
        if identity in seen:
            _refuse_twice(fields)
        seen.add(identity)
        yield pin


def _identity(pin: object) -> object:
    match pin:
        case LockedBundle() | LockedExtension():
            return pin.name
        case LockedImage():
            return pin.reference
        case CertificateWish():
            return pin.order
        case _:
            return pin


def _refuse_twice(fields: Fields) -> NoReturn:
    raise FieldError(fields.path, "this is pinned twice", expected="each one once")


def _read_bundle(fields: Fields) -> LockedBundle:
    only(fields, "name version sequence digest source signers")
    return LockedBundle(
        name=fields.text("name"),
        source=fields.text("source"),
        version=fields.parsed("version", Version.parse_strict),
        sequence=fields.integer("sequence"),
        digest=fields.parsed("digest", Digest.parse),
        signers=fields.texts("signers"),
    )


def _read_extension(fields: Fields) -> LockedExtension:
    only(fields, "name version bundle wave requiredBy components")
    components = fields.child("components")
    return LockedExtension(
        name=fields.parsed("name", extension_name),
        version=fields.parsed("version", Version.parse_strict),
        bundle=fields.text("bundle"),
        components={name: components.parsed(name, Digest.parse) for name in components.content},
        required_by=fields.texts("requiredBy"),
        wave=fields.integer("wave"),
    )


def _read_image(fields: Fields) -> LockedImage:
    only(fields, "reference digest platforms mirror index referrers signatures")
    platforms = fields.child("platforms")
    return LockedImage(
        reference=fields.parsed("reference", ImageReference.parse),
        digest=fields.parsed("digest", Digest.parse),
        platforms={
            Fields.parse(name, Platform.parse, platforms.at(name)): platforms.parsed(name, Digest.parse)
            for name in platforms.content
        },
        mirror=fields.text("mirror"),
        index=fields.optional("index", Digest.parse),
        referrers=tuple(map(_read_referrer, fields.children("referrers"))),
        signatures=_read_signatures(fields.child("signatures")) if "signatures" in fields else None,
    )


def _read_signatures(fields: Fields) -> LockedSignatures:
    only(fields, "bundle keys")
    return LockedSignatures(bundle=fields.text("bundle"), keys=fields.texts("keys"))


def _read_referrer(fields: Fields) -> PinnedReferrer:
    only(fields, "digest subject tag")
    return PinnedReferrer(
        digest=fields.parsed("digest", Digest.parse),
        subject=fields.parsed("subject", Digest.parse),
        tag=fields.optional_text("tag"),
    )
