"""Talos Linux: registry documents of the machine configuration, and the same as fields for releases before 1.12.

Format: RegistryMirrorConfig and RegistryTLSConfig of https://docs.siderolabs.com/talos (configuration reference), and
`machine.registries` of v1alpha1. Talos makes containerd's `hosts.toml` of both; `skipFallback` (1.9 and later) makes
the last endpoint the `server`. A CA is PEM text in the document and base64 of it in the field.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

from renderer.model.fields import Json
from renderer.model.images.mirror import MirrorPlan
from renderer.stages.mirrors.texts import documents, text, yaml


def talos_files(
    plan: MirrorPlan, values: Mapping[str, Json], templates: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """The files of `nodes/talos/`. `values` is what all templates of `mirrors/` get."""
    known: dict[str, Json] = {
        **values,
        "ca_text": plan.ca.decode(errors="replace") if plan.ca else None,
        "ca_base64": base64.b64encode(plan.ca).decode() if plan.ca else None,
    }
    yield "registries.yaml", documents("talos/registries.yaml", known, templates)
    yield "registries-before-1.12.yaml", yaml("talos/registries-before-1.12.yaml", known, templates)
    yield "README.md", text("talos/README.md", known, templates)
