"""What a Job makes together: the Secrets of one group, and of all groups that share a Secret with it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from renderer.model.fields import Json
from renderer.model.generated.groups import CertificateWish, GeneratedGroup
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.structs import Struct

__all__ = ["Target", "Unit", "units_of"]


class Target(Struct, frozen=True, kw_only=True):
    """A Secret that a Job creates. `files` says which file of the unit stands under a key of its data.

    `fixed` are keys that the chart gives, in base64; `metadata` and `type` are as the chart wants them. `spare` are
    files that it can do without: keys of authorities, where certificates that they signed are taken over.
    """

    namespace: str
    name: str
    files: Mapping[str, str]
    fixed: Mapping[str, str]
    metadata: Mapping[str, Json]
    type: str
    spare: frozenset[str] = frozenset()

    @property
    def id(self) -> ObjectId:
        """The Secret's identity."""
        return ObjectId("", "Secret", self.namespace, self.name)


class Unit(Struct, frozen=True, kw_only=True):
    """What is made at once, and stays as it is once it is there.

    `certificates` maps stems of files to what is wanted, signers first, `signers` a stem to that of its signer;
    `keys` says in which form (`GeneratedValue.form`) a key is written. `texts` maps files to the forms of random texts.
    `targets` are the Secrets; `home` is the one that is created first: it holds all that is to be known of the unit, so
    that what is missing later can be made to fit. It is one of the targets, or one more.
    """

    extension: str
    certificates: Mapping[str, CertificateWish]
    signers: Mapping[str, str]
    keys: Mapping[str, str]
    texts: Mapping[str, str]
    targets: tuple[Target, ...]
    home: Target
    bundles: Mapping[GeneratedValue, str]

    def key_of(self, bundle: GeneratedValue) -> str:
        """The key of the home Secret that holds what stands in a `caBundle`."""
        return next(key for key, file in sorted(self.home.files.items()) if file == self.bundles[bundle])


def units_of(groups: Iterable[GeneratedGroup], secrets: Mapping[ObjectId, Manifest]) -> tuple[Unit, ...]:
    """The units of `groups` that a Job can make, sorted; `secrets` are the Secrets by identity, as charts want them."""
    together: list[tuple[set[ObjectId], list[GeneratedGroup]]] = []
    for group in sorted(groups, key=lambda one: one.name):
        mine = ({one.object for one in group.members if one.in_secret}, [group])
        for other in [one for one in together if one[0] & mine[0]]:
            together.remove(other)
            mine = (mine[0] | other[0], [*other[1], *mine[1]])
        together.append(mine)
    return tuple(_unit(sorted(members, key=lambda one: one.name), secrets) for _, members in together)


def _unit(groups: Sequence[GeneratedGroup], secrets: Mapping[ObjectId, Manifest]) -> Unit:
    stems = _stems(groups)
    members = [value for group in groups for value in group.members if not value.kind.follows]
    files = {value: _file(value, stems) for value in members}
    targets = tuple(_target(secrets[one], files) for one in sorted({one.object for one in members if one.in_secret}))
    wishes = _signers_first(groups, stems)
    texts = {files[one]: one.form for one in members if one.in_secret and not one.certificate}
    bundles = {one: files[one] for one in members if one.kind is GeneratedKind.CA_BUNDLE}
    return Unit(
        extension=groups[0].component.partition("/")[0],
        certificates=wishes,
        signers={stem: stems.get((wish.group, wish.issuer or wish.name), stem) for stem, wish in wishes.items()},
        keys={stems[one.group, one.certificate]: one.form for one in members if one.kind is GeneratedKind.PRIVATE_KEY},
        texts=dict(sorted(texts.items())),
        targets=targets,
        home=_home(targets, {*texts, *(f"{stem}{end}" for stem in wishes for end in (".crt", ".key"))}, bundles),
        bundles=bundles,
    )


def _stems(groups: Sequence[GeneratedGroup]) -> dict[tuple[str, str], str]:
    """What the files of every certificate, and of every group's random text (certificate ``), are called."""
    taken: dict[tuple[str, str], str] = {}
    for group in groups:
        short = group.name.rpartition("/")[2]
        for name in (*(wish.name for wish in group.certificates), ""):
            stem = re.sub(r"[^A-Za-z0-9-]+", "-", name or short).strip("-")[:60] or "value"
            number = sum(one == stem or one.startswith(f"{stem}.") for one in taken.values())
            taken[group.name, name] = f"{stem}.{number + 1}" if number else stem
    return taken


def _file(value: GeneratedValue, stems: Mapping[tuple[str, str], str]) -> str:
    stem = stems[value.group, value.certificate]
    return stem if not value.certificate else f"{stem}.{'key' if value.kind is GeneratedKind.PRIVATE_KEY else 'crt'}"


def _signers_first(
    groups: Sequence[GeneratedGroup], stems: Mapping[tuple[str, str], str]
) -> dict[str, CertificateWish]:
    found: dict[str, CertificateWish] = {}
    left = [(group, wish) for group in groups for wish in group.certificates]
    while left:
        # of authorities that sign each other none is free, and the first one begins
        ready = [
            one for one in left if one[1].is_self_signed or (one[0], one[0].certificate(one[1].issuer)) not in left
        ]
        for group, wish in ready or left[:1]:
            found[stems[group.name, wish.name]] = wish
            left.remove((group, wish))
    return found


def _target(secret: Manifest, files: Mapping[GeneratedValue, str]) -> Target:
    mine = {value.data_key or "": file for value, file in files.items() if value.object == secret.id}
    metadata = {key: secret.metadata[key] for key in ("labels", "annotations") if secret.metadata.get(key)}
    return Target(
        namespace=secret.id.namespace,
        name=secret.id.name,
        files=dict(sorted(mine.items())),
        fixed={key: text for key, text in sorted(_fixed(secret)) if key not in mine},
        metadata=metadata,
        type=str(secret.body.get("type") or "Opaque"),
    )


def _fixed(secret: Manifest) -> Iterator[tuple[str, str]]:
    """The keys of a Secret and what stands there in base64."""
    data, plain = (secret.body.get(section) or {} for section in ("data", "stringData"))
    for key, value in cast("Mapping[str, Json]", data).items():
        yield key, str(value or "")
    for key, value in cast("Mapping[str, Json]", plain).items():
        yield key, base64.b64encode(str(value or "").encode()).decode()


def _home(targets: Sequence[Target], everything: set[str], bundles: Mapping[GeneratedValue, str]) -> Target:
    """The only Secret, when it has all that bundles need; else one more, with every file of the unit."""
    first = targets[0]
    if len(targets) == 1 and set(bundles.values()) <= set(first.files.values()):
        return first
    return Target(
        namespace=first.namespace,
        name=f"{first.name}-generated",
        files={file: file for file in sorted(everything)},
        fixed={},
        metadata={},
        type="Opaque",
        spare=frozenset(one for one in everything if one.endswith(".key"))
        - {file for one in targets for file in one.files.values()},
    )
