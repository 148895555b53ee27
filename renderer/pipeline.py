"""The flow, stage after stage: (site, lock, catalog, tools) -> Rendering.

    inflate -> place -> settle -> unite -> pin -> waves -> check -> layout

Every stage takes immutable values and returns immutable values; nothing here reads a file, the clock, the network or
the environment. `render` writes the tree that a lock pins; what a lock must know finds out `renderer.survey`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from renderer.checks import kubernetes, node_settings, nodes, ordering, output, sealed, security, supply_chain
from renderer.errors import Finding, InputError, Where
from renderer.inflation import Part, Tools, inflate
from renderer.model.bundles.bundle import Catalog, Offer
from renderer.model.bundles.extension import Extension, RequirementKind
from renderer.model.check import Rule, run_rules
from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.sealed import NOTHING_CAPTURED, Captured
from renderer.model.generated.values import MADE_OF_KEYS, GeneratedValue
from renderer.model.images.mirror import MirrorPlan
from renderer.model.images.use import ImageUse
from renderer.model.inputs import RenderInputs
from renderer.model.lock import Lock
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.rendering import Composed, ExternalObject, Rendering
from renderer.model.site import ImagesMode, NodeDelivery, Site
from renderer.model.trees.tree import FileTree
from renderer.stages import agents, layout, provenance, records
from renderer.stages.chart.hooks import name_hooks
from renderer.stages.image_demands import ImageDemands
from renderer.stages.mirrors.daemonset import FIRST_WAVE, NODE_FILES
from renderer.stages.mirrors.nodes import node_delivery, node_files
from renderer.stages.mirrors.plan import plan_mirrors
from renderer.stages.pin import pin
from renderer.stages.place import Placed, place, unite
from renderer.stages.settle import settle
from renderer.stages.settle.record import generated_record
from renderer.stages.settle.sealed.assembling import assembled, uncaptured
from renderer.stages.settle.sealed.parts import SealedPart, sealed_parts
from renderer.stages.stored import as_stored
from renderer.stages.waves import Planned, plan_waves
from renderer.structs import Struct, replace

OBJECT_RULES: Final[tuple[Rule, ...]] = (*kubernetes.RULES, *ordering.RULES, *security.RULES)
"""Judgements over the plan, the cluster and the secrets mode, and nothing else: sites that share these share them."""
SITE_RULES: Final[tuple[Rule, ...]] = (*supply_chain.RULES, *nodes.RULES, *sealed.RULES, *node_settings.RULES)
"""Judgements that also look at a site's registry, mirrors and lock."""


class Shaped(Struct, frozen=True, kw_only=True):
    """Objects as the cluster gets them, without waves."""

    manifests: tuple[Manifest, ...]
    images: tuple[ImageUse, ...]
    external: tuple[ExternalObject, ...]
    findings: tuple[Finding, ...]


def render(
    site: Site,
    lock: Lock,
    lock_bytes: bytes,
    catalog: Catalog,
    tools: Tools,
    previous: FileTree,
    captured: Captured = NOTHING_CAPTURED,
    demanded: ImageDemands | None = None,
) -> Rendering:
    """The tree of `site` (paths relative to `Site.root`), and what is to be said about it.

    `previous` is the tree that this one replaces, `captured` what was captured for the lock, `demanded` what nodes
    demand of images where the profile asks for that. Raises InputError when a chart or a template cannot be inflated.
    """
    composed = compose(site, lock, catalog, tools, captured)
    laid = _laid(composed, tools, previous)
    size = sum(len(content) for _, content in laid.tree.items())
    health = [rule for offer in offers(lock, catalog, site.profile) for rule in offer.extension.health]
    tree = laid.tree.joined(
        agents.agent_files(site, composed.plan, health, tools.templates, manifest_bytes=size),
        node_files(composed.mirrors, site, tools.templates, demands=demanded.demands if demanded else {}),
        records.record_files(composed, lock_bytes=lock_bytes, orphans=laid.orphans, templates=tools.templates),
        generated_record(lock, site.generated, captured, tuple(composed.plan.manifests())),
    )
    statement = provenance.provenance(_inputs(site, lock, lock_bytes, catalog, tools, demanded), tree)
    tree = tree.joined(FileTree.of([(provenance.PROVENANCE, statement)]))
    # what is said about the move from one tree to the next stays out of the tree: it depends on the tree before
    told = demanded.findings if demanded else ()
    said = (*composed.findings, *laid.findings, *told, *_secrets_in(tree, tools))
    return Rendering(site=site, tree=tree, composed=replace(composed, findings=said))


