"""How the mode `sealed` settles fields: public values in clear, and for secrets what stands for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from renderer.errors import Finding, Where
from renderer.model.generated.groups import GeneratedGroup
from renderer.model.generated.policy import GeneratedPolicy, Ruling
from renderer.model.generated.sealed import Captured, field_name
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import ObjectId
from renderer.stages.settle.open_fields import open_fields_finding
from renderer.stages.settle.placing import with_value
from renderer.stages.settle.sealed.parts import needs_sealing, sealed_name
from renderer.stages.settle.ways import Answer, Draft, Item, Task
from renderer.structs import replace


def settled(task: Task) -> Answer:
    """The captured public values, and stand-ins for secrets; where nothing was captured, the placeholders stay.

    Stand-ins name the group and its revision. They are what checksums and content hashes see, so that Pods start
    again when a secret is renewed, and nothing follows from the secret itself.
    """
    return Answer(drafts=tuple(_settled(item, task.captured) for item in task.items))


def _settled(item: Item, captured: Captured) -> Draft:
    body = dict(item.draft.manifest.body)
    for value, _ in item.fields:
        group, name = captured.groups.get(value.group), field_name(value)
        if group is not None and name in group.public:
            body = with_value(body, value.path, group.public[name])
        elif group is not None and name in group.secret:
            body = with_value(body, value.path, group.stand_in)
    return replace(item.draft, manifest=item.draft.manifest.with_body(body))


def lacking(
    fields: Iterable[tuple[GeneratedValue, Ruling]],
    groups: Mapping[str, GeneratedGroup],  # noqa: ARG001 - all ways are asked alike
    policy: GeneratedPolicy,
) -> tuple[Finding, ...]:
    """What nobody could open (`no-recipients`, one for all), and what SOPS cannot single out (`generated-value`)."""
    secret = [value for value, _ in fields if needs_sealing(value)]
    can_be = [value for value in secret if sealed_name(value) is not None]
    cannot: dict[tuple[str, ObjectId], list[GeneratedValue]] = {}
    for value in secret:
        if sealed_name(value) is None:
            cannot.setdefault((value.component, value.object), []).append(value)
    found = tuple(open_fields_finding(mine) for _, mine in sorted(cannot.items()))
    return found if policy.recipients or not can_be else (_no_recipients(can_be), *found)


def _no_recipients(values: Iterable[GeneratedValue]) -> Finding:
    names = sorted({value.group for value in values})
    return Finding(
        code="no-recipients",
        message=f"charts invent {len(names)} secret{'s' if len(names) > 1 else ''} that nobody could open: "
        "the profile names no recipients",
        where=Where(path="spec.generated.recipients"),
        expected="the public key of the site, which `age-keygen` prints",
        explanation=(
            "make a key, keep it out of git, and name its public half in the profile:",
            "  age-keygen -o site.agekey",
            "  spec:",
            "    generated:",
            "      recipients: [age1…]",
            "or let an operator create these objects: `default: external`",
            f"it is about {', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}",
        ),
        hint="age-keygen -o site.agekey",
    )
