"""containers `policy.json` and `registries.d`: nodes run nothing but images that signers of the site stand for.

Format: containers-policy.json(5), containers-registries.d(5); Podman, CRI-O and skopeo read it. Where the signers of a
bundle have signed its images, too, nodes ask for their signatures, whatever the digest. Where they have not, an image
is accepted by the name and digest that manifests use, since the bundle that lists it was verified. Everything else is
rejected. A policy is looked up by the name that was asked for, a signature where the mirror that answered has it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

from renderer.model.fields import Json
from renderer.model.images.demands import SignatureDemand
from renderer.model.images.mirror import MirrorPlan
from renderer.model.reference import ImageReference
from renderer.model.site import ImagesMode, Site
from renderer.stages.mirrors.texts import json_text, text, yaml

Demands = Mapping[ImageReference, SignatureDemand]
"""What nodes demand of images, by their pinned names."""


def policy_files(
    plan: MirrorPlan, site: Site, values: Mapping[str, Json], templates: Mapping[str, str], demands: Demands
) -> Iterator[tuple[str, bytes]]:
    """The files of `nodes/policy/`. `values` is what all templates of `mirrors/` get."""
    rewrite = site.registry.images is ImagesMode.REWRITE
    pinned = [image for image in plan.images if image.digest]
    by_digest = {f"{_name(plan, image, rewrite=rewrite)}@{image.digest}" for image in pinned if image not in demands}
    signed: list[Json] = []
    repositories: dict[str, list[ImageReference]] = {}
    for image in pinned:
        if image in demands:
            repositories.setdefault(_name(plan, image, rewrite=rewrite), []).append(image)
    for name, images in sorted(repositories.items()):
        # one demand for a repository holds for what comes later, too; a scope with a digest would win over it
        alike = len({demands[image] for image in images}) == 1
        for image in images[:1] if alike else images:
            scope = name if alike else f"{name}@{image.digest}"
            example = f"{name}@{image.digest}"
            rules = [*_requirements(demands[image], name, image)]
            signed.append({"scope": scope, "requirements": rules, "example": example})
    known: dict[str, Json] = {
        **values,
        "images": [*sorted(by_digest)],
        "signed": signed,
        "several_keys": any(len(keys) > 1 for demand in demands.values() for keys in demand.keys),
    }
    yield "policy.json", json_text("policy/policy.json", known, templates)
    yield "registries.d/50-sitewright.yaml", yaml("policy/50-sitewright.yaml", known, templates)
    yield "README.md", text("policy/README.md", known, templates)


def _name(plan: MirrorPlan, image: ImageReference, *, rewrite: bool) -> str:
    """`registry/repository` as manifests name it: runtimes drop the tag before they look into a policy."""
    return (plan.location(image) if rewrite else None) or image.name


def _requirements(demand: SignatureDemand, name: str, image: ImageReference) -> Iterator[Json]:
    """One requirement for each signer that must be there. All of them must hold.

    The signature names the image as it is called upstream, with its tag. With a digest the repository is compared, with
    a tag all of it; so nobody can put another signed image of the repository under the tag.
    """
    identity: dict[str, Json] = {"type": "matchRepoDigestOrExact"}
    if name != image.name:
        identity = {"type": "remapIdentity", "prefix": name, "signedPrefix": image.name}
    for keys in demand.keys:
        yield {"type": "sigstoreSigned", **_keys(keys), "signedIdentity": identity}


def _keys(keys: Sequence[bytes]) -> dict[str, Json]:
    """The keys themselves, so that there is no file beside to forget; `keyDatas` is newer than `keyData`."""
    spelled: list[Json] = [base64.b64encode(key).decode() for key in keys]
    return {"keyData": spelled[0]} if len(spelled) == 1 else {"keyDatas": spelled}
