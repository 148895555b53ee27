"""What a chart wanted of its certificates, read from those that it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from renderer.formats.certificates import signs
from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.material import CertificateFacts
from renderer.stages.generated.content import Content
from renderer.stages.generated.naming import certificate_names


def wishes(group: str, contents: Sequence[Content]) -> tuple[tuple[CertificateWish, ...], Mapping[int, str]]:
    """The certificates of one group, and by index the name of the one that each field holds or has the key of.

    A field with several certificates (a chain, a bundle) holds the first; a bundle of authorities too.
    """
    places: dict[bytes, list[Content]] = {}
    facts: dict[bytes, CertificateFacts] = {}
    for content in contents:
        for one in content.pem[0].certificates:
            places.setdefault(one.der, []).append(content)
            facts.setdefault(one.der, one)
    order = sorted(facts, key=lambda der: _order(facts[der], places[der]))
    authorities = [any(_signs_another(facts[der], other) for other in facts.values()) for der in order]
    marked = [found or facts[der].is_ca for found, der in zip(authorities, order, strict=True)]
    names = dict(zip(order, certificate_names([places[der] for der in order], marked), strict=True))
    found = tuple(_wish(group, names[der], facts[der], _issuer(facts[der], facts, names)) for der in order)
    return tuple(sorted(found, key=lambda wish: wish.order)), _held(contents, facts, names)


def _order(facts: CertificateFacts, places: Sequence[Content]) -> tuple[object, ...]:
    """By what is the same at every render: the first place, and what the certificate says."""
    first = min((one.difference.component, one.difference.object, one.difference.spelled) for one in places)
    return first, facts.common_name, facts.is_ca, facts.dns_names


def _signs_another(issuer: CertificateFacts, facts: CertificateFacts) -> bool:
    return issuer.der != facts.der and issuer.is_ca and signs(issuer, facts)


def _issuer(facts: CertificateFacts, known: Mapping[bytes, CertificateFacts], names: Mapping[bytes, str]) -> str:
    """The name of the certificate of the group that signs this one; empty when none does."""
    if facts.issuer == facts.subject and signs(facts, facts):
        return names[facts.der]
    return next((names[der] for der, issuer in known.items() if _signs_another(issuer, facts)), "")


def _wish(group: str, name: str, facts: CertificateFacts, issuer: str) -> CertificateWish:
    return CertificateWish(
        group=group,
        name=name,
        common_name=facts.common_name,
        organizations=facts.organizations,
        dns_names=facts.dns_names,
        ip_addresses=facts.ip_addresses,
        key_usages=facts.key_usages,
        extended_usages=facts.extended_usages,
        days=facts.days,
        is_ca=facts.is_ca,
        issuer=issuer,
        algorithm=facts.algorithm,
    )


def _held(
    contents: Sequence[Content], facts: Mapping[bytes, CertificateFacts], names: Mapping[bytes, str]
) -> Mapping[int, str]:
    by_key = {one.public_key: names[der] for der, one in facts.items()}
    held = {}
    for index, content in enumerate(contents):
        material = content.pem[0]
        found = names.get(material.certificates[0].der) if material.certificates else None
        own = next((by_key[public] for public in material.public_keys if public in by_key), None)
        if found or own:
            held[index] = found or own or ""
    return held
