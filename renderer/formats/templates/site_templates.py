"""The templates that ship with Sitewright and that a site may replace by name: agent objects, node files, records.

They are rendered by the engine of `renderer.formats.templates.sandbox` and named by their path
(`argocd/application.yaml.j2`). A site owner may have changed any of them, so every fault is an InputError with code
`template-failed`.
"""

from __future__ import annotations

from collections.abc import Mapping

from renderer.errors import Finding, InputError, Where
from renderer.formats.kubernetes.manifests import UnwritableError, YamlError, dump_manifest, load_documents
from renderer.formats.templates.sandbox import TemplateError, render_template
from renderer.model.fields import Json

TEMPLATES_HINT = "correct it in the directory that `spec.templates` names, or remove it there to use the shipped one"


def render_named(name: str, values: Mapping[str, Json], templates: Mapping[str, str]) -> str:
    """The text of the template `name`. Raises InputError."""
    if name not in templates:
        raise unusable(name, "it is missing")
    try:
        return render_template(templates[name], values, name=name, includes=templates)
    except TemplateError as error:
        raise unusable(error.name, error.message, line=error.line) from error


def render_objects(name: str, values: Mapping[str, Json], templates: Mapping[str, str]) -> bytes:
    """The Kubernetes objects that the template `name` yields, as one canonical YAML stream. Raises InputError."""
    content = render_named(name, values, templates).encode()
    try:
        documents = [document.value for document in load_documents(content, strict_keys=True)]
        wrong = [
            value for value in documents if not (isinstance(value, dict) and {"apiVersion", "kind"} <= value.keys())
        ]
        if wrong or not documents:
            raise unusable(name, "it must yield Kubernetes objects with `apiVersion` and `kind`")
        return b"---\n".join(dump_manifest(value) for value in documents if isinstance(value, dict))
    except (YamlError, UnwritableError) as error:
        raise unusable(name, f"its text is not Kubernetes YAML: {error}") from error


def unusable(name: str, reason: str, *, line: int | None = None) -> InputError:
    """The error for a template that cannot be used. `line` counts from 1."""
    return InputError(
        Finding(
            code="template-failed",
            message=f"the template `{name}` cannot be used: {reason}",
            where=Where(file=name, line=line),
            hint=TEMPLATES_HINT,
        )
    )
