"""One blob on its way: mounted from where the registry has it already, else sent, and resumed where it broke off."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from renderer.errors import Finding, HopelessError, RemoteError, RendererError
from renderer.model.images.transfer import Delivery, Traffic
from renderer.model.reference import Digest
from renderer.ports import BundleSource, Journal, Progress, Registry
from renderer.structs import Struct, field
from renderer.transfer.crew import Crew

Place = tuple[Digest, str]
"""A blob in a repository."""


class Delivered(Struct, frozen=True, kw_only=True):
    """A delivery that is over: the places that it was for, and why some of them got nothing."""

    places: tuple[Place, ...]
    faults: Mapping[Place, tuple[Finding, ...]]
    traffic: Traffic


class Courier(Struct, frozen=True, kw_only=True):
    """Brings blobs to repositories. All repositories of one blob are served by one thread, so it is sent once.

    `source` gives the layout that a delivery names.
    """

    source: Callable[[str], BundleSource]
    registry: Registry
    journal: Journal
    progress: Progress
    crew: Crew
    closed: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    """Projects that are full or do not exist: whatever else goes there would travel to be refused."""

    def deliver(self, delivery: Delivery) -> Delivered:
        """Bring one blob to every repository that lacks it. Failures are kept, not raised."""
        digest, what = delivery.descriptor.digest, str(delivery.descriptor.digest)
        holders = list(delivery.held) or list(self.journal.holders(digest))
        faults: dict[Place, tuple[Finding, ...]] = {}
        sent = mounted = 0
        self.progress.sending(what, delivery.descriptor.size)
        try:
            for repository in delivery.missing:
                project = repository.partition("/")[0]
                if project in self.closed:
                    faults[digest, repository] = self.closed[project]
                    continue
                try:
                    if self._mounted(repository, digest, holders):
                        mounted += 1
                    else:
                        self._send(repository, delivery, what)
                        sent += 1
                except RendererError as error:
                    faults[digest, repository] = error.findings
                    if any(finding.code in {"registry-quota", "registry-not-found"} for finding in error.findings):
                        self.closed[project] = error.findings
                    continue
                self.journal.stored(repository, digest)
                holders.insert(0, repository)
        finally:
            self.progress.done(what)
        return Delivered(
            places=tuple((digest, repository) for repository in delivery.missing),
            faults=faults,
            traffic=Traffic(sent=sent, sent_bytes=sent * delivery.descriptor.size, mounted=mounted),
        )

    def _mounted(self, repository: str, digest: Digest, holders: list[str]) -> bool:
        """Whether the registry could take the blob from a repository that has it, or had it in an earlier run."""
        for holder in holders[:3]:
            if holder == repository:
                continue
            try:
                if self.crew.attempt(lambda holder=holder: self.registry.mount_blob(repository, digest, holder)):  # type: ignore[misc]
                    return True
            except HopelessError:
                raise
            except RemoteError:
                continue  # a source that may not be read is no reason not to send
        return False

    def _send(self, repository: str, delivery: Delivery, what: str) -> None:
        descriptor = delivery.descriptor
        plain = descriptor.bare
        source = self.source(delivery.source)

        def told(session: str, position: int) -> None:
            # noted first: an interrupted run must not lose the chunk that the registry has just confirmed
            if position < descriptor.size:
                self.journal.began(repository, descriptor.digest, session)
            self.progress.sent(what, position)
            self.crew.step()

        self.crew.attempt(
            lambda: self.registry.push_blob(
                repository,
                plain,
                lambda: source.open_blob(plain),
                session=self.journal.session(repository, descriptor.digest),
                on_progress=told,
            )
        )
