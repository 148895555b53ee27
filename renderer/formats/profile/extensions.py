"""The sections `bundles` and `extensions` of a profile, and the layers of values in them."""

from __future__ import annotations

from typing import Final

from renderer.formats.canonical_json import canonical_json
from renderer.formats.documents.document import Path
from renderer.formats.profile.fields import Reading
from renderer.model.bundles.extension import extension_name
from renderer.model.fields import FieldError, Fields
from renderer.model.reference import Digest, ImageReference
from renderer.model.site import BundleRequest, ExtensionRequest, ValuesLayer
from renderer.model.version import Constraint

__all__ = ["read_bundles", "read_extensions"]

_REMOTE: Final = "oci://"


def read_bundles(reading: Reading, spec: Fields) -> tuple[BundleRequest, ...]:
    """`spec.bundles`, in the order of the profile. Whether a bundle is there is not asked here."""
    found: dict[str, BundleRequest] = {}
    for fields in reading.children(spec, "bundles"):
        with reading.guard(fields.at("source")):
            source = _source(reading, fields)
            if source in found:
                raise _twice(fields.at("source"), f"the bundle `{source}`", "duplicate-bundle")
            found[source] = BundleRequest(
                source=source,
                version=reading.optional(fields, "version", Constraint.parse),
                allow_rollback=reading.flag(fields, "allowRollback"),
            )
    return tuple(found.values())


def _source(reading: Reading, fields: Fields) -> str:
    text = fields.text("source")
    if text.startswith(_REMOTE):
        _check_remote(text, fields.at("source"))
        return text
    if "://" in text:
        raise FieldError(
            fields.at("source"),
            "a bundle comes from a file or directory of the repository, or from `oci://…`",
            expected="`bundles/name.tar`, a directory, or `oci://registry/repository`",
            got=f"`{text}`",
        )
    return reading.files.resolve(text, fields.at("source"))


def _check_remote(text: str, at: Path) -> None:
    """Refuse what is not `oci://registry/repository`. Raises FieldError."""
    host, _, repository = text.removeprefix(_REMOTE).partition("/")
    try:
        ImageReference(host, repository, "tag")
    except ValueError as error:
        raise FieldError(
            at, str(error), expected="`oci://registry/repository`; the version stands in `version`", got=f"`{text}`"
        ) from error


def read_extensions(reading: Reading, spec: Fields) -> tuple[ExtensionRequest, ...]:
    """`spec.extensions`, in the order of the profile."""
    found: dict[str, ExtensionRequest] = {}
    for fields in reading.children(spec, "extensions"):
        constraint = reading.optional(fields, "version", Constraint.parse)
        values = _layers(reading, fields)
        components = {}
        below = reading.child(fields, "components")
        for name in below.content:
            components[name] = _layers(reading, reading.child(below, name))
        with reading.guard(fields.path):
            request = ExtensionRequest(
                name=fields.parsed("name", extension_name),
                constraint=constraint,
                values=values,
                components=components,
                wave=fields.integer("wave") if "wave" in fields else None,
                reason=fields.optional_text("reason"),
            )
            if request.name in found:
                raise _twice(fields.at("name"), f"the extension `{request.name}`", "duplicate-extension")
            found[request.name] = request
    return tuple(found.values())


def _layers(reading: Reading, fields: Fields) -> tuple[ValuesLayer, ...]:
    """The files of `valuesFrom` in their order, then `values`: the last one wins."""
    layers = []
    for index, text in enumerate(reading.texts(fields, "valuesFrom")):
        at: Path = (*fields.at("valuesFrom"), index)
        with reading.guard(at):
            values = reading.files.values(text, at)
            reading.contents[at] = str(Digest.of(canonical_json(values)))
            layers.append(ValuesLayer(origin=reading.files.resolve(text, at), values=values))
    with reading.guard(fields.at("values")):
        values = fields.mapping("values")
        if values:
            layers.append(ValuesLayer(origin=reading.document.place(fields.at("values")).file, values=values))
    return tuple(layers)


def _twice(at: Path, what: str, code: str) -> FieldError:
    return FieldError(at, f"{what} is listed twice", code=code, expected="each one once")
