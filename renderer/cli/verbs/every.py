"""All commands, in the order in which the help lists them."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Argument, Command, Options
from renderer.cli.verbs.bundle import BUNDLE
from renderer.cli.verbs.generated import GENERATED
from renderer.cli.verbs.images import IMAGES
from renderer.cli.verbs.machine import COMMANDS as MACHINE
from renderer.cli.verbs.reviewing import CHECK, DIFF, RESOLVE
from renderer.cli.verbs.site import INIT, LOCK, MIRRORS, OUTDATED, RENDER, TREE, VALIDATE, VALUES, WHY
from renderer.model.outcome import Outcome


def _completion(options: Options) -> Outcome:
    from renderer.cli.completion import script

    text = script(SITEWRIGHT, options.text("shell"))
    return Outcome(text=text.rstrip("\n"), document={"shell": options.text("shell"), "script": text})


_COMPLETION: Final = Command(
    name="completion",
    summary="Print a completion script for bash or zsh.",
    arguments=(Argument(names=("shell",), help="the shell that will read the script", choices=("bash", "zsh")),),
    examples=(
        "sitewright completion bash > ~/.local/share/bash-completion/completions/sitewright",
        'sitewright completion zsh > "${fpath[1]}/_sitewright"',
    ),
    handler=_completion,
)

SITEWRIGHT: Final = Command(
    name="sitewright",
    summary="A site profile in, a reviewed git commit that an air-gapped cluster can apply out.",
    commands=(
        INIT,
        VALIDATE,
        LOCK,
        RESOLVE,
        TREE,
        WHY,
        OUTDATED,
        VALUES,
        GENERATED,
        RENDER,
        DIFF,
        CHECK,
        MIRRORS,
        IMAGES,
        BUNDLE,
        *MACHINE,
        _COMPLETION,
    ),
    examples=(
        "sitewright init branch-017",
        "sitewright lock profiles/branch-017.yaml",
        "sitewright render profiles/branch-017.yaml --repo ../gitops --branch main",
    ),
)
