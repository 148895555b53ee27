"""Credential helpers: programs that keep passwords (https://github.com/docker/docker-credential-helpers).

`docker-credential-<name> get` reads the server's name on stdin and answers with JSON: `Username`, `Secret`.
"""

from __future__ import annotations

import re
import subprocess
import threading
from typing import Final

from renderer.adapters.registry.credentials import Credentials, Helper
from renderer.errors import Finding, InputError, Where
from renderer.formats.canonical_json import parse_json
from renderer.model.fields import Fields

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_OUTPUT_LIMIT: Final = 64 * 1024
_TOKEN_USER: Final = "<token>"  # noqa: S105 - what helpers say instead of a user name
_NOT_FOUND: Final = "credentials not found"


def ask_helper(helper: Helper, *, timeout: float = 30.0) -> Credentials | None:
    """What the helper knows, or None when it knows nothing. Raises InputError (`credential-helper`)."""
    if _NAME.match(helper.name) is None:
        raise _fault(helper, "its name may hold letters, digits, `.`, `_` and `-` only")
    try:
        process = subprocess.Popen(
            [f"docker-credential-{helper.name}", "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise _fault(helper, f"it cannot be started: {error.strerror}") from None
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(timeout, stop)
    timer.start()
    try:
        output = _converse(process, helper.server)
    finally:
        timer.cancel()
    if late.is_set():
        raise _fault(helper, f"it did not answer within {timeout:g} seconds")
    return _read(helper, output, process.returncode)


def _converse(process: subprocess.Popen[bytes], server: str) -> bytes:
    """Say the server's name, read a bounded answer, wait for the end."""
    with process:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(server.encode())
            process.stdin.close()
        except BrokenPipeError:  # it does not need to read; its answer decides
            pass
        output = process.stdout.read(_OUTPUT_LIMIT + 1)
        if len(output) > _OUTPUT_LIMIT:
            process.kill()
    return output


def _read(helper: Helper, output: bytes, code: int) -> Credentials | None:
    # The output may hold a secret: no message repeats any of it.
    if code != 0:
        if _NOT_FOUND.encode() in output:
            return None
        raise _fault(helper, f"it ended with exit code {code}")
    try:
        answer = Fields.of(parse_json(output, limit=_OUTPUT_LIMIT))
        username, secret = answer.text("Username"), answer.text("Secret")
    except ValueError:
        raise _fault(helper, "its answer is not JSON with `Username` and `Secret`") from None
    return Credentials(identity_token=secret) if username == _TOKEN_USER else Credentials(username, secret)


def _fault(helper: Helper, message: str) -> InputError:
    return InputError(
        Finding(
            code="credential-helper",
            message=f"the credential helper `docker-credential-{helper.name}` failed: {message}",
            where=Where(subject=f"credentials of {helper.server}"),
            hint=f"echo {helper.server} | docker-credential-{helper.name} get >/dev/null; echo $?",
        )
    )
