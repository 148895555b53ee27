"""The mode `external`: the object stays out of the tree, and an operator creates it (`records/secrets.md`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from renderer.errors import Finding, Where
from renderer.model.generated.groups import GeneratedGroup
from renderer.model.generated.policy import GeneratedPolicy, Ruling
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import ObjectId
from renderer.stages.settle.ways import Answer, Draft, Item, Place, Task


def settled(task: Task) -> Answer:
    """Every Secret goes out of the tree, and what a rule names; placeholders show where an operator puts values."""
    return Answer(drafts=tuple(map(_settled, task.items)))


def _settled(item: Item) -> Draft:
    outside = any(_stays_out(value, ruling) for value, ruling in item.fields)
    return replace(item.draft, place=Place.EXTERNAL) if outside else item.draft


def _stays_out(value: GeneratedValue, ruling: Ruling) -> bool:
    """A Secret, unless the profile makes it public to the last field; and any object that a rule names."""
    return value.in_secret or ruling.direct


def lacking(
    fields: Iterable[tuple[GeneratedValue, Ruling]],
    groups: Mapping[str, GeneratedGroup],  # noqa: ARG001 - all ways are asked alike
    policy: GeneratedPolicy,  # noqa: ARG001 - all ways are asked alike
) -> tuple[Finding, ...]:
    """One finding (`generated-value`) for every object in the tree with fields that no operator can fill in.

    Says the lines of the profile that settle them, and never a value.
    """
    open_fields: dict[tuple[str, ObjectId], list[GeneratedValue]] = {}
    outside: set[tuple[str, ObjectId]] = set()
    for value, ruling in fields:
        if _stays_out(value, ruling):
            outside.add((value.component, value.object))
        else:
            open_fields.setdefault((value.component, value.object), []).append(value)
    return tuple(_finding(mine) for where, mine in sorted(open_fields.items()) if where not in outside)


def _finding(fields: Sequence[GeneratedValue]) -> Finding:
    value, *others = fields
    more = f" and {len(others)} more field{'s' if len(others) > 1 else ''}" if others else ""
    bundles = [one for one in fields if one.kind is GeneratedKind.CA_BUNDLE]
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
        explanation=("settle it in the profile:", "  spec:", "    generated:", "      rules:", *_rules(fields)),
        hint="put the public certificate of your CA there (PEM or base64); add the lines, then `sitewright lock`"
        if bundles
        else "add these lines to the profile, then `sitewright lock`",
    )


def _rules(fields: Sequence[GeneratedValue]) -> Iterable[str]:
    """The items under `spec.generated.rules` that settle the open fields of one object."""
    globs: dict[str, GeneratedValue] = {}
    for value in fields:
        globs.setdefault(_as_glob(value.path), value)
    for glob, value in globs.items():
        yield f"        - object: {json.dumps(_as_glob(str(value.object)), ensure_ascii=False)}"
        yield f"          field: {json.dumps(glob, ensure_ascii=False)}"
        if value.kind is GeneratedKind.CA_BUNDLE:
            yield "          value: LS0tLS1CRUdJTi…  # instead of what the chart would make"
            yield "          reason: certificates of this site come from our own CA"
        else:
            yield "          mode: external  # or `value:` and what is to stand there, if it may be public"
            yield "          reason: created on the site, because it holds secret material"


def _as_glob(text: str) -> str:
    """A glob that matches `text` and reads well: `webhooks*.clientConfig.caBundle`, `data*app.yaml*`."""
    return re.sub(r"\*{2,}", "*", re.sub(r"#[0-9]+\Z|\[[0-9]+\]|\[\"|\"\]", "*", text)) or "*"
