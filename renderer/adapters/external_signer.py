"""Keys that never leave their device: another program signs (OpenSSL with PKCS#11, pkcs11-tool, a vendor's client)."""

from __future__ import annotations

import shlex
import subprocess
import threading
import time
from typing import IO, Final, cast

from renderer.errors import Finding, InputError, Where
from renderer.formats.trust.keys import PublicKey, parse_public_key
from renderer.formats.trust.raw_signatures import spellings

_ANSWER_LIMIT: Final = 8 * 1024
_SAID_LIMIT: Final = 4 * 1024
_SAID_LINES: Final = 20
_CHUNK: Final = 4096
_HINT: Final = "run the command by itself: it reads what is to be signed, and writes the signature and nothing else"


class ExternalSigner:
    """Satisfies `Signer` with a command: what is to be signed on its standard input, the signature on its output.

    `command` is split as a shell would, and no shell runs it. The signature is DER for ECDSA and SM2 (or the two
    numbers side by side), raw for Ed25519 and RSA; it must hold under `public_pem` before anybody else sees it. The
    program keeps its environment and its terminal, so that it can ask for a PIN. It may take `timeout` seconds.
    """

    def __init__(self, command: str, public_pem: bytes, *, timeout: float = 120.0) -> None:
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            self._arguments = []
            raise self._refusal("signer-not-found", f"the command of `--signer` is no command: {error}") from error
        if not self._arguments:
            raise self._refusal("signer-not-found", "the command of `--signer` is empty")
        self._public_pem = public_pem
        self._key: PublicKey = parse_public_key(public_pem)
        self._timeout = timeout

    @property
    def public_key(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo)."""
        return self._public_pem

    def sign(self, payload: bytes) -> bytes:
        """A signature over `payload` that the public key confirms.

        Raises InputError: `signer-not-found`, `signer-failed`, `signer-timeout`, `signature-not-of-key`.
        """
        answer = self._ask(payload)
        for signature in spellings(answer):
            if self._key.check(payload, signature) is not None:
                return signature
        raise self._refusal(
            "signature-not-of-key",
            "what the signer wrote is not a signature of the public key that was given",
            expected=f"a signature by the {self._key.kind} key {self._key.fingerprint}",
            got=f"{len(answer)} bytes",
        )

    def _ask(self, payload: bytes) -> bytes:
        try:
            process = subprocess.Popen(
                self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise self._refusal("signer-not-found", f"the signer cannot be started: {reason}") from error
        deadline = time.monotonic() + self._timeout
        answer = _Listener(cast("IO[bytes]", process.stdout), _ANSWER_LIMIT)
        said = _Listener(cast("IO[bytes]", process.stderr), _SAID_LIMIT)
        _tell(cast("IO[bytes]", process.stdin), payload)
        # A program that it started may hold the pipes longer than the program itself lives.
        if not (answer.wait(deadline) and said.wait(deadline) and _ended(process, deadline)):
            process.kill()
            process.wait()
            raise self._refusal(
                "signer-timeout", f"the signer did not finish within {self._timeout:g} seconds", told=said.heard
            )
        if process.returncode != 0:
            raise self._refusal(
                "signer-failed", f"the signer ended with exit code {process.returncode}", told=said.heard
            )
        if not 0 < len(answer.heard) <= _ANSWER_LIMIT:
            amount = "nothing" if not answer.heard else f"more than {_ANSWER_LIMIT} bytes"
            raise self._refusal("signer-failed", f"the signer wrote {amount} to its standard output", told=said.heard)
        return answer.heard

    def _refusal(
        self, code: str, message: str, *, told: bytes = b"", expected: str | None = None, got: str | None = None
    ) -> InputError:
        # The arguments may hold a PIN: only the program is named.
        where = Where(subject=f"--signer {shlex.quote(self._arguments[0]) if self._arguments else ''}".strip())
        lines = told[:_SAID_LIMIT].decode(errors="replace").splitlines()[:_SAID_LINES]
        shown = tuple("".join(char if char.isprintable() else " " for char in line) for line in lines)
        return InputError(
            Finding(code=code, message=message, where=where, expected=expected, got=got, explanation=shown, hint=_HINT)
        )


class _Listener:
    """Hears a pipe to its end in a thread of its own; keeps its first `limit` bytes and one more."""

    def __init__(self, pipe: IO[bytes], limit: int) -> None:
        self.heard = b""
        self._pipe = pipe
        self._limit = limit
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with self._pipe:
            while chunk := self._pipe.read1(_CHUNK):  # type: ignore[attr-defined]
                self.heard += chunk[: max(0, self._limit + 1 - len(self.heard))]

    def wait(self, deadline: float) -> bool:
        """Whether the pipe was closed before `deadline`."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()


def _tell(question: IO[bytes], payload: bytes) -> None:
    try:
        with question:  # closing writes what is left, and can fail as writing can
            question.write(payload)
    except BrokenPipeError:  # it did not read; what it answers decides
        pass


def _ended(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True
