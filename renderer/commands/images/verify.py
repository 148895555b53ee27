"""`sitewright images verify`: asks whether everything that the lock pins is really in the site registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from renderer.commands.images.report import grouped
from renderer.errors import BundleRefusedError, Finding, RemoteError, RendererError, Where
from renderer.formats.bundle.artifact import INDEX_TYPES, parse_index, parse_manifest
from renderer.formats.documents.wording import count, size, table
from renderer.model.bundles.extension import Descriptor
from renderer.model.fields import Json
from renderer.model.images.transfer import ImageTarget, Inspection, Lack
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import FoundManifest, Registry
from renderer.transfer.crew import Crew

_CHUNK: Final = 1024 * 1024
_ROWS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification found: every image, and causes that kept an image from being looked at."""

    inspections: tuple[Inspection, ...]
    faults: tuple[tuple[str, tuple[Finding, ...]], ...]
    deep: bool
    location: str

    @property
    def complete(self) -> bool:
        """True when every image was looked at and nothing is missing."""
        return not self.faults and all(one.complete for one in self.inspections)

    @property
    def blobs(self) -> dict[Digest, int]:
        """Everything that was found whole, with its size."""
        return {digest: held for one in self.inspections for digest, held in one.blobs.items()}

    @property
    def repositories(self) -> dict[Digest, str]:
        """For everything that was found whole, a repository that holds it."""
        return {digest: one.target.repository for one in self.inspections for digest in one.blobs}


def verify(targets: Sequence[ImageTarget], registry: Registry, *, jobs: int = 4, deep: bool = False) -> Verified:
    """Ask the registry for every tag, manifest, config and layer of `targets`; `deep` reads and hashes them too."""
    with Crew.of(jobs) as crew:
        looked = crew.map(lambda target: _inspected(target, registry, crew, deep=deep), targets)
    pairs = list(zip(targets, looked, strict=True))
    return Verified(
        inspections=tuple(one for one in looked if isinstance(one, Inspection)),
        faults=tuple((str(target.reference), one) for target, one in pairs if not isinstance(one, Inspection)),
        deep=deep,
        location=registry.location,
    )


def verify_outcome(verified: Verified, mend: str) -> Outcome:
    """The table of what is missing; failed, with exit code 5, when anything is. `mend` is the command that mends it."""
    broken = [one for one in verified.inspections if not one.complete]
    whole = len(verified.inspections) - len(broken)
    total = len(verified.inspections) + len(verified.faults)
    blobs = verified.blobs
    did = "hashed" if verified.deep else "there with the right size"
    lines = [
        f"{count(total, 'image')} in {verified.location}: {whole} complete"
        + (f", {len(broken)} incomplete" if broken else "")
        + (f", {len(verified.faults)} not seen" if verified.faults else ""),
        f"  {count(len(blobs), 'blob')} {did} ({size(sum(blobs.values()))})",
    ]
    if broken:
        rows = [
            (str(one.target.reference), lack.what, _short(lack.digest), lack.got)
            for one in broken
            for lack in one.lacks[:_ROWS]
        ]
        lines += ["", *table(("image", "missing", "digest", "found"), rows), "", f"  mend it: {mend} --recheck"]
    document: Json = {
        "registry": verified.location,
        "complete": verified.complete,
        "deep": verified.deep,
        "blobs": len(blobs),
        "bytes": sum(blobs.values()),
        "images": [_json(one) for one in verified.inspections],
        "notSeen": [reference for reference, _ in verified.faults],
    }
    findings = (*(_finding(one, mend) for one in broken), *grouped(verified.faults))
    return Outcome(
        text="\n".join(lines),
        document=document,
        findings=findings,
        failed=not verified.complete,
        exit_code=RemoteError.exit_code,
    )


def _inspected(target: ImageTarget, registry: Registry, crew: Crew, *, deep: bool) -> Inspection | tuple[Finding, ...]:
    look = _Look(target=target, registry=registry, crew=crew, deep=deep)
    try:
        look.image()
    except RendererError as error:
        return error.findings
    return Inspection(target=target, blobs=look.blobs, lacks=tuple(look.lacks))


