"""The cache of content that was fetched from registries."""

from __future__ import annotations

import os
from pathlib import Path

from renderer.adapters.content_cache import ContentCache
from renderer.model.reference import Digest
from renderer.ports import Cache

A = Digest.of(b"a")


def test_what_was_kept_is_found_again_by_another_process(tmp_path: Path) -> None:
    cache: Cache = ContentCache(tmp_path)
    assert cache.get(A) is None
    cache.put(A, b"a")
    cache.note(A, b"{}")
    again = ContentCache(tmp_path)
    assert (again.get(A), again.recall(A), again.recall(Digest.of(b"b"))) == (b"a", b"{}", None)


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    ContentCache(tmp_path).put(A, b"a")
    (file,) = tmp_path.glob("blobs/sha256/*")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_changed_counts_as_missing(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path)
    cache.put(A, b"a")
    (file,) = tmp_path.glob("blobs/sha256/*")
    file.write_bytes(b"b")
    assert cache.get(A) is None
    cache.put(A, b"a")
    assert cache.get(A) == b"a"


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, limit=1000)
    contents = [bytes([number]) * 300 for number in range(4)]
    for age, content in enumerate(contents[:3]):
        cache.put(Digest.of(content), content)
        os.utime(tmp_path / "blobs/sha256" / Digest.of(content).hex, (age, age))
    assert cache.get(Digest.of(contents[0])) == contents[0]
    cache.put(Digest.of(contents[3]), contents[3])
    there = [cache.get(Digest.of(content)) is not None for content in contents]
    assert there == [True, False, False, True]
    assert sum(file.stat().st_size for file in tmp_path.glob("blobs/*/*")) <= 800


def test_what_is_larger_than_all_room_is_not_kept(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, limit=10)
    content = b"x" * 11
    cache.put(Digest.of(content), content)
    assert cache.get(Digest.of(content)) is None


def test_without_a_place_to_write_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ContentCache(tmp_path / "file")
    cache.put(A, b"a")
    cache.note(A, b"{}")
    assert (cache.get(A), cache.recall(A)) == (None, None)
