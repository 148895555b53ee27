"""Arguments that several `bundle` verbs share."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Argument

BUNDLE: Final = Argument(names=("bundle",), help="an OCI layout: a directory or a tar file")
