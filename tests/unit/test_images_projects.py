"""`--create-projects`: the mirror plan says which projects a registry needs."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from renderer.commands.images.projects import create_projects
from renderer.errors import RemoteError
from renderer.model.images.transfer import ImageTarget
from renderer.model.reference import Digest, ImageReference
from tests.simulators.registries import fault

TARGETS = [
    ImageTarget(
        reference=ImageReference.parse(f"docker.io/{repository}:1"),
        repository=repository,
        digest=Digest.of(b""),
        platforms={},
    )
    for repository in ("hub/library/nginx", "quay/team/api", "quay/team/web", "k8s/pause")
]


@dataclass
class Harbor:
    """Satisfies `Projects` in memory."""

    there: dict[str, bool] = field(default_factory=dict)
    harbor: bool = True
    denied: frozenset[str] = frozenset()

    def is_harbor(self) -> bool:
        return self.harbor

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.there))

    def exists(self, name: str) -> bool:
        return name in self.there

    def create(self, name: str, *, public: bool) -> bool:
        if name in self.denied:
            raise fault("registry-denied", "this user may not do that", f"project {name}")
        self.there[name] = public
        return True


def test_missing_projects_are_created_once_and_told() -> None:
    harbor = Harbor(there={"quay": False})
    notes = create_projects(TARGETS, harbor, public=True)
    assert harbor.there == {"quay": False, "hub": True, "k8s": True}
    assert [note.message for note in notes] == [
        "the project `hub` was created: everybody may pull from it",
        "the project `k8s` was created: everybody may pull from it",
    ]
    assert create_projects(TARGETS, harbor, public=True) == ()


def test_a_dry_run_creates_nothing() -> None:
    harbor = Harbor(there={"quay": False})
    notes = create_projects(TARGETS, harbor, public=False, dry_run=True)
    assert harbor.there == {"quay": False}
    assert [note.message for note in notes] == [
        "the project `hub` would be created: pulling needs a login",
        "the project `k8s` would be created: pulling needs a login",
    ]


def test_what_could_not_be_created_is_told_together() -> None:
    harbor = Harbor(denied=frozenset({"hub", "k8s"}))
    with pytest.raises(RemoteError) as caught:
        create_projects(TARGETS, harbor, public=False)
    assert [str(finding.where) for finding in caught.value.findings] == ["project hub", "project k8s"]
    assert harbor.there == {"quay": False}, "the others are made"


def test_another_registry_has_no_projects() -> None:
    (note,) = create_projects(TARGETS, Harbor(harbor=False), public=False)
    assert note.code == "no-projects"
