"""`bundle.json`, the config blob of a bundle: `Bundle` to canonical JSON and back (schemas/bundle.v1.json).

Equal bundles give equal bytes. Reading refuses unknown keys and another apiVersion: a field that this version does
not know may restrict what it may do with the bundle.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from renderer.formats.bundle.artifact import CARRIED, CONFIG_LIMIT, descriptor_json, read_descriptor
from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.model.bundles.bundle import Bundle, BundleImage, Referrer, ReferrerForm
from renderer.model.bundles.extension import (
    ClusterRole,
    Component,
    ComponentKind,
    Extension,
    HealthRule,
    Requirement,
    RequirementKind,
    extension_name,
)
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Constraint, Version

API_VERSION: Final = "sitewright.dev/v1"
KIND: Final = "Bundle"


def encode_bundle(bundle: Bundle) -> bytes:
    """The bytes of `bundle.json`."""
    return canonical_json(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": bundle.name, "version": str(bundle.version)},
            "spec": {
                "sequence": bundle.sequence,
                "created": spell_time(bundle.created),
                "platforms": [str(platform) for platform in bundle.platforms],
                "extensions": [_extension(extension) for extension in bundle.extensions],
                "images": [_image(image) for image in bundle.images],
            },
        }
    )


def decode_bundle(content: bytes) -> Bundle:
    """The bundle that `bundle.json` describes. Raises FieldError or ValueError; its digest must have been checked."""
    metadata, spec = read_head(content, KIND, "sequence created platforms extensions images")
    try:
        return Bundle(
            name=metadata.parsed("name", extension_name),
            version=metadata.parsed("version", Version.parse),
            sequence=spec.integer("sequence"),
            created=spec.parsed("created", parse_time),
            platforms=read_platforms(spec, "platforms"),
            extensions=tuple(_read_extension(extension) for extension in spec.children("extensions")),
            images=tuple(_read_image(image) for image in spec.children("images")),
        )
    except FieldError:
        raise
    except ValueError as error:
        raise FieldError((), str(error)) from error


def read_head(content: bytes, kind: str, known: str) -> tuple[Fields, Fields]:
    """`metadata` (name and version) and `spec` of a config blob of this kind; `known` are the fields of `spec`.

    Raises FieldError, with the code `unknown-api-version` for what another version of Sitewright has written.
    """
    document = Fields.of(parse_json(content, limit=CONFIG_LIMIT))
    stated = (document.text("apiVersion"), document.text("kind"))
    if stated != (API_VERSION, kind):
        raise FieldError(
            document.at("apiVersion"),
            f"this version of Sitewright cannot read such a {kind.lower()}",
            code="unknown-api-version",
            expected=f"`{API_VERSION}`, kind `{kind}`",
            got=f"`{stated[0]}`, kind `{stated[1]}`",
            hint="upgrade Sitewright",
        )
    only(document, "apiVersion kind metadata spec")
    metadata, spec = document.child("metadata"), document.child("spec")
    only(metadata, "name version")
    only(spec, known)
    return metadata, spec


def only(fields: Fields, known: str) -> None:
    """Refuse keys that are not among the words of `known`. Raises FieldError."""
    unknown = sorted(set(fields.content) - set(known.split()))
    if unknown:
        raise FieldError(
            fields.at(unknown[0]),
            f"`{unknown[0]}` is not a field of this document",
            code="unknown-field",
            expected=", ".join(f"`{key}`" for key in known.split()),
            got=f"`{unknown[0]}`",
        )


def is_carried(image: BundleImage) -> bool:
    """True when the bundle says that its layout holds the image, not only the digest."""
    return image.content.annotations.get(CARRIED) == "true"


def spell_time(moment: datetime) -> str:
    """A time as `2026-11-01T00:00:00Z`: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time with a zone as UTC, in whole seconds. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
        offset = moment.utcoffset()
    except ValueError as error:
        raise ValueError("a time must read `2026-11-01T00:00:00Z`") from error
    if offset is None or "T" not in text.upper() or abs(offset) >= timedelta(days=1):
        raise ValueError("a time must read `2026-11-01T00:00:00Z`, with its zone")
    try:
        return moment.astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise ValueError("the time lies outside of the calendar") from error


