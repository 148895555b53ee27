"""Somebody watches a bundle being written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulators.bundles import Workshop, schema


class Watcher:
    """Satisfies `renderer.ports.Progress` by writing everything down."""

    def __init__(self) -> None:
        self.expected = (0, 0)
        self.positions: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.over: list[str] = []
        self.ended = 0

    def begin(self, blobs: int, size: int) -> None:
        self.expected = (blobs, size)

    def sending(self, what: str, size: int) -> None:
        assert what not in self.sizes, "a blob is read once"
        self.sizes[what] = size

    def sent(self, what: str, position: int) -> None:
        assert position >= self.positions.get(what, 0)
        self.positions[what] = position

    def done(self, what: str) -> None:
        self.over.append(what)

    def end(self) -> None:
        self.ended += 1


@pytest.mark.parametrize("form", ["bundle", "bundle.tar"])
def test_every_blob_is_read_once_from_its_first_byte_to_its_last(form: str, tmp_path: Path) -> None:
    from renderer.adapters.executors import SerialExecutor
    from renderer.commands.bundle.building.build import build
    from renderer.commands.bundle.building.workbench import Workbench

    workshop, watcher = Workshop(tmp_path), Watcher()
    workshop.sources()
    bench = Workbench(engine=workshop.engine, executor=SerialExecutor(), registry=workshop.registry)
    described = schema("bundle-source")
    build(workshop.files, "bundle.yaml", form, workshop.writer, bench, schema=described, progress=watcher)
    held = {str(digest) for digest in workshop.open(form).digests()}
    assert set(watcher.sizes) == set(watcher.over) == held
    assert watcher.positions == watcher.sizes
    assert watcher.expected == (len(held), sum(watcher.sizes.values()))
    assert (len(watcher.over), watcher.ended) == (len(held), 1)


def test_the_end_is_told_when_it_ends_badly() -> None:
    from renderer.commands.bundle.building.watching import watched

    watcher = Watcher()
    with pytest.raises(OSError, match="full"), watched((), watcher):
        raise OSError("the disk is full")
    assert watcher.ended == 1
