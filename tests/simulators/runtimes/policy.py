"""containers-policy.json(5): the most specific scope of the transport counts, then `""`, then `default`.

For the transport `docker` a scope is the reference itself (`name@digest` or `name:tag`), then its repository, then each
shorter namespace, then the host, then `*.` and parent domains (github.com/containers/image, signature/policy_eval.go
and docker/policyconfiguration/naming.go). The reference is the one that was asked for, not the mirror's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from renderer.model.reference import ImageReference


def accepted(files: Mapping[str, bytes], image: ImageReference) -> bool:
    """True when an image without signatures of its own may be used."""
    policy = json.loads(files["policy.json"])
    scopes = policy["transports"].get("docker", {})
    rules = next((scopes[name] for name in _scopes(image) if name in scopes), policy["default"])
    return all(rule["type"] == "insecureAcceptAnything" for rule in rules)


def _scopes(image: ImageReference) -> Iterator[str]:
    yield f"{image.name}@{image.digest}" if image.digest else f"{image.name}:{image.tag}"
    name = image.name
    while name:
        yield name
        name = name.rpartition("/")[0]
    host = image.registry.partition(":")[0]
    while "." in host:
        host = host.partition(".")[2]
        yield f"*.{host}"
    yield ""
