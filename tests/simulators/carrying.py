"""Bundles on their way through registries: a workshop with a signed bundle, and the commands that carry it."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from renderer.adapters.journal import FileJournal
from renderer.adapters.layout_receiver import LayoutReceiver
from renderer.adapters.layout_writer import FileLayoutWriter
from renderer.adapters.registry.repository_source import RepositorySource
from renderer.cli.progress import Silent
from renderer.commands.bundle.carrying.pull import Origin, pull
from renderer.commands.bundle.carrying.push import PushOptions, push
from renderer.model.bundles.address import BundleAddress
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import Registry
from tests.realworld.stand_ins import write_layout
from tests.simulators.bundles import NOW, Workshop

IMAGES: Final = ("docker.io/library/nginx:1.27", "quay.io/team/api:2.0")
TRUST: Final = """\
apiVersion: sitewright.dev/v1
kind: TrustPolicy
metadata: {name: test}
spec:
  keys: [{name: vendor, publicKeyFile: keys/vendor.pub}]
  rules: [{bundles: "*", require: {threshold: 1, of: [vendor]}}]
"""


class Carrier:
    """The bundle `demo` in a workshop, signed by `vendor`, with images for two platforms cut to one."""

    def __init__(self, root: Path, *, upstream: Sequence[str] = ("linux/amd64", "linux/arm64")) -> None:
        self.root = root
        self.workshop = Workshop(root)
        self.workshop.sources(())
        self.workshop.key("vendor")
        self.images(IMAGES, upstream)
        self.workshop.write({"trust.yaml": TRUST})
        self.make()

    def images(self, references: Sequence[str], upstream: Sequence[str] = ("linux/amd64", "linux/arm64")) -> None:
        """Replace the images that the bundle is built from."""
        shutil.rmtree(self.root / "images")
        write_layout(self.root / "images", references, upstream)

    def make(self, output: str = "bundle.tar", *, version: str = "1.0.0", sequence: int = 3) -> None:
        """Build the bundle and sign it."""
        source = self.root / "bundle.yaml"
        text = source.read_text().replace("version: 1.0.0}", f"version: {version}}}")
        source.with_name("edition.yaml").write_text(text.replace("sequence: 3", f"sequence: {sequence}"))
        self.workshop.build(output, "edition.yaml")
        self.workshop.sign("vendor", output)

    def push(
        self,
        registry: Registry,
        address: str = "oci://registry.site.example/bundles/demo",
        bundle: str = "bundle.tar",
        *,
        retag: bool = False,
        recheck: bool = False,
        dry_run: bool = False,
    ) -> Outcome:
        """`bundle push`, as a new process does it."""
        options = PushOptions(jobs=2, retag=retag, recheck=recheck, dry_run=dry_run)
        journal = FileJournal(self.root / "state", registry.location)
        place = BundleAddress.parse(address)
        return push(self.workshop.open(bundle), place, registry, journal, Silent(), options)

    def pull(
        self,
        registry: Registry,
        output: str,
        address: str = "oci://registry.site.example/bundles/demo:1.0.0",
        *,
        signers: Sequence[str] = ("vendor",),
    ) -> Outcome:
        """`bundle pull`."""
        earlier = self.workshop.open(output) if (self.root / output).exists() else None
        place = BundleAddress.parse(address)
        policy = self.workshop.policy(*signers, threshold=len(signers))
        origin = Origin(address=place, registry=registry, source=RepositorySource(registry, place))
        with LayoutReceiver(self.root / output, output, FileLayoutWriter(self.root), earlier) as incoming:
            return pull(origin, policy, incoming, Silent(), jobs=2, now=NOW)

    def bytes_of(self, bundle: str) -> bytes:
        """The bytes of a bundle in a tar file."""
        return (self.root / bundle).read_bytes()

    def blobs(self, bundle: str) -> dict[Digest, bytes]:
        """All blobs of a bundle in a tar file, in its order."""
        with tarfile.open(self.root / bundle) as archive:
            files = {one.name: archive.extractfile(one) for one in archive if one.name.startswith("blobs/")}
            return {Digest("sha256", name[13:]): file.read() for name, file in files.items() if file is not None}
