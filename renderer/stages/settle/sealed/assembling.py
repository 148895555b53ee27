"""Objects as charts and this site make them, and ciphertexts from the file of captured values: objects of the tree.

Nothing is opened, and no key is needed. The metadata is what this render makes of it: SOPS's MAC covers what is sealed
and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from renderer.errors import Finding, Where
from renderer.formats.sealed.sops import STANZA
from renderer.model.generated.policy import Mode, Ruling
from renderer.model.generated.sealed import Captured, SealedObject, field_name
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.stages.settle.placing import with_value
from renderer.stages.settle.sealed.parts import SealedPart


def assembled(
    manifests: Iterable[Manifest], parts: Mapping[ObjectId, SealedPart], captured: Captured
) -> tuple[tuple[Manifest, ...], tuple[Finding, ...]]:
    """The manifests with their sealed parts in place.

    Where nothing was sealed for an object, or something else was, it keeps its stand-ins and there is a finding
    (`sealed-outdated`, an error).
    """
    done: list[Manifest] = []
    findings: list[Finding] = []
    for manifest in manifests:
        part = parts.get(manifest.id)
        if part is None:
            done.append(manifest)
            continue
        sealed = captured.objects.get(manifest.id)
        if sealed is None or not fits(sealed, part, manifest):
            findings.append(_outdated(manifest, is_there=sealed is not None))
            done.append(manifest)
        else:
            done.append(_assembled(manifest, sealed))
    return tuple(done), tuple(findings)


def uncaptured(rulings: Mapping[GeneratedValue, Ruling], captured: Captured) -> tuple[Finding, ...]:
    """The groups that were captured in part only, or not at all (`sealed-outdated`, errors)."""
    open_ = {
        value.group
        for value, ruling in rulings.items()
        if ruling.mode is Mode.SEALED and value.group and not _is_captured(value, captured)
    }
    return tuple(
        Finding(
            code="sealed-outdated",
            message=f"not all values of `{group}` were captured",
            where=Where(subject=f"group {group}"),
            hint="sitewright lock PROFILE",
        )
        for group in sorted(open_)
    )


def _is_captured(value: GeneratedValue, captured: Captured) -> bool:
    group = captured.groups.get(value.group)
    return group is not None and field_name(value) in group.fields


def fits(sealed: SealedObject, part: SealedPart, manifest: Manifest) -> bool:
    """True when what was sealed is what `manifest` has in its place now."""
    return sealed.names == part.names and sealed.fingerprint == part.fingerprint(manifest.body)


def _assembled(manifest: Manifest, sealed: SealedObject) -> Manifest:
    body = dict(manifest.body)
    for path, ciphertext in sealed.values.items():
        body = with_value(body, path, ciphertext)
    return manifest.with_body({**body, STANZA: dict(sealed.stanza)})


def _outdated(manifest: Manifest, *, is_there: bool) -> Finding:
    return Finding(
        code="sealed-outdated",
        message=f"what was sealed of `{manifest.id}` is not what it holds now"
        if is_there
        else f"nothing was sealed of `{manifest.id}`",
        where=Where(subject=str(manifest.id)),
        explanation=(f"from {manifest.origin}",),
        hint="sitewright lock PROFILE",
    )
