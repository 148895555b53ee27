"""What settling generated values adds to a cold render of a site of twenty charts.

    python tests/benchmarks/bench_generated.py

Five of the charts invent certificates, passwords, names and checksums, fifteen invent nothing. The same render is
measured with what the lock knows of generated values, and without it (then nothing is settled, the charts make their
keys, and the tree would differ at every run): the ratio is what settling costs. Medians of seven, turn by turn, in one
process without caches.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from renderer.structs import replace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from renderer.cli import wiring  # noqa: E402
from renderer.commands.site.captured_file import locked_values  # noqa: E402
from renderer.commands.site.loading import Loader  # noqa: E402
from renderer.model.lock import Lock  # noqa: E402
from renderer.model.trees.tree import FileTree  # noqa: E402
from renderer.pipeline import render  # noqa: E402
from tests.benchmarks.bench_site import write_chart  # noqa: E402
from tests.realworld.kubesphere import BUNDLE, PROFILE, TRUST, sitewright  # noqa: E402

ROUNDS = 7
CHARTS = 20
INVENTIVE = 5
INVENTIONS = """\
{{- $ca := genCA "ca" 3650 }}
{{- $cert := genSignedCert .Release.Name nil (list .Release.Name) 365 $ca }}
apiVersion: v1
kind: Secret
metadata: {name: tls}
data: {tls.crt: {{ b64enc $cert.Cert }}, tls.key: {{ b64enc $cert.Key }}}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: {{ randAlphaNum 24 }}, user: admin}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: {{ .Release.Name }}}
webhooks:
{{- range list "one" "two" "three" }}
  - name: {{ . }}.{{ $.Release.Name }}.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {service: {name: {{ $.Release.Name }}, namespace: {{ $.Release.Namespace }}}, caBundle: {{ b64enc $ca.Cert }}}
{{- end }}
---
apiVersion: batch/v1
kind: Job
metadata: {name: setup-{{ randAlphaNum 8 | lower }}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: "docker.io/example/app:1.0.0"}]}}}
"""


def prepare(place: Path) -> None:
    """A locked site in `place`, its values sealed for a key that nobody keeps."""
    names = [f"app-{number:02d}" for number in range(CHARTS)]
    for number, name in enumerate(names):
        write_chart(place / "charts" / name, name)
        if number < INVENTIVE:
            (place / "charts" / name / "templates/inventions.yaml").write_text(INVENTIONS)
    extensions = "".join(
        f"    - name: {name}\n      version: 1.0.0\n      namespace: {name}\n"
        f"      components: [{{name: {name}, helm: charts/{name}, release: {name}}}]\n"
        for name in names
    )
    image = (
        "    - {reference: docker.io/example/app:1.0.0, digest: 'sha256:" + "a" * 64 + "', size: 1609,\n"
        "       mediaType: application/vnd.oci.image.index.v1+json,\n"
        "       platforms: {linux/amd64: {digest: 'sha256:" + "b" * 64 + "', size: 1024}}}\n"
    )
    (place / "bundle.yaml").write_text(f"{BUNDLE.partition('    - name: ks-core')[0]}{extensions}  images:\n{image}")
    (place / "trust.yaml").write_text(TRUST)
    made = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    recipient = next(line.split()[-1] for line in made.splitlines() if "public key" in line)
    enabled = "".join(f"    - {{name: {name}}}\n" for name in names)
    settings = f"  secrets: {{mode: sops}}\n  generated: {{recipients: [{recipient}]}}\n"
    (place / "profiles").mkdir()
    head = PROFILE.partition("    - {name: ks-core")[0].replace("NAME", "site").replace("agent: argocd", "agent: flux")
    (place / "profiles/site.yaml").write_text(f"{head}{enabled}{settings}")
    (place / "keys").mkdir()
    sitewright("bundle", "build", "bundle.yaml", "-o", "bundle", cwd=place)
    sitewright("bundle", "keygen", "keys/vendor.key", cwd=place)
    sitewright("bundle", "sign", "bundle", "--key", "keys/vendor.key", cwd=place)
    sitewright("lock", "profiles/site.yaml", cwd=place)


def rendered(*, settle: bool) -> float:
    """Seconds of a render that shares nothing with another."""
    loader = Loader(wiring.workspace(wiring.files_around("profiles/site.yaml")))
    site = loader.site("profiles/site.yaml").site
    lock, content = loader.lock("profiles/site.yaml")
    known: Lock = lock if settle else replace(lock, generated=(), certificates=())
    captured = locked_values(loader, "profiles/site.yaml", lock)
    catalog, tools = loader.catalog(site, lock), loader.tools(site)
    start = time.perf_counter()
    done = render(site, known, content, catalog, tools, FileTree({}), captured)
    assert len(done.tree) > CHARTS * 40
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        prepare(Path(directory))
        os.chdir(directory)
        rendered(settle=True)
        turns = [(rendered(settle=True), rendered(settle=False)) for _ in range(ROUNDS)]
        os.chdir(ROOT)
    one, other = (statistics.median(turn[at] for turn in turns) for at in (0, 1))
    print(f"render of {CHARTS} charts, {INVENTIVE} of them inventive: {one:.2f} s with settling, {other:.2f} s without")
    print(f"settling takes {one / other:.2f} x (goal: at most 1.20 x)")


if __name__ == "__main__":
    main()
