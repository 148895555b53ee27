"""Commands about Sitewright itself: `schema`, `doctor`."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Command, Options
from renderer.model.outcome import Outcome


def _doctor(options: Options) -> Outcome:  # noqa: ARG001 - every handler takes options
    from renderer.cli.doctor import doctor

    return doctor()


COMMANDS: Final = (
    Command(
        name="doctor",
        summary="Look at what Sitewright needs on this machine and say what is missing.",
        description="Nothing is changed, nothing outside of this machine is asked. Ends with 1 when something is missing.",
        examples=("sitewright doctor",),
        handler=_doctor,
    ),
)
