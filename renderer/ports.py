"""Every effect that the flow can ask for, as protocols with their costs and promises.

Adapters satisfy these; tests satisfy them with working simulators. Nothing outside `renderer.adapters` and
`renderer.cli` touches a file, a process, the network or the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.structs import Struct

if TYPE_CHECKING:  # types of arguments only: who pushes images need not load what charts and trees are
    from renderer.model.bundles.chart import ChartOutput, ChartRequest
    from renderer.model.trees.tree import FileTree

T = TypeVar("T")
R = TypeVar("R")


class ChartError(Exception):
    """An engine could not inflate a chart. `message` is Helm's own, without paths of this machine."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ChartEngine(Protocol):
    """Helm. Both engines give the same objects for the same request.

    Costs: about 1 ms for a small chart and 20 ms for a large umbrella chart when embedded, 30 to 50 ms for a
    process. Thread-safe; more than two threads gain nothing on two cores.
    """

    @property
    def name(self) -> str:
        """`embedded` or `executable`."""
        ...

    @property
    def helm_version(self) -> str:
        """The version of Helm, such as `v4.2.3`. The first access may start a process."""
        ...

    def inflate(self, request: ChartRequest) -> ChartOutput:
        """Inflate one chart without cluster or network. Raises ChartError."""
        ...

    def chart_files(self, request: ChartRequest) -> Mapping[str, str]:
        """The template sources of the chart and its subcharts by path, for scanning. Raises ChartError."""
        ...


class BlobReader(Protocol):
    """Verified content by descriptor."""

    def blob(self, descriptor: Descriptor) -> bytes:
        """The bytes; size and digest have been checked. Raises BundleRefusedError when they are missing or wrong."""
        ...


