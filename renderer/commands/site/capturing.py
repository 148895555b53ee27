"""The part of `sitewright lock` that captures generated values, and says what that sets in motion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from renderer.commands.site.captured_file import Kept, opened
from renderer.commands.site.loading import Workspace
from renderer.errors import Finding, InputError, Severity, UsageError, Where
from renderer.formats.sealed.generated_values import encode_generated
from renderer.model.generated.policy import Mode
from renderer.model.reference import Digest
from renderer.model.site import Site
from renderer.stages.settle.sealed.capturing import Wish
from renderer.stages.settle.sealed.effects import effects
from renderer.stages.settle.sealed.expiry import ending
from renderer.stages.settle.sealed.sealing import sealed_file
from renderer.structs import Struct, replace
from renderer.survey import Survey


class Renewal(Struct, frozen=True, kw_only=True):
    """What a person asks to be captured anew: groups by name, and those whose certificates end within `30d`.

    `moves` are pairs `OLD=NEW`: groups that take over the values of groups that are gone.
    """

    groups: Sequence[str] = ()
    expiring: str | None = None
    moves: Sequence[str] = ()


def wish_of(renewal: Renewal, kept: Kept, workspace: Workspace) -> Wish:
    """What the lock is to do with generated values. Raises UsageError."""
    today = workspace.now.date()
    days = _days(renewal.expiring)
    soon = [group.name for group in ending(kept.captured, days, today)] if days is not None else []
    return Wish(
        today=today, before=kept.captured, renew=frozenset([*renewal.groups, *soon]), moves=_moves(renewal.moves)
    )


def check_names(wish: Wish, found: Survey, site: Site) -> None:
    """Raise InputError (`unknown-group`) for names that no group has that is captured, or was."""
    ruled = site.generated.rulings(found.discovered.values)
    there = {value.group for value, ruling in ruled.items() if ruling.mode is Mode.SEALED and value.group}
    asked = [(name, there) for name in sorted({*wish.renew, *wish.moves.values()})]
    asked += [(name, set(wish.before.groups)) for name in sorted(wish.moves)]
    unknown = [(name, known) for name, known in asked if name not in known]
    if unknown:
        raise InputError(
            *(
                Finding(
                    code="unknown-group",
                    message=f"no sealed group of generated values is called `{name}`",
                    where=Where(subject=f"site {site.name}"),
                    expected=", ".join(f"`{one}`" for one in sorted(known)) or "nothing is sealed",
                    hint=f"sitewright generated {site.profile}",
                )
                for name, known in unknown
            )
        )


def captured_content(workspace: Workspace, site: Site, found: Survey, kept: Kept) -> bytes | None:
    """The bytes of the file of captured values; None when the one that is there stays, or there is to be none.

    Raises InputError when what has to be sealed anew cannot be opened.
    """
    if not (found.capture.changes or found.work.changes):
        return None
    known = opened(kept, workspace.sealing, found.work.needs)
    file = sealed_file(site.name, found.work, found.capture, kept.file, known, workspace.now, workspace.sealing.random)
    return encode_generated(file)


def digest_after(content: bytes | None, kept: Kept) -> Digest | None:
    """The digest of the file of captured values as it will be."""
    return Digest.of(content) if content is not None else kept.digest


def told(found: Survey, kept: Kept) -> list[str]:
    """What was captured, line by line, and what restarts because of it."""
    capture = found.capture
    lines = [f"captured {name}" for name in capture.added]
    lines += [f"moved {old} to {new}" for old, new in capture.moves.items()]
    lines += [f"removed {name}: no chart makes it any more" for name in capture.gone]
    for name in capture.renewed:
        group = capture.groups[name]
        until = f", its certificates are valid to {group.ends.date()}" if group.ends else ""
        lines.append(f"renewed {name}: revision {group.revision}{until}")
        after = effects(name, found.discovered.values, found.manifests)
        lines += [f"  restarts {one}" for one in after.restart]
        lines += [f"  uses it and does not restart by itself: {one}" for one in after.stay]
    told = {*capture.added, *capture.renewed}
    lines += [
        f"sealed {part.object} anew"
        for _, part in found.work.objects
        if part.object in kept.captured.objects and not told & {value.group for value in part.fields}
    ]
    return lines


def capture_drift(kept: Kept, found: Survey, profile: str) -> tuple[Finding, ...]:
    """What `lock --check` says of captured values: what a lock would capture and seal (`lock-drift-generated`)."""
    capture = found.capture
    lines = (
        *(f"{name} has not been captured" for name in capture.added),
        *(f"{name} is not made by any chart any more" for name in capture.gone),
        *(f"{one.field} holds what {one.source} holds, and has not been captured" for one in capture.derived),
        *(f"{one} has to be sealed anew" for one in found.work.sealed),
    )
    edited = tuple(replace(one, severity=Severity.ERROR) for one in kept.findings)
    if not lines:
        return edited
    finding = Finding(
        code="lock-drift-generated",
        message="what was captured of generated values is not what the charts need",
        where=Where(file=kept.path),
        explanation=lines[:20],
        hint=f"sitewright lock {profile}",
    )
    return (*edited, finding)


def _days(text: str | None) -> int | None:
    if text is None:
        return None
    number = text.removesuffix("d")
    if not (text.endswith("d") and number.isdecimal() and len(number) < 6):
        raise UsageError(
            Finding(
                code="invalid-option",
                message=f"`{text}` is not a number of days",
                where=Where(subject="--expiring"),
                expected="such as `30d`",
            )
        )
    return int(number)


def _moves(texts: Sequence[str]) -> Mapping[str, str]:
    moves = {}
    for text in texts:
        old, sign, new = text.partition("=")
        if not (old and sign and new):
            raise UsageError(
                Finding(
                    code="invalid-option",
                    message=f"`{text}` does not say what moves where",
                    where=Where(subject="--move"),
                    expected="`OLD=NEW`, the names of two groups",
                )
            )
        moves[old] = new
    return moves
