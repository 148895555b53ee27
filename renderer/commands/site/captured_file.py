"""The file of captured values beside a profile: read for a render, and for the lock that writes it anew."""

from __future__ import annotations

from renderer.commands.site.loading import Loader, generated_path
from renderer.errors import Finding, InputError, Severity, Where
from renderer.formats.sealed.age import AgeIdentity, parse_identities
from renderer.formats.sealed.generated_values import GeneratedFile, OpenedFile, decode_generated, open_generated
from renderer.model.generated.sealed import NOTHING_CAPTURED, Captured
from renderer.model.lock import Lock
from renderer.model.reference import Digest
from renderer.ports import KeyText, Sealing
from renderer.structs import Struct, replace

_KEY_HINT = "export SOPS_AGE_KEY_FILE=FILE"


class Kept(Struct, frozen=True, kw_only=True):
    """The file that a lock finds. None when there is none; `findings` are warnings about it."""

    path: str
    file: GeneratedFile | None = None
    digest: Digest | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def captured(self) -> Captured:
        """What was captured before."""
        return self.file.captured if self.file else NOTHING_CAPTURED


def locked_values(loader: Loader, profile: str, lock: Lock) -> Captured:
    """What was captured for `lock`. Needs no private key.

    Raises InputError (`lock-drift-generated`) when the file is not the one that the lock was written with.
    """
    if lock.captured is None:
        return NOTHING_CAPTURED
    path, files = generated_path(profile), loader.workspace.files
    if not files.exists(path):
        raise InputError(_drifted("is not there", path, lock.captured, None, profile))
    content = files.read(path)
    if (found := Digest.of(content)) != lock.captured:
        raise InputError(_drifted("is not the one that the lock was written with", path, lock.captured, found, profile))
    return decode_generated(content, path, profile).captured


def kept_values(loader: Loader, profile: str, old: Lock | None, site: str) -> Kept:
    """The file that is there, for a lock that is about to be written. Raises InputError when it cannot be read."""
    path, files = generated_path(profile), loader.workspace.files
    if not files.exists(path):
        if old is not None and old.captured is not None:
            raise InputError(_lost(path))
        return Kept(path=path)
    content = files.read(path)
    file, digest = decode_generated(content, path, profile), Digest.of(content)
    findings = []
    if file.site != site:
        raise InputError(_of_another_site(path, file.site, site))
    if old is not None and old.captured != digest:
        finding = _drifted("was changed after the lock was written", path, old.captured, digest, profile)
        findings.append(replace(finding, severity=Severity.WARNING, hint=f"look at what changed: git diff -- {path}"))
    return Kept(path=path, file=file, digest=digest, findings=tuple(findings))


def opened(kept: Kept, sealing: Sealing, needs: tuple[str, ...]) -> OpenedFile | None:
    """The secrets of a kept file, with the private keys of this machine; None when there are none to open.

    `needs` says what they are needed for. Raises InputError (`sealed-key-needed`, `sealed-key-wrong`,
    `sealed-unreadable`, `invalid-private-key`, `key-not-found`). Where nothing needs them, no key is no fault: None.
    """
    if kept.file is None or kept.file.current is None:
        return None
    texts = sealing.key_texts() if needs else _texts_at_hand(sealing)
    identities = tuple(identity for text in texts for identity in _identities(text))
    if not identities:
        if needs:
            raise InputError(_key_needed(kept, needs))
        return None
    try:
        return open_generated(kept.file, identities, kept.path)
    except InputError:
        if needs:
            raise
        return None


def _texts_at_hand(sealing: Sealing) -> tuple[KeyText, ...]:
    try:
        return sealing.key_texts()
    except InputError:
        return ()


def _identities(text: KeyText) -> tuple[AgeIdentity, ...]:
    try:
        return parse_identities(text.text)
    except ValueError as error:
        raise InputError(
            Finding(
                code="invalid-private-key",
                message=f"the private keys in `{text.location}` cannot be used: {error}",
                where=Where(subject=text.location),
                expected="private keys as `age-keygen` prints them",
                hint=_KEY_HINT,
            )
        ) from None


def _key_needed(kept: Kept, needs: tuple[str, ...]) -> Finding:
    recipients = " or ".join(f"`{one}`" for one in kept.captured.recipients)
    more = f" and {len(needs) - 1} more" if len(needs) > 1 else ""
    return Finding(
        code="sealed-key-needed",
        message=f"a private key is needed to {needs[0]}{more}",
        where=Where(file=kept.path),
        expected=f"the private key of {recipients}",
        explanation=needs[:10],
        hint=_KEY_HINT,
    )


def _drifted(how: str, path: str, expected: Digest | None, got: Digest | None, profile: str) -> Finding:
    return Finding(
        code="lock-drift-generated",
        message=f"the file of captured values `{path}` {how}",
        where=Where(file=path),
        expected=str(expected) if expected else "no such file",
        got=str(got) if got else None,
        hint=f"git checkout HEAD -- {path}, or sitewright lock {profile}",
    )


def _lost(path: str) -> Finding:
    return Finding(
        code="captured-values-lost",
        message=f"the lock was written with captured values, and `{path}` is not there: new ones would replace them",
        where=Where(file=path),
        explanation=("to give up what was captured, remove the lock too",),
        hint=f"git checkout HEAD -- {path}",
    )


def _of_another_site(path: str, found: str, site: str) -> Finding:
    return Finding(
        code="captured-for-another-site",
        message=f"`{path}` holds what was captured for another site",
        where=Where(file=path, path="metadata.name"),
        expected=f"`{site}`",
        got=f"`{found}`",
        hint="give the site its old name, or remove the file and the lock to capture everything anew",
    )
