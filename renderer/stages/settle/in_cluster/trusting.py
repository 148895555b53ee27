"""The script that puts authorities into every `caBundle` that trusts what was made: POSIX sh and `kubectl`.

Each object is applied by the server with nothing in it but the bundles: they then belong to this Job, and no agent that
applies the rest of the object takes them away (https://kubernetes.io/docs/reference/using-api/server-side-apply/).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, cast

from renderer.model.fields import Json, read_path
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.stages.settle.in_cluster.quoting import quoted_json
from renderer.stages.settle.in_cluster.units import Unit

_PREAMBLE: Final = r"""set -eu
umask 077
export LC_ALL=C
cd "$HOME"

fail() { printf '%s\n' "$*" >&2; exit 1; }

# authority NAMESPACE NAME KEY: the certificate there, in base64
authority() {
  text=$(kubectl get secret "$2" -n "$1" -o "go-template={{index .data \"$3\"}}") || fail "no Secret $1/$2"
  case $text in '' | '<no value>') fail "the Secret $1/$2 has no $3" ;; esac
  printf '%s' "$text"
}

# trust NAME PART...: apply the parts, joined
trust() {
  name=$1; shift
  printf '%s' "$@" > object
  kubectl apply --server-side --force-conflicts --field-manager=sitewright-bundles -f object > /dev/null ||
    fail "cannot give $name its caBundle"
  printf '%s trusts its authority\n' "$name"
}
"""
_BUNDLE: Final = re.compile(r"<(bundle_[0-9]+)>")


Bundles = Mapping[ObjectId, Sequence[tuple[GeneratedValue, Unit]]]
"""Objects, and the fields in them that hold the authority of a unit."""


def trusting_script(bundles: Bundles, manifests: Mapping[ObjectId, Manifest]) -> str:
    """The whole script; `manifests` are the objects that have bundles, as the chart wants them."""
    lines = (line for one, mine in sorted(bundles.items()) for line in _trust(manifests[one], mine))
    return _PREAMBLE + "".join(f"\n{line}" for line in lines) + "\n"


def _trust(manifest: Manifest, bundles: Iterable[tuple[GeneratedValue, Unit]]) -> Iterator[str]:
    place: dict[str, Json] = {"namespace": manifest.id.namespace} if manifest.id.namespace else {}
    metadata: dict[str, Json] = {"name": manifest.id.name, **place}
    body: dict[str, Json] = {"apiVersion": manifest.api_version, "kind": manifest.id.kind, "metadata": metadata}
    names: dict[tuple[str, str, str], str] = {}
    for value, unit in bundles:
        source = (unit.home.namespace, unit.home.name, unit.key_of(value))
        if source not in names:
            names[source] = f"bundle_{len(names)}"
            yield f"{names[source]}=$({shlex.join(('authority', *source))})"
        body = cast("dict[str, Json]", _merged(body, dict(manifest.body), read_path(value.path), f"<{names[source]}>"))
    parts = _BUNDLE.split(quoted_json(body))
    words = (f'"${part}"' if number % 2 else shlex.quote(part) for number, part in enumerate(parts))
    yield f"trust {shlex.quote(str(manifest.id))} {' '.join(words)}"


def _merged(wanted: Json, whole: Json, path: Sequence[str | int], value: Json) -> Json:
    """`wanted` with `value` at `path`. Of an item of a list the name comes along: it says which one is meant."""
    if not path:
        return value
    step, *rest = path
    if isinstance(step, int):
        items = list(cast("list[Json]", wanted or []))
        item = cast("dict[str, Json]", cast("list[Json]", whole)[step])
        found = next(
            (at for at, one in enumerate(items) if cast("Mapping[str, Json]", one)["name"] == item["name"]), None
        )
        merged = _merged({"name": item["name"]} if found is None else items[found], item, rest, value)
        return [*items, merged] if found is None else [*items[:found], merged, *items[found + 1 :]]
    below = cast("Mapping[str, Json]", wanted or {})
    return {**below, step: _merged(below.get(step), cast("Mapping[str, Json]", whole)[step], rest, value)}
