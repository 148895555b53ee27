"""`sitewright images verify`: asks whether everything that the lock pins is really in the site registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from renderer.commands.images.inspecting import inspect
from renderer.commands.images.report import grouped
from renderer.errors import Finding, RemoteError, Where
from renderer.formats.documents.wording import count, size, table
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.fields import Json
from renderer.model.images.transfer import ImageTarget, Inspection
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import Registry
from renderer.stages.verify.signers import public_keys
from renderer.structs import Struct
from renderer.transfer.crew import Crew

_ROWS: Final = 12


class Verified(Struct, frozen=True, kw_only=True):
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


def verify(
    targets: Sequence[ImageTarget],
    registry: Registry,
    *,
    jobs: int = 4,
    deep: bool = False,
    policy: TrustPolicy | None = None,
) -> Verified:
    """Ask the registry for every tag, manifest, config and layer of `targets`; `deep` reads and hashes them too.

    `policy` has the keys whose signatures the lock says are there. Raises InputError (`invalid-public-key`).
    """
    keys = public_keys(policy) if policy and any(target.signers for target in targets) else {}
    with Crew.of(jobs) as crew:
        looked = crew.map(lambda target: inspect(target, registry, crew, deep=deep, keys=keys), targets)
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
        options = " ".join(sorted({_option(one) for one in broken}))
        rows = [
            (str(one.target.reference), lack.what, _short(lack.digest), lack.got)
            for one in broken
            for lack in one.lacks[:_ROWS]
        ]
        lines += ["", *table(("image", "missing", "digest", "found"), rows), "", f"  mend it: {mend} {options}"]
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


def _option(one: Inspection) -> str:
    """What `images sync` needs to mend an image: a tag that stands for another image is moved on demand only."""
    only_tag = all(lack.what.startswith("tag ") and lack.got != "no such tag" for lack in one.lacks)
    return "--retag" if only_tag else "--recheck"


def _finding(one: Inspection, mend: str) -> Finding:
    rotten = any(lack.what in {"config", "layer"} and lack.got.startswith("sha") for lack in one.lacks)
    # a registry keeps the content that it has under a digest, wrong as it is, when the right one is sent
    first = "delete the rotten blobs from the registry's storage, then " if rotten else ""
    return Finding(
        code="image-incomplete",
        message=f"`{one.target.reference}` is not whole in the site registry: {count(len(one.lacks), 'thing')} missing",
        where=Where(subject=f"image {one.target.reference}"),
        expected=f"`{one.target.repository}` with {one.target.digest}",
        explanation=tuple(f"{lack.what} {lack.digest}: {lack.got}" for lack in one.lacks[:_ROWS]),
        hint=f"{first}{mend} {_option(one)}",
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