class BundleSource(BlobReader, Protocol):
    """One OCI image layout that may hold a bundle: a directory, a tar file, later a repository in a registry."""

    @property
    def location(self) -> str:
        """The source as the user named it."""
        ...

    def index(self) -> bytes:
        """The bytes of `index.json`, at most 4 MiB, not trusted. Raises BundleRefusedError."""
        ...

    def full_index(self, *, fresh: bool = False) -> bytes:
        """The same, with the signatures over images that lie beside the bundle; for after it has been verified.

        A repository is asked for those only then; with `fresh` also when an answer is remembered. Raises RemoteError.
        """
        ...

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes as a stream, checked at the end: reading the last byte raises BundleRefusedError on a mismatch."""
        ...


class Layout(BundleSource, Protocol):
    """A bundle source whose blobs can be listed: an OCI image layout in a directory or a tar file."""

    def digests(self) -> tuple[Digest, ...]:
        """The names of all blobs, sorted. Looks through everything; raises BundleRefusedError (`archive-refused`)."""
        ...

    def order(self) -> tuple[Digest, ...]:
        """The names of all blobs as they lie in a tar file; none for a directory, which keeps no order."""
        ...

    def marker(self) -> bytes:
        """The bytes of `oci-layout`, at most 1 KiB, not trusted; none when it is not there."""
        ...

    def strangers(self) -> tuple[str, ...]:
        """What lies there and is no file of a layout, sorted. Looks through everything, as `digests` does."""
        ...


class Blob(Struct, frozen=True, kw_only=True):
    """Content that is about to be written into a layout; `open` gives its bytes from the start, each time."""

    descriptor: Descriptor
    open: Callable[[], BinaryIO]


class LayoutWriter(Protocol):
    """Writes OCI image layouts: a path that ends in `.tar` is a tar file, any other a directory. All or nothing."""

    def create(self, path: str, index: bytes, blobs: Iterable[Blob]) -> None:
        """Write a new layout with these blobs, in this order, each digest once; equal content gives an equal tar file.

        A layout that stands there is replaced. Raises InputError (`output-not-a-layout`) when it is something else.
        """
        ...

    def extend(self, path: str, index: bytes, blobs: Iterable[Blob], drop: Collection[Digest] = ()) -> None:
        """Add blobs to the layout at `path`, replace its `index.json`, and remove the blobs of `drop`.

        A tar file is rewritten; in a directory the index is replaced last, so that a reader finds the old or the new.
        """
        ...

    def check(self, path: str) -> None:
        """Raise InputError (`output-not-a-layout`) when something stands at `path` that is not to be replaced."""
        ...


class IncomingLayout(Protocol):
    """A layout that arrives blob by blob, in several threads. An interrupted run keeps what it has got.

    Satisfies `BlobReader` for what is here.
    """

    def blob(self, descriptor: Descriptor) -> bytes:
        """The checked bytes of a blob that is here."""
        ...

    def holds(self, descriptor: Descriptor) -> bool:
        """Whether a blob is here whole, be it from an earlier run or from the layout that will be replaced.

        It is read and hashed the first time, which takes as long as reading it.
        """
        ...

    def receive(
        self, descriptor: Descriptor, fetch: Callable[[BinaryIO | None], BinaryIO], on_progress: Callable[[int], None]
    ) -> None:
        """Get a blob. `fetch` is given what an earlier run got of it, and opens the rest of the bytes, checked.

        `on_progress` hears how many bytes are here. Raises what `fetch` raises, InputError (`cannot-write`).
        """
        ...

    def finish(self, index: bytes, blobs: Iterable[Descriptor]) -> None:
        """Let the layout, of these blobs in this order, take the place of what stands there; all of it or nothing."""
        ...


class Cache(Protocol):
    """What was fetched once and need not be fetched again. Losing all of it costs time only; it never fails."""

    def get(self, digest: Digest) -> bytes | None:
        """The content of this digest, checked, or None."""
        ...

    def put(self, digest: Digest, content: bytes) -> None:
        """Keep content; what was not used for longest goes when there is too much."""
        ...

    def recall(self, bundle: Digest) -> bytes | None:
        """What was last noted of the bundle with this manifest: an `index.json`, not trusted."""
        ...

    def note(self, bundle: Digest, index: bytes) -> None:
        """Note the manifests that belong to a bundle."""
        ...


class Files(Protocol):
    """The working tree that the profile lies in. Paths are relative to its root, as users write them."""

    def read(self, path: str) -> bytes:
        """The content of a regular file of at most 16 MiB. Raises InputError (`file-not-found`, `file-too-large`)."""
        ...

    def exists(self, path: str) -> bool:
        """True when `path` is a file or directory."""
        ...

    def list(self, path: str) -> tuple[str, ...]:
        """The files below the directory `path`, recursively, sorted, relative to it; links are refused."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Replace one file atomically; an equal file is left alone."""
        ...

    def source(self, path: str) -> BundleSource:
        """The bundle in the directory or tar file `path`. Raises InputError when there is none."""
        ...


class StoredLayout(Struct, frozen=True, kw_only=True):
    """One OCI image layout in a store. `path` is how the user names it; `size` counts the bytes of its files.

    `unfinished` is what an interrupted run left behind: nothing reads it. While `busy` is true somebody writes it.
    """

    path: str
    size: int
    unfinished: bool = False
    busy: bool = False


class BundleStore(Protocol):
    """A directory that bundles are kept in, each in a directory or tar file of its own."""

    @property
    def location(self) -> str:
        """The directory as the user named it."""
        ...

    def layouts(self) -> tuple[StoredLayout, ...]:
        """What lies directly in the directory and looks like a layout, by path. Raises InputError (`no-store`)."""
        ...

    def open(self, layout: StoredLayout) -> Layout:
        """Read one of them. Raises InputError."""
        ...

    def remove(self, layout: StoredLayout) -> None:
        """Delete one of them. Raises InputError (`cannot-remove`)."""
        ...


class Author(Struct, frozen=True, kw_only=True):
    """Who a commit is by, and when. The time arrives as a value: no stage and no adapter reads the clock."""

    name: str
    email: str
    when: datetime


