"""The two streams of the terminal: results on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

_STYLES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2"}


class Console:
    """Prints. Colour goes to a terminal only, and not when NO_COLOR, `TERM=dumb` or `--no-color` speak against it."""

    def __init__(self, out: TextIO, err: TextIO, *, environment: Mapping[str, str], colour: bool = True) -> None:
        self._out = out
        self._err = err
        wanted = colour and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        self._out_colour = wanted and out.isatty()
        self._err_colour = wanted and err.isatty()

    @classmethod
    def standard(cls, *, colour: bool = True) -> Console:
        """The streams of this process. Characters that the terminal's encoding lacks are replaced, never fatal."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        return cls(sys.stdout, sys.stderr, environment=os.environ, colour=colour)

    @property
    def width(self) -> int:
        """Columns for help texts: those of the terminal within reason, 100 when there is none."""
        if not self._out.isatty():
            return 100
        import shutil

        return max(60, min(shutil.get_terminal_size((100, 24)).columns, 110))

    def result(self, text: str) -> None:
        """Print a result on standard output, with a line break at its end. An empty result prints nothing."""
        if text:
            self._out.write(f"{text}\n")
            self._out.flush()

    def remark(self, text: str) -> None:
        """Print something that is not a result on standard error."""
        if text:
            self._out.flush()
            self._err.write(f"{text}\n")
            self._err.flush()

    def styled(self, text: str, *styles: str, on_error: bool = True) -> str:
        """`text` with these styles where it will be seen in colour (standard error unless told otherwise)."""
        if not text or not (self._err_colour if on_error else self._out_colour):
            return text
        return f"\x1b[{';'.join(_STYLES[style] for style in styles)}m{text}\x1b[0m"
