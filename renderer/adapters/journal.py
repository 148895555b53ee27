"""The journal of one registry: an append-only file of what earlier runs learned.

Each line is one JSON list: `["stored", repository, digest]`, `["complete", repository, digest]` or `["session",
repository, digest, session]`. A line is written by one call, so that a killed process leaves whole lines and at most
one torn one, which is skipped. Two processes may write at once. How far it is believed: `renderer.ports.Journal`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from pathlib import Path
from typing import Final

from renderer.model.reference import Digest

_COMPACT_ABOVE: Final = 8 * 2**20
_SIZE_LIMIT: Final = 64 * 2**20
_HOLDERS: Final = 3


class FileJournal:
    """Satisfies `Journal` with a file below `directory` for the registry at `location`.

    The file is read when it is first asked, made when something is first noted, and readable by its owner only:
    sessions are capabilities. When it cannot be written, nothing is noted.
    """

    def __init__(self, directory: Path, location: str) -> None:
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", location.partition("://")[2] or location)
        self._path = directory / f"{name}.journal"
        self._lock = threading.Lock()
        self._sessions: dict[tuple[str, str], str] = {}
        self._stored: dict[str, list[str]] = {}
        self._complete: set[tuple[str, str]] = set()
        self._read = False
        self._file: int | None = None

    @property
    def path(self) -> Path:
        """Where the journal lies."""
        return self._path

    def session(self, repository: str, digest: Digest) -> str | None:
        """The upload that an earlier run began; see `Journal.session`."""
        with self._lock:
            self._load()
            return self._sessions.get((repository, str(digest)))

    def began(self, repository: str, digest: Digest, session: str) -> None:
        """Note an upload under way."""
        with self._lock:
            self._load()
            self._note("session", repository, str(digest), session)

    def stored(self, repository: str, digest: Digest) -> None:
        """Note that a repository has a blob."""
        with self._lock:
            self._load()
            if repository not in self._stored.get(str(digest), ()) or (repository, str(digest)) in self._sessions:
                self._note("stored", repository, str(digest))

    def completed(self, repository: str, digest: Digest) -> None:
        """Note that everything below a manifest is there."""
        with self._lock:
            self._load()
            if (repository, str(digest)) not in self._complete:
                self._note("complete", repository, str(digest))

    def was_complete(self, repository: str, digest: Digest) -> bool:
        """Whether everything below a manifest was there."""
        with self._lock:
            self._load()
            return (repository, str(digest)) in self._complete

    def holders(self, digest: Digest) -> tuple[str, ...]:
        """Repositories that had a blob, the latest first."""
        with self._lock:
            self._load()
            return tuple(reversed(self._stored.get(str(digest), ())))[:_HOLDERS]

    def _load(self) -> None:
        if self._read:
            return
        self._read = True
        try:
            if self._path.stat().st_size > _SIZE_LIMIT:
                return
            content = self._path.read_bytes()
        except OSError:
            return
        for line in content.split(b"\n"):
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, list) and all(isinstance(part, str) for part in entry):
                    self._learn(*entry)
        if len(content) > _COMPACT_ABOVE:
            self._compact()

    def _learn(self, *entry: str) -> None:
        match entry:
            case ("stored", repository, digest):
                self._sessions.pop((repository, digest), None)
                known = self._stored.setdefault(digest, [])
                if repository in known:
                    known.remove(repository)
                known.append(repository)
                del known[:-_HOLDERS]
            case ("complete", repository, digest):
                self._complete.add((repository, digest))
            case ("session", repository, digest, session):
                self._sessions[repository, digest] = session

    def _note(self, *entry: str) -> None:
        self._learn(*entry)
        with contextlib.suppress(OSError):
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            # a line break in front too: it ends a line that a killed process has torn
            os.write(self._file, f"\n{json.dumps(entry)}\n".encode())

    def _compact(self) -> None:
        """Replace the file by what is still true of it."""
        lines = [json.dumps(["stored", name, digest]) for digest, names in self._stored.items() for name in names]
        lines += [json.dumps(["complete", *key]) for key in sorted(self._complete)]
        lines += [json.dumps(["session", *key, session]) for key, session in self._sessions.items()]
        beside = self._path.with_suffix(f".{os.getpid()}.new")
        with contextlib.suppress(OSError):
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write("\n".join(lines) + "\n")
            beside.replace(self._path)
