"""Small KubeSphere packages in the spellings of real authors, as sources and as `ksbuilder package` packs them."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping

PACKED_AT = 1753868433  # 2025-07-30T09:40:33Z
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: main, image: "IMAGE"}]}
"""
BOTH_ROLES = """\
kind: ClusterRole
rules:
  - verbs: ['*']
    apiGroups: ['rbac.authorization.k8s.io']
    resources: ['clusterroles', 'clusterrolebindings']

---
kind: Role
rules:
  - {verbs: ['*'], apiGroups: ['*'], resources: ['*']}
"""


def deployment(name: str, image: str) -> str:
    """A template with one container."""
    return DEPLOYMENT.replace("NAME", name).replace("IMAGE", image)


def chart(name: str, template: str, values: str = "") -> dict[str, str]:
    """The files of a subchart, by their path in the package."""
    root = f"charts/{name}"
    return {
        f"{root}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 0.1.0\n",
        f"{root}/values.yaml": values,
        f"{root}/templates/main.yaml": template,
    }


def monitoring(version: str = "1.1.0") -> dict[str, str]:
    """A Multicluster package: host part, agent with a condition, an installer hook, requirements, a bare image."""
    metadata = f"""\
apiVersion: kubesphere.io/v1alpha1
name: monitoring
version: {version}
displayName:
  zh: 监控
  en: Monitoring
description:
  zh: 监控一切
  en: Watches everything.
category: observability
keywords: [metrics]
home: https://example.com
sources: []
kubeVersion: ">=1.19.0-0"
ksVersion: ">=4.0.0-0"
maintainers:
  - name: Someone
    email: someone@example.com
provider:
  zh: {{name: 某人, email: a@example.com, url: https://example.com}}
  en: {{name: Someone, email: a@example.com, url: https://example.com}}
staticFileDirectory: static
icon: ./static/favicon.svg
dependencies:
  - name: extension
    tags:
      - extension
    condition: extension.enabled
  - name: agent
    tags: [agent]
    condition: agent.enabled
# installationMode describes how to install subcharts, it can be HostOnly or Multicluster.
installationMode: Multicluster
namespace: monitoring-system
externalDependencies:
  - name: telemetry
    type: extension
    version: ">= 1.0.0-0"
    required: true
  - name: gateway
    version: ">=1.0.0"
images:
  - docker.io/team/front:1.0
  - team/agent:1.0
  - busybox
annotations:
  executor-hook-image.kubesphere.io/install: team/helm-init:v0.1.0
"""
    return {
        "extension.yaml": metadata,
        "permissions.yaml": BOTH_ROLES,
        "values.yaml": "extension: {enabled: true}\nagent: {enabled: true}\n",
        "README.md": "# Monitoring\n",
        "README_zh.md": "# 监控\n",
        "static/favicon.svg": "<svg/>",
        ".helmignore": "*.orig\n",
        "leftover.orig": "not part of the chart",
        **chart("extension", deployment("front", "docker.io/team/front:1.0")),
        **chart("agent", deployment("agent", "team/agent:1.0")),
    }


def telemetry(version: str = "1.2.0") -> dict[str, str]:
    """A HostOnly package as plain as they come: `v1`, no installationMode, no namespace, no permissions, no images."""
    metadata = f"""\
apiVersion: v1
name: telemetry
version: {version}
displayName: {{en: Telemetry}}
description: {{en: Collects.}}
category: observability
provider: {{en: {{name: Someone}}}}
icon: https://example.com/icon.svg
ksVersion: ">=4.0.0-0"
"""
    return {"extension.yaml": metadata, "templates/main.yaml": deployment("telemetry", "quay.io/team/telemetry:2.0")}


def ks_core(version: str = "v4.1.3") -> dict[str, str]:
    """A chart that calls itself ks-core."""
    return {
        "Chart.yaml": f"apiVersion: v2\nname: ks-core\nversion: 1.1.4\nappVersion: {version}\n",
        "templates/main.yaml": deployment("ks-apiserver", "docker.io/kubesphere/ks-apiserver:v4.1.3"),
    }


def packed(files: Mapping[str, str], root: str, time: int = PACKED_AT) -> bytes:
    """An archive with one directory, every file of it packed at `time`; `Chart.yaml` comes first, as from Helm."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(files, key=lambda one: (one != "Chart.yaml", one)):
            member = tarfile.TarInfo(f"{root}/{path}")
            member.size, member.mtime = len(files[path].encode()), time
            archive.addfile(member, io.BytesIO(files[path].encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


def package(files: Mapping[str, str], time: int = PACKED_AT) -> bytes:
    """What `ksbuilder package` makes of the sources: with a `Chart.yaml` of the same name, version and dependencies."""
    lines = files["extension.yaml"].splitlines()
    name, version = (next(line for line in lines if line.startswith(key)) for key in ("name:", "version:"))
    start = next((number for number, line in enumerate(lines) if line.startswith("dependencies:")), len(lines))
    end = next((number for number in range(start + 1, len(lines)) if not lines[number].startswith(" ")), len(lines))
    written = "\n".join(["apiVersion: v2", name, version, *lines[start:end]])
    return packed({**files, "Chart.yaml": f"{written}\n"}, name.split()[1], time)
