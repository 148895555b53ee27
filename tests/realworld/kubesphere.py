"""KubeSphere for real: ks-core 4.1.3 and the museum's packages, bundled, locked, rendered, compared with plain Helm.

    SITEWRIGHT_KUBESPHERE=DIR python tests/realworld/kubesphere.py [WORK]

DIR holds the museum's packages (`<name>-<version>.tgz`) and the chart directory `ks-core`; none of it is part of this
repository (see the README beside this file for where it comes from). Images are stand-ins under their real names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from renderer.formats.kubernetes.manifests import load_documents, load_values  # noqa: E402
from renderer.model.objects.builtin_api import served_kinds  # noqa: E402
from renderer.model.version import Version  # noqa: E402
from tests.realworld.stand_ins import write_layout  # noqa: E402

PACKAGES = (
    "whizard-monitoring-1.1.1",
    "whizard-telemetry-1.2.2",
    "whizard-alerting-1.0.3",
    "whizard-notification-2.5.9",
    "whizard-events-1.2.0",
    "whizard-logging-1.2.2",
    "vector-1.0.4",
    "opensearch-2.11.1",
    "gateway-1.0.5",
    "devops-1.1.3",
    "cert-manager-1.0.0",
    "servicemesh-1.0.0",
    "network-1.1.0",
    "metrics-server-0.7.1",
    "storage-utils-1.0.0",
    "loki-1.0.1",
    "grafana-10.4.1",
    "tower-1.0.0",
)
KUBERNETES = "1.28.0"

BUNDLE = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: kubesphere, version: 4.1.3}
spec:
  sequence: 1
  created: 2026-11-01T00:00:00Z
  platforms: [linux/amd64]
  extensions:
    - name: ks-core
      version: 4.1.3
      namespace: kubesphere-system
      provides: {kubesphere: 4.1.3}
      components:
        - {name: ks-core, helm: ks-core, release: ks-core}
    - kubesphere: packages/*.tgz
  images:
    - {layout: images}
"""
TRUST = """\
apiVersion: sitewright.dev/v1
kind: TrustPolicy
metadata: {name: realworld}
spec:
  keys:
    - {name: vendor, publicKeyFile: keys/vendor.pub}
  rules:
    - bundles: "kubesphere*"
      require: {threshold: 1, of: [vendor]}
"""
PROFILE = """\
apiVersion: sitewright.dev/v1
kind: Site
metadata: {name: NAME}
spec:
  cluster: {kubernetesVersion: 1.28.0, distribution: kubeadm, runtime: containerd, platforms: [linux/amd64]}
  registry:
    url: https://harbor.branch.local:5443
    projects: {docker.io: dockerhub, quay.io: quay, ghcr.io: ghcr, registry.k8s.io: k8s, "*": mirror}
  gitops: {agent: argocd, repository: "ssh://git@git.branch.local/platform/sites.git", branch: main, path: .}
  trust: trust.yaml
  bundles:
    - {source: bundle, version: ">=4.1.3 <4.2.0"}
  extensions:
    - {name: ks-core, version: "~4.1.3"}
    - {name: servicemesh}
    - {name: whizard-alerting}
  generated:
    default: external
    rules:
      - {object: "*WebhookConfiguration *", field: "webhooks*.clientConfig.caBundle", value: Q0E=, reason: our own CA}
      - {object: "Repository.kubesphere.io *", field: "spec.caBundle", value: Q0E=, reason: our own CA}
      - {object: "ConfigMap *kubesphere-config", field: "data*", mode: external, reason: it holds the jwt secret}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: seconds of wall clock, peak memory in MiB, what it printed."""

    seconds: float
    peak: float
    output: str


