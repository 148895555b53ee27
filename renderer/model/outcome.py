"""What a command hands to the terminal: one result in two shapes, and the findings that go with it."""

from __future__ import annotations

from renderer.errors import Finding
from renderer.model.fields import Json
from renderer.structs import Struct


class Outcome(Struct, frozen=True, kw_only=True):
    """The result of a command that ran to its end; a command that could not raises RendererError instead.

    `text` is what stdout shows in the text format, with no line break at its end (empty: show nothing); `document`
    is what `--format json` prints. `findings` go to stderr in the text format. `failed` makes the process end with
    `exit_code`: the command did its work, and its answer is no (a check failed, a lock has drifted, images lack).
    """

    text: str
    document: Json
    findings: tuple[Finding, ...] = ()
    failed: bool = False
    exit_code: int = 1
