"""A look at packages before images are taken from anywhere: what they declare, what their objects name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

from renderer.commands.bundle.building.collecting import collect
from renderer.commands.bundle.building.workbench import Workbench
from renderer.commands.bundle.discovery.report import Discovery, discover
from renderer.commands.bundle.kubesphere.drafts import Draft
from renderer.commands.bundle.kubesphere.images import Entry, needed
from renderer.errors import RendererError
from renderer.model.fields import Json
from renderer.ports import Files
from renderer.structs import Struct, replace

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Surveyed(Struct, frozen=True):
    """A draft with the acceptances that it needs, what its packages were found to use, and what has to be taken."""

    draft: Draft
    discovery: Discovery
    wanted: tuple[str, ...]


def survey(draft: Draft, files: Files, bench: Workbench, schema: Mapping[str, Json]) -> Surveyed:
    """Inflate the packages of a draft and look for images. Raises InputError."""
    document = draft.document((), schema)
    with told_at(draft):
        packed, _ = collect(document, files, bench)
        discovery = discover(document, files, packed, (), bench)
    lacking = [record.reference for record in discovery.records if record.accepted is not None]
    used = tuple(one for one in document.discovery.accepted if any(one.covers(reference) for reference in lacking))
    accepted = tuple((one.reference, one.reason) for one in used)
    return Surveyed(replace(draft, accepted=accepted), discovery, needed(discovery.records))


@contextmanager
def told_at(draft: Draft, images: Sequence[Entry] = (), told: Mapping[str, str] = NOTHING) -> Iterator[None]:
    """Faults of a text that nobody wrote are told at the packages and images that it is about.

    `images` are the entries that the text has, `told` is what is known of each image.
    """
    try:
        yield
    except RendererError as error:
        raise type(error)(*(draft.placed(finding, images, told) for finding in error.findings)) from error