def run(*command: str, cwd: Path) -> Run:
    """Run one process and measure it; a failure raises with everything that it printed."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    if process.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    return Run(seconds, usage.ru_maxrss / 1024, text)


def sitewright(*words: str, cwd: Path) -> Run:
    """Run the command line in a fresh process."""
    return run(sys.executable, "-m", "renderer", *words, cwd=cwd)


def python_path() -> None:
    """Let child processes import this checkout, wherever they run."""
    os.environ["PYTHONPATH"] = str(ROOT)


def prepare(charts: Path, place: Path, sites: tuple[str, ...] = ("branch-017",)) -> int:
    """Lay out packages, stand-in images, keys and profiles below `place`; returns the number of images."""
    (place / "packages").mkdir(parents=True)
    (place / "profiles").mkdir()
    (place / "keys").mkdir()
    for package in PACKAGES:
        shutil.copy(charts / f"{package}.tgz", place / "packages")
    shutil.copytree(charts / "ks-core", place / "ks-core")
    references = needed_images(place, "packages", "ks-core")
    write_layout(place / "images", references)
    (place / "bundle.yaml").write_text(BUNDLE)
    (place / "trust.yaml").write_text(TRUST)
    for site in sites:
        (place / f"profiles/{site}.yaml").write_text(PROFILE.replace("NAME", site))
    sitewright("bundle", "build", "bundle.yaml", "-o", "bundle", cwd=place)
    sitewright("bundle", "keygen", "keys/vendor.key", cwd=place)
    sitewright("bundle", "sign", "bundle", "--key", "keys/vendor.key", cwd=place)
    return len(references)


def needed_images(place: Path, *packages: str) -> set[str]:
    """The images that packages need, as `bundle import kubesphere --source-only` lists them."""
    sitewright("bundle", "import", "kubesphere", *packages, "-o", "needed.yaml", "--source-only", cwd=place)
    source: Any = load_values((place / "needed.yaml").read_bytes())
    return {image for entry in source["spec"]["images"] for image in entry["images"]}


def image_fields(text: str) -> Iterator[str]:
    """The values of fields named `image`."""
    for found in re.findall(r"^\s*-?\s*image:\s*([^\s#]+)\s*$", text, re.MULTILINE):
        yield found.strip("\"'")


def metadata(package: Path) -> dict[str, Any]:
    """The content of a package's `extension.yaml`."""
    with tarfile.open(package) as archive:
        member = next(name for name in archive.getnames() if name.count("/") == 1 and name.endswith("/extension.yaml"))
        content = archive.extractfile(member)
        assert content is not None
        return load_values(content.read())  # type: ignore[return-value]


# --- plain Helm ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Release:
    """What KubeSphere installs with one Helm run."""

    extension: str
    name: str
    chart: Path
    namespace: str
    values: Mapping[str, object]


def releases(place: Path, extensions: Mapping[str, str]) -> list[Release]:
    """The releases of the locked extensions, with the values that KubeSphere's controller sets."""
    found = []
    for name, version in sorted(extensions.items()):
        if name == "ks-core":
            found.append(Release(name, name, place / "ks-core", "kubesphere-system", {}))
            continue
        package = place / f"packages/{name}-{version}.tgz"
        facts = metadata(package)
        namespace = facts.get("namespace") or f"extension-{name}"
        found.append(Release(name, name, package, namespace, switches(facts, "extension", "agent")))
        if facts.get("installationMode") == "Multicluster":
            values = switches(facts, "agent", "extension")
            values.setdefault("global", {})["clusterInfo"] = {"name": "host", "role": "host"}
            found.append(Release(name, f"{name}-agent", package, namespace, values))
    return found


def site_name(place: Path) -> str:
    """The name of the site that is compared."""
    return min(path.stem for path in (place / "profiles").glob("*.yaml") if not path.stem.endswith(".lock"))


def switches(facts: Mapping[str, Any], mine: str, other: str) -> dict[str, Any]:
    """Tags and conditions as KubeSphere's controller sets them for one part of an extension."""
    values: dict[str, Any] = {"tags": {mine: True, other: False}}
    for dependency in facts.get("dependencies") or []:
        if other in (dependency.get("tags") or []) and dependency.get("condition"):
            node = values
            *path, leaf = dependency["condition"].split(".")
            for step in path:
                node = node.setdefault(step, {})
            node[leaf] = False
    return values


