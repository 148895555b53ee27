"""`sitewright diff`: what a new tree changes, for people (text, Markdown) and for programs (JSON)."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from renderer.model.fields import Json
from renderer.model.objects.manifest import ObjectId
from renderer.model.outcome import Outcome
from renderer.model.trees.change import Change, ChangeKind, FieldChange, FileChange, Renewal, Review, Risk
from renderer.model.trees.tree import FileTree
from renderer.stages.review.compare import review

MARKDOWN_LIMIT: Final = 65_536
"""Characters that the comment or description of a merge request may have (GitHub's limit, the tightest one)."""

_SIGNS: Final = {
    ChangeKind.ADDED: "+",
    ChangeKind.REMOVED: "-",
    ChangeKind.CHANGED: "~",
    ChangeKind.MOVED: ">",
}
_DIGEST: Final = re.compile(r"(sha(?:256|512):[0-9a-f]{12})[0-9a-f]{52,}")
_WIDTH: Final = 160
_LINES: Final = 30


def diff_trees(
    before: Mapping[str, FileTree], after: Mapping[str, FileTree], *, form: str = "text", fail_on_change: bool = False
) -> Outcome:
    """Compare trees by root (`sites/demo`); a root that is missing on one side counts as empty there.

    `form` is `text`, `markdown` or `json`. With `fail_on_change` any difference fails the outcome. Raises InputError
    (`invalid-manifest`).
    """
    empty = FileTree({})
    roots = sorted(before.keys() | after.keys())
    reviews = {root: review(before.get(root, empty), after.get(root, empty)) for root in roots}
    text = _markdown(reviews) if form == "markdown" else _text(reviews)
    changed = any(one.changes or one.files for one in reviews.values())
    document: Json = {"sites": [_document(root, one) for root, one in reviews.items()]}
    return Outcome(text=text, document=document, failed=fail_on_change and changed)


# --- text -------------------------------------------------------------------------------------------------------


def _text(reviews: Mapping[str, Review]) -> str:
    return "\n\n".join("\n".join(_site_lines(root, one)) for root, one in reviews.items())


def _site_lines(root: str, one: Review) -> Iterator[str]:
    yield f"{root}: {_summary(one)}"
    if one.renewals:
        yield "\nrenewed:"
        yield from (f"  {renewal}" for renewal in one.renewals)
    if one.risks:
        yield "\nrisks:"
        yield from (f"  {risk.id}: {risk.message} [{risk.code}]" for risk in one.risks)
    for wave, changes in _by_wave(one.changes):
        yield f"\n{wave}:"
        for change in changes:
            yield f"  {_headline(change)}"
            yield from (f"      {line}" for field in change.fields for line in _field_lines(field))
    if one.files:
        yield "\nother files:"
        yield from _file_lines(one.files)


def _summary(one: Review) -> str:
    kinds = Counter(change.kind for change in one.changes)
    parts = [f"{kinds[kind]} {kind.value}" for kind in ChangeKind if kinds[kind]]
    objects = ", ".join(parts) if parts else "no object changes"
    files = f"; {_counted(len(one.files), 'other file')}" if one.files else ""
    risks = f"; {_counted(len(one.risks), 'risk')}" if one.risks else ""
    return f"{objects}{files}{risks}"


def _by_wave(changes: Sequence[Change]) -> Iterator[tuple[str, list[Change]]]:
    waves = dict[str, list[Change]]()
    for change in changes:
        waves.setdefault(change.wave_after or change.wave_before or "agent", []).append(change)
    yield from waves.items()


def _headline(change: Change) -> str:
    moved = change.wave_before and change.wave_after and change.wave_before != change.wave_after
    where = f"  ({change.wave_before} -> {change.wave_after})" if moved else ""
    return f"{_SIGNS[change.kind]} {change.id}{where}"


def _field_lines(field: FieldChange) -> Iterator[str]:
    """One field: its path, then what went and what came; long texts as the lines that differ."""
    yield field.path
    before, after = field.before, field.after
    if isinstance(before, str) and isinstance(after, str) and ("\n" in before or "\n" in after):
        lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
    elif isinstance(before, list) and isinstance(after, list):
        lines = [line for line in difflib.ndiff(_items(before), _items(after)) if not line.startswith("?")]
    else:
        lines = [f"- {line}" for line in _spelled(before)] + [f"+ {line}" for line in _spelled(after)]
    yield from (f"  {_short(line)}" for line in lines[:_LINES])
    if len(lines) > _LINES:
        yield f"  … {_counted(len(lines) - _LINES, 'more line')}"


def _spelled(value: Json) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.splitlines() or ['""']
    return json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, dict | list) else None).splitlines()


def _items(values: Iterable[Json]) -> list[str]:
    return [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values]


