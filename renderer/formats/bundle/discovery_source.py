"""The section `spec.discovery` of a bundle source: under which values images are looked for, and what is accepted.

A component is always inflated under its own default values; a value set adds another way in which sites may run it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from renderer.formats.bundle.source_file import Path, SourceFile
from renderer.model.bundles.extension import Component, Extension
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.reference import ImageReference
from renderer.model.version import Version
from renderer.structs import Struct

__all__ = ["Acceptance", "DiscoverySource", "SourceValueSet", "read_discovery"]


class SourceValueSet(Struct, frozen=True, kw_only=True):
    """Values under which the extensions that `extension` (a glob) names are inflated once more.

    They lie above the component's own values; `component` narrows them to one. `labels` are those of a site, which
    templates may ask for.
    """

    name: str
    extension: str
    component: str | None
    values: Mapping[str, Json]
    values_from: tuple[SourceFile, ...]
    labels: Mapping[str, str]
    at: Path

    def covers(self, extension: Extension, component: Component) -> bool:
        """True when the values are meant for this component."""
        named = self.component is None or self.component == component.name
        return named and fnmatch.fnmatchcase(extension.name, self.extension)


class Acceptance(Struct, frozen=True, kw_only=True):
    """Why the bundle may lack the images that the glob `reference` names (full references, with tag)."""

    reference: str
    reason: str
    at: Path

    def covers(self, reference: ImageReference) -> bool:
        """True when the glob means this image."""
        return fnmatch.fnmatchcase(str(reference), self.reference)


class DiscoverySource(Struct, frozen=True, kw_only=True):
    """The whole section. `kubernetes` are the versions that charts are told; none: one that the extension allows."""

    kubernetes: tuple[Version, ...] = ()
    value_sets: tuple[SourceValueSet, ...] = ()
    accepted: tuple[Acceptance, ...] = ()


def read_discovery(fields: Fields, directory: str) -> DiscoverySource:
    """Read the section; files count from `directory`. Raises FieldError."""
    versions = enumerate(fields.texts("kubernetesVersions"))
    return DiscoverySource(
        kubernetes=tuple(
            fields.parse(text, Version.parse, (*fields.at("kubernetesVersions"), index)) for index, text in versions
        ),
        value_sets=_value_sets(fields, directory),
        accepted=tuple(
            Acceptance(reference=one.text("reference"), reason=one.text("reason"), at=one.path)
            for one in fields.children("accepted")
        ),
    )


def _value_sets(fields: Fields, directory: str) -> tuple[SourceValueSet, ...]:
    found: dict[str, SourceValueSet] = {}
    for one in fields.children("valueSets"):
        made = _value_set(one, directory)
        if made.name in found:
            raise FieldError(
                one.at("name"), "two value sets have this name", code="duplicate-value-set", got=f"`{made.name}`"
            )
        found[made.name] = made
    return tuple(found.values())


def _value_set(fields: Fields, directory: str) -> SourceValueSet:
    values_from = enumerate(fields.texts("valuesFrom"))
    return SourceValueSet(
        name=fields.text("name"),
        extension=fields.text("extension"),
        component=fields.optional_text("component"),
        values=fields.mapping("values"),
        values_from=tuple(
            SourceFile.named(text, (*fields.at("valuesFrom"), index), directory) for index, text in values_from
        ),
        labels=fields.text_map("labels"),
        at=fields.path,
    )