def template(
    helm: Path, chart: Path, release: str, namespace: str, values: Mapping[str, object], *api_versions: str
) -> Run:
    """`helm template`, measured."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "values.json"
        file.write_text(json.dumps(values))
        words = ["--include-crds", "--kube-version", KUBERNETES, "--values", str(file), "-n", namespace]
        # a cluster also answers for the kinds that it serves by itself; `helm template` has to be told
        for version in (*served_kinds(Version.parse(KUBERNETES)), *api_versions):
            words += ["--api-versions", version]
        return run(str(helm), "template", release, str(chart), *words, cwd=chart.parent)


# --- comparison ----------------------------------------------------------------------------------------------------

OURS = ("argocd.argoproj.io/sync-wave", "argocd.argoproj.io/sync-options", "kustomize.toolkit.fluxcd.io/prune")
DROPPED_HOOKS = {"test", "test-success", "pre-delete", "post-delete", "pre-rollback", "post-rollback"}


@dataclass(slots=True)
class Comparison:
    """Objects of plain Helm against those of the tree."""

    equal: int = 0
    external: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


def compare(plain: list[dict[str, Any]], tree: list[dict[str, Any]], external: set[str]) -> Comparison:
    """Every object that Helm prints must be in the tree, equal but for pins, namespaces, waves and settled values."""
    result = Comparison()
    ours = {identity(body): body for body in tree}
    seen = set()
    for body in plain:
        key = identity(body)
        match = key if key in ours else next((one for one in ours if is_renamed_hook(body, key, one)), None)
        if match is None:
            (result.external if key[1:] in {tuple(one.split("/")) for one in external} else result.missing).append(
                " ".join(key)
            )
            continue
        seen.add(match)
        if normal(body) == normal(ours[match]):
            result.equal += 1
        else:
            result.different.append(" ".join(key))
    result.added = sorted(" ".join(key) for key in ours.keys() - seen)
    return result


def identity(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Group, kind and name: plain Helm leaves namespaces open, so they cannot take part."""
    return body["apiVersion"].rpartition("/")[0], body["kind"], body["metadata"]["name"]


def is_renamed_hook(body: Mapping[str, Any], plain: tuple[str, str, str], ours: tuple[str, str, str]) -> bool:
    """Hook Jobs carry a hash of their content in the tree."""
    hook = "helm.sh/hook" in (body["metadata"].get("annotations") or {})
    return hook and plain[:2] == ours[:2] and re.fullmatch(re.escape(plain[2]) + r"-[0-9a-f]{8}", ours[2]) is not None


def normal(original: Mapping[str, Any]) -> str:
    """The object without what may differ."""
    body: dict[str, Any] = json.loads(json.dumps(original))
    meta = body["metadata"]
    notes = meta.get("annotations") or {}
    if "helm.sh/hook" in notes or body["kind"] in {"Job", "Pod"}:
        meta["name"] = re.sub(r"-[0-9a-f]{8}$", "", meta["name"])
        body.get("spec", {}).pop("ttlSecondsAfterFinished", None)
    meta["annotations"] = {
        key: value for key, value in notes.items() if key not in OURS and not key.startswith("helm.sh/")
    }
    for key in ("namespace", "creationTimestamp"):
        meta.pop(key, None)
    if not meta["annotations"]:
        del meta["annotations"]
    body.pop("status", None)
    for key in [key for key, value in body.items() if value is None]:
        del body[key]  # `data:` of a ServiceAccount: what no kind has is left out of the tree
    text = json.dumps(body, sort_keys=True)
    text = re.sub(r"@sha256:[0-9a-f]{64}", "", text)
    text = re.sub(r'(\\n)+"', r'\\n"', text)  # blank lines at the end of a document: Helm 3 and 4 differ there
    text = re.sub(r'"caBundle": "[^"]*"', '"caBundle": ""', text)
    text = re.sub(r'("checksum/[^"]*|"[^"]*checksum[^"]*"): "[^"]*"', '"checksum": ""', text)
    return text.replace("docker.io/library/", "").replace("docker.io/", "")


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a YAML stream that stay in a cluster, lists expanded."""
    for document in load_documents(text.encode()):
        body: Any = document.value
        for one in (
            body["items"] if body and body["kind"].endswith("List") and "items" in body else [body] if body else []
        ):
            hooks = {
                hook.strip() for hook in (one["metadata"].get("annotations") or {}).get("helm.sh/hook", "").split(",")
            }
            if hooks == {""} or not hooks <= DROPPED_HOOKS:
                yield one


def once(bodies: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Objects that two releases define alike count once."""
    return list({(*identity(body), body["metadata"].get("namespace")): body for body in bodies}.values())


