"""The golden trees on a real API server, wave by wave: each object is taken, and applying again changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane import Cluster
from tests.cluster_eyes.eyes import objects

TREES = Path(__file__).parents[1] / "golden" / "trees"


def in_waves(case: str) -> list[list[dict[str, Any]]]:
    """The objects of a tree as its agent applies them: one list for each wave."""
    manifests = TREES / case / "sites/demo/manifests"
    found = [
        [dict(body) for _, body in objects(wave) if body["kind"] != "Kustomization"]
        for wave in sorted(manifests.iterdir())
        if wave.is_dir()
    ]
    assert len(found) > 3
    return found


def generations(cluster: Cluster, waves: list[list[dict[str, Any]]]) -> list[int | None]:
    """How often what is wished of every object has changed; None where the server does not count it."""
    found = cluster.look(*(body for wave in waves for body in wave))
    return [body["metadata"].get("generation") for body in found]


@pytest.mark.real
@pytest.mark.parametrize("case", sorted(path.name for path in TREES.iterdir()))
def test_a_cluster_takes_the_tree(case: str, cluster: Cluster) -> None:
    waves = in_waves(case)
    for wave in waves:
        cluster.apply(*wave)
    before = generations(cluster, waves)
    for wave in waves:
        cluster.apply(*wave)
    assert generations(cluster, waves) == before
    assert any(before)


@pytest.mark.real
def test_the_server_judges(cluster: Cluster) -> None:
    """A negative control: what no cluster takes is refused here too."""
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "Not_A_Name", "namespace": "default"}}
    with pytest.raises(AssertionError, match="Invalid value"):
        cluster.apply(wrong)