class Published(Struct, frozen=True, kw_only=True):
    """What publishing did. `revision` is a commit id, or None for a directory; `changed` counts files.

    `notes` are sentences for the person who runs it, such as where a merge request can be opened.
    """

    location: str
    revision: str | None
    changed: int
    pushed: bool = False
    notes: tuple[str, ...] = ()


class TreeStore(Protocol):
    """A place that holds rendered trees. A store owns the directories named in `roots` and nothing else."""

    @property
    def location(self) -> str:
        """The place, for messages."""
        ...

    def load(self, root: str) -> FileTree:
        """The tree below `root` as it is now; empty when there is none. Raises InputError or RemoteError."""
        ...

    def publish(self, trees: Mapping[str, FileTree], message: str, author: Author) -> Published:
        """Replace what is below each root by its tree, all or nothing; equal files are not rewritten.

        An interrupted run leaves the old state or the new one. Raises InputError (`dirty-output`) when a directory
        holds files that Sitewright did not write, RemoteError when a git remote refuses.
        """
        ...


class Signer(Protocol):
    """A private key somewhere."""

    @property
    def public_key(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo)."""
        ...

    def sign(self, payload: bytes) -> bytes:
        """A signature over `payload`: DER for ECDSA, raw for Ed25519. Raises InputError."""
        ...


class KeyText(Struct, frozen=True, kw_only=True):
    """Text that holds private keys, and the file or variable that it was found in. The text is never shown."""

    location: str
    text: str

    def __repr__(self) -> str:
        return f"KeyText(location={self.location!r})"


class Sealing(Protocol):
    """What sealing secrets takes from the machine. Only `sitewright lock` asks for it."""

    def random(self, count: int) -> bytes:
        """So many bytes that nobody can guess."""
        ...

    def key_texts(self) -> tuple[KeyText, ...]:
        """Where the private keys of age lie that the user of this machine has. Raises InputError (`key-not-found`)."""
        ...


class Executor(Protocol):
    """Runs the same function over many items."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Sequence[R]:
        """The results in the order of the items, whatever the number of workers; the first exception is raised."""
        ...


class FoundManifest(Struct, frozen=True, kw_only=True):
    """A manifest as a registry serves it: its bytes, what they are said to be, and their digest."""

    content: bytes
    media_type: str
    digest: Digest


class Registry(Protocol):
    """One OCI distribution registry (https://github.com/opencontainers/distribution-spec, v1.1).

    Thread-safe: connections are pooled, and a handful of threads share one instance. Every method retries what may
    pass (connection lost, 429, 5xx; with backoff, heeding `Retry-After`) and raises RemoteError (exit code 5) with a
    finding per cause: `registry-unreachable`, `registry-tls`, `registry-unauthorized`, `registry-denied`,
    `registry-not-found`, `registry-quota`, `registry-full`, `registry-policy`, `registry-refused`. What will be
    no better for the next request is a HopelessError. Credentials never stand in messages.
    """

    @property
    def location(self) -> str:
        """`https://host[:port]`, for messages."""
        ...

    def has_blob(self, repository: str, digest: Digest) -> int | None:
        """The size of a blob that the repository has, or None (HEAD)."""
        ...

    def mount_blob(self, repository: str, digest: Digest, source: str) -> bool:
        """Make a blob of the repository `source` available in `repository`; False when the registry will not."""
        ...

    def push_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        open_content: Callable[[], BinaryIO],
        *,
        session: str | None = None,
        on_progress: Callable[[str, int], None] | None = None,
    ) -> None:
        """Upload a blob in chunks, streamed, never whole in memory; a dropped connection resumes where it broke off.

        `session` is an upload that an earlier process began (as told to `on_progress`): it is resumed when the
        registry still knows it, else the upload starts over. `on_progress` hears (session, bytes that the registry
        has). The registry checks the digest.
        """
        ...

    def read_blob(self, repository: str, descriptor: Descriptor, *, begun: BinaryIO | None = None) -> BinaryIO:
        """The bytes of a blob as a stream, checked at the end like `BundleSource.open_blob`.

        `begun` holds the first bytes, from a run that was interrupted: they are read and hashed, and the stream gives
        the rest. Where they were damaged, the check at the end fails.
        """
        ...

    def manifest(self, repository: str, reference: str) -> FoundManifest | None:
        """The manifest behind a tag or a digest, its digest computed from the bytes; None when there is none."""
        ...

    def stands_for(self, repository: str, tag: str, digest: Digest) -> bool:
        """Whether a tag stands for `digest`. Cheaper than `manifest`: nothing need be read or sent when it does."""
        ...

    def push_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> Digest:
        """Put a manifest byte for byte under a tag or its digest. `tag-immutable`: the tag is held by another one."""
        ...

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        """What refers to a manifest: the referrers API, or the tag schema `sha256-<hex>` where a registry lacks it."""
        ...

    def tags(self, repository: str) -> tuple[str, ...]:
        """The tags of a repository, sorted; none when the repository does not exist."""
        ...