def _short(line: str) -> str:
    """A line as it is shown: digests by their first twelve digits, cut where it would wrap for long."""
    line = _DIGEST.sub(r"\1…", line)
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _file_lines(files: Sequence[FileChange]) -> Iterator[str]:
    """Node files one by one; records, which change with everything, by their number."""
    records = [one for one in files if one.path.startswith("records/")]
    yield from (f"  {_SIGNS[one.kind]} {one.path}" for one in files if one not in records)
    if records:
        yield f"  ~ records/ ({_counted(len(records), 'file')})"


# --- Markdown ---------------------------------------------------------------------------------------------------


def _markdown(reviews: Mapping[str, Review]) -> str:
    """Summary and risks first; then objects as far as the limit allows, and how many are missing."""
    head = ["| site | changes |", "|---|---|", *(f"| `{root}` | {_summary(one)} |" for root, one in reviews.items())]
    risks = [_risk_line(root, risk, len(reviews)) for root, one in reviews.items() for risk in one.risks]
    if risks:
        head += ["", "### Risks", *risks]
    renewed = [
        f"- {f'`{root}`, ' if len(reviews) > 1 else ''}{_escaped(str(renewal))}"
        for root, one in reviews.items()
        for renewal in one.renewals
    ]
    if renewed:
        head += ["", "### Renewed", *renewed]
    blocks = [block for root, one in reviews.items() for block in _blocks(root, one)]
    return _within(head, blocks)


def _risk_line(root: str, risk: Risk, sites: int) -> str:
    site = f"`{root}`, " if sites > 1 else ""
    return f"- {site}**{_escaped(str(risk.id))}** {_escaped(risk.message)} `{risk.code}`"


def _blocks(root: str, one: Review) -> Iterator[str]:
    for wave, changes in _by_wave(one.changes):
        yield f"\n### `{root}` {wave}"
        for change in changes:
            title = f"`{_headline(change)}`"
            lines = [_short(line) for field in change.fields for line in _field_lines(field)]
            fence = "`" * max(3, 1 + max((len(found) for line in lines for found in re.findall("`+", line)), default=0))
            body = "\n".join(line.removeprefix("  ") if line.startswith("  ") else f"@@ {line} @@" for line in lines)
            yield (
                f"<details><summary>{_code(title)}</summary>\n\n{fence}diff\n{body}\n{fence}\n</details>"
                if lines
                else f"- {title}"
            )
    if one.files:
        yield f"\n### `{root}` other files"
        yield "\n".join(f"- {line.strip()}" for line in _file_lines(one.files))


def _within(head: Sequence[str], blocks: Sequence[str]) -> str:
    """Head and as many whole blocks as fit; risks that do not fit are counted as well."""
    reserve = 200
    lines, used = list[str](), 0
    for number, line in enumerate([*head, *([""] if blocks else []), *blocks]):
        if used + len(line) + 1 > MARKDOWN_LIMIT - reserve:
            left = len(head) + bool(blocks) + len(blocks) - number
            lines.append(f"\n… {_counted(left, 'more entry', 'more entries')}: `sitewright diff` shows all of it.")
            break
        lines.append(line)
        used += len(line) + 1
    return "\n".join(lines)


def _code(title: str) -> str:
    return f"<code>{_escaped(title.strip('`'))}</code>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- JSON -------------------------------------------------------------------------------------------------------


def _document(root: str, one: Review) -> Json:
    kinds = Counter(change.kind for change in one.changes)
    return {
        "root": root,
        "counts": {kind.value: kinds[kind] for kind in ChangeKind},
        "objects": [_object(change) for change in one.changes],
        "files": [{"change": file.kind.value, "path": file.path} for file in one.files],
        "renewed": [_renewal(renewal) for renewal in one.renewals],
        "risks": [{"code": risk.code, "object": _identity(risk.id), "message": risk.message} for risk in one.risks],
    }


def _renewal(renewal: Renewal) -> Json:
    return {
        "group": renewal.group,
        "kinds": list(renewal.kinds),
        "certificates": list(renewal.certificates),
        "ends": renewal.ends,
        "restart": list(renewal.restart),
        "stay": list(renewal.stay),
        "message": str(renewal),
    }


def _object(change: Change) -> Json:
    fields: list[Json] = [{"path": one.path, "before": one.before, "after": one.after} for one in change.fields]
    waves: dict[str, Json] = {"waveBefore": change.wave_before, "waveAfter": change.wave_after}
    return {"change": change.kind.value, "object": _identity(change.id), **waves, "fields": fields}


def _identity(identity: ObjectId) -> Json:
    return {"group": identity.group, "kind": identity.kind, "namespace": identity.namespace, "name": identity.name}


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"