# --- writing -----------------------------------------------------------------------------------------------------


def _extension(extension: Extension) -> dict[str, Json]:
    body: dict[str, Json] = {"name": extension.name, "version": str(extension.version)}
    body["title"] = dict(extension.titles)
    body["description"] = dict(extension.descriptions)
    body["components"] = [_component(component) for component in extension.components]
    body["requires"] = [_requirement(requirement) for requirement in extension.requires]
    body["provides"] = {name: str(version) for name, version in extension.provides.items()}
    body["conflicts"] = [_requirement(conflict) for conflict in extension.conflicts]
    body["kubernetes"] = str(extension.kubernetes) if extension.kubernetes else None
    body["platforms"] = [str(platform) for platform in extension.platforms]
    body["clusterRole"] = extension.cluster_role.value
    body["images"] = [str(image) for image in extension.images]
    body["health"] = [
        {"group": rule.group, "kind": rule.kind, "readyCondition": rule.ready_condition} for rule in extension.health
    ]
    return {key: value for key, value in body.items() if value not in ({}, [], None)}


def _component(component: Component) -> dict[str, Json]:
    body: dict[str, Json] = {
        "name": component.name,
        "kind": component.kind.value,
        "content": descriptor_json(component.content),
        "release": component.release,
        "namespace": component.namespace,
    }
    if component.values:
        body["values"] = dict(component.values)
    if component.forced:
        body["forced"] = dict(component.forced)
    if component.values_schema is not None:
        body["valuesSchema"] = dict(component.values_schema)
    return body


def _requirement(requirement: Requirement) -> dict[str, Json]:
    body: dict[str, Json] = {requirement.kind.value: requirement.name, "version": str(requirement.constraint)}
    if requirement.optional:
        body["optional"] = True
    return body


def _image(image: BundleImage) -> dict[str, Json]:
    body: dict[str, Json] = {
        "reference": str(image.reference),
        "content": descriptor_json(image.content),
        "platforms": {str(platform): descriptor_json(entry) for platform, entry in image.platforms.items()},
    }
    if image.omitted:
        body["omitted"] = [str(platform) for platform in image.omitted]
    if image.referrers:
        body["referrers"] = [_referrer(referrer) for referrer in image.referrers]
    return body


def _referrer(referrer: Referrer) -> dict[str, Json]:
    body: dict[str, Json] = {
        "content": descriptor_json(referrer.content),
        "subject": str(referrer.subject),
        "form": referrer.form.value,
    }
    if referrer.tag is not None:
        body["tag"] = referrer.tag
    return body


# --- reading -----------------------------------------------------------------------------------------------------


def read_platforms(fields: Fields, key: str) -> tuple[Platform, ...]:
    """A list of platforms. Raises FieldError."""
    return tuple(
        fields.parse(text, Platform.parse, (*fields.at(key), index)) for index, text in enumerate(fields.texts(key))
    )


def _read_extension(fields: Fields) -> Extension:
    only(
        fields,
        "name version title description components requires provides conflicts kubernetes platforms clusterRole "
        "images health",
    )
    try:
        return read_extension(
            fields,
            Version.parse,
            lambda: tuple(_read_component(component) for component in fields.children("components")),
        )
    except FieldError:
        raise
    except ValueError as error:
        raise FieldError(fields.path, str(error)) from error


