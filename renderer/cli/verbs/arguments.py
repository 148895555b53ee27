"""Arguments that several commands share."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Argument

PROFILE: Final = Argument(names=("profile",), help="the profile of a site, such as profiles/demo.yaml")
PROFILES: Final = Argument(names=("profile",), help="one or more profiles", takes="many")
ENGINE: Final = Argument(
    names=("--engine",),
    help="what inflates charts: embedded, executable (helm on PATH) or executable:/path/to/helm (default: embedded)",
    default="embedded",
)
TREE_PLACES: Final = (
    Argument(names=("--out", "-o"), help="a directory for the trees", metavar="DIR", completes="directories"),
    Argument(
        names=("--repo",),
        help="a git repository: a path of this machine, or a URL (ssh://, git@host:path, https://, file://)",
        metavar="REPOSITORY",
        completes="directories",
    ),
    Argument(names=("--branch", "-b"), help="the branch of --repo", completes="nothing"),
)
