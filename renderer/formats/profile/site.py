"""Site profiles: the bytes that people write -> `Site`.

A profile is checked against `schemas/site.v1.json` and then turned into nouns; both tell everything that is wrong
at once, each fault in the file that set the key. docs/profile.md describes the format for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from renderer.errors import Finding
from renderer.formats.canonical_json import canonical_json
from renderer.formats.documents.document import Document, Path, violations
from renderer.formats.documents.named_files import ListFiles, NamedFiles, ReadFile
from renderer.formats.profile.cluster import read_cluster, read_gitops, read_registry
from renderer.formats.profile.extensions import read_bundles, read_extensions
from renderer.formats.profile.fields import Reading
from renderer.formats.profile.generated import read_generated
from renderer.formats.profile.layers import merged_profile
from renderer.formats.profile.nodes import read_nodes
from renderer.formats.profile.rules import read_checks
from renderer.model.bundles.extension import dns_label
from renderer.model.fields import Fields, Json, spell_path
from renderer.model.reference import Digest
from renderer.model.site import SecretsMode, Site
from renderer.structs import Struct

__all__ = ["LoadedSite", "read_profile"]

_TRUST_LIMIT: Final = 2**20


class LoadedSite(Struct, frozen=True, kw_only=True):
    """A site, and where its profile was written.

    `document` is the merged profile without `extends`; its places lie in the files of all layers. `layers` are the
    profiles read, lowest first, as paths from the root of the repository.
    """

    site: Site
    document: Document
    layers: tuple[str, ...]

    def settings(self) -> tuple[tuple[str, Json, str], ...]:
        """Every key that some file set: its path, its value, and `file:line`; sorted by path."""
        found = []
        for path, (file, line) in self.document.provenance().items():
            found.append((spell_path(path), _value_at(self.document.value, path), f"{file}:{line}"))
        return tuple(sorted(found, key=lambda setting: setting[0]))


def read_profile(path: str, read: ReadFile, list_files: ListFiles, schema: Mapping[str, Json]) -> LoadedSite:
    """Load the profile at `path` (from the root of the repository) with all that it extends and names.

    `read` and `list_files` are those of `renderer.ports.Files`; `schema` is the content of `site.v1.json`. Raises
    InputError with every fault of every file.
    """
    document, layers = merged_profile(path, read)
    against_schema = violations(document, schema, kind="site")
    reading = Reading(document, NamedFiles(document, read, list_files))
    site = _read_site(reading)
    _drop_repeated(reading, against_schema)
    reading.faults.raise_if_any()
    if site is None:
        raise AssertionError("a profile without faults gives a site")
    return LoadedSite(site=site, document=document, layers=layers)


def _read_site(reading: Reading) -> Site | None:
    """The site, complete only when `reading` has no faults."""
    root = Fields.of(reading.document.value)
    metadata, spec = reading.child(root, "metadata"), reading.child(root, "spec")
    name = reading.noun(metadata, "name", dns_label, "", required=True)
    labels = reading.text_map(metadata, "labels")
    cluster = read_cluster(reading, reading.child(spec, "cluster"), name)
    registry = read_registry(reading, reading.child(spec, "registry"))
    gitops = read_gitops(reading, reading.child(spec, "gitops"))
    trust = _trust(reading, spec)
    bundles = read_bundles(reading, spec)
    extensions = read_extensions(reading, spec)
    secrets = reading.noun(reading.child(spec, "secrets"), "mode", SecretsMode, SecretsMode.EXTERNAL)
    templates = _templates(reading, spec)
    checks = read_checks(reading, reading.child(spec, "checks"))
    generated = read_generated(reading, reading.child(spec, "generated"))
    nodes = read_nodes(reading, reading.child(spec, "nodes"), cluster)
    if reading.faults.findings or registry is None:
        return None
    return Site(
        name=name,
        labels=labels,
        cluster=cluster,
        registry=registry,
        gitops=gitops,
        trust=trust,
        bundles=bundles,
        extensions=extensions,
        secrets=secrets,
        checks=checks,
        templates=templates,
        profile=reading.document.file,
        digest=_digest(reading),
        generated=generated,
        nodes=nodes,
    )


def _trust(reading: Reading, spec: Fields) -> str:
    """The path of the trust policy. What it says is not part of the profile: it is asked at every render anyway."""
    at = spec.at("trust")
    with reading.guard(at):
        text = spec.text("trust")
        reading.files.content(text, at, _TRUST_LIMIT)
        reading.contents[at] = None
        return reading.files.resolve(text, at)
    return ""


def _templates(reading: Reading, spec: Fields) -> dict[str, str]:
    at = spec.at("templates")
    with reading.guard(at):
        if "templates" in spec:
            texts = reading.files.texts_below(spec.text("templates"), at)
            reading.contents[at] = {name: str(Digest.of(text.encode())) for name, text in texts.items()}
            return texts
    return {}


def _digest(reading: Reading) -> Digest:
    """SHA-256 over the canonical merged profile, in which each file that it names is replaced by its content's digest.

    So it depends on what a profile says and on nothing else: not on comments, on the files a profile is spread over,
    on their names, or on where the repository lies.
    """
    return Digest.of(canonical_json(_with_contents(reading.document.value, (), reading.contents)))


def _with_contents(value: Json, path: Path, contents: Mapping[Path, Json]) -> Json:
    if path in contents:
        return contents[path]
    if isinstance(value, dict):
        return {key: _with_contents(below, (*path, key), contents) for key, below in value.items()}
    if isinstance(value, list):
        return [_with_contents(below, (*path, index), contents) for index, below in enumerate(value)]
    return value


def _drop_repeated(reading: Reading, against_schema: tuple[Finding, ...]) -> None:
    """Put the violations of the schema first, and drop what the readers said again about the same fields."""
    lacking = {finding.where.path or "" for finding in against_schema if finding.code == "missing-field"}
    wrong = {finding.where.path or "" for finding in against_schema if finding.code in {"wrong-type", "invalid-value"}}

    def repeated(finding: Finding) -> bool:
        path = finding.where.path or ""
        if finding.code == "missing-field" or path in lacking:
            return bool(against_schema)
        return any(path == known or path.startswith((f"{known}.", f"{known}[")) for known in wrong)

    kept = [finding for finding in reading.faults.findings if not repeated(finding)]
    reading.faults.findings[:] = [*against_schema, *kept]


def _value_at(value: Json, path: Path) -> Json:
    for step in path:
        value = cast("dict[str | int, Json]", value)[step]
    return value
