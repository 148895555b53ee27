"""Commands about Sitewright itself: `schema`, `doctor`."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Argument, Command, Options
from renderer.model.outcome import Outcome


def _doctor(options: Options) -> Outcome:  # noqa: ARG001 - every handler takes options
    from renderer.cli.doctor import doctor

    return doctor()


def _schema(options: Options) -> Outcome:
    import json

    from renderer.adapters.package_data import schema, schema_names
    from renderer.cli.suggestion import unknown_value

    wanted, names = options.optional("kind"), schema_names()
    if wanted is None:
        return Outcome(text="\n".join(name.rpartition(".")[0] for name in names), document={"kinds": list(names)})
    found = [name for name in names if wanted in {name, name.rpartition(".")[0]}]
    if not found:
        raise unknown_value("schema", wanted, [name.rpartition(".")[0] for name in names])
    document = schema(found[-1])
    return Outcome(text=json.dumps(document, indent=2, ensure_ascii=False), document=document)


COMMANDS: Final = (
    Command(
        name="schema",
        summary="Print the JSON schema of a file that people write; without a kind, list the kinds.",
        arguments=(Argument(names=("kind",), help="such as site or trust-policy", takes="maybe", completes="nothing"),),
        examples=("sitewright schema site > schemas/site.v1.json", "sitewright schema"),
        handler=_schema,
    ),
    Command(
        name="doctor",
        summary="Look at what Sitewright needs on this machine and say what is missing.",
        description="Nothing is changed and no network is used. Ends with 1 when something that is needed is missing.",
        examples=("sitewright doctor",),
        handler=_doctor,
    ),
)
