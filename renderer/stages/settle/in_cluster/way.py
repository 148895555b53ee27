"""How the mode `in-cluster` settles fields: Jobs make Secrets, which leave the tree, and fill in bundles."""

from __future__ import annotations

from renderer.model.generated.values import GeneratedKind
from renderer.model.objects.admission import custom_kinds
from renderer.stages.settle.in_cluster.objections import fixed_secrets, is_whole, judges_the_job, undefined
from renderer.stages.settle.in_cluster.objects import jobs
from renderer.stages.settle.in_cluster.units import units_of
from renderer.stages.settle.placing import without
from renderer.stages.settle.trusting_kinds import resource_of
from renderer.stages.settle.ways import Answer, Draft, Item, Place, Task
from renderer.structs import replace


def settled(task: Task) -> Answer:
    """The Jobs of every extension, the Secrets that they make out of the tree, and objects without their bundles."""
    manifests = {item.draft.manifest.id: item.draft.manifest for item in task.items}
    units = units_of((group for group in task.groups.values() if is_whole(group)), manifests)
    custom = custom_kinds(task.manifests)
    resources = {one: name for one in manifests if (name := resource_of(one, custom)) is not None}
    drafts: list[Draft] = []
    findings = [fixed_secrets(target, manifests[target.id]) for unit in units for target in unit.targets]
    for item in task.items:
        draft, body = item.draft, dict(item.draft.manifest.body)
        if draft.manifest.id.kind == "Secret":
            drafts.append(replace(draft, place=Place.REPLACED))
            continue
        for value, _ in item.fields:
            body = without(body, value.path)
        findings.append(judges_the_job(draft.manifest))
        if item.draft.manifest.id not in resources and _has_bundle(item):
            findings.append(undefined(draft.manifest))
        drafts.append(replace(draft, manifest=draft.manifest.with_body(body)))
    return Answer(
        drafts=tuple(drafts),
        added=jobs(units, manifests, resources, task.policy.image or ""),
        findings=tuple(one for one in findings if one is not None),
    )


def _has_bundle(item: Item) -> bool:
    return any(value.kind is GeneratedKind.CA_BUNDLE for value, _ in item.fields)
