"""Generated values and their certificates as entries of a lock, and back (`renderer.formats.lockfile`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from renderer.formats.bundle.document import only
from renderer.formats.object_identity import read_object, written_object
from renderer.model.fields import Fields
from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.values import GeneratedKind, GeneratedValue

__all__ = ["Flow", "read_certificate", "read_generated", "written_certificate", "written_generated"]

Flow = str | int | Mapping[str, "Flow"] | Iterable["Flow"]
"""What stands on one line of a lock."""

_TEXTS: Final[tuple[tuple[str, Callable[[CertificateWish], tuple[str, ...]]], ...]] = (
    ("organizations", lambda wish: wish.organizations),
    ("dnsNames", lambda wish: wish.dns_names),
    ("ipAddresses", lambda wish: wish.ip_addresses),
    ("keyUsages", lambda wish: wish.key_usages),
    ("extendedUsages", lambda wish: wish.extended_usages),
)


def written_generated(entry: GeneratedValue) -> Flow:
    """One generated value; what does not apply to its kind is left out."""
    written: dict[str, Flow] = {
        "component": entry.component,
        "object": written_object(entry.object),
        "field": entry.path,
        "kind": entry.kind.value,
    }
    if entry.group:
        written["group"] = entry.group
    if entry.certificate:
        written["certificate"] = entry.certificate
    if entry.form:
        written["form"] = entry.form
    if entry.of:
        written["of"] = [written_object(one) for one in sorted(entry.of)]
    return {**written, "source": entry.source}


def written_certificate(entry: CertificateWish) -> Flow:
    """One certificate that a chart wants."""
    written: dict[str, Flow] = {"group": entry.group, "name": entry.name, "commonName": entry.common_name}
    written.update((key, texts) for key, texts in ((key, read(entry)) for key, read in _TEXTS) if texts)
    if entry.is_ca:
        written["ca"] = True
    if entry.issuer:
        written["issuer"] = entry.issuer
    return {**written, "days": entry.days, "algorithm": entry.algorithm}


def read_generated(fields: Fields) -> GeneratedValue:
    """The value that `written_generated` wrote. Raises FieldError."""
    only(fields, "component object field kind group certificate form of source")
    return GeneratedValue(
        component=fields.text("component"),
        object=read_object(fields.child("object")),
        path=fields.text("field"),
        kind=fields.parsed("kind", GeneratedKind),
        source=fields.text("source"),
        group=fields.text("group", ""),
        certificate=fields.text("certificate", ""),
        form=fields.text("form", ""),
        of=tuple(map(read_object, fields.children("of"))),
    )


def read_certificate(fields: Fields) -> CertificateWish:
    """The certificate that `written_certificate` wrote. Raises FieldError."""
    names = " ".join(key for key, _ in _TEXTS)
    only(fields, f"group name commonName {names} ca issuer days algorithm")
    return CertificateWish(
        group=fields.text("group"),
        name=fields.text("name"),
        common_name=fields.text("commonName", ""),
        organizations=fields.texts("organizations"),
        dns_names=fields.texts("dnsNames"),
        ip_addresses=fields.texts("ipAddresses"),
        key_usages=fields.texts("keyUsages"),
        extended_usages=fields.texts("extendedUsages"),
        days=fields.integer("days"),
        is_ca=fields.flag("ca", default=False),
        issuer=fields.text("issuer", ""),
        algorithm=fields.text("algorithm"),
    )
