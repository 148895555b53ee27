"""Bundles about to be made of KubeSphere packages: how they are called, what they hold, their `bundle.yaml`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, cast

from renderer.commands.bundle.kubesphere.packages import FoundPackage
from renderer.errors import Finding, InputError, Severity, UsageError, Where
from renderer.formats.bundle.document import spell_time
from renderer.formats.bundle.source import BundleSourceDocument, read_bundle_source
from renderer.formats.kubernetes.manifests import dump
from renderer.formats.kubesphere.ks_core import KS_CORE, KS_CORE_NAMESPACE
from renderer.model.bundles.extension import extension_name
from renderer.model.fields import Json, read_path
from renderer.model.reference import Platform
from renderer.model.version import Version
from renderer.structs import Struct, replace

_PLAIN: Final = re.compile(r"[A-Za-z0-9/._-][A-Za-z0-9/._:@-]*\Z")
DEFAULT_NAME: Final = "kubesphere"
_HEAD: Final = """\
# Made by `sitewright bundle import kubesphere`. Edit it, then `sitewright bundle build`.
apiVersion: sitewright.dev/v1
kind: BundleSource
"""


class Naming(Struct, frozen=True, kw_only=True):
    """How bundles are called, as far as a person said it; the rest follows from the packages.

    `created` is SOURCE_DATE_EPOCH. `now` is the moment of the run: a package that claims to be of later is not
    believed.
    """

    name: str | None
    version: Version | None
    sequence: int | None
    created: datetime | None
    now: datetime
    platforms: tuple[Platform, ...]


class Draft(Struct, frozen=True, kw_only=True):
    """One bundle before it is built. `accepted` are globs of images that it may lack, each with the reason."""

    name: str
    version: Version
    sequence: int
    created: datetime
    platforms: tuple[Platform, ...]
    packages: tuple[FoundPackage, ...]
    accepted: tuple[tuple[str, str], ...] = ()

    def text(
        self,
        images: Sequence[Mapping[str, Json]],
        directory: str = "",
        remarks: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Its `bundle.yaml`, whose entries of `images` are given; paths count from `directory`.

        `remarks` become comments behind images.
        """
        platforms = ", ".join(map(str, self.platforms))
        lines = [
            f"metadata: {{name: {self.name}, version: {_plain(str(self.version))}}}",
            "spec:",
            f"  sequence: {self.sequence}",
            f"  created: {spell_time(self.created)}",
            f"  platforms: [{platforms}]",
            "  extensions:",
            *(line for one in self.packages for line in _extension(one, directory)),
        ]
        if images:
            lines += ["  images:", *(line for entry in images for line in _listed(entry, remarks))]
        if self.accepted:
            lines += ["  discovery:", "    accepted:"]
            lines += [
                f"      - {{reference: {_quoted(glob)}, reason: {_quoted(reason)}}}" for glob, reason in self.accepted
            ]
        return _HEAD + "\n".join(lines) + "\n"

    def document(self, images: Sequence[Mapping[str, Json]], schema: Mapping[str, Json]) -> BundleSourceDocument:
        """What `bundle build` makes of that text, with paths from the root of the working tree."""
        return read_bundle_source(self.text(images).encode(), self.file, schema)

    @property
    def file(self) -> str:
        """What messages call a `bundle.yaml` that nobody wrote."""
        return f"{self.name}.yaml"

    def placed(
        self,
        finding: Finding,
        images: Sequence[Mapping[str, Json]] = (),
        remarks: Mapping[str, str] = MappingProxyType({}),
    ) -> Finding:
        """A finding about the text that nobody wrote, told at the package, the image or the bundle that it is about."""
        where = finding.where
        if where.file != self.file:
            return finding
        bundle = Where(subject=f"bundle {self.name} {self.version}")
        match read_path(where.path or ""):
            case ("spec", "extensions", int(index), *_):
                return finding.at(Where(file=self.packages[index].path))
            case ("spec", "images", int(index), "images", int(number)):
                named = cast("list[str]", images[index]["images"])[number]
                users = f"needed by: {remarks[named]}" if named in remarks else ""
                hint = f'--accept "{named}=the reason why sites do without", or copy it there'
                return replace(finding, where=bundle, explanation=(*finding.explanation, users), hint=hint)
        return finding.at(bundle)


def drafts_of(
    packages: Sequence[FoundPackage], naming: Naming, accepted: Sequence[tuple[str, str]], *, each: bool
) -> tuple[Draft, ...]:
    """One bundle of everything, or with `each` one for every extension, all its versions in it.

    Raises InputError (`created-missing`), UsageError for a name that no bundle may have.
    """
    groups: dict[str, list[FoundPackage]] = {}
    for one in packages:
        groups.setdefault(one.extension.name if each else "", []).append(one)
    latest = _newest(packages, naming.now)  # what has no time of its own was made with the others
    return tuple(
        _draft(name, tuple(members), naming, tuple(accepted), _newest(members, naming.now) or latest)
        for name, members in groups.items()
    )


