"""Sealed objects and who opens them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.model.check import Rule
from renderer.model.rendering import Composed
from renderer.model.site import GitOpsAgent

_SHOWN: Final = 6


def needs_decryption(composed: Composed) -> Iterator[Finding]:
    """Argo CD cannot open what SOPS has encrypted; Flux can (`spec.decryption` is in `agent/waves.yaml`)."""
    if composed.site.gitops.agent is not GitOpsAgent.ARGOCD:
        return
    sealed = sorted(str(manifest.id) for manifest in composed.plan.manifests() if "sops" in manifest.body)
    if sealed:
        more = f" and {len(sealed) - _SHOWN} more" if len(sealed) > _SHOWN else ""
        yield Finding(
            code="sealed-needs-decryption",
            message=f"Argo CD cannot open {len(sealed)} object{'s' if len(sealed) > 1 else ''} that SOPS has encrypted",
            where=Where(path="spec.gitops.agent"),
            severity=Severity.WARNING,
            expected="a plugin of Argo CD that decrypts (docs/generated-values.md), or Flux, which does so by itself",
            explanation=(f"{', '.join(sealed[:_SHOWN])}{more}",),
            hint="set up the plugin and accept this below `checks.ignore`, or settle the values with another mode",
        )


RULES: Final = (
    Rule(
        code="sealed-needs-decryption",
        title="the agent can open what is sealed",
        why="An object that stays encrypted is refused by the cluster, and everything that needs it does not start.",
        severity=Severity.WARNING,
        check=needs_decryption,
    ),
)