def tree_objects(site: Path) -> list[dict[str, Any]]:
    """The objects of a rendered tree but those that only Sitewright adds: markers and Namespaces."""
    texts = (
        path.read_text() for path in sorted((site / "manifests").rglob("*.yaml")) if path.parent.name != "sitewright"
    )
    return [body for text in texts for body in objects(text)]


# --- the report ----------------------------------------------------------------------------------------------------


def report(charts: Path, place: Path, helm: Path) -> tuple[Comparison, str]:
    """Do everything, and say it in a table."""
    python_path()
    images = prepare(charts, place)
    name = site_name(place)
    locked = sitewright("lock", f"profiles/{name}.yaml", cwd=place)
    cold = sitewright("render", f"profiles/{name}.yaml", "--out", "out", cwd=place)
    again = sitewright("render", f"profiles/{name}.yaml", "--out", "out", cwd=place)
    lock: Any = load_values((place / f"profiles/{name}.lock.yaml").read_bytes())
    extensions = {entry["name"]: entry["version"] for entry in lock["spec"]["extensions"]}
    plain = [
        template(helm, one.chart, one.name, one.namespace, one.values, *lock["spec"]["apiVersions"])
        for one in releases(place, extensions)
    ]
    site = place / "out/sites" / name
    secrets = (site / "records/secrets.md").read_text()
    external = {
        "/".join((kind.partition(".")[0], named.rpartition("/")[2]))
        for kind, named in re.findall(r"^## (\S+) (\S+)$", secrets, re.MULTILINE)
    }
    found = once(body for one in plain for body in objects(one.output))
    result = compare(found, tree_objects(site), external)
    rows = [
        (
            "extensions enabled / resolved",
            f"3 / {len(extensions)}: {', '.join(f'{k} {v}' for k, v in extensions.items())}",
        ),
        ("stand-in images in the bundle / locked for the site", f"{images} / {len(lock['spec']['images'])}"),
        ("objects of plain Helm", str(len(found))),
        ("equal but for pins, namespaces, waves", str(result.equal)),
        ("left out because they hold secrets", ", ".join(result.external)),
        ("different", ", ".join(result.different) or "none"),
        ("missing", ", ".join(result.missing) or "none"),
        ("added", ", ".join(result.added) or "none"),
        ("generated fields in the lock", str(len(lock["spec"]["generated"]))),
        (
            "helm template, all releases one after another",
            f"{sum(one.seconds for one in plain):.2f} s ({len(plain)} runs)",
        ),
        ("lock", f"{locked.seconds:.2f} s, {locked.peak:.0f} MiB"),
        ("cold render", f"{cold.seconds:.2f} s, {cold.peak:.0f} MiB"),
        ("unchanged render", f"{again.seconds:.2f} s, {again.peak:.0f} MiB"),
    ]
    return result, "\n".join(["| what | measured |", "|---|---|", *(f"| {label} | {value} |" for label, value in rows)])


def main() -> None:
    """Run on the charts that the environment names and print the table."""
    charts, helm = os.environ.get("SITEWRIGHT_KUBESPHERE"), os.environ.get("SITEWRIGHT_HELM") or shutil.which("helm")
    if not charts or not helm:
        sys.exit("set SITEWRIGHT_KUBESPHERE to the directory of the packages, and SITEWRIGHT_HELM to a helm binary")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(directory) / "site"
        print(report(Path(charts).resolve(), place.resolve(), Path(helm).resolve())[1])


if __name__ == "__main__":
    main()