def _draft(
    extension: str,
    packages: tuple[FoundPackage, ...],
    naming: Naming,
    accepted: tuple[tuple[str, str], ...],
    packed: datetime | None,
) -> Draft:
    name = "-".join(part for part in (naming.name or DEFAULT_NAME, extension) if part)
    try:
        extension_name(name)
    except ValueError as error:
        raise UsageError(
            Finding(code="usage", message=str(error), where=Where(subject="--name"), hint="choose a shorter --name")
        ) from error
    created = naming.created or packed
    if created is None:
        raise InputError(_no_time(packages))
    created = created.replace(microsecond=0)
    return Draft(
        name=name,
        version=naming.version or _version(packages, created),
        sequence=naming.sequence or int(f"{created:%Y%m%d%H%M}"),
        created=created,
        platforms=naming.platforms,
        packages=packages,
        accepted=accepted,
    )


def _newest(packages: Iterable[FoundPackage], now: datetime) -> datetime | None:
    return max((one.packed for one in packages if one.packed is not None and one.packed <= now), default=None)


def _version(packages: Sequence[FoundPackage], created: datetime) -> Version:
    """The newest version of the one extension; of a bundle of many that of KubeSphere, or else the day it was made."""
    one = len({found.extension.name for found in packages}) == 1
    leading = [found.extension.version for found in packages if one or found.extension.name == KS_CORE]
    newest = max(leading, default=Version(created.year, created.month, created.day))
    return Version(newest.major, newest.minor, newest.patch, newest.prerelease)


def _no_time(packages: Iterable[FoundPackage]) -> Finding:
    return Finding(
        code="created-missing",
        message="nothing says when the bundle was made: source directories have no time, and the clock is not read",
        where=Where(file=next(iter(packages)).path),
        expected="the environment variable SOURCE_DATE_EPOCH, or a packed extension",
        hint="SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) sitewright bundle import kubesphere …",
    )


def future_packages(packages: Iterable[FoundPackage], now: datetime) -> Iterator[Finding]:
    """Packages that claim to be packed later than now: their time counts for nothing."""
    for one in packages:
        if one.packed is not None and one.packed > now:
            yield Finding(
                code="packed-in-future",
                message=f"the archive of {one.extension.id} says that it was packed at {spell_time(one.packed)}",
                where=Where(file=one.path),
                severity=Severity.WARNING,
                expected=f"a time before {spell_time(now)}",
            )


def _extension(one: FoundPackage, directory: str) -> Iterator[str]:
    path = _plain(below(one.path, directory))
    if one.package is not None:
        yield f"    - kubesphere: {path}"
        return
    version = _plain(str(one.extension.version))
    titles = ", ".join(f"{language}: {_plain(title)}" for language, title in sorted(one.extension.titles.items()))
    yield f"    - name: {one.extension.name}"
    yield f"      version: {version}"
    yield f"      title: {{{titles}}}"
    yield f"      namespace: {KS_CORE_NAMESPACE}"
    yield f"      provides: {{kubesphere: {version}}}"
    if one.extension.kubernetes is not None:
        yield f"      kubernetes: {_quoted(str(one.extension.kubernetes))}"
    yield f"      components: [{{name: {one.extension.name}, helm: {path}, release: {one.extension.name}}}]"


def _listed(entry: Mapping[str, Json], remarks: Mapping[str, str]) -> Iterator[str]:
    """One entry of `images`: what it is first, then the images of it."""
    rest = {key: value for key, value in entry.items() if key != "images"}
    for number, line in enumerate(dump(rest).splitlines()):
        yield f"    {'- ' if number == 0 else '  '}{line}"
    images = entry.get("images")
    if isinstance(images, list):
        yield "      images:"
        for image in images:
            remark = remarks.get(str(image))
            yield f"        - {_plain(str(image))}{f'  # {remark}' if remark else ''}"


def below(path: str, directory: str) -> str:
    """`path` from the root, as seen from `directory`."""
    here, there = directory.split("/") if directory else [], path.split("/")
    while here and there and here[0] == there[0]:
        here, there = here[1:], there[1:]
    return "/".join([*(".." for _ in here), *there]) or "."


def _plain(text: str) -> str:
    """A string in flow or block, quoted where YAML needs it."""
    return text if _PLAIN.match(text) and dump(text).strip() == text else _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