@dataclass(slots=True, kw_only=True)
class _Look:
    """Looks at one image, from its tag down to its layers. Nothing is believed but digests."""

    target: ImageTarget
    registry: Registry
    crew: Crew
    deep: bool
    blobs: dict[Digest, int] = field(default_factory=dict)
    lacks: list[Lack] = field(default_factory=list)

    def image(self) -> None:
        """Raises RemoteError when the registry does not answer."""
        target = self.target
        by_tag = self._manifest(target.tag) if target.tag is not None else None
        right = by_tag is not None and by_tag.digest == target.digest
        root = by_tag if right else self._manifest(str(target.digest))
        if target.tag is not None and not right:
            got = str(by_tag.digest) if by_tag is not None else "no such tag"
            self.lacks.append(Lack(what=f"tag {target.tag}", digest=target.digest, got=got))
        if root is None:
            kind = "index" if target.manifests else "manifest"
            self.lacks.append(Lack(what=kind, digest=target.digest, got="nothing"))
        elif root.media_type in INDEX_TYPES:
            self.blobs[root.digest] = len(root.content)
            self._index(root)
        if target.digest in target.platforms.values() and root is not None:
            self._platform(root)
        for platform, digest in sorted(target.platforms.items()):
            if digest == target.digest:
                continue
            found = self._manifest(str(digest))
            if found is None:
                self.lacks.append(Lack(what=f"manifest for {platform}", digest=digest, got="nothing"))
            else:
                self._platform(found)

    def _manifest(self, reference: str) -> FoundManifest | None:
        found = self.crew.attempt(lambda: self.registry.manifest(self.target.repository, reference))
        if found is None or ":" not in reference or str(found.digest) == reference:
            return found
        self.lacks.append(Lack(what="manifest", digest=Digest.parse(reference), got=str(found.digest)))
        return None

    def _index(self, root: FoundManifest) -> None:
        """Every manifest that the site needs must stand in the index, or no node finds it."""
        try:
            listed = {entry.descriptor.digest for entry in parse_index(root.content, self._where(root.digest))}
        except BundleRefusedError:
            self.lacks.append(Lack(what="index", digest=root.digest, got="not an index that can be read"))
            return
        self.lacks += [
            Lack(what=f"index entry for {platform}", digest=digest, got="nothing")
            for platform, digest in sorted(self.target.platforms.items())
            if digest not in listed
        ]

    def _platform(self, found: FoundManifest) -> None:
        self.blobs[found.digest] = len(found.content)
        try:
            parsed = parse_manifest(found.content, self._where(found.digest))
        except BundleRefusedError:
            self.lacks.append(Lack(what="manifest", digest=found.digest, got=f"`{found.media_type}`, not readable"))
            return
        for what, blob in (("config", parsed.config), *(("layer", layer) for layer in parsed.layers)):
            if blob.digest not in self.blobs:
                self._blob(what, blob)

    def _blob(self, what: str, blob: Descriptor) -> None:
        held = self.crew.attempt(lambda: self.registry.has_blob(self.target.repository, blob.digest))
        if held != blob.size:
            got = "nothing" if held is None else f"{size(held)} instead of {size(blob.size)}"
            self.lacks.append(Lack(what=what, digest=blob.digest, got=got))
        elif not self.deep or self._hashed(what, blob):
            self.blobs[blob.digest] = blob.size

    def _hashed(self, what: str, blob: Descriptor) -> bool:
        """Read a blob to its end: its stream refuses the last byte when the digest is wrong."""
        try:
            with self.crew.attempt(lambda: self.registry.read_blob(self.target.repository, blob)) as stream:
                while stream.read(_CHUNK):
                    self.crew.step()
        except BundleRefusedError as error:
            self.lacks.append(Lack(what=what, digest=blob.digest, got=error.findings[0].got or "another content"))
            return False
        except RemoteError as error:
            if not any(finding.code == "registry-not-found" for finding in error.findings):
                raise
            self.lacks.append(Lack(what=what, digest=blob.digest, got="nothing"))
            return False
        return True

    def _where(self, digest: Digest) -> Where:
        return Where(subject=f"manifest {digest}")


def _finding(one: Inspection, mend: str) -> Finding:
    rotten = any(lack.what in {"config", "layer"} and lack.got.startswith("sha") for lack in one.lacks)
    only_tag = all(lack.what.startswith("tag ") and lack.got != "no such tag" for lack in one.lacks)
    # a registry keeps the content that it has under a digest, wrong as it is, when the right one is sent
    first = "delete the rotten blobs from the registry's storage, then " if rotten else ""
    return Finding(
        code="image-incomplete",
        message=f"`{one.target.reference}` is not whole in the site registry: {count(len(one.lacks), 'thing')} missing",
        where=Where(subject=f"image {one.target.reference}"),
        expected=f"`{one.target.repository}` with {one.target.digest}",
        explanation=tuple(f"{lack.what} {lack.digest}: {lack.got}" for lack in one.lacks[:_ROWS]),
        hint=f"{first}{mend} {'--retag' if only_tag else '--recheck'}",
    )


def _short(digest: Digest) -> str:
    return f"{digest.algorithm}:{digest.hex[:12]}"


def _json(one: Inspection) -> Json:
    return {
        "reference": str(one.target.reference),
        "repository": one.target.repository,
        "digest": str(one.target.digest),
        "complete": one.complete,
        "missing": [{"what": lack.what, "digest": str(lack.digest), "found": lack.got} for lack in one.lacks],
    }
