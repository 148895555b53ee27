"""One blob on its way: what a run that is interrupted leaves for the next one."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from renderer.adapters.journal import FileJournal
from renderer.cli.progress import Silent
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.transfer import Delivery
from renderer.model.reference import Digest
from renderer.transfer.courier import Courier
from renderer.transfer.crew import Crew, StoppedError
from tests.simulators.registries import CHUNK, MemoryRegistry, fault

LOCATION = "https://registry.site.example"
REPOSITORY = "mirror/team/api"
CONTENT = bytes(range(256)) * (4 * CHUNK // 256)
BLOB = Descriptor(media_type="application/octet-stream", digest=Digest.of(CONTENT), size=len(CONTENT))


class OneBlob:
    """A layout that holds CONTENT."""

    location = "bundle"

    def index(self) -> bytes:
        raise AssertionError

    def full_index(self, *, fresh: bool = False) -> bytes:
        raise AssertionError(fresh)

    def blob(self, descriptor: Descriptor) -> bytes:
        raise AssertionError(descriptor)

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        assert descriptor.digest == BLOB.digest
        return io.BytesIO(CONTENT)


def test_what_the_registry_confirmed_is_noted_before_an_interrupted_run_breaks_off(tmp_path: Path) -> None:
    registry, journal = MemoryRegistry(), FileJournal(tmp_path, LOCATION)
    confirmed = threading.Event()
    delivery = Delivery(descriptor=BLOB, source="bundle", missing=(REPOSITORY,), held=())
    with Crew.of(1) as crew:

        def first_chunk() -> None:
            confirmed.set()
            with contextlib.suppress(StoppedError):
                while True:
                    crew.step()
                    time.sleep(0.001)

        registry.on_chunk = first_chunk
        courier = Courier(source=lambda _: OneBlob(), registry=registry, journal=journal, progress=Silent(), crew=crew)
        under_way = crew.submit(courier.deliver, delivery)
        assert confirmed.wait(10)
        # leaving the block is what Ctrl-C does to it
    with pytest.raises(StoppedError):
        under_way.result(10)
    session = FileJournal(tmp_path, LOCATION).session(REPOSITORY, BLOB.digest)
    assert session in registry.uploads
    assert len(registry.uploads[session]) == CHUNK


def test_nothing_more_travels_to_a_project_that_is_full(tmp_path: Path) -> None:
    class Full(MemoryRegistry):
        def push_blob(self, repository: str, *_: object, **__: object) -> None:
            self.log.append(("push", repository, ""))
            if repository.startswith("full/"):
                raise fault("registry-quota", "the quota of the project `full` is used up", repository)

    registry = Full(mounts=False)
    names = ("full/a", "full/b", "roomy/a", "full/c")
    with Crew.of(1) as crew:
        journal = FileJournal(tmp_path, LOCATION)
        courier = Courier(source=lambda _: OneBlob(), registry=registry, journal=journal, progress=Silent(), crew=crew)
        delivered = courier.deliver(Delivery(descriptor=BLOB, source="bundle", missing=names, held=()))
        again = courier.deliver(Delivery(descriptor=BLOB, source="bundle", missing=("full/d",), held=()))
    assert [repository for verb, repository, _ in registry.log if verb == "push"] == ["full/a", "roomy/a"]
    assert {name for _, name in delivered.faults} == {"full/a", "full/b", "full/c"}
    assert [finding.code for findings in again.faults.values() for finding in findings] == ["registry-quota"]
