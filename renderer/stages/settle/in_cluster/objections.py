"""What a Job in the cluster cannot make, and what is said of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Final

from renderer.errors import Finding, Where
from renderer.model.generated.groups import CertificateWish, GeneratedGroup
from renderer.model.generated.policy import GeneratedPolicy, Mode, Ruling
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.admission import is_judged, judged_resources
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.stages.settle.in_cluster.units import Target
from renderer.stages.settle.other_way import cannot_make
from renderer.stages.settle.trusting_kinds import trusts

__all__ = ["fixed_secrets", "is_whole", "judges_the_job", "lacking", "undefined"]

_PEM: Final = frozenset({GeneratedKind.PRIVATE_KEY, GeneratedKind.CERTIFICATE, GeneratedKind.CA})
_KEY_FORMS: Final = frozenset({"private-key", "rsa-private-key", "ec-private-key"})
_TEXT: Final = re.compile(r"(?:digits|hex|lower|upper|alphanumeric|special|base64)-[1-9][0-9]{0,3}\Z|uuid\Z")
_ALGORITHM: Final = re.compile(r"rsa-(?:2048|3072|4096)\Z|ecdsa-(?:256|384|521)\Z|ed25519\Z")
_DATA_KEY: Final = re.compile(r"[-._A-Za-z0-9]{1,253}\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._:@/*+=()-]{0,62}[A-Za-z0-9.)*])?\Z")
"""Common names and organizations that mean the same in OpenSSL's configuration as they read."""
_PLAIN: Final = re.compile(r"(?i)(?:name|user|login|host|port|database|namespace|e-?mail|type|scheme)\Z")
"""How keys of Secrets end whose text is no secret."""


def lacking(
    fields: Iterable[tuple[GeneratedValue, Ruling]], groups: Mapping[str, GeneratedGroup], policy: GeneratedPolicy
) -> tuple[Finding, ...]:
    """`in-cluster-no-image`, once, and `in-cluster-cannot` for every object with fields that a Job cannot make."""
    cannot: dict[ObjectId, list[tuple[GeneratedValue, str]]] = {}
    for value, _ in fields:
        why = _objection(value, groups.get(value.group))
        if why:
            cannot.setdefault(value.object, []).append((value, why))
    found = tuple(_cannot(faults) for _, faults in sorted(cannot.items()))
    return found if policy.image else (_no_image(), *found)


def is_whole(group: GeneratedGroup) -> bool:
    """True for a group that `lacking` has nothing to say about, and that has a Secret."""
    members = [one for one in group.members if not one.kind.follows]
    return any(one.in_secret for one in members) and all(_objection(one, group) is None for one in members)


def _objection(value: GeneratedValue, group: GeneratedGroup | None) -> str | None:
    """Why a Job cannot make a value; None when it can."""
    if group is None:
        return "it belongs to no group"
    if len({one.extension for one in group.members}) > 1:
        return "its group has objects of two extensions, and one of them comes first"
    if value.kind is GeneratedKind.CA_BUNDLE:
        return _bundle_objection(value, group)
    key = value.data_key
    if key is None or _DATA_KEY.match(key) is None:
        return "a Job makes what stands alone under a key of a Secret"
    if value.kind not in _PEM:
        known = _TEXT.match(value.form) is not None
        return None if known else "only the chart knows how it is made: it is no random text, or follows from another"
    wish = group.certificate(value.certificate)
    if wish is None:
        return "it belongs to no certificate that the chart shows"
    if value.form not in (_KEY_FORMS if value.kind is GeneratedKind.PRIVATE_KEY else {"certificate"}):
        return "more than one thing stands there, or in a form that is not known"
    forms = {
        one.form for one in group.members if one.kind is GeneratedKind.PRIVATE_KEY and one.certificate == wish.name
    }
    return "its key stands in two places in two forms" if len(forms) > 1 else _wish_objection(wish)


