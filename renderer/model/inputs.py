"""What a render depends on besides the tree it replaces."""

from __future__ import annotations

from renderer.model.bundles.trust import Verdict
from renderer.model.lock import LockedBundle, LockedEngine
from renderer.model.reference import Digest
from renderer.structs import Struct


class RenderInputs(Struct, frozen=True, kw_only=True):
    """The inputs of a render, each by digest; equal inputs and an equal tree before give equal bytes.

    `profile` is `Site.digest` and `profile_file` the file it was read from; `lock` is the digest of the lock file;
    `templates` covers the templates that ship with Sitewright and those of the site. `verdicts` say why the bundles
    were believed when this was rendered; `demands` is the digest of what nodes demand of images, where the profile asks
    for that.
    """

    site: str
    profile_file: str
    profile: Digest
    lock: Digest
    templates: Digest
    bundles: tuple[LockedBundle, ...]
    engine: LockedEngine
    sitewright: str
    verdicts: tuple[Verdict, ...] = ()
    demands: Digest | None = None
