"""The trees of the whole museum on a real API server, wave by wave, as Flux applies them.

Sealed objects are opened by the real sops on their way. Jobs of the mode `in-cluster` do their work when their wave is
applied. No webhook of a chart answers here, because no Pod runs, so each is told to be ignored.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane import Cluster, control_plane
from tests.cluster.jobs import run_job
from tests.cluster_eyes.eyes import objects
from tests.realworld.sites import CERT_MANAGER, IN_CLUSTER, Sites, locked_sites, packages

pytestmark = pytest.mark.real
OWN_BUNDLE = {
    "gatekeeper-mutating-webhook-configuration",
    "gatekeeper-validating-webhook-configuration",
    "whizard-monitoring-agent-k-admission",
}
"""Webhook configurations in which a Job of the chart, or the program itself, fills in the authority."""


@dataclass
class Trial:
    """New clusters for sites, one after another."""

    start: Callable[[str], Any]
    sops: Path
    key: Path
    scratch: Path
    jobs: list[str] = field(default_factory=list)

    def apply(self, site: Path) -> list[str]:
        """Apply a site to an empty cluster; what was refused."""
        faults: list[str] = []
        with self.start(site.name) as cluster:
            for wave in sorted(path for path in (site / "manifests").iterdir() if path.is_dir()):
                bodies = [self.opened(path, dict(body)) for path, body in objects(wave)]
                faults += self._wave(cluster, wave.name, [one for one in bodies if not is_flux_file(one)])
            faults += [f"{site.name}: {one} trusts nobody" for one in trusting_nobody(cluster)]
        return faults

    def opened(self, path: Path, body: dict[str, Any]) -> dict[str, Any]:
        """The object as kustomize-controller decrypts it; webhooks that nobody answers are ignored."""
        if "sops" in body:
            words = [str(self.sops), "-d", "--input-type", "yaml", "--output-type", "json", str(path)]
            given = {"SOPS_AGE_KEY_FILE": str(self.key), "PATH": os.environ["PATH"]}
            body = json.loads(subprocess.run(words, capture_output=True, check=True, env=given).stdout)
        if body["kind"].endswith("WebhookConfiguration"):
            body["webhooks"] = [{**dict(one), "failurePolicy": "Ignore"} for one in body["webhooks"]]
        return body

    def _wave(self, cluster: Cluster, wave: str, bodies: list[dict[str, Any]]) -> Iterator[str]:
        try:
            cluster.apply(*bodies)
        except AssertionError as refused:
            yield f"{wave}: {refused}"
        for crd in [one for one in bodies if one["kind"] == "CustomResourceDefinition"]:
            cluster.kubectl("wait", "--for=condition=Established", f"crd/{crd['metadata']['name']}", "--timeout=30s")
        for job in [one for one in bodies if one["kind"] == "Job"]:
            if job["metadata"]["name"].startswith("sitewright-"):
                done = run_job(cluster, job, self.scratch / cluster.directory.name, ["dash"])
                self.jobs.append(job["metadata"]["name"])
                if done.returncode:
                    yield f"{job['metadata']['name']}: {done.stderr}"


def is_flux_file(body: dict[str, Any]) -> bool:
    """True for what Flux reads and no cluster stores."""
    return bool(body["apiVersion"].startswith("kustomize.config.k8s.io/"))


def trusting_nobody(cluster: Cluster) -> Iterator[str]:
    """Webhook configurations without a `caBundle` that nobody else fills in."""
    for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        for one in cluster.get(kind)["items"]:
            injected = any(
                key.startswith("cert-manager.io/inject-ca-from") for key in one["metadata"].get("annotations", ())
            )
            open_ = [hook for hook in one["webhooks"] if not hook["clientConfig"].get("caBundle")]
            if open_ and not injected and one["metadata"]["name"] not in OWN_BUNDLE:
                yield str(one["metadata"]["name"])


@pytest.fixture
def trial(
    api_server: Path, real: Callable[[str], Path], kubectl: Path, sops: Path, signed: Path, tmp_path: Path
) -> Trial:
    def start(name: str) -> Any:
        return control_plane(api_server, real("etcd"), kubectl.resolve(), tmp_path / name)

    return Trial(start, sops.resolve(), signed / "site.agekey", tmp_path)


def applied(trial: Trial, trees: Path, sites: Sites) -> list[str]:
    return [fault for name in sites.names for fault in trial.apply(trees / "sites" / name)]


def test_a_cluster_takes_every_sealed_tree(trial: Trial, sealed_sites: Sites, sealed_trees: Path) -> None:
    assert not applied(trial, sealed_trees, sealed_sites)


def test_jobs_make_what_charts_invent_and_every_webhook_is_trusted(trial: Trial, signed: Path) -> None:
    sites = locked_sites(signed, "in-cluster-", IN_CLUSTER, packages(signed, inventive=True))
    assert not applied(trial, sites.rendered("in-cluster"), sites)
    assert {re.sub(r"-[0-9a-f]{8}\Z", "", name) for name in trial.jobs} >= {
        f"sitewright-ks-core-{end}" for end in ("values", "bundles", "custom-bundles")
    }


def test_a_cluster_takes_certificates_and_issuers(trial: Trial, signed: Path) -> None:
    inventive = packages(signed, inventive=True)
    sites = locked_sites(signed, "certified-", CERT_MANAGER, inventive, "cert-manager")
    assert not applied(trial, sites.rendered("certified"), sites)
