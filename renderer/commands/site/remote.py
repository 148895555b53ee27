"""Which bundle of a repository a profile means: the newest that it admits for `lock`, then the one that is locked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.model.bundles.address import newest, version_tag, versions
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.structs import Struct

if TYPE_CHECKING:
    from renderer.model.lock import Lock
    from renderer.model.reference import Digest
    from renderer.model.site import BundleRequest
    from renderer.ports import BundleRepository

_SHOWN: Final = 5


class Choice(Struct, frozen=True, kw_only=True):
    """What to ask the repository for: the tag of a version, or the digest that a lock names."""

    tag: str | None = None
    digest: Digest | None = None

    @property
    def reference(self) -> str:
        """The tag or the digest, as a registry is asked."""
        return self.tag or str(self.digest)


def locked_choice(request: BundleRequest, lock: Lock | None) -> Choice | None:
    """The bundle that `lock` names for this source, as long as the profile admits its version."""
    entries = lock.bundles if lock else ()
    found = next((one for one in entries if one.source == request.source), None)
    if found is None or (request.version is not None and not request.version.allows(found.version)):
        return None
    return Choice(digest=found.digest)


def newest_choice(request: BundleRequest, repository: BundleRepository, where: Where) -> Choice:
    """The newest version that the profile admits. Raises InputError (`bundle-version`), RemoteError."""
    tags = repository.tags()
    tag = newest(tags, request.version)
    if tag is not None:
        return Choice(tag=tag)
    found = [f"`{one}`" for _, one in versions(tags)]
    raise InputError(
        Finding(
            code="bundle-version",
            message=f"`{request.source}` has no version that the profile admits",
            where=where,
            expected=f"`{request.version}`" if request.version else "a release",
            got=", ".join([*found[:_SHOWN], *(["…"] if len(found) > _SHOWN else [])]) or "no tag that is a version",
            hint=f"sitewright bundle push BUNDLE {request.source}",
        )
    )


def check_choice(choice: Choice, bundle: VerifiedBundle, where: Where) -> None:
    """Refuse a tag that stands for another version: tags are not signed, versions are.

    Raises BundleRefusedError (`bundle-tag-differs`).
    """
    expected = version_tag(bundle.bundle.version)
    if choice.tag in {None, expected}:
        return
    raise BundleRefusedError(
        Finding(
            code="bundle-tag-differs",
            message=f"the bundle under the tag `{choice.tag}` has another version",
            where=where,
            expected=f"`{bundle.bundle.name}` {choice.tag}",
            got=f"`{bundle.id}`, {bundle.manifest.digest}",
            hint=f"push it under its version, `{expected}`, and delete the tag",
        )
    )
