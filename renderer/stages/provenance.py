"""`records/provenance.json`: from which inputs a tree was rendered, and whether a tree is what they give.

Format: in-toto Statement v1 (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md) with the SLSA
provenance v1 predicate (https://slsa.dev/spec/v1.0/provenance). It holds no time: equal inputs give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final, cast

from renderer.model.bundles.trust import Verdict
from renderer.model.fields import Json
from renderer.model.inputs import RenderInputs
from renderer.model.lock import Lock
from renderer.model.reference import Digest
from renderer.model.site import Site
from renderer.model.trees.tree import FileTree

PROVENANCE: Final = "records/provenance.json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PREDICATE: Final = "https://slsa.dev/provenance/v1"
_BUILD_TYPE: Final = "https://sitewright.dev/render/v1"
_BUILDER: Final = "https://sitewright.dev/sitewright"
_LIMIT: Final = 4 * 2**20


def render_inputs(
    site: Site,
    lock: Lock,
    lock_bytes: bytes,
    templates: Mapping[str, str],
    *,
    sitewright: str,
    verdicts: Iterable[Verdict] = (),
    demands: Digest | None = None,
) -> RenderInputs:
    """The inputs of a render of `site`. `sitewright` is the version that renders, `verdicts` those on its bundles.

    `demands` stands for what nodes demand of images, where the profile asks for that.
    """
    return RenderInputs(
        site=site.name,
        profile_file=site.profile,
        profile=site.digest,
        lock=Digest.of(lock_bytes),
        templates=_templates_digest(templates),
        bundles=lock.bundles,
        engine=lock.engine,
        sitewright=sitewright,
        verdicts=tuple(verdicts),
        demands=demands,
    )


def provenance(inputs: RenderInputs, tree: FileTree) -> bytes:
    """The statement about `tree`, which holds every file of the site but the statement itself."""
    statement: dict[str, Json] = {
        "_type": _STATEMENT,
        "subject": [{"name": f"sites/{inputs.site}", "digest": _digest(tree.digest())}],
        "predicateType": _PREDICATE,
        "predicate": _predicate(inputs),
    }
    return (json.dumps(statement, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()


def is_current(previous: FileTree, inputs: RenderInputs) -> bool:
    """True when `previous` is exactly what a render of `inputs` left: rendering again would change nothing.

    `previous` has paths relative to `Site.root`. A file that was edited, added or removed makes this False.
    """
    content = previous.files.get(PROVENANCE)
    if content is None or len(content) > _LIMIT:
        return False
    rest = FileTree({path: data for path, data in previous.items() if path != PROVENANCE})
    return content == provenance(inputs, rest)


def _predicate(inputs: RenderInputs) -> Json:
    dependencies: list[Json] = [
        {"name": "profile", "uri": inputs.profile_file, "digest": _digest(inputs.profile)},
        {"name": "lock", "digest": _digest(inputs.lock)},
        {"name": "templates", "digest": _digest(inputs.templates)},
    ]
    if inputs.demands is not None:
        dependencies.append({"name": "image demands", "digest": _digest(inputs.demands)})
    verdicts = {verdict.manifest: verdict for verdict in inputs.verdicts}
    for bundle in sorted(inputs.bundles, key=lambda bundle: bundle.name):
        annotations: dict[str, Json] = {
            "version": str(bundle.version),
            "sequence": bundle.sequence,
            "signers": list(bundle.signers),
        }
        if bundle.digest in verdicts:
            annotations["verdict"] = _verdict(verdicts[bundle.digest])
        digest = _digest(bundle.digest)
        dependencies.append(
            {"name": f"bundle {bundle.name}", "uri": bundle.source, "digest": digest, "annotations": annotations}
        )
    engine = {"sitewright": inputs.sitewright, "helm": inputs.engine.helm, "chartEngine": inputs.engine.name}
    return {
        "buildDefinition": {
            "buildType": _BUILD_TYPE,
            "externalParameters": {"site": inputs.site, "profile": inputs.profile_file},
            "resolvedDependencies": dependencies,
        },
        "runDetails": {"builder": {"id": _BUILDER, "version": cast("Json", engine)}},
    }


def _verdict(verdict: Verdict) -> Json:
    """Why a bundle was believed: every signature, and why those that do not count do not. It holds no time."""
    signatures: list[Json] = [
        {
            "form": fact.form,
            "signer": fact.signer,
            "algorithm": fact.algorithm.value if fact.algorithm else None,
            "accepted": fact.accepted,
            "reason": fact.reason,
            **({"certificate": {"subject": fact.subject, "serial": fact.serial}} if fact.subject else {}),
        }
        for fact in verdict.signatures
    ]
    return {"policy": verdict.policy, "threshold": verdict.threshold, "signatures": signatures}


def _digest(digest: Digest) -> dict[str, Json]:
    """A digest set as in-toto spells it."""
    return {digest.algorithm: digest.hex}


def _templates_digest(templates: Mapping[str, str]) -> Digest:
    whole = sha256()
    for name, text in sorted(templates.items()):
        whole.update(f"{sha256(text.encode()).hexdigest()}  {name}\n".encode())
    return Digest("sha256", whole.hexdigest())
