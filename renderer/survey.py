"""What a lock must know: (site, enabled extensions, catalog, tools) -> Survey. Pure, like the pipeline it uses.

Charts that may invent values are inflated twice, and what differs is discovered, captured and planned to be sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from renderer.errors import Finding
from renderer.inflation import Again, Part, Tools, asks_for_apis, inflate, inflate_again
from renderer.model.bundles.bundle import Catalog, Offer
from renderer.model.fields import Fields
from renderer.model.generated.discovered import Discovered
from renderer.model.generated.sealed import Captured
from renderer.model.objects.manifest import Manifest
from renderer.model.reference import ImageReference
from renderer.model.site import Site
from renderer.pipeline import place_parts, plan_of, shape
from renderer.stages.generated.discovering import discover
from renderer.stages.mirrors.plan import plan_mirrors
from renderer.stages.settle.sealed.capturing import Capture, Wish, capture
from renderer.stages.settle.sealed.names import with_known_names
from renderer.stages.settle.sealed.parts import sealed_parts
from renderer.stages.settle.sealed.sealing import Work, plan_sealing
from renderer.structs import Struct


class Survey(Struct, frozen=True, kw_only=True):
    """What a lock must know of a site's objects: see docs/decisions/0001. `waves` are numbers by extension.

    `capture` and `work` say what is to be captured of generated values, and what of it is to be sealed. `manifests` are
    the site's objects, with stand-ins for what is sealed.
    """

    images: tuple[ImageReference, ...]
    discovered: Discovered
    capture: Capture
    work: Work
    manifests: tuple[Manifest, ...]
    api_versions: tuple[str, ...]
    waves: Mapping[str, int]
    findings: tuple[Finding, ...]


def survey(site: Site, enabled: Sequence[Offer], catalog: Catalog, tools: Tools, wish: Wish) -> Survey:
    """Inflate what is enabled, twice where a chart may invent values, and list what must be locked.

    `wish` says what was captured before, and what of it is to be renewed.
    """
    told = tuple(sorted(site.cluster.api_versions))
    parts = inflate(site, enabled, tools, told)
    served = tuple(sorted({*told, *served_by(manifest for part in parts for manifest in part.inflated.manifests)}))
    if served != told:
        asking = {part.component.name for part in parts if asks_for_apis(part, tools)}
        parts = inflate(site, enabled, tools, served, unless=[one for one in parts if one.component.name not in asking])
    again = inflate_again(parts, tools)
    discovered = with_known_names(discovered_between(parts, again), wish.before)
    ruled = site.generated.rulings(discovered.values)
    taken = capture(discovered, ruled, wish, site.profile)
    declared = {image for offer in enabled for image in offer.extension.images}
    mirrors = plan_mirrors(site.registry, declared | {image for image in (site.nodes.image,) if image})
    invented = (discovered.values, discovered.certificates, Captured(groups=taken.groups))
    shaped = shape(site, parts, invented, catalog, mirrors, tools)
    to_seal = sealed_parts(ruled, site.generated, shaped.manifests)
    work = plan_sealing(shaped.manifests, to_seal, taken, wish.before, site.generated.recipients)
    planned = plan_of(site, shaped, enabled, tools)
    return Survey(
        images=tuple(sorted({use.reference for use in shaped.images} | (declared & catalog.images().keys()))),
        discovered=discovered,
        capture=taken,
        work=work,
        manifests=shaped.manifests,
        api_versions=served,
        waves=planned.bases,
        findings=(
            *(finding for part in parts for finding in part.inflated.findings),
            *(note for one in again for note in one.notes),
            *taken.findings,
            *work.findings,
            *shaped.findings,
            *planned.findings,
        ),
    )


def discovered_between(parts: Sequence[Part], again: Sequence[Again]) -> Discovered:
    """What two inflations of the same components invent; those that were inflated once cannot differ."""
    anew = [other for one, other in zip(parts, again, strict=True) if other.part is not one]
    first, second = (
        tuple(one for one in place_parts(some).manifests if any(other.part.made(one) for other in anew))
        for some in (parts, [other.part for other in again])
    )
    sums = {f"{one.part.extension.name}/{one.part.component.name}": one.sums for one in anew}
    return discover(first, second, sums)


def served_by(manifests: Iterable[Manifest]) -> Iterator[str]:
    """What the CustomResourceDefinitions among `manifests` make the cluster serve: `group/version[/Kind]`."""
    for manifest in manifests:
        if manifest.id.kind == "CustomResourceDefinition":
            spec = Fields.of(manifest.body).child("spec")
            group, kind = spec.text("group", ""), spec.child("names").text("kind", "")
            for version in spec.children("versions"):
                if version.flag("served", default=True) and group and kind:
                    yield f"{group}/{version.text('name')}"
                    yield f"{group}/{version.text('name')}/{kind}"
