"""What a signature stands for: the bytes, and a bundle that agrees with its manifest, its rule and the lock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import COPY_AGAIN, ImageManifest
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.bundles.trust import TrustPolicy, TrustRule
from renderer.model.fields import FieldError, spell_path
from renderer.model.reference import Digest
from renderer.structs import replace

T = TypeVar("T")


def check_bytes(content: bytes, descriptor: Descriptor, what: str, where: Where) -> None:
    """Refuse bytes that are not what their descriptor says."""
    got = Digest.of(content)
    if len(content) != descriptor.size or got != descriptor.digest:
        raise BundleRefusedError(
            Finding(
                code="bundle-tampered",
                message=f"the {what} is not the one that its descriptor names",
                where=where,
                expected=f"{descriptor.digest}, {descriptor.size} bytes",
                got=f"{got}, {len(content)} bytes",
                hint=COPY_AGAIN,
            )
        )


def read_config(content: bytes, decode: Callable[[bytes], T], name: str, where: Where) -> T:
    """What the signed config, `bundle.json` or `delta.json`, describes.

    Raises BundleRefusedError (`bundle-malformed`, `unknown-api-version`).
    """
    try:
        return decode(content)
    except FieldError as error:
        where = replace(where, subject=name, path=spell_path(error.path) or None)
        code = error.code if error.code == "unknown-api-version" else "bundle-malformed"
        raise BundleRefusedError(replace(error.finding(), code=code, where=where)) from error
    except ValueError as error:
        where = replace(where, subject=name)
        raise BundleRefusedError(Finding(code="bundle-malformed", message=str(error), where=where)) from error


def check_agreement(bundle: Bundle, manifest: ImageManifest, name: str, where: Where) -> None:
    """The rule was chosen by the manifest's title, and copies carry the manifest's layers: both must hold."""
    if bundle.name != name:
        raise BundleRefusedError(
            Finding(
                code="bundle-tampered",
                message="the bundle's manifest and its config give it different names",
                where=where,
                expected=f"`{name}`, as the manifest says",
                got=f"`{bundle.name}`",
            )
        )
    listed = {layer.digest for layer in manifest.layers}
    for extension in bundle.extensions:
        for component in extension.components:
            if component.content.digest not in listed:
                raise BundleRefusedError(
                    Finding(
                        code="bundle-malformed",
                        message=f"component `{component.name}` of {extension.id} is not a layer of the manifest",
                        where=where,
                        got=str(component.content.digest),
                    )
                )


def check_age(bundle: Bundle, rule: TrustRule, policy: TrustPolicy, now: datetime, where: Where) -> None:
    """Refuse a bundle that is older than its rule admits."""
    if rule.max_age_days is None:
        return
    if now - bundle.created > timedelta(days=rule.max_age_days):
        raise BundleRefusedError(
            Finding(
                code="bundle-too-old",
                message=f"the bundle was made {(now - bundle.created).days} days ago",
                where=where,
                expected=f"at most {rule.max_age_days} days (trust policy `{policy.name}`, rule `{rule.bundles}`)",
                got=f"created {bundle.created:%Y-%m-%d}, judged on {now:%Y-%m-%d}",
                hint="get a newer version of the bundle",
            )
        )


def check_sequence(bundle: Bundle, locked: int, where: Where) -> None:
    """Refuse a bundle with a lower sequence than the lock holds."""
    if bundle.sequence >= locked:
        return
    raise BundleRefusedError(
        Finding(
            code="bundle-rollback",
            message="the bundle is older than the one that the lock holds",
            where=where,
            expected=f"sequence {locked} or higher",
            got=f"sequence {bundle.sequence}",
            hint="to go back on purpose, set `allowRollback: true` at this bundle in the profile",
        )
    )
