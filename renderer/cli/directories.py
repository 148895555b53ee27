"""Where a machine lets programs keep things (https://specifications.freedesktop.org/basedir-spec)."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """What can be fetched again: below XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sitewright"


def state() -> Path:
    """What saves work the next time: below XDG_STATE_HOME."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "sitewright"