def _secrets_in(tree: FileTree, tools: Tools) -> Iterator[Finding]:
    """What looks like a secret in the whole output; a file that sites share is looked through once."""
    return output.secrets_in_output(
        tree, lambda text: tools.memo.get(("seen", text), lambda: output.look_through(text))
    )


def _laid(composed: Composed, tools: Tools, previous: FileTree) -> layout.Laid:
    """The manifests as files; sites that are new and share a plan share them."""
    agent, orphans = composed.site.gitops.agent, records.read_orphans(previous)

    def make() -> layout.Laid:
        return layout.lay_out(composed.plan, agent=agent, previous=previous, texts=tools.texts, orphans=orphans)

    return make() if previous.files else tools.memo.get(("laid", id(composed.plan), agent), make)


def is_current(
    site: Site,
    lock: Lock,
    lock_bytes: bytes,
    catalog: Catalog,
    tools: Tools,
    previous: FileTree,
    demanded: ImageDemands | None = None,
) -> bool:
    """True when `previous` is what `render` would write: nothing that it depends on has changed, nor has the tree."""
    return provenance.is_current(previous, _inputs(site, lock, lock_bytes, catalog, tools, demanded))


def _inputs(
    site: Site, lock: Lock, lock_bytes: bytes, catalog: Catalog, tools: Tools, demanded: ImageDemands | None
) -> RenderInputs:
    return provenance.render_inputs(
        site,
        lock,
        lock_bytes,
        tools.templates,
        sitewright=tools.version,
        verdicts=(bundle.verdict for bundle in catalog.bundles),
        demands=demanded.digest if demanded else None,
    )


def compose(site: Site, lock: Lock, catalog: Catalog, tools: Tools, captured: Captured = NOTHING_CAPTURED) -> Composed:
    """Everything that the tree of `site` is written from, judged by every rule."""
    enabled = offers(lock, catalog, site.profile)
    keyless = {one.component for one in lock.generated if one.kind in MADE_OF_KEYS}
    parts = inflate(site, enabled, tools, lock.api_versions, keyless=keyless)
    mirrors = plan_mirrors(site.registry, (image.reference.pinned(image.digest) for image in lock.images))
    unsealed = shape(site, parts, (lock.generated, lock.certificates or (), captured), catalog, mirrors, tools)
    ruled = site.generated.rulings(lock.generated)
    shaped = with_sealed(unsealed, sealed_parts(ruled, site.generated, unsealed.manifests), captured, tools)
    missing = uncaptured(ruled, captured)
    planned = plan_of(site, shaped, enabled, tools)
    composed = Composed(
        site=site,
        lock=lock,
        plan=planned.plan,
        images=shaped.images,
        mirrors=mirrors,
        dropped=tuple(hook for part in parts for hook in part.inflated.dropped),
        external=shaped.external,
        findings=(),
    )
    own = (
        *(finding for part in parts for finding in part.inflated.findings),
        *shaped.findings,
        *missing,
        *planned.findings,
    )
    judged = ("rules", id(planned), site.cluster, site.secrets, bool(site.generated.recipients))
    objects = tools.memo.get(judged, lambda: run_rules(OBJECT_RULES, composed))
    return replace(composed, findings=(*own, *run_rules(SITE_RULES, composed), *objects))


def shape(
    site: Site,
    parts: Sequence[Part],
    invented: tuple[Sequence[GeneratedValue], Sequence[CertificateWish], Captured],
    catalog: Catalog,
    mirrors: MirrorPlan,
    tools: Tools,
) -> Shaped:
    """Objects as charts made them -> objects as the cluster gets them: in place, settled, each once, pinned, named.

    What is to be sealed has stand-ins (`with_sealed`).
    """
    # the site registry matters to pins only where it is written into references, or where values name it already
    asked = site.registry.images is ImagesMode.REWRITE or any(mirrors.host in str(part.key) for part in parts)

    def make() -> Shaped:
        placed = place_parts(parts)
        values, certificates, captured = invented
        settled = settle(placed.manifests, values, site.generated, captured, certificates)
        stored, dropped = as_stored(settled.manifests)
        united = unite(stored)
        external = tuple({one.manifest.id: one for one in settled.external}.values())
        everything = (*united.manifests, *(one.manifest for one in external))
        pinned = pin(everything, catalog.images(), mode=site.registry.images, mirrors=mirrors if asked else None)
        inside, outside = pinned.manifests[: len(united.manifests)], pinned.manifests[len(united.manifests) :]
        return Shaped(
            manifests=name_hooks(inside),
            images=pinned.uses,
            external=tuple(replace(one, manifest=body) for one, body in zip(external, outside, strict=True)),
            findings=(*placed.findings, *settled.findings, *dropped, *united.findings, *pinned.findings),
        )

    projects = tuple(sorted(site.registry.projects.items()))
    bundles = tuple(bundle.manifest.digest for bundle in catalog.bundles)
    chosen = tuple(sorted((str(reference), str(image.digest)) for reference, image in catalog.chosen.items()))
    registry = (site.registry.images, mirrors.host, projects) if asked else ()
    settling = (tuple(invented[0]), tuple(invented[1]), repr(invented[2].groups), repr(site.generated))
    key = (tuple(part.key for part in parts), settling, registry, bundles, chosen)
    return with_node_delivery(site, tools.memo.get(("shape", *key), make), catalog, mirrors, tools)


