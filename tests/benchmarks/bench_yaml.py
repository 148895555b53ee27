"""How fast we read and write Kubernetes YAML, beside PyYAML's C loader and dumper, in one run.

    python tests/benchmarks/bench_yaml.py [FILE...]

Without files a realistic stream is generated: workloads, configuration, and custom resource definitions with their
deep schemas. Times are the best of several interleaved rounds. PyYAML reads some of it differently from Kubernetes;
the point of the comparison is only its speed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import yaml

from renderer.formats.documents.document import parse_document
from renderer.formats.kubernetes.manifests import dump_manifest, load_documents
from renderer.model.fields import Json

ROUNDS = 5
PROFILE_LINES = 60


def workload(number: int) -> dict[str, Json]:
    """A Deployment as charts make them."""
    labels: dict[str, Json] = {"app.kubernetes.io/name": f"app-{number}", "app.kubernetes.io/version": f"1.{number}.0"}
    env: list[Json] = [{"name": f"SETTING_{number}", "value": value} for value in ("08", "on", "a: b", "x")]
    container: dict[str, Json] = {
        "name": "main",
        "image": f"registry.example/team/app-{number}:1.{number}.0",
        "env": env,
        "args": ["--listen=:8080", "--log.level=info", "--feature", "yes"],
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}, "requests": {"cpu": 1, "memory": "64Mi"}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"app-{number}", "namespace": "shop", "labels": labels},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "serviceAccountName": "app"},
            },
        },
    }


def configuration(number: int) -> dict[str, Json]:
    """A ConfigMap with a script in it."""
    script = "#!/bin/sh\nset -eu\n" + "".join(f'echo "step {step}"\n' for step in range(20))
    data: dict[str, Json] = {"run.sh": script, "enabled": "true", "ratio": "1e3"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"config-{number}"}, "data": data}


def definition(number: int) -> dict[str, Json]:
    """A CustomResourceDefinition whose schema has a few hundred fields."""

    def fields(depth: int) -> dict[str, Json]:
        about = "Field that tells the controller how to behave.\nMore info: https://example.com/docs#field\n"
        leaf: dict[str, Json] = {"description": about, "type": "string"}
        if depth == 0:
            return {f"field{index}": leaf for index in range(6)}
        return {
            f"part{index}": {"description": "A part: of the whole.", "type": "object", "properties": fields(depth - 1)}
            for index in range(4)
        }

    schema: Json = {"openAPIV3Schema": {"type": "object", "properties": fields(3)}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things{number}.example.com"},
        "spec": {
            "group": "example.com",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def seconds_of(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main(paths: list[str]) -> None:
    """Print the times and their ratios."""
    if paths:
        content = b"".join(b"---\n" + Path(path).read_bytes() + b"\n" for path in paths)
    else:
        bodies = [body for number in range(60) for body in (workload(number), configuration(number))]
        bodies += [definition(number) for number in range(8)]
        content = b"".join(b"---\n" + dump_manifest(body) for body in bodies)
    values = [document.value for document in load_documents(content)]
    objects = [value for value in values if isinstance(value, dict)]
    lines = ["apiVersion: x/v1", "kind: Site", "spec:", *(f"  key{n}: text" for n in range(PROFILE_LINES - 3))]
    profile = "\n".join(lines).encode()
    contenders: dict[str, Callable[[], object]] = {
        "load, ours": lambda: load_documents(content),
        "load, CSafeLoader": lambda: list(yaml.load_all(content, yaml.CSafeLoader)),
        "dump, ours": lambda: [dump_manifest(value) for value in objects],
        "dump, CSafeDumper": lambda: yaml.dump_all(objects, Dumper=yaml.CSafeDumper),
        "profile of 60 lines": lambda: parse_document(profile, "profile.yaml"),
    }
    times = dict.fromkeys(contenders, float("inf"))
    for _ in range(ROUNDS):
        for name, call in contenders.items():
            times[name] = min(times[name], seconds_of(call))
    print(f"{len(content) / 1e6:.2f} MB, {content.count(bytes([10]))} lines, {len(values)} documents")
    for name, seconds in times.items():
        print(f"{name:22} {seconds * 1000:9.1f} ms")
    print(f"load: {times['load, CSafeLoader'] / times['load, ours']:.2f} x as fast as CSafeLoader")
    print(f"dump: {times['dump, CSafeDumper'] / times['dump, ours']:.2f} x as fast as CSafeDumper")


if __name__ == "__main__":
    main(sys.argv[1:])
