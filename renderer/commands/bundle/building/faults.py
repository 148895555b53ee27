"""Faults of many parts, so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from renderer.errors import BundleRefusedError, Finding, InputError, RemoteError

_TOLD_ONCE: Final = frozenset({"registry-unreachable", "registry-tls", "registry-unauthorized"})


class FaultsOfParts:
    """Collects what is wrong with the parts of a bundle that is about to be built."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._only_remote = True

    @contextmanager
    def of_part(self) -> Iterator[None]:
        """A block that reads one part; what is wrong with it is kept."""
        try:
            yield
        except (InputError, BundleRefusedError) as error:
            self.add(*error.findings)
        except RemoteError as error:
            self._findings += error.findings

    def add(self, *findings: Finding) -> None:
        """Keep faults that were found without an exception."""
        self._findings += findings
        self._only_remote = self._only_remote and not findings

    def raise_if_any(self) -> None:
        """Raises RemoteError when registries are all that stands in the way, else InputError.

        A registry that will not answer is told once, not for everything that it was asked for.
        """
        unique: dict[object, Finding] = {}
        for one in self._findings:
            unique.setdefault((one.code, one.message) if one.code in _TOLD_ONCE else one, one)
        if unique:
            raise (RemoteError if self._only_remote else InputError)(*unique.values())
