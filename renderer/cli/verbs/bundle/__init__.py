"""`sitewright bundle …`: what a platform engineer and a security officer type."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Command
from renderer.cli.verbs.bundle.building import BUILD
from renderer.cli.verbs.bundle.carrying import PULL, PUSH
from renderer.cli.verbs.bundle.importing import IMPORT
from renderer.cli.verbs.bundle.keeping import GC, LIST
from renderer.cli.verbs.bundle.signing import KEYGEN, SIGN
from renderer.cli.verbs.bundle.updating import APPLY, DIFF
from renderer.cli.verbs.bundle.verifying import INSPECT, VERIFY

BUNDLE: Final = Command(
    name="bundle",
    summary="Build, import, sign, verify, inspect, carry, update and keep bundles; make keys.",
    commands=(BUILD, IMPORT, KEYGEN, SIGN, VERIFY, INSPECT, PUSH, PULL, DIFF, APPLY, LIST, GC),
    examples=("sitewright bundle build bundle.yaml -o build/bundle", "sitewright bundle verify build/bundle"),
)
