"""`--create-projects`: the projects of the mirror plan, made where they are missing."""

from __future__ import annotations

from collections.abc import Iterable

from renderer.errors import Finding, RendererError, Severity, Where
from renderer.model.images.transfer import ImageTarget
from renderer.ports import Projects


def create_projects(
    targets: Iterable[ImageTarget], projects: Projects, *, public: bool, dry_run: bool = False
) -> tuple[Finding, ...]:
    """Make every project that `targets` go to and that is not there; notes about what was (or would be) done.

    A project is the first part of a repository. Raises the error of the first project that could not be made, with
    the findings of all of them.
    """
    if not projects.is_harbor():
        return (
            Finding(
                code="no-projects",
                message="the registry is not Harbor: it has no projects to create",
                where=Where(subject="--create-projects"),
                severity=Severity.NOTE,
            ),
        )
    notes: list[Finding] = []
    faults: list[RendererError] = []
    for name in sorted({target.repository.partition("/")[0] for target in targets}):
        try:
            if not projects.exists(name) and (dry_run or projects.create(name, public=public)):
                notes.append(_created(name, "would be" if dry_run else "was", public=public))
        except RendererError as error:
            faults.append(error)
    if faults:
        raise type(faults[0])(*(finding for fault in faults for finding in fault.findings))
    return tuple(notes)


def _created(name: str, done: str, *, public: bool) -> Finding:
    who = "everybody may pull from it" if public else "pulling needs a login"
    return Finding(
        code="project-created",
        message=f"the project `{name}` {done} created: {who}",
        where=Where(subject=f"project {name}"),
        severity=Severity.NOTE,
    )
