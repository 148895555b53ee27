"""The journal of a registry, the progress line, and lists of images."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from renderer.adapters.journal import FileJournal
from renderer.cli.progress import TransferProgress, duration, volume
from renderer.commands.images.listing import list_images
from renderer.formats.documents.document import parse_document
from renderer.model.images.transfer import ImageTarget
from renderer.model.reference import Digest, ImageReference, Platform

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")
LOCATION = "https://registry.site.example:5443"


def journal(root: Path) -> FileJournal:
    """The journal as a new process finds it."""
    return FileJournal(root, LOCATION)


# --- journal -----------------------------------------------------------------------------------------------------


def test_the_next_run_knows_open_uploads_and_holders(tmp_path: Path) -> None:
    first = journal(tmp_path)
    first.began("hub/nginx", ONE, "/v2/upload/1?state=a")
    first.began("hub/nginx", ONE, "/v2/upload/1?state=b")
    first.stored("hub/api", TWO)
    second = journal(tmp_path)
    assert second.session("hub/nginx", ONE) == "/v2/upload/1?state=b"
    assert second.session("hub/api", TWO) is None
    assert second.holders(TWO) == ("hub/api",)


def test_a_finished_blob_has_no_upload(tmp_path: Path) -> None:
    first = journal(tmp_path)
    first.began("hub/nginx", ONE, "session")
    first.stored("hub/nginx", ONE)
    assert journal(tmp_path).session("hub/nginx", ONE) is None


def test_the_next_run_knows_what_was_complete(tmp_path: Path) -> None:
    first = journal(tmp_path)
    first.completed("hub/nginx", ONE)
    second = journal(tmp_path)
    assert second.was_complete("hub/nginx", ONE)
    assert not second.was_complete("hub/api", ONE)
    assert not second.was_complete("hub/nginx", TWO)


def test_a_torn_line_and_rubbish_are_skipped(tmp_path: Path) -> None:
    first = journal(tmp_path)
    first.stored("hub/nginx", ONE)
    with first.path.open("ab") as stream:
        stream.write(b'["stored", "hub/torn", "sha25')
    second = journal(tmp_path)
    assert second.holders(ONE) == ("hub/nginx",)
    second.stored("hub/api", TWO)
    with first.path.open("ab") as stream:
        stream.write(b'\n{"a": 1}\n["stored", 5]\n[]\n\xff\xfe\nnull\n')
    third = journal(tmp_path)
    assert third.holders(ONE) == ("hub/nginx",)
    assert third.holders(TWO) == ("hub/api",)


def test_the_latest_three_holders_are_kept(tmp_path: Path) -> None:
    first = journal(tmp_path)
    for number in range(5):
        first.stored(f"hub/{number}", ONE)
    assert journal(tmp_path).holders(ONE) == ("hub/4", "hub/3", "hub/2")


def test_a_large_journal_is_made_small(tmp_path: Path) -> None:
    first = journal(tmp_path)
    for number in range(3000):
        first.began("hub/nginx", ONE, f"{number}{'x' * 3000}")
    before = first.path.stat().st_size
    second = journal(tmp_path)
    assert second.session("hub/nginx", ONE) == f"2999{'x' * 3000}"
    assert second.path.stat().st_size < before / 1000
    second.stored("hub/nginx", ONE)
    assert journal(tmp_path).session("hub/nginx", ONE) is None


def test_a_journal_is_for_its_owner_only_and_registries_have_one_each(tmp_path: Path) -> None:
    first = journal(tmp_path)
    first.stored("hub/nginx", ONE)
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert first.path.name == "registry.site.example_5443.journal"
    assert FileJournal(tmp_path, "https://other.site.example").holders(ONE) == ()


def test_a_state_directory_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    first = FileJournal(tmp_path / "file", LOCATION)
    first.began("hub/nginx", ONE, "session")
    assert first.session("hub/nginx", ONE) == "session"


# --- progress ----------------------------------------------------------------------------------------------------


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_terminal_sees_one_line_with_share_rate_time_left_and_what_travels() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = TransferProgress(stream, terminal=True, width=200, clock=clock)
    progress.begin(2, 40 * 2**20)
    progress.sending(str(ONE), 30 * 2**20)
    clock.now = 2.0
    progress.sent(str(ONE), 10 * 2**20)
    assert stream.getvalue() == (
        f"\r 25% 10.0 MiB of 40.0 MiB, 5.0 MiB/s, 6 s left, 0 of 2 blobs: {ONE.hex[:12]} 10.0 MiB/30.0 MiB\x1b[K"
    )
    progress.done(str(ONE))
    progress.end()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_elsewhere_a_plain_line_is_written_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = TransferProgress(stream, terminal=False, clock=clock)
    progress.begin(1, 100)
    progress.sending("blob", 100)
    for second in range(1, 26):
        clock.now = second
        progress.sent("blob", second)
    progress.end()
    assert len(stream.getvalue().splitlines()) == 2
    assert "\r" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(("number", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**40, "5.0 TiB")])
def test_volumes(number: int, text: str) -> None:
    assert volume(number) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7500, "2 h 5 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# --- lists -------------------------------------------------------------------------------------------------------

AMD64 = Platform("linux", "amd64")
TARGETS = (
    ImageTarget(
        reference=ImageReference.parse("docker.io/library/nginx:1.27"),
        repository="hub/library/nginx",
        digest=ONE,
        platforms={AMD64: TWO},
    ),
    ImageTarget(
        reference=ImageReference.parse("registry.k8s.io/pause:3.9"), repository="k8s/pause", digest=TWO, platforms={}
    ),
)


def test_the_list_for_people() -> None:
    text = list_images(TARGETS, "site demo", "text").text
    assert text.splitlines()[0] == "2 images of site demo"
    assert f"docker.io/library/nginx:1.27  {ONE}  linux/amd64  hub/library/nginx" in text


def test_the_list_for_skopeo_sync() -> None:
    text = list_images(TARGETS, "site demo", "skopeo").text
    assert parse_document(text.encode(), "skopeo.yaml").value == {
        "docker.io": {"images": {"library/nginx": ["1.27"]}},
        "registry.k8s.io": {"images": {"pause": ["3.9"]}},
    }
    assert f'- "1.27"  # {ONE}' in text


def test_the_list_for_kubekey() -> None:
    outcome = list_images(TARGETS, "site demo", "kubekey")
    assert parse_document(outcome.text.encode(), "kubekey.yaml").value == {
        "apiVersion": "kubekey.kubesphere.io/v1alpha2",
        "kind": "Manifest",
        "metadata": {"name": "demo"},
        "spec": {
            "arches": ["amd64"],
            "operatingSystems": [],
            "images": ["docker.io/library/nginx:1.27", "registry.k8s.io/pause:3.9"],
        },
    }
    (finding,) = outcome.findings
    assert finding.code == "kubekey-image-name"
    assert finding.explanation == ("`registry.k8s.io/pause:3.9`",)
