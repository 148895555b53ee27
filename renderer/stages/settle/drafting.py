"""Which generated fields an object has, and the object without what the chart invented."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import cast

from renderer.model.fields import Json
from renderer.model.generated.lines import renamed
from renderer.model.generated.policy import Ruling
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.stages.settle.placing import with_value
from renderer.stages.settle.ways import PLACEHOLDER, Draft
from renderer.structs import replace


class FieldIndex:
    """The generated fields by component and object; for generated names, by what the name starts with."""

    def __init__(self, generated: Iterable[GeneratedValue]) -> None:
        self._by_id: dict[tuple[str, ObjectId], list[GeneratedValue]] = {}
        self._by_prefix: dict[tuple[str, ObjectId], list[GeneratedValue]] = {}
        for value in sorted(generated, key=lambda value: value.order):
            place = self._by_prefix if value.object.name.endswith("*") else self._by_id
            place.setdefault((value.component, value.object), []).append(value)

    def of(self, manifest: Manifest) -> tuple[GeneratedValue, ...]:
        """The fields of this object, in path order; the longest prefix decides about a name."""
        component = f"{manifest.origin.extension}/{manifest.origin.component}"
        found = self._by_id.get((component, manifest.id))
        if found is None and self._by_prefix:
            mine = [values for values in self._by_prefix.values() if _could_be(manifest, component, values[0])]
            found = max(mine, key=lambda values: len(values[0].object.name), default=None)
        return tuple(found or ())


def _could_be(manifest: Manifest, component: str, value: GeneratedValue) -> bool:
    """Whether this is the object under a new name: same kind, namespace and template, and the name starts so."""
    return (
        (component, manifest.origin.source) == (value.component, value.source)
        and replace(manifest.id, name="") == replace(value.object, name="")
        and manifest.id.name.startswith(value.object.name.removesuffix("*"))
    )


def drafted(manifest: Manifest, fields: tuple[GeneratedValue, ...], rulings: Mapping[GeneratedValue, Ruling]) -> Draft:
    """The object with an invented name made stable, and with placeholders or the profile's values in its fields."""
    if not fields:
        return Draft(manifest, ())
    body = dict(manifest.body)
    if any(value.kind is GeneratedKind.NAME for value in fields):
        body = cast("dict[str, Json]", renamed(body, manifest.id.name, fields[0].stable_name))
    for value in fields:
        rule = rulings[value].rule
        given = _given(value, rule.value) if rulings[value].mode is None and rule is not None else PLACEHOLDER
        if value.kind is not GeneratedKind.NAME:
            body = with_value(body, value.path, given)
    return Draft(manifest.with_body(body), fields)


def _given(value: GeneratedValue, given: Json) -> Json:
    """The profile's value; a CA bundle may be given as PEM text, and stands in objects as base64."""
    if value.kind is GeneratedKind.CA_BUNDLE and isinstance(given, str) and given.lstrip().startswith("-----BEGIN"):
        return base64.b64encode(f"{given.strip()}\n".encode()).decode()
    return given
