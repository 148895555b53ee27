"""`sitewright generated`: what the charts of a site invent, what belongs together, and how each of it is settled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from renderer.commands.site.captured_file import locked_values
from renderer.commands.site.loading import Loader, Workspace
from renderer.errors import Finding, Severity
from renderer.formats.documents.wording import table
from renderer.model.fields import Json
from renderer.model.generated.groups import CertificateWish, GeneratedGroup
from renderer.model.generated.lines import split_path
from renderer.model.generated.policy import Ruling
from renderer.model.generated.sealed import Captured, CapturedGroup
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.lock import Lock
from renderer.model.lock import drift as lock_drift
from renderer.model.outcome import Outcome
from renderer.model.site import Site
from renderer.stages.settle import unsettled
from renderer.structs import Struct, replace

Rulings = Mapping[GeneratedValue, Ruling]


def generated(workspace: Workspace, profile: str) -> Outcome:
    """The groups of generated values of a site, from its lock and profile alone: nothing is rendered or opened.

    Fails when a value is settled by nobody, with the lines or the command that settle it. Raises InputError.
    """
    loader = Loader(workspace)
    site = loader.site(profile).site
    lock, _ = loader.lock(profile)
    listing = _Listing(
        loader=loader,
        site=site,
        lock=lock,
        captured=locked_values(loader, profile, lock),
        rulings=site.generated.rulings(lock.generated),
    )
    findings = (*_drifted(site, lock), *unsettled(lock.generated, site.generated, lock.certificates or ()))
    return Outcome(
        text="\n".join(listing.lines()),
        document=listing.document(),
        findings=findings,
        failed=any(finding.severity is Severity.ERROR for finding in findings),
    )


def _drifted(site: Site, lock: Lock) -> Iterator[Finding]:
    """A lock of another profile may lack values: a warning, because what it lists is there all the same."""
    found = lock_drift(
        lock,
        profile=site.digest,
        bundles={one.name: (one.digest, one.sequence) for one in lock.bundles},
        engine=lock.engine,
        sitewright=lock.sitewright,
        profile_file=site.profile,
    )
    return (replace(finding, severity=Severity.WARNING) for finding in found)


class _Listing(Struct, frozen=True, kw_only=True):
    """What is shown of one site."""

    loader: Loader
    site: Site
    lock: Lock
    captured: Captured
    rulings: Rulings

    def lines(self) -> Iterator[str]:
        """The table of groups, then each group, then what follows from content."""
        groups = self.lock.groups
        if not self.lock.generated:
            yield f"{self.site.name}: no chart invents anything"
            return
        rows = [(group.name, ", ".join(kind.value for kind in group.kinds), self._mode(group)) for group in groups]
        yield from table(("GROUP", "HOLDS", "SETTLED"), rows, indent="")
        for group in groups:
            yield ""
            yield f"{group.name}: {self._settled(group)}"
            captured = self.captured.groups.get(group.name)
            yield from (f"  {line}" for line in (*_captured(captured), *map(_wish, group.certificates)))
            yield from (f"  {line}" for line in self._members(group.members))
        following = [value for value in self.lock.generated if not value.group]
        if following:
            yield ""
            yield "follow from content:"
            yield from (f"  {value.object}: {_shown(value)}{_over(value)}" for value in following)

    def document(self) -> Json:
        """All of it for programs."""
        return {
            "site": self.site.name,
            "groups": [self._group(group) for group in self.lock.groups],
            "following": [
                {**_value(value), "of": [str(one) for one in value.of]}
                for value in self.lock.generated
                if not value.group
            ],
        }

    def _group(self, group: GeneratedGroup) -> Json:
        captured = self.captured.groups.get(group.name)
        return {
            "name": group.name,
            "component": group.component,
            "kinds": [kind.value for kind in group.kinds],
            "certificates": [_certificate(one) for one in group.certificates],
            "revision": captured.revision if captured else None,
            "captured": captured.captured.isoformat() if captured else None,
            "validUntil": captured.ends.isoformat() if captured and captured.ends else None,
            "members": [{**_value(one), **self._ruling(self.rulings[one])} for one in group.members],
        }

    def _ruling(self, ruling: Ruling) -> dict[str, Json]:
        return {
            "mode": ruling.mode.value if ruling.mode else "value",
            "rule": ruling.number,
            "reason": ruling.rule.reason if ruling.rule else None,
        }

    def _mode(self, group: GeneratedGroup) -> str:
        """One word for the whole group; a value of the profile counts where nothing else settles it."""
        modes = {self.rulings[one].mode for one in group.members}
        words = sorted(mode.value for mode in modes if mode is not None)
        return ", ".join((*words, *(["value"] if None in modes else [])))

    def _settled(self, group: GeneratedGroup) -> str:
        ruling = next((found for one in group.members if (found := self.rulings[one]).mode is not None), None)
        if ruling is None or ruling.mode is None:
            return "values of the profile"
        return f"{ruling.mode.value} ({self._by(ruling)})"

    def _by(self, ruling: Ruling) -> str:
        """Where the profile says so, and why: `profiles/demo.yaml:31, made by the vault`."""
        if ruling.rule is None:
            return "the default"
        return f"{self._place(ruling)}, {ruling.rule.reason}"

    def _place(self, ruling: Ruling) -> str:
        where = self.loader.where(self.site, "spec", "generated", "rules", ruling.number or 0)
        return f"{where.file}:{where.line}"

    def _members(self, members: Sequence[GeneratedValue]) -> Iterator[str]:
        """One line for each object, with its fields."""
        objects: dict[str, list[GeneratedValue]] = {}
        for value in members:
            objects.setdefault(str(value.object), []).append(value)
        for name, fields in objects.items():
            given = [self.rulings[one] for one in fields if self.rulings[one].mode is None]
            by = f" = {self._place(given[0])}" if given else ""
            yield f"{name}: {', '.join(_fields(fields))}{by}"


def _fields(values: Iterable[GeneratedValue]) -> Iterator[str]:
    """`data["tls.key"] (private-key)`; fields that differ in nothing but a number are said once."""
    counts: dict[tuple[str, GeneratedKind], int] = {}
    shown: dict[tuple[str, GeneratedKind], GeneratedValue] = {}
    for value in values:
        like = "".join(character for character in value.path if not character.isdigit()), value.kind
        counts[like] = counts.get(like, 0) + 1
        shown.setdefault(like, value)
    for like, value in shown.items():
        more = f" and {counts[like] - 1} more like it" if counts[like] > 1 else ""
        yield f"{_shown(value)}{more}"


def _shown(value: GeneratedValue) -> str:
    field, line, _ = split_path(value.path)
    place = f"{field}, line {line}" if line else field or "the whole object"
    return f"{place} ({value.kind.value})"


def _over(value: GeneratedValue) -> str:
    if value.kind is not GeneratedKind.CHECKSUM:
        return ""
    return f" of {', '.join(map(str, value.of))}" if value.of else " of all that the component invents"


def _captured(captured: CapturedGroup | None) -> Iterator[str]:
    if captured is not None:
        ends = f", valid until {captured.ends.date().isoformat()}" if captured.ends else ""
        yield f"captured {captured.captured.isoformat()}, revision {captured.revision}{ends}"


def _wish(wish: CertificateWish) -> str:
    """What a certificate is for, in one line."""
    names = (*wish.dns_names, *wish.ip_addresses)
    issuer = "signs itself" if wish.is_self_signed else f"signed by {wish.issuer or 'an authority in no object'}"
    facts = (
        f"certificate {wish.name}: `{wish.common_name}`",
        f"for {', '.join(names)}" if names else "",
        "an authority" if wish.is_ca else "",
        issuer,
        f"{wish.days} days",
        wish.algorithm,
    )
    return ", ".join(fact for fact in facts if fact)


def _value(value: GeneratedValue) -> dict[str, Json]:
    return {
        "object": str(value.object),
        "field": value.path,
        "kind": value.kind.value,
        "certificate": value.certificate or None,
        "source": value.source,
    }


def _certificate(wish: CertificateWish) -> Json:
    return {
        "name": wish.name,
        "commonName": wish.common_name,
        "dnsNames": list(wish.dns_names),
        "ipAddresses": list(wish.ip_addresses),
        "usages": [*wish.key_usages, *wish.extended_usages],
        "ca": wish.is_ca,
        "issuer": wish.issuer or None,
        "days": wish.days,
        "algorithm": wish.algorithm,
    }
