"""Sites of the museum: one for each package, with ks-core and whatever it requires, settled in one way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.realworld.kubesphere import PROFILE, metadata, sitewright

INVENTIVE = {
    "devops",
    "kubeedge",
    "kubefed",
    "network-agent",
    "servicemesh-agent",
    "storage-utils-agent",
    "whizard-alerting",
    "whizard-notification",
}
"""The components that invent something that is not a name or a checksum, beside ks-core."""
IN_CLUSTER = """\
  generated:
    default: in-cluster
    inCluster: {image: "docker.io/kubesphere/kubectl:v1.27.16"}
    rules: [{object: "ConfigMap *kubesphere-config", field: "data*", mode: external, reason: no Job makes it}]
"""
CERT_MANAGER = """\
  generated:
    default: cert-manager
    rules:
      - {object: "ConfigMap *kubesphere-config", field: "data*", mode: external, reason: it is no certificate}
      - {object: "Repository.kubesphere.io *", field: "spec.caBundle", value: Q0E=, reason: nobody injects it}
      - {object: "Secret *devops*", mode: external, reason: they are no certificates}
      - {object: "Secret kubeedge/cloudcore", mode: external, reason: its keys have names of their own}
"""
_VALUES: Mapping[str, Any] = {
    "devops-1.1.1": {"agent": {"jenkins": {"Agent": {"builder": {"ContainerRuntime": "containerd"}}}}},
    "deepseek-0.1.0": {"global": {"extension": {"ingress": {"domainSuffix": "site.local"}}}},
}
"""Values without which a chart asks a cluster, or makes an object that none takes."""
_BESIDE: Mapping[str, tuple[str, ...]] = {"ob-operator-2.3.1": ("cert-manager",)}
"""What a chart needs and its package does not say (`crd-missing` does)."""
_HEAD = (
    PROFILE.partition("  extensions:\n")[0]
    .replace("agent: argocd", "agent: flux")
    .replace("source: bundle", "source: all")
)


@dataclass
class Sites:
    """Locked sites below one directory, and everything that the program has said of them."""

    place: Path
    names: tuple[str, ...]
    said: list[str] = field(default_factory=list)

    @property
    def profiles(self) -> list[str]:
        return [f"profiles/{name}.yaml" for name in self.names]

    def run(self, *words: str) -> str:
        """Run a command; what it says is kept."""
        self.said.append(sitewright(*words, cwd=self.place).output)
        return self.said[-1]

    def rendered(self, out: str) -> Path:
        """All trees, in a directory of this name."""
        self.run("render", *self.profiles, "--out", out)
        return self.place / out


def locked_sites(place: Path, prefix: str, settled: str, packages: Iterator[Path], *beside: str) -> Sites:
    """One locked site for each package; `settled` is how its profile ends, `beside` are more extensions."""
    names = []
    for path in packages:
        facts = metadata(path)
        name = prefix + path.stem.replace(".", "-")
        given = json.dumps(_VALUES.get(path.stem, {}))
        (place / f"profiles/{name}.yaml").write_text(
            f"{_HEAD.replace('NAME', name)}  extensions:\n"
            '    - {name: ks-core, version: "~4.1.3"}\n'
            f'    - {{name: {facts["name"]}, version: "{facts["version"]}", values: {given}}}\n'
            + "".join(f"    - {{name: {one}}}\n" for one in (*beside, *_BESIDE.get(path.stem, ())))
            + settled
        )
        names.append(name)
    sites = Sites(place, tuple(names))
    sites.run("lock", *sites.profiles)
    return sites


def packages(museum: Path, *, inventive: bool = False) -> Iterator[Path]:
    """The packages, or those that invent something beside ks-core."""
    known = {one.removesuffix("-agent") for one in INVENTIVE}
    for path in sorted((museum / "museum").glob("*.tgz")):
        if not inventive or re.sub(r"-[0-9].*", "", path.stem) in known:
            yield path
