"""Generated values -> values that every render agrees on, or objects that stay out of the tree.

The lock says which fields a chart invents (`GeneratedValue`); one render is enough then, because what stands in those
fields is never read: two renders settle to the same bytes.

- A Secret with an invented field stays out; `records/secrets.md` shows an operator what to create.
- A checksum of invented content becomes the SHA-256 of what the component's generated objects have settled to.
- An invented name becomes its stable part and a hash of the object's content; a hook gets that hash when its images
  are pinned (`renderer.stages.chart.name_hooks`).
- Everything else (a CA bundle, a token inside a text) is for the profile to settle.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from renderer.errors import Finding, Where
from renderer.formats.kubernetes.manifests import dump_manifest
from renderer.model.fields import Json, read_path
from renderer.model.generated.values import GeneratedKind, GeneratedValue, Settlement
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.rendering import ExternalObject

__all__ = ["PLACEHOLDER", "Settled", "settle"]

PLACEHOLDER: Final = "<generated>"
"""What stands in an external object where an operator puts a value of their own."""

_HASH_LENGTH: Final = 8
_NAME_LIMIT: Final = 63
_LINE_VALUE = re.compile(r"(\s*(?:- )?[^\s:]+:\s+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What stays in the tree, what stays out of it, and what nobody has settled (`generated-value`, errors)."""

    manifests: tuple[Manifest, ...]
    external: tuple[ExternalObject, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """An object on its way: invented fields replaced but for checksums, and what became of its fields."""

    manifest: Manifest
    fields: tuple[GeneratedValue, ...]
    external: bool
    unsettled: tuple[GeneratedValue, ...]

    @property
    def invents_name(self) -> bool:
        """True when the object's name is among its generated fields."""
        return any(value.kind is GeneratedKind.NAME for value in self.fields)


def settle(
    manifests: Iterable[Manifest], generated: Sequence[GeneratedValue], settlements: Sequence[Settlement]
) -> Settled:
    """Settle the fields that `generated` lists; the first settlement that matches a field decides.

    An unsettled field is a finding, and holds a placeholder from there on: an invented value never reaches a tree or
    a message.
    """
    index = _Index(generated)
    drafts = [_drafted(manifest, index.of(manifest), settlements) for manifest in manifests]
    sums = _checksums(drafts)
    crowded = Counter(draft.manifest.id for draft in drafts if draft.invents_name)
    kept: list[Manifest] = []
    external: list[ExternalObject] = []
    findings: list[Finding] = []
    for draft in drafts:
        manifest = _summed(draft, sums, settlements)
        if draft.invents_name and (manifest.origin.hook is None or crowded[manifest.id] > 1):
            manifest = _named_by_content(manifest)
        if draft.external:
            external.append(ExternalObject(manifest=manifest, fields=draft.fields))
        else:
            kept.append(manifest)
            findings.extend(_finding(draft) for _ in draft.unsettled[:1])
    return Settled(manifests=tuple(kept), external=tuple(external), findings=tuple(findings))


class _Index:
    """The generated fields by component and object; for generated names, by what the name starts with.

    The component counts, because objects have no namespace of their own yet where a chart leaves it to the release.
    """

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


def _drafted(manifest: Manifest, fields: tuple[GeneratedValue, ...], settlements: Sequence[Settlement]) -> _Draft:
    if not fields:
        return _Draft(manifest, (), external=False, unsettled=())
    body = dict(manifest.body)
    if any(value.kind is GeneratedKind.NAME for value in fields):
        stable = fields[0].stable_name
        body = cast("dict[str, Json]", _renamed(body, manifest.id.name, stable))
    external = False
    unsettled = []
    for value in fields:
        settlement = _settlement(value, settlements)
        if value.kind is GeneratedKind.NAME:
            continue
        if settlement is not None and not settlement.external:
            body = _with(body, value.path, _given(value, settlement.value))
            continue
        body = _with(body, value.path, PLACEHOLDER)
        if value.kind is GeneratedKind.SECRET or (settlement is not None and settlement.external):
            external = True
        elif value.kind is not GeneratedKind.CHECKSUM:
            unsettled.append(value)
    # A Secret that is settled to the last field is public: the profile says so, and it stays in the tree.
    return _Draft(manifest.with_body(body), fields, external=external, unsettled=tuple(unsettled))


def _settlement(value: GeneratedValue, settlements: Sequence[Settlement]) -> Settlement | None:
    return next((one for one in settlements if one.matches(value.object, value.path)), None)


def _given(value: GeneratedValue, given: Json) -> Json:
    """The profile's value; a CA bundle may be given as PEM text, and stands in objects as base64."""
    if value.kind is GeneratedKind.CA_BUNDLE and isinstance(given, str) and given.lstrip().startswith("-----BEGIN"):
        return base64.b64encode(f"{given.strip()}\n".encode()).decode()
    return given


def _renamed(value: Json, old: str, new: str) -> Json:
    """The value with one name for another in all its strings."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: _renamed(below, old, new) for key, below in value.items()}
    return [_renamed(below, old, new) for below in value] if isinstance(value, list) else value


def _with(body: dict[str, Json], path: str, value: Json) -> dict[str, Json]:
    """The body with the field (or the line of a text) at `path` replaced; unchanged where nothing leads there."""
    place, _, line = path.partition("#") if re.search(r"#[0-9]+\Z", path) else (path, "", "")
    steps = read_path(place)
    return cast("dict[str, Json]", _put(body, steps, value, int(line or 0))) if steps else body


def _put(below: Json, steps: Sequence[str | int], value: Json, line: int) -> Json:
    if not steps:
        return _with_line(below, line, value) if line and isinstance(below, str) else value
    step, *rest = steps
    if isinstance(below, dict) and isinstance(step, str) and (step in below or not rest):
        return {**below, step: _put(below.get(step), rest, value, line)}
    if isinstance(below, list) and isinstance(step, int) and step < len(below):
        return [*below[:step], _put(below[step], rest, value, line), *below[step + 1 :]]
    return below


def _with_line(text: str, number: int, value: Json) -> str:
    """The text with what stands behind the first `key:` of one line replaced, or the whole line."""
    lines = text.split("\n")
    if number <= len(lines):
        start = _LINE_VALUE.match(lines[number - 1])
        lines[number - 1] = (start[1] if start else "") + (value if isinstance(value, str) else json.dumps(value))
    return "\n".join(lines)


# --- checksums and names of settled content ---------------------------------------------------------------------


def _checksums(drafts: Iterable[_Draft]) -> Mapping[str, str]:
    """For each component the SHA-256 over its objects with generated fields: what its checksums become.

    The objects enter in order of identity, with placeholders where values stay secret: the sum changes with what
    the chart makes of them, and not with the secret itself.
    """
    contents: dict[str, dict[ObjectId, bytes]] = {}
    for draft in drafts:
        if draft.fields:
            content = dump_manifest(draft.manifest.body)
            contents.setdefault(draft.fields[0].component, {})[draft.manifest.id] = content
    return {
        component: hashlib.sha256(b"---\n".join(content for _, content in sorted(objects.items()))).hexdigest()
        for component, objects in contents.items()
    }


def _summed(draft: _Draft, sums: Mapping[str, str], settlements: Sequence[Settlement]) -> Manifest:
    open_sums = [
        value
        for value in draft.fields
        if value.kind is GeneratedKind.CHECKSUM and _settlement(value, settlements) is None
    ]
    if not open_sums:
        return draft.manifest
    body = dict(draft.manifest.body)
    for value in open_sums:
        body = _with(body, value.path, sums[value.component])
    return draft.manifest.with_body(body)


def _named_by_content(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest.metadata.items() if key != "name"}
    digest = hashlib.sha256(dump_manifest({**manifest.body, "metadata": cast("Json", metadata)})).hexdigest()
    stem = manifest.id.name[: _NAME_LIMIT - _HASH_LENGTH - 1].rstrip("-.")
    return manifest.with_metadata(name=f"{stem}-{digest[:_HASH_LENGTH]}")


# --- what nobody has settled -------------------------------------------------------------------------------------


def _finding(draft: _Draft) -> Finding:
    """One finding for all open fields of an object, with the lines that settle them. Never shows a value."""
    value, *others = draft.unsettled
    more = f" and {len(others)} more field{'s' if len(others) > 1 else ''}" if others else ""
    bundles = [one for one in draft.unsettled if one.kind is GeneratedKind.CA_BUNDLE]
    return Finding(
        code="generated-value",
        message=f"the chart invents `{value.path}`{more} of `{value.object}` at every render"
        if value.path
        else f"the chart yields `{value.object}` in some renders only",
        where=Where(
            file=value.source,
            subject=f"extension {value.component.replace('/', ', ', 1)}, {value.object}",
            path=value.path or None,
        ),
        expected="a value that the profile gives, or an object that an operator creates",
        explanation=("settle it in the profile:", "  spec:", "    generated:", *_profile_lines(draft)),
        hint="put the public certificate of your CA there (PEM or base64); add the lines, then `sitewright lock`"
        if bundles
        else "add these lines to the profile, then `sitewright lock`",
    )


def _profile_lines(draft: _Draft) -> Iterable[str]:
    """The items under `spec.generated` that settle the open fields of one object."""
    globs: dict[str, GeneratedValue] = {}
    for value in draft.unsettled:
        globs.setdefault(_as_glob(value.path), value)
    for glob, value in globs.items():
        yield f"    - object: {json.dumps(_as_glob(str(value.object)), ensure_ascii=False)}"
        yield f"      field: {json.dumps(glob, ensure_ascii=False)}"
        if value.kind is GeneratedKind.CA_BUNDLE:
            yield "      value: LS0tLS1CRUdJTi…  # instead of what the chart would make"
            yield "      reason: certificates of this site come from our own CA"
        else:
            yield "      external: true  # or `value:` and what is to stand there, if it may be public"
            yield "      reason: created on the site, because it holds secret material"


def _as_glob(text: str) -> str:
    """A glob that matches `text` and reads well: `webhooks*.clientConfig.caBundle`, `data*app.yaml*`."""
    return re.sub(r"\*{2,}", "*", re.sub(r"#[0-9]+\Z|\[[0-9]+\]|\[\"|\"\]", "*", text)) or "*"