class BundleRepository(Protocol):
    """A repository of a registry as a place that bundles come from: tags are versions."""

    def tags(self) -> tuple[str, ...]:
        """All tags, sorted; asks the registry. Raises RemoteError."""
        ...

    def source(self, reference: str, location: str, *, fresh: bool) -> BundleSource:
        """The bundle of a tag or digest, called `location` in messages; nothing is asked yet.

        One that is named by its digest is read from what is kept of it on this machine, and the registry is asked for
        the rest only, unless `fresh` wants its signatures as they are now.
        """
        ...


class Journal(Protocol):
    """What earlier runs learned about one registry. It saves requests; nothing is skipped on its word alone.

    Thread-safe. What is noted survives a killed process; losing all of it costs time only.
    """

    def session(self, repository: str, digest: Digest) -> str | None:
        """The upload of a blob that an earlier run began and did not finish, as the registry called it."""
        ...

    def began(self, repository: str, digest: Digest, session: str) -> None:
        """Note how an upload under way can be resumed."""
        ...

    def stored(self, repository: str, digest: Digest) -> None:
        """Note that a repository has a blob; its upload is over."""
        ...

    def completed(self, repository: str, digest: Digest) -> None:
        """Note that everything below a manifest was in a repository when an earlier run looked."""
        ...

    def was_complete(self, repository: str, digest: Digest) -> bool:
        """Whether an earlier run noted that."""
        ...

    def holders(self, digest: Digest) -> tuple[str, ...]:
        """Repositories that had a blob when an earlier run looked, the latest first, at most three."""
        ...


class Progress(Protocol):
    """A person who watches blobs travel. Thread-safe; a call costs next to nothing and never fails."""

    def begin(self, blobs: int, size: int) -> None:
        """The transfer starts: so many blobs with so many bytes in all."""
        ...

    def sending(self, what: str, size: int) -> None:
        """A blob starts; `what` names it."""
        ...

    def sent(self, what: str, position: int) -> None:
        """The registry has this many bytes of the blob."""
        ...

    def done(self, what: str) -> None:
        """The blob is over, well or not."""
        ...

    def end(self) -> None:
        """The transfer is over."""
        ...


class Projects(Protocol):
    """The projects of a registry that wants them made before anything is pushed below them: Harbor.

    Raises RemoteError like `Registry`. The first part of a repository's name is its project.
    """

    def is_harbor(self) -> bool:
        """False for a registry that knows no projects."""
        ...

    def names(self) -> tuple[str, ...]:
        """The projects that this user may see, sorted."""
        ...

    def exists(self, name: str) -> bool:
        """True when there is a project of this name."""
        ...

    def create(self, name: str, *, public: bool) -> bool:
        """Make a project; False when it is there already. Raises InputError (`project-name`)."""
        ...
