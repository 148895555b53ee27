"""Keys of age that are made anew for a test run, and randomness that a test can repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from renderer.formats.sealed.age import AgeIdentity, parse_identities
from renderer.model.generated.recipient import AgeRecipient, bech32_encode


@dataclass(frozen=True)
class KeyPair:
    """A private key as `age-keygen` writes it, and what it stands for."""

    text: str

    @property
    def identity(self) -> AgeIdentity:
        return parse_identities(self.text)[0]

    @property
    def recipient(self) -> AgeRecipient:
        return self.identity.recipient


def key_pair(name: str) -> KeyPair:
    """The key pair of this name: always the same one. It protects nothing."""
    secret = hashlib.sha256(f"a key for tests: {name}".encode()).digest()
    return KeyPair(bech32_encode("age-secret-key-", secret).upper() + "\n")


def counted(seed: str = "") -> Callable[[int], bytes]:
    """Bytes that look random and are the same in every run."""
    drawn = 0

    def random(count: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(f"{seed}:{drawn}".encode()).digest(count)

    return random
