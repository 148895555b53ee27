"""`sitewright bundle import kubesphere PATH... -o OUTPUT`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from renderer.commands.bundle.building.build import Prepared, prepare, write
from renderer.commands.bundle.building.images import collect_images
from renderer.commands.bundle.building.workbench import Workbench
from renderer.commands.bundle.discovery.advice import Advice
from renderer.commands.bundle.kubesphere import report
from renderer.commands.bundle.kubesphere.drafts import Draft, Naming, below, drafts_of, future_packages
from renderer.commands.bundle.kubesphere.images import (
    Entry,
    ImageSources,
    Store,
    by_digest,
    entries,
    open_stores,
    remarks,
    untouched,
)
from renderer.commands.bundle.kubesphere.packages import find_packages, newest_of_each
from renderer.commands.bundle.kubesphere.survey import Surveyed, survey, told_at
from renderer.errors import Finding, Where
from renderer.model.fields import Json
from renderer.model.images.discovery import ImageRecord
from renderer.model.outcome import Outcome
from renderer.ports import Files, LayoutWriter
from renderer.structs import Struct, replace


class Import(Struct, frozen=True, kw_only=True):
    """What a person wants imported.

    `paths` count from the root of the working tree. `accepted` are globs of images that bundles may lack, each with
    the reason. `each` makes a bundle of every extension, with `tar` in a tar file; `newest` leaves older versions of
    an extension out.
    """

    paths: tuple[str, ...]
    naming: Naming
    sources: ImageSources
    accepted: tuple[tuple[str, str], ...] = ()
    each: bool = False
    tar: bool = False
    newest: bool = False


def import_packages(
    files: Files, wish: Import, output: str, writer: LayoutWriter, bench: Workbench, schema: Mapping[str, Json]
) -> Outcome:
    """Make bundles of the packages: one at `output`, or with `wish.each` one for every extension in `output`.

    `schema` is `bundle-source.v1.json`. Nothing is written before all of them are complete; when one lacks images the
    outcome says which. Raises InputError or RemoteError with every fault found.
    """
    found, notes = _surveyed(files, wish, bench, schema)
    if wish.sources.none and any(one.wanted for one in found):
        return report.without_images(found, notes)
    stores = open_stores(wish.sources, files)
    prepared: list[tuple[Surveyed, Prepared | Outcome]] = []
    for one in found:
        listed = _listed(one, wish, stores, files, bench, schema)
        document = one.draft.document(listed, schema)
        with told_at(one.draft, listed, remarks(one.discovery.records)):
            prepared.append((one, prepare(document, files, bench, None, _advice(one.draft))))
    refused = [(one.draft, result) for one, result in prepared if isinstance(result, Outcome)]
    if refused:
        return report.incomplete(found, refused, notes)
    if wish.each:
        notes += tuple(untouched(stores, (text for one in found for text in one.wanted)))
    built = [
        (one.draft, write(result, _output(one.draft, wish, output), writer))
        for one, result in prepared
        if isinstance(result, Prepared)
    ]
    return report.built(found, built, notes)


def _output(draft: Draft, wish: Import, output: str) -> str:
    """Where a bundle goes."""
    return f"{output}/{draft.name}{'.tar' if wish.tar else ''}" if wish.each else output


def import_sources(files: Files, wish: Import, output: str, bench: Workbench, schema: Mapping[str, Json]) -> Outcome:
    """Write what bundles of the packages would be made of: `output`, or with `wish.each` a file for each in `output`.

    Without a place to take images from, each is taken from the registry that it is named after.
    """
    if wish.sources.none:
        wish = replace(wish, sources=replace(wish.sources, upstream=True))
    found, notes = _surveyed(files, wish, bench, schema)
    stores = open_stores(wish.sources, files)
    written = []
    for one in found:
        listed = _listed(one, wish, stores, files, bench, schema)
        path = f"{output}/{one.draft.name}.yaml" if wish.each else output
        directory = path.rpartition("/")[0]
        told = remarks(one.discovery.records)
        text = one.draft.text([_seen_from(entry, directory) for entry in listed], directory, told)
        written.append((one.draft, path, text))
    for _, path, text in written:
        files.write(path, text.encode())
    return report.sources(found, [(draft, path) for draft, path, _ in written], notes)


def _surveyed(
    files: Files, wish: Import, bench: Workbench, schema: Mapping[str, Json]
) -> tuple[tuple[Surveyed, ...], tuple[Finding, ...]]:
    """The drafts, each with what its packages use; and what is to be said about the packages."""
    packages, notes = find_packages(files, wish.paths)
    if wish.newest:
        packages = newest_of_each(packages)
    drafts = drafts_of(packages, wish.naming, wish.accepted, each=wish.each)
    found = tuple(survey(draft, files, bench, schema) for draft in drafts)
    return found, (
        *notes,
        *future_packages(packages, wish.naming.now),
        *report.unmet(packages),
        *report.unused_acceptances(wish.accepted, found),
    )


def _listed(
    one: Surveyed,
    wish: Import,
    stores: Sequence[Store],
    files: Files,
    bench: Workbench,
    schema: Mapping[str, Json],
) -> tuple[Entry, ...]:
    """The entries of `images`; where images are not carried, they are looked up, and named by digest."""
    listed = entries(one.wanted, wish.sources, stores, everything=not wish.each)
    if wish.sources.carried or not listed:
        return listed
    with told_at(one.draft, listed, remarks(one.discovery.records)):
        return by_digest(collect_images(one.draft.document(listed, schema), files, bench))


def _seen_from(entry: Entry, directory: str) -> Entry:
    """An entry whose path counts from the directory of the file that it is written to."""
    path = entry.get("layout")
    return entry if path is None else {**entry, "layout": below(str(path), directory)}


def _advice(draft: Draft) -> Advice:
    """What somebody who imports packages may do about a missing image."""

    def lines(record: ImageRecord) -> Iterator[str]:
        yield f'--accept "{record.reference}=the reason why sites do without"'

    return Advice(
        where=Where(subject=f"bundle {draft.name} {draft.version}"),
        expected="a place named by `--images` that has it, or `--accept` with a reason",
        lines=lines,
        hint=lambda _: "add a second --images that has it, or --source-only and edit the list",
        others="--accept 'REFERENCE=REASON' says that a site does without",
    )
