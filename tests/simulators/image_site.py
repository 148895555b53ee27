"""A verified bundle that carries images, and a sync of it: real files and keys, any registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from renderer.adapters.journal import FileJournal
from renderer.cli.progress import Silent
from renderer.commands.images.bundle_plan import targets_of_bundle
from renderer.commands.images.loads import Hold
from renderer.commands.images.sync import SyncOptions, sync
from renderer.commands.images.verify import verify, verify_outcome
from renderer.model.images.transfer import ImageTarget
from renderer.model.outcome import Outcome
from renderer.ports import Registry
from tests.realworld.stand_ins import write_layout
from tests.simulators.bundles import SOURCE, Workshop

IMAGES = ("docker.io/library/nginx:1.27", "quay.io/team/api:2.0", "quay.io/team/web:2.0")


class ImageSite:
    """The bundle `demo` in a directory, and commands over its images."""

    def __init__(
        self,
        root: Path,
        images: Sequence[str] = IMAGES,
        upstream: Sequence[str] = ("linux/amd64",),
        platforms: str = "linux/amd64",
    ) -> None:
        self.root = root
        self.workshop = Workshop(root)
        self.workshop.sources(())
        self.workshop.write({"bundle.yaml": SOURCE.replace("[linux/amd64]", f"[{platforms}]")})
        self.images(images, upstream)
        self.workshop.key("vendor")
        self.bundle()

    def images(self, images: Sequence[str], upstream: Sequence[str] = ("linux/amd64",)) -> None:
        """Replace the images that the bundle is built from."""
        import shutil

        shutil.rmtree(self.root / "images", ignore_errors=True)
        write_layout(self.root / "images", images, upstream)

    def bundle(self) -> None:
        """Build the bundle anew and sign it."""
        self.workshop.build()
        self.workshop.sign("vendor")
        self.verified = self.workshop.load(self.workshop.policy("vendor"))
        self.hold = Hold([self.verified], {self.verified.source: self.workshop.open()})

    @property
    def targets(self) -> tuple[ImageTarget, ...]:
        """All images of the bundle in the projects `hub` and `quay`."""
        return targets_of_bundle(self.verified.bundle, {"docker.io": "hub", "quay.io": "quay"})

    @property
    def journal(self) -> FileJournal:
        """The journal as a new process finds it."""
        return FileJournal(self.root / "state", "https://registry.site.example")

    def sync(
        self, registry: Registry, *, retag: bool = False, dry_run: bool = False, recheck: bool = False, jobs: int = 2
    ) -> Outcome:
        """`images sync`."""
        options = SyncOptions(jobs=jobs, retag=retag, dry_run=dry_run, recheck=recheck)
        return sync(self.targets, self.hold, registry, self.journal, Silent(), options)

    def verify(self, registry: Registry, *, deep: bool = False) -> Outcome:
        """`images verify`."""
        return verify_outcome(verify(self.targets, registry, deep=deep), "sitewright images sync demo.yaml")
