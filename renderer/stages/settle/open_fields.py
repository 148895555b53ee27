"""What is said of generated fields that stay open: the lines of the profile that settle them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from renderer.errors import Finding, Where
from renderer.model.generated.values import GeneratedKind, GeneratedValue


def open_fields_finding(fields: Sequence[GeneratedValue]) -> Finding:
    """`generated-value`: the fields of one object that nobody settles, with the lines that do. Never shows a value."""
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
        globs.setdefault(as_glob(value.path), value)
    for glob, value in globs.items():
        yield f"        - object: {json.dumps(as_glob(str(value.object)), ensure_ascii=False)}"
        yield f"          field: {json.dumps(glob, ensure_ascii=False)}"
        if value.kind is GeneratedKind.CA_BUNDLE:
            yield "          value: LS0tLS1CRUdJTi…  # instead of what the chart would make"
            yield "          reason: certificates of this site come from our own CA"
        else:
            yield "          mode: external  # or `value:` and what is to stand there, if it may be public"
            yield "          reason: created on the site, because it holds secret material"


def as_glob(text: str) -> str:
    """A glob that matches `text` and reads well: `webhooks*.clientConfig.caBundle`, `data*app.yaml*`."""
    return re.sub(r"\*{2,}", "*", re.sub(r"#+[0-9]+\Z|\[[0-9]+\]|\[\"|\"\]", "*", text)) or "*"
