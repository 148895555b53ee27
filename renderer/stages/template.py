"""Components without Helm: Jinja templates and plain manifests -> the text of their objects.

What comes out has the shape of an inflated chart, so that one reader (`renderer.stages.chart.reading`) makes objects
of all of them: Lists, hooks and server-written fields are treated alike. See docs/templates.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.formats.archives import ArchiveError, unpack
from renderer.formats.kubernetes.manifests import UnwritableError, dump
from renderer.formats.templates.sandbox import TemplateError, render_template
from renderer.model.bundles.chart import ChartFile, ChartOutput
from renderer.model.bundles.extension import Component, ComponentKind, Extension
from renderer.model.fields import Json
from renderer.model.site import Site

_TEMPLATE: Final = ".j2"
_PLAIN: Final = (".yaml", ".yml", ".json")


def template_context(site: Site, extension: Extension) -> dict[str, Json]:
    """What every template of `extension` may know of the site, besides its values.

    `site` (name, labels), `cluster` (name, kubernetesVersion, distribution, runtime, role, platforms, apiVersions,
    storageClasses), `registry` (host, images), `extension` (name, version).
    """
    cluster = site.cluster
    return {
        "site": {"name": site.name, "labels": dict(site.labels)},
        "cluster": {
            "name": cluster.name,
            "kubernetesVersion": str(cluster.kubernetes),
            "distribution": cluster.distribution.value,
            "runtime": cluster.runtime.value,
            "role": cluster.role.value,
            "platforms": [str(platform) for platform in cluster.platforms],
            "apiVersions": list(cluster.api_versions),
            "storageClasses": list(cluster.storage_classes),
        },
        "registry": {"host": site.registry.host, "images": site.registry.images.value},
        "extension": {"name": extension.name, "version": str(extension.version)},
    }


def render_files(
    component: Component,
    extension: str,
    archive: bytes,
    values: Mapping[str, Json],
    context: Mapping[str, Json],
) -> ChartOutput:
    """The text of a JINJA or MANIFESTS component; `archive` is the component's content (tar+gzip).

    `.yaml`, `.yml` and `.json` files are taken as they are. With JINJA, files that end in `.j2` are rendered with
    `context`, `values` and `component` (name, namespace, release); those whose name starts with `_` are only there
    to be included. Other files are left alone. Raises InputError (`template-failed`, `manifest-invalid`) with all
    faults of the component.
    """
    try:
        tree = unpack(archive)
    except ArchiveError as error:
        raise InputError(_invalid(component, extension, None, str(error))) from error
    texts: dict[str, str] = {}
    findings: list[Finding] = []
    for path, content in tree.items():
        if path.endswith((*_PLAIN, _TEMPLATE)):
            try:
                texts[path] = content.decode()
            except UnicodeDecodeError as error:
                findings.append(_invalid(component, extension, path, f"it is not UTF-8 at byte {error.start}"))
    own = {"name": component.name, "namespace": component.namespace, "release": component.release}
    known: dict[str, Json] = {**context, "values": dict(values), "component": dict(own)}
    files = tuple(_files(component, extension, texts, known, findings))
    if findings:
        raise InputError(*findings)
    return ChartOutput(templates=files, crds=())


def _files(
    component: Component,
    extension: str,
    texts: Mapping[str, str],
    known: Mapping[str, Json],
    findings: list[Finding],
) -> Iterator[ChartFile]:
    """The text of every file that yields objects, in path order; faults go to `findings`."""
    templates = {path: text for path, text in texts.items() if path.endswith(_TEMPLATE)}
    for path, text in texts.items():
        name = path.rpartition("/")[2]
        where = f"{component.name}/{path}"
        try:
            if name.endswith(_TEMPLATE):
                if component.kind is ComponentKind.JINJA and not name.startswith("_"):
                    yield ChartFile(path=where, text=render_template(text, known, name=path, includes=templates))
            elif name.endswith(".json"):
                yield ChartFile(path=where, text=dump(json.loads(text)))  # JSON may be indented with tabs, YAML may not
            else:
                yield ChartFile(path=where, text=text)
        except TemplateError as error:
            findings.append(_failed(component, extension, error))
        except json.JSONDecodeError as error:
            findings.append(_invalid(component, extension, path, error.msg, error.lineno, error.colno))
        except (UnwritableError, RecursionError) as error:
            findings.append(_invalid(component, extension, path, str(error)))


def _failed(component: Component, extension: str, error: TemplateError) -> Finding:
    return Finding(
        code="template-failed",
        message=f"the template cannot be rendered: {error.message}",
        where=Where(
            file=f"{component.name}/{error.name}", line=error.line, subject=f"extension {extension}, {component.name}"
        ),
        hint=f"set the value under `values` of the extension `{extension}` in the profile, or correct the template",
    )


def _invalid(
    component: Component,
    extension: str,
    path: str | None,
    reason: str,
    line: int | None = None,
    column: int | None = None,
) -> Finding:
    what = "the archive" if path is None else "the file"
    file = None if path is None else f"{component.name}/{path}"
    return Finding(
        code="manifest-invalid",
        message=f"{what} of component `{component.name}` cannot be read: {reason}",
        where=Where(file=file, line=line, column=column, subject=f"extension {extension}, {component.name}"),
        hint="correct it in the sources of the bundle and build the bundle again",
    )