def read_extension(
    fields: Fields, read_version: Callable[[str], Version], read_components: Callable[[], tuple[Component, ...]] = tuple
) -> Extension:
    """What an extension says of itself, in a bundle and in the document that a bundle is built from.

    Raises FieldError, or ValueError for parts that do not fit together.
    """
    return Extension(
        name=fields.parsed("name", extension_name),
        version=fields.parsed("version", read_version),
        titles=fields.text_map("title"),
        descriptions=fields.text_map("description"),
        components=read_components(),
        requires=tuple(_read_requirement(requirement) for requirement in fields.children("requires")),
        provides=_read_versions(fields.child("provides")),
        conflicts=tuple(_read_requirement(conflict) for conflict in fields.children("conflicts")),
        kubernetes=fields.optional("kubernetes", Constraint.parse),
        platforms=read_platforms(fields, "platforms"),
        cluster_role=fields.parsed("clusterRole", ClusterRole, ClusterRole.BOTH),
        images=_read_references(fields, "images"),
        health=tuple(_read_health_rule(rule) for rule in fields.children("health")),
    )


def _read_versions(fields: Fields) -> dict[str, Version]:
    """A mapping of names to versions. Raises FieldError."""
    return {name: fields.parsed(name, Version.parse) for name in fields.content}


def _read_references(fields: Fields, key: str) -> tuple[ImageReference, ...]:
    """A list of image references. Raises FieldError."""
    return tuple(
        fields.parse(text, ImageReference.parse, (*fields.at(key), index))
        for index, text in enumerate(fields.texts(key))
    )


def _read_health_rule(fields: Fields) -> HealthRule:
    """`{group: G, kind: K, readyCondition: C}`. Raises FieldError."""
    only(fields, "group kind readyCondition")
    return HealthRule(
        group=fields.text("group"), kind=fields.text("kind"), ready_condition=fields.text("readyCondition")
    )


def _read_component(fields: Fields) -> Component:
    only(fields, "name kind content release namespace values forced valuesSchema")
    try:
        return Component(
            name=fields.text("name"),
            kind=fields.parsed("kind", ComponentKind),
            content=read_descriptor(fields.child("content")),
            release=fields.text("release"),
            namespace=fields.text("namespace"),
            values=fields.mapping("values"),
            forced=fields.mapping("forced"),
            values_schema=fields.mapping("valuesSchema") if "valuesSchema" in fields else None,
        )
    except FieldError:
        raise
    except ValueError as error:
        raise FieldError(fields.path, str(error)) from error


def _read_requirement(fields: Fields) -> Requirement:
    """`{extension: NAME, version: RANGE, optional: true}` or `{capability: NAME, …}`. Raises FieldError."""
    only(fields, "extension capability version optional")
    kinds = [kind for kind in RequirementKind if kind.value in fields]
    if len(kinds) != 1:
        raise FieldError(
            fields.path,
            "a requirement names either an extension or a capability",
            expected="one of `extension`, `capability`",
            got="both" if kinds else "neither",
        )
    kind = kinds[0]
    return Requirement(
        kind=kind,
        name=fields.parsed(kind.value, extension_name if kind is RequirementKind.EXTENSION else str),
        constraint=fields.parsed("version", Constraint.parse),
        optional=fields.flag("optional", default=False),
    )


def _read_image(fields: Fields) -> BundleImage:
    only(fields, "reference content platforms omitted referrers")
    platforms = fields.child("platforms")
    return BundleImage(
        reference=fields.parsed("reference", ImageReference.parse),
        content=read_descriptor(fields.child("content")),
        platforms={
            platforms.parse(text, Platform.parse, platforms.at(text)): read_descriptor(platforms.child(text))
            for text in platforms.content
        },
        omitted=read_platforms(fields, "omitted"),
        referrers=tuple(_read_referrer(referrer) for referrer in fields.children("referrers")),
    )


def _read_referrer(fields: Fields) -> Referrer:
    only(fields, "content subject form tag")
    try:
        return Referrer(
            content=read_descriptor(fields.child("content")),
            subject=fields.parsed("subject", Digest.parse),
            form=fields.parsed("form", ReferrerForm),
            tag=fields.optional_text("tag"),
        )
    except FieldError:
        raise
    except ValueError as error:
        raise FieldError(fields.path, str(error)) from error
