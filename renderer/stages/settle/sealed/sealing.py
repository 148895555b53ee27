"""Captured secrets and the objects that hold them -> the file of captured values.

What was sealed stays byte for byte as long as it fits. Only where something that was sealed before has to be sealed
anew is a private key needed; new secrets need recipients and no key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from renderer.errors import Finding, Where
from renderer.formats.sealed.age import Random
from renderer.formats.sealed.generated_values import GeneratedFile, OpenedFile, Secret, as_earlier, seal_secrets
from renderer.formats.sealed.sops import STANZA, sops_seal
from renderer.model.fields import spell_path
from renderer.model.generated.hidden import Hidden
from renderer.model.generated.recipient import AgeRecipient
from renderer.model.generated.sealed import Captured, SealedObject, field_name
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.stages.settle.placing import with_value
from renderer.stages.settle.sealed.assembling import fits
from renderer.stages.settle.sealed.capturing import Capture
from renderer.stages.settle.sealed.changes import renamed_fields
from renderer.stages.settle.sealed.derived import How
from renderer.stages.settle.sealed.parts import SealedPart, leaves
from renderer.structs import Struct, replace


class Work(Struct, frozen=True, kw_only=True):
    """What has to be sealed. `kept` are objects that stay as they are, `objects` those that do not.

    `needs` says, for messages, what cannot be done without a private key; empty when none is needed. `changes` is true
    when the sealed objects, or their recipients, are not those of before. `findings` are errors: objects that SOPS
    cannot seal.
    """

    recipients: tuple[AgeRecipient, ...]
    kept: tuple[SealedObject, ...]
    objects: tuple[tuple[Manifest, SealedPart], ...]
    needs: tuple[str, ...]
    changes: bool
    findings: tuple[Finding, ...] = ()

    @property
    def sealed(self) -> tuple[ObjectId, ...]:
        """The objects that have to be sealed."""
        return tuple(manifest.id for manifest, _ in self.objects)


def plan_sealing(
    manifests: Iterable[Manifest],
    parts: Mapping[ObjectId, SealedPart],
    capture: Capture,
    before: Captured,
    recipients: Sequence[AgeRecipient],
) -> Work:
    """What has to be sealed of `manifests`, which have stand-ins where secrets belong."""
    wanted = tuple(sorted(recipients)) if _is_secret(capture, parts) else ()
    same = wanted == before.recipients
    fresh = {(secret.group, where) for secret in capture.fresh for where in secret.fields}
    kept, todo, needs, findings = list[SealedObject](), [], list[str](), list[Finding]()
    for manifest in manifests:
        part = parts.get(manifest.id)
        if part is None:
            continue
        old = before.objects.get(manifest.id)
        if old is not None and same and fits(old, part, manifest):
            kept.append(old)
            continue
        todo.append((manifest, part))
        clash = part.clash(manifest.body)
        findings += [_clash(manifest, part, clash)] if clash else []
        if any((value.group, field_name(value)) not in fresh for value in part.fields if not value.kind.is_public):
            needs.append(f"seal `{manifest.id}` anew")
    needs += [f"copy what `{one.group}` holds into {one.field}" for one in capture.derived]
    needs += [f"move `{old}` to `{new}`" for old, new in capture.moves.items()]
    if not same and before.recipients and _old_secrets(capture):
        needs.append("seal everything for other recipients")
    changes = bool(todo) or not same or len(kept) != len(before.objects)
    return Work(
        recipients=wanted,
        kept=tuple(kept),
        objects=tuple(todo),
        needs=tuple(needs),
        changes=changes,
        findings=tuple(findings),
    )


def sealed_file(
    site: str,
    work: Work,
    capture: Capture,
    before: GeneratedFile | None,
    opened: OpenedFile | None,
    when: datetime,
    random: Random,
) -> GeneratedFile:
    """The file as it will be. `opened` is `before`, opened; it must be there when `work.needs` is not empty."""
    secrets = _secrets(capture, opened)
    values = {(one.group, where): one.value for one in secrets for where in one.fields}
    sealed = [_sealed(manifest, part, values, work.recipients, when, random) for manifest, part in work.objects]
    captured = Captured.of(work.recipients, capture.groups.values(), [*work.kept, *sealed])
    file = before or GeneratedFile(site=site, captured=captured)
    if opened is not None or file.current is None:
        old = opened.current if opened else None
        current = seal_secrets(site, secrets, work.recipients, when, random, old) if secrets else None
        return GeneratedFile(site=site, captured=captured, current=current)
    if not capture.fresh:
        return replace(file, captured=captured)
    current = seal_secrets(site, capture.fresh, work.recipients, when, random)
    return replace(file, captured=captured, current=current, earlier=(*file.earlier, as_earlier(file.current)))


def _is_secret(capture: Capture, parts: Mapping[ObjectId, SealedPart]) -> bool:
    return bool(parts) or any(group.secret for group in capture.groups.values())


def _old_secrets(capture: Capture) -> bool:
    fresh = {secret.group for secret in capture.fresh}
    return any(group.secret and name not in fresh for name, group in capture.groups.items())


def _secrets(capture: Capture, opened: OpenedFile | None) -> list[Secret]:
    """All secrets from now on, as far as they are known: the fresh ones, and those of groups that stay."""
    taken = {group.name: group for group in capture.groups.values()}
    fresh = {secret.group for secret in capture.fresh}
    found = list(capture.fresh)
    for secret in opened.secrets if opened else ():
        name = capture.moves.get(secret.group, secret.group)
        group = taken.get(name)
        if group is None or name in fresh or group.revision != secret.revision:
            continue
        fields = renamed_fields(secret.fields, group)
        same = [one for one in capture.derived if one.group == name and one.source in fields]
        copies = [one.field for one in same if one.how is How.SAME]
        found.append(replace(secret, group=name, fields=tuple(sorted((*fields, *copies)))))
        found += [
            Secret(group=name, revision=secret.revision, fields=(one.field,), value=Hidden(one.applied(value)))
            for one in same
            if one.how is not How.SAME and (value := secret.value.reveal()) is not None
        ]
    return found


def _sealed(
    manifest: Manifest,
    part: SealedPart,
    secrets: Mapping[tuple[str, str], Hidden],
    recipients: Sequence[AgeRecipient],
    when: datetime,
    random: Random,
) -> SealedObject:
    body = dict(manifest.body)
    for value in part.fields:
        if not value.kind.is_public:
            body = with_value(body, value.path, _known(value, secrets).reveal())
    document = sops_seal(part.contents(body), part.names, recipients, when, random)
    stanza = document.pop(STANZA)
    if not isinstance(stanza, dict):
        raise TypeError("a stanza is a mapping")
    return SealedObject(
        object=manifest.id,
        names=part.names,
        fingerprint=part.fingerprint(manifest.body),
        values={spell_path(path): text for path, text in leaves(document) if isinstance(text, str)},
        stanza=stanza,
    )


def _known(value: GeneratedValue, secrets: Mapping[tuple[str, str], Hidden]) -> Hidden:
    return secrets[value.group, field_name(value)]


def _clash(manifest: Manifest, part: SealedPart, place: str) -> Finding:
    names = " or ".join(f"`{name}`" for name in part.names)
    return Finding(
        code="sealed-ambiguous",
        message=f"`{manifest.id}` cannot be sealed: SOPS takes every key {names} for sealed, and there is one more",
        where=Where(subject=str(manifest.id), path=place),
        explanation=(f"from {manifest.origin}",),
        hint="settle the object with `mode: external` below `spec.generated.rules`",
    )
