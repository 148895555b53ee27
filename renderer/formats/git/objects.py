"""Git's bytes: object ids, tree listings, blobs in a batch, and the stream that `git fast-import` reads.

Sources: gitformat-pack (object ids), git-ls-tree (`-z`), git-cat-file (`--batch`), git-fast-import. Nothing in here
runs git; `renderer.adapters.git` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from renderer.model.trees.tree import FileTree
from renderer.structs import Struct

REGULAR: Final = "100644"
_COMMIT_MARK: Final = b":1"


class Entry(Struct, frozen=True):
    """One line of a tree listing: mode (`100644`), kind (`blob`, `tree`, `commit`), object id in hexadecimal."""

    mode: str
    kind: str
    id: str


class Signature(Struct, frozen=True):
    """Author or committer of a commit as git writes it: `Name <email>`, seconds since 1970, offset `+0000`."""

    who: str
    seconds: int
    offset: str

    def __str__(self) -> str:
        return f"{self.who} {self.seconds} {self.offset}"


class Edit(Struct, frozen=True):
    """What must change in a commit's tree. `put` maps paths to contents, with the ids that these will have."""

    put: Mapping[str, tuple[str, bytes]]
    delete: tuple[str, ...]
    known: frozenset[str]

    def __len__(self) -> int:
        return len(self.put) + len(self.delete)


def blob_id(content: bytes, algorithm: str) -> str:
    """The object id of a blob; `algorithm` is the repository's object format, `sha1` or `sha256`."""
    whole = hashlib.new(algorithm, b"blob %d\0" % len(content), usedforsecurity=False)
    whole.update(content)
    return whole.hexdigest()


def read_listing(listing: bytes) -> dict[str, Entry]:
    """The output of `git ls-tree -z` (or `-r -z`) by path. Paths that are not UTF-8 keep their bytes as surrogates."""
    entries = {}
    for line in listing.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            mode, kind, name = head.decode("ascii").split(" ")
            entries[path.decode("utf-8", "surrogateescape")] = Entry(mode, kind, name)
    return entries


def read_batch(batch: bytes) -> dict[str, bytes]:
    """The output of `git cat-file --batch`: contents by object id. Raises ValueError for an object that is missing."""
    contents, position = {}, 0
    while position < len(batch):
        end = batch.index(b"\n", position)
        name, kind, *size = batch[position:end].decode("ascii").split(" ")
        if not size:
            raise ValueError(f"the object {name} is {kind}")
        start = end + 1
        contents[name] = batch[start : start + int(size[0])]
        position = start + int(size[0]) + 1
    return contents


def compare(listing: Mapping[str, Entry], trees: Mapping[str, FileTree], algorithm: str) -> Edit:
    """What turns `listing` (all that is below the roots now) into `trees`. Equal files do not appear in it."""
    wanted = {f"{root}/{path}": content for root, tree in trees.items() for path, content in tree.items()}
    put = {}
    for path, content in wanted.items():
        name, present = blob_id(content, algorithm), listing.get(path)
        if present is None or present.id != name or present.mode != REGULAR:
            put[path] = (name, content)
    delete = tuple(path for path in listing if path not in wanted)
    return Edit(put, delete, frozenset(entry.id for entry in listing.values()))


def import_stream(edit: Edit, *, ref: str, parent: str | None, signature: Signature, message: str) -> bytes:
    """The input of `git fast-import --done` that makes one commit on `ref` and prints its id.

    A content that the repository has is named by id, a new one is sent once, however many paths hold it.
    """
    marks: dict[str, int] = {}
    stream: list[bytes] = [b"feature done\n"]
    for name, content in edit.put.values():
        if name not in edit.known and name not in marks:
            marks[name] = len(marks) + 2
            stream += (b"blob\nmark :%d\ndata %d\n" % (marks[name], len(content)), content, b"\n")
    text = message.encode()
    by = f"author {signature}\ncommitter {signature}\n".encode()
    stream += (b"reset %s\n\n" % ref.encode(), b"commit %s\nmark %s\n" % (ref.encode(), _COMMIT_MARK), by)
    stream += (b"data %d\n" % len(text), text, b"\n")
    if parent is not None:
        stream.append(f"from {parent}\n".encode())
    stream += (b"D %s\n" % _quoted(path) for path in edit.delete)
    for path, (name, _) in edit.put.items():
        reference = b":%d" % marks[name] if name in marks else name.encode()
        stream.append(b"M %s %s %s\n" % (REGULAR.encode(), reference, _quoted(path)))
    stream += (b"\n", b"get-mark %s\n" % _COMMIT_MARK, b"done\n")
    return b"".join(stream)


def index_lines(edit: Edit, algorithm: str) -> bytes:
    """The input of `git update-index -z --index-info` that brings the index from the old commit to the new one."""
    nothing = "0" * (64 if algorithm == "sha256" else 40)
    removed = (f"0 {nothing}\t{path}\0" for path in edit.delete)
    added = (f"{REGULAR} {name}\t{path}\0" for path, (name, _) in edit.put.items())
    return "".join([*removed, *added]).encode("utf-8", "surrogateescape")


def paths_z(paths: Iterable[str]) -> bytes:
    """Paths as git reads them from standard input with `-z`."""
    return "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")


def _quoted(path: str) -> bytes:
    """A path in a fast-import stream; C-style quotes only where the plain form would be read differently."""
    if path.startswith('"') or "\n" in path:
        path = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return path.encode("utf-8", "surrogateescape")
