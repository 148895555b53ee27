"""What nodes demand of an image before they run it."""

from __future__ import annotations

from renderer.structs import Struct


class SignatureDemand(Struct, frozen=True):
    """For each of `keys`, a signature over the image by one of these public keys (PEM)."""

    keys: tuple[tuple[bytes, ...], ...]

    def __post_init__(self) -> None:
        if not self.keys or not all(self.keys):
            raise ValueError("a demand that asks for nobody is none")
