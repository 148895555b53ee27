"""`sitewright values`: the values that a component gets on a site, and which layer set each of them."""

from __future__ import annotations

import json
from typing import cast

from renderer.commands.site.loading import Loader, Workspace
from renderer.errors import Finding, InputError, Where
from renderer.formats.kubernetes.manifests import dump
from renderer.model.fields import Json, spell_path
from renderer.model.outcome import Outcome
from renderer.pipeline import offers
from renderer.stages.values import LayeredValues, components_on, layer, layers_of


def values(workspace: Workspace, profile: str, extension: str, *, explain: bool) -> Outcome:
    """The merged values of every component of `extension` on the site of `profile`, as YAML.

    With `explain` every key stands on a line of its own with the layer that set it. What a chart's own `values.yaml`
    says lies below all of this and is not shown. Raises InputError (`unknown-extension`).
    """
    loader = Loader(workspace)
    site = loader.site(profile).site
    lock = loader.lock(profile)[0]
    enabled = offers(lock, loader.catalog(site, lock), profile)
    found = next((offer.extension for offer in enabled if offer.extension.name == extension), None)
    if found is None:
        raise InputError(
            Finding(
                code="unknown-extension",
                message=f"`{extension}` is not an extension of site {site.name}",
                where=Where(file=profile, path="spec.extensions"),
                expected=", ".join(f"`{offer.extension.name}`" for offer in enabled),
                hint=f"sitewright tree {profile}",
            )
        )
    parts = {one.name: layer(layers_of(site, found, one)) for one in components_on(site, found)}
    lines = []
    for name, layered in parts.items():
        lines.append(f"# component {name} of {found.id}")
        lines.extend(_explained(layered) if explain else dump(cast("Json", layered.values)).splitlines())
    document: Json = {
        name: {"values": cast("Json", layered.values), "origins": dict(layered.origins)}
        for name, layered in parts.items()
    }
    return Outcome(text="\n".join(lines), document=document)


def _explained(layered: LayeredValues) -> list[str]:
    """`path = value  # layer` for every leaf."""
    leaves: dict[str, Json] = {}

    def walk(value: Json, path: tuple[str, ...]) -> None:
        if isinstance(value, dict) and value:
            for key, below in value.items():
                walk(below, (*path, key))
        else:
            leaves[spell_path(path)] = value

    walk(cast("Json", layered.values), ())
    texts = {path: f"{path} = {json.dumps(leaves[path], ensure_ascii=False)}" for path in layered.origins}
    width = max((len(text) for text in texts.values()), default=0)
    return [f"{text.ljust(width)}  # {layered.origins[path]}" for path, text in texts.items()]
