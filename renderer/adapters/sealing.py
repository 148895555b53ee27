"""What sealing takes from this machine: randomness, and the private keys of age where SOPS looks for them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.ports import KeyText

_KEYS: Final = "SOPS_AGE_KEY"
_KEY_FILE: Final = "SOPS_AGE_KEY_FILE"
_USUAL_FILE: Final = "sops/age/keys.txt"
_LARGEST: Final = 64 * 1024


class MachineSealing:
    """Satisfies `Sealing`. The keys are read when they are asked for, each time.

    They come from SOPS_AGE_KEY, from the file that SOPS_AGE_KEY_FILE names, and from `sops/age/keys.txt` in the user's
    configuration directory: the places of SOPS (`age/keysource.go`), but for its commands, plugins and SSH keys.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment

    def random(self, count: int) -> bytes:
        """So many bytes from the system's generator."""
        import secrets  # what loads it is slow, and few commands need it

        return secrets.token_bytes(count)

    def key_texts(self) -> tuple[KeyText, ...]:
        """The texts that hold private keys. Raises InputError (`key-not-found`)."""
        found = []
        if given := self._environment.get(_KEYS):
            found.append(KeyText(location=_KEYS, text=given))
        if named := self._environment.get(_KEY_FILE):
            found.append(_read(Path(named), named))
        usual = self._usual()
        if usual is not None and usual.is_file():
            found.append(_read(usual, str(usual)))
        return tuple(found)

    def _usual(self) -> Path | None:
        """The file that `sops` reads without being told, as Go's `os.UserConfigDir` and `sops` find it."""
        environment = self._environment
        if directory := environment.get("XDG_CONFIG_HOME"):
            return Path(directory) / _USUAL_FILE
        if not (home := environment.get("HOME")):
            return None
        return Path(home) / ("Library/Application Support" if sys.platform == "darwin" else ".config") / _USUAL_FILE


def _read(path: Path, location: str) -> KeyText:
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        return KeyText(location=location, text=content.decode())
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(
            Finding(
                code="key-not-found",
                message=f"the private keys in `{location}` cannot be read: {why}",
                where=Where(subject=_KEY_FILE),
                expected="a file that `age-keygen` wrote",
                hint=f"export {_KEY_FILE}=FILE, or unset {_KEY_FILE}",
            )
        ) from error
