"""`sitewright generated`: what charts invent, and how a site settles it."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Command, Options
from renderer.cli.verbs.arguments import PROFILE
from renderer.model.outcome import Outcome


def _generated(options: Options) -> Outcome:
    from renderer.cli import wiring
    from renderer.commands.site.generated import generated

    files = wiring.files_around(options.text("profile"))
    with wiring.told_from_here(files) as told:
        return told(generated(wiring.workspace(files), files.relative(options.text("profile"))))


GENERATED: Final = Command(
    name="generated",
    summary="Show what the charts of a site invent (certificates, passwords, names), and how each of it is settled.",
    description=(
        "Needs the profile and its lock only: no bundle is read, nothing is rendered, no value is shown. What belongs "
        "together is one group; rules in the profile (spec.generated.rules) can name it. Ends with 1 when something is "
        "settled by nobody, and says which lines to add."
    ),
    arguments=(PROFILE,),
    examples=("sitewright generated profiles/demo.yaml", "sitewright generated profiles/demo.yaml --format json"),
    handler=_generated,
)