def with_node_delivery(site: Site, shaped: Shaped, catalog: Catalog, mirrors: MirrorPlan, tools: Tools) -> Shaped:
    """With the Pods that bring files to the nodes, when the site asks for them.

    Their image names the site registry in any case: they run before a node knows of mirrors.
    """
    objects = node_delivery(mirrors, site, tools.templates)
    if not objects:
        return shaped

    def make() -> Shaped:
        pinned = pin(objects, catalog.images(), mode=ImagesMode.REWRITE, mirrors=mirrors)
        return replace(
            shaped,
            manifests=(*unite(pinned.manifests).manifests, *shaped.manifests),
            images=(*pinned.uses, *shaped.images),
            findings=(*shaped.findings, *pinned.findings),
        )

    bodies = tuple(json.dumps(one.body, sort_keys=True) for one in objects)
    return tools.memo.get(("node delivery", id(shaped), mirrors.host, mirrors.mirrors, bodies), make)


def with_sealed(shaped: Shaped, parts: Mapping[ObjectId, SealedPart], captured: Captured, tools: Tools) -> Shaped:
    """The same objects with their sealed parts, as they were captured, instead of stand-ins."""
    if not parts:
        return shaped

    def make() -> Shaped:
        manifests, findings = assembled(shaped.manifests, parts, captured)
        return replace(shaped, manifests=manifests, findings=(*shaped.findings, *findings))

    return tools.memo.get(("sealed", id(shaped), repr(captured.objects), tuple(parts)), make)


def plan_of(site: Site, shaped: Shaped, enabled: Sequence[Offer], tools: Tools) -> Planned:
    """The waves of the shaped objects, by what requires what and by the profile's overrides."""
    overrides = {one.name: (one.wave, one.reason or "") for one in site.extensions if one.wave is not None}
    resolved = tuple((offer.extension.name, offer.extension.version) for offer in enabled)
    needed = requirements(enabled)
    if site.nodes.delivery is not NodeDelivery.FILES:
        overrides[NODE_FILES] = FIRST_WAVE
        needed = {name: names | {NODE_FILES} for name, names in needed.items()}
    key = ("waves", id(shaped), resolved, tuple(sorted(overrides.items())))
    return tools.memo.get(key, lambda: plan_waves(shaped.manifests, needed, overrides))


def place_parts(parts: Sequence[Part]) -> Placed:
    """The objects of all components in their namespaces, in the same order."""
    homes = {(part.extension.name, part.component.name): part.component.namespace for part in parts}
    return place((manifest for part in parts for manifest in part.inflated.manifests), homes)


def offers(lock: Lock, catalog: Catalog, profile: str) -> tuple[Offer, ...]:
    """The locked extensions as their bundles offer them, by name. Raises InputError (`lock-drift-extension`)."""
    found = [(entry, catalog.offer(entry.name, entry.version)) for entry in lock.extensions]
    missing = [entry for entry, offer in found if offer is None]
    if missing:
        raise InputError(
            *(
                Finding(
                    code="lock-drift-extension",
                    message=f"no bundle offers the locked extension `{entry.name}` {entry.version}",
                    where=Where(subject=f"lock of site {lock.site}"),
                    hint=f"sitewright lock {profile}",
                )
                for entry in missing
            )
        )
    return tuple(offer for _, offer in found if offer is not None)


def requirements(enabled: Iterable[Offer]) -> dict[str, frozenset[str]]:
    """For each enabled extension the enabled extensions that must be ready before it."""
    extensions = [offer.extension for offer in enabled]
    names = {extension.name for extension in extensions}
    providers: dict[str, set[str]] = {}
    for extension in extensions:
        for capability in extension.provides:
            providers.setdefault(capability, set()).add(extension.name)

    def needed(extension: Extension) -> Iterator[str]:
        for requirement in extension.requires:
            if requirement.kind is RequirementKind.EXTENSION:
                yield from {requirement.name} & names
            else:
                yield from providers.get(requirement.name, ())

    return {one.name: frozenset(needed(one)) - {one.name} for one in extensions}