def _bundle_objection(value: GeneratedValue, group: GeneratedGroup) -> str | None:
    if not trusts(value.object) and not set(value.path).isdisjoint("[#"):
        return f"a Job fills in no list of a {value.object.kind}, because it cannot tell its items apart"
    if not any(one.in_secret for one in group.members):
        return "the certificate that it trusts stands in no Secret"
    if value.form != "certificate" or group.certificate(value.certificate) is None:
        return "it holds more than one certificate"
    return None


def _wish_objection(wish: CertificateWish) -> str | None:
    if _ALGORITHM.match(wish.algorithm) is None:
        return f"its key is {wish.algorithm}"
    names = [name for name in (wish.common_name, *wish.organizations) if name]
    if not all(map(_NAME.match, names)):
        return "its name holds characters that names of certificates do not have"
    return None if names or wish.host_names or wish.ip_addresses else "it names nobody"


def _cannot(faults: list[tuple[GeneratedValue, str]]) -> Finding:
    return cannot_make(
        "in-cluster-cannot",
        ("a Job in the cluster", "a Job"),
        faults,
        "certificates, keys and random texts in Secrets, and the `caBundle` that goes with them",
    )


def _no_image() -> Finding:
    return Finding(
        code="in-cluster-no-image",
        message="values are to be made in the cluster, and the profile names no image for the Job that makes them",
        where=Where(path="spec.generated.inCluster.image"),
        expected="an image with a shell, `openssl` and `kubectl` that a bundle of the site vouches for",
        explanation=(
            "name it in the profile:",
            "  spec:",
            "    generated:",
            "      inCluster:",
            "        image: docker.io/alpine/k8s:1.33.4",
        ),
        hint="sitewright bundle inspect --images BUNDLE",
    )


def fixed_secrets(target: Target, secret: Manifest) -> Finding | None:
    """What is said of a Secret with more in it than a Job may know: the Job stands in git in clear."""
    left = [key for key, text in target.fixed.items() if text and not _is_plain(key, text)]
    if not left:
        return None
    return Finding(
        code="in-cluster-cannot",
        message=f"`{secret.id}` also holds {', '.join(f'`{key}`' for key in left)}, which would stand in git in clear",
        where=Where(subject=f"{secret.origin}, {secret.id}", path="data"),
        expected="a Secret in which everything secret is generated",
        hint=f"add a rule with `mode: {Mode.SEALED.value}` for this Secret below `spec.generated.rules`",
    )


def _is_plain(key: str, text: str) -> bool:
    """True for a short text under the key of something that is no secret (`admin-user`)."""
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return False
    return _PLAIN.search(key) is not None and len(decoded) <= 64 and decoded.isprintable()


def undefined(manifest: Manifest) -> Finding:
    """What is said of a custom resource with a `caBundle` that no definition of the site stands behind."""
    return Finding(
        code="in-cluster-cannot",
        message=f"nothing in this site defines the kind of `{manifest.id}`, whose `caBundle` a Job is to fill in",
        where=Where(subject=f"{manifest.origin}, {manifest.id}"),
        expected="a CustomResourceDefinition in one of the site's extensions",
        hint=f"add a rule with `mode: {Mode.SEALED.value}` for its group below `spec.generated.rules`",
    )


def judges_the_job(manifest: Manifest) -> Finding | None:
    """What is said of a webhook that refuses the very Job by which the API server is to trust it."""
    judged = judged_resources([manifest])
    if not any(is_judged(judged, group, plural) for group, plural in (("", "pods"), ("batch", "jobs"))):
        return None
    return Finding(
        code="in-cluster-cannot",
        message=f"`{manifest.id}` judges Pods or Jobs, and would refuse the Job that gives it its `caBundle`",
        where=Where(subject=f"{manifest.origin}, {manifest.id}", path="webhooks"),
        expected="a webhook that judges other kinds, or whose `failurePolicy` is `Ignore`",
        hint=f"add a rule with `mode: {Mode.SEALED.value}` for its group below `spec.generated.rules`",
    )
