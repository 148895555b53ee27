"""JSON that goes unchanged through the `command` of a container and a shell."""

from __future__ import annotations

import json

from renderer.model.fields import Json


def quoted_json(value: Json) -> str:
    """One line of ASCII without a dollar: of `$$` and `$(NAME)` in a command the kubelet makes something else."""
    return json.dumps(value, sort_keys=True).replace("$", "\\u0024")
