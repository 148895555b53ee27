"""The text that a chart yielded -> objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from renderer.errors import Finding, Severity, Where
from renderer.formats.kubernetes.manifests import LoadedDocument, YamlError, load_documents
from renderer.model.bundles.chart import ChartFile, ChartOutput
from renderer.model.bundles.extension import Component
from renderer.model.fields import FieldError, Json, kind_of, spell_path
from renderer.model.objects.manifest import HookPhase, Manifest, Origin
from renderer.model.rendering import DroppedHook, Inflated
from renderer.stages.chart.cleaning import cleaned
from renderer.stages.chart.hooks import hook_of
from renderer.structs import Struct, field

# Helm splits at any line that starts with `---`, whatever follows on it (`---# a comment` is not YAML, but Helm).
_SEPARATOR = re.compile(r"^---[ \t]*", re.MULTILINE)
_LIST_DEPTH: Final = 8


def read_chart(output: ChartOutput, extension: str, component: Component) -> Inflated:
    """The objects of an inflated chart: CRD files first, then templates, each by path and identity.

    Lists are expanded, hooks told apart, fields that only a server writes are left out. Whatever is wrong with the
    output is a finding (`chart-bad-yaml`, `chart-bad-object`, `generate-name`: errors; `duplicate-key`: warning);
    nothing is raised, so that one run shows the faults of all charts.
    """
    reading = _Reading(extension, component.name)
    for file in (*output.crds, *output.templates):
        reading.read(file)
    return Inflated(
        manifests=tuple(reading.manifests), dropped=tuple(reading.dropped), findings=tuple(reading.findings)
    )


class _Reading(Struct):
    """What has been read of one chart so far."""

    extension: str
    component: str
    manifests: list[Manifest] = field(default_factory=list)
    dropped: list[DroppedHook] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    definitions: dict[str, Mapping[str, Json]] = field(default_factory=dict)

    def read(self, file: ChartFile) -> None:
        """Read one file; its objects are sorted by identity, because engines print them in different orders."""
        found: list[Manifest] = []
        for piece, line in _pieces(file.text):
            try:
                documents = load_documents(piece.encode())
            except YamlError as error:
                self._complain(
                    file,
                    "chart-bad-yaml",
                    f"the text that this template yields is not YAML: {error.message}",
                    line + error.line - 1,
                    error.column,
                    hint="check the values that the template puts there",
                )
                continue
            for document in documents:
                self._duplicates(file, document, line - 1)
                for body in self._objects(file, document.value, line + document.line - 1, 0):
                    found.extend(self._object(file, body, line + document.line - 1))
        self.manifests.extend(sorted(found, key=lambda manifest: manifest.id))

    def _objects(self, file: ChartFile, value: Json, line: int, depth: int) -> Iterator[dict[str, Json]]:
        """The object, or what a List holds (`kubectl apply` and both agents expand Lists too)."""
        if not isinstance(value, dict):
            self._complain(
                file, "chart-bad-object", f"a Kubernetes object is a mapping, this is {kind_of(value)}", line
            )
            return
        kind, items = value.get("kind"), value.get("items")
        if not (isinstance(kind, str) and kind.endswith("List") and (isinstance(items, list) or kind == "List")):
            yield value
            return
        if depth >= _LIST_DEPTH:
            self._complain(file, "chart-bad-object", f"Lists lie more than {_LIST_DEPTH} deep in each other", line)
            return
        for item in cast("list[Json]", items or []):
            bare = kind != "List" and isinstance(item, dict)  # the items of a RoleList need not say that they are Roles
            typed = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")} if bare else {}
            yield from self._objects(file, {**typed, **item} if isinstance(item, dict) else item, line, depth + 1)

    def _object(self, file: ChartFile, body: dict[str, Json], line: int) -> Iterator[Manifest]:
        metadata = body.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        hook = hook_of(annotations) if isinstance(annotations, dict) else None
        if hook is not None and hook.phase is not None and isinstance(metadata, dict) and not metadata.get("name"):
            body = _given_name(body, metadata)
        origin = Origin(
            extension=self.extension,
            component=self.component,
            source=file.path,
            hook=hook.phase if hook else None,
            hook_weight=hook.weight if hook else 0,
        )
        try:
            manifest = Manifest.of(cleaned(body), origin)
        except FieldError as error:
            code = error.code if error.code == "generate-name" else "chart-bad-object"
            self._complain(file, code, error.message, line, path=spell_path(error.path), expected=error.expected)
            return
        if hook is not None and hook.phase is HookPhase.DROPPED:
            self.dropped.append(
                DroppedHook(
                    id=manifest.id,
                    extension=self.extension,
                    component=self.component,
                    source=file.path,
                    hooks=hook.names,
                    manifest=manifest,
                )
            )
        elif not self._seen(manifest):
            yield manifest

    def _seen(self, manifest: Manifest) -> bool:
        """True for a CustomResourceDefinition that came before, equal: a subchart used twice brings its CRDs twice."""
        if manifest.id.kind != "CustomResourceDefinition":
            return False
        before = self.definitions.setdefault(manifest.id.name, manifest.body)
        return before is not manifest.body and before == manifest.body

    def _duplicates(self, file: ChartFile, document: LoadedDocument, before: int) -> None:
        for duplicate in document.duplicates:
            self._complain(
                file,
                "duplicate-key",
                f"the key `{duplicate.key}` stands twice in one mapping; Kubernetes takes the last one",
                before + duplicate.line,
                severity=Severity.WARNING,
            )

    def _complain(
        self,
        file: ChartFile,
        code: str,
        message: str,
        line: int,
        column: int | None = None,
        *,
        path: str | None = None,
        severity: Severity = Severity.ERROR,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        subject = f"extension {self.extension}, {self.component}"
        where = Where(file=file.path, line=line, column=column, subject=subject, path=path)
        self.findings.append(
            Finding(code=code, message=message, where=where, severity=severity, expected=expected, hint=hint)
        )


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """The documents of a template's output as Helm splits it, each with the line (from 1) that it starts on.

    Each ends with exactly one line break, as in Helm 3. Helm 4 keeps what blank lines there are, depending on where in
    the file the document stands; that would decide how many line breaks a `|+` text at its end has.
    """
    start, line = 0, 1
    for separator in (*_SEPARATOR.finditer(text), None):
        piece = text[start : separator.start() if separator else len(text)].rstrip()
        if piece:
            yield f"{piece}\n", line
        if separator:
            line += text.count("\n", start, separator.end())
            start = separator.end()


def _given_name(body: dict[str, Json], metadata: Mapping[str, Json]) -> dict[str, Json]:
    """A hook with `generateName` under a fixed name: its content hash will make it unique (see `name_hooks`)."""
    generated = metadata.get("generateName")
    if not isinstance(generated, str) or not generated.strip("-."):
        return body
    kept = {key: value for key, value in metadata.items() if key != "generateName"}
    return {**body, "metadata": {"name": generated.rstrip("-."), **kept}}
