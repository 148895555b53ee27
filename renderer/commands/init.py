"""`sitewright init`: a working site repository to begin with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.model.bundles.extension import dns_label
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.model.site import GitOpsAgent
from renderer.ports import Files

__all__ = ["init"]

_PROFILE: Final = """\
# yaml-language-server: $schema=../schemas/site.v1.json
apiVersion: sitewright.dev/v1
kind: Site
metadata:
  name: SITE
spec:
  cluster:
    kubernetesVersion: "1.31.4"      # what the nodes run, in full
    distribution: kubeadm            # kubeadm, k3s, rke2, talos, openshift, kubekey or other
    runtime: containerd
    platforms: [linux/amd64]         # every image must exist for all of them
  registry:
    url: https://registry.SITE.example:5000        # the registry inside the site
    projects: {docker.io: dockerhub, ghcr.io: ghcr, quay.io: quay, registry.k8s.io: k8s, "*": mirror}
  gitops:
    agent: AGENT
    repository: ssh://git@git.SITE.example/platform/SITE.git
    branch: main
  trust: ROOTtrust.yaml
  bundles:
    - source: ROOTbundles/platform       # a directory or tar file that `sitewright bundle build` wrote
  extensions: []                     # - {name: ks-core, version: "~4.1.3", values: {replicaCount: 1}}
"""

_TRUST: Final = """\
# yaml-language-server: $schema=schemas/trust-policy.v1.json
# Who may vouch for which bundle. As it stands it trusts nobody, and every bundle is refused.
#
# 1. Whoever builds bundles makes a key pair and keeps the private key:
#      sitewright bundle keygen vendor.key
# 2. The public key is committed as keys/vendor.pub and named under `keys`.
# 3. A rule says how many of whom must have signed; the first rule whose glob matches decides.
# 4. sitewright bundle verify bundles/platform --trust trust.yaml
#
# Let security own this file and keys/ (CODEOWNERS, protected paths): who changes it decides what runs.
apiVersion: sitewright.dev/v1
kind: TrustPolicy
metadata:
  name: SITE
spec:
  keys: []      # [] gives way to lines such as
    # - {name: vendor, publicKeyFile: ROOTkeys/vendor.pub, validFrom: 2026-01-01, validTo: 2027-12-31}
  rules: []
    # - bundles: "*"
    #   require: {threshold: 1, of: [vendor]}
    #   algorithms: [ecdsa-p256-sha256, ed25519]
"""

_IGNORED: Final = """\
# Private keys never belong here; bundles are too large for git.
*.key
/bundles/
/build/
"""

_CHECK: Final = """\
#!/bin/sh
# What a pipeline runs on every change of this repository. It needs no network; the bundles lie under bundles/.
set -eu
cd "$(dirname "$0")/.."
for profile in profiles/*.yaml; do
  case "$profile" in *.lock.yaml) continue ;; esac
  sitewright validate "$profile"
  sitewright lock "$profile" --check
  sitewright check "$profile"
done
"""

_GITLAB: Final = """\
# An example for GitLab; any other pipeline runs `sh ci/check.sh` as well.
check:
  image: registry.SITE.example:5000/mirror/sitewright:latest
  script:
    - sh ci/check.sh
"""


def init(
    files: Files,
    *,
    name: str,
    agent: GitOpsAgent,
    schemas: Callable[[str], Mapping[str, Json]],
    directory: str = "",
    shown: Callable[[str], str] = str,
) -> Outcome:
    """Write a site repository into `directory` of `files`: profile, trust policy, schemas, .gitignore, CI example.

    `directory` counts from the root of `files` and is empty for the root; `shown` spells a path for the person who
    reads the result. Files that are there already are kept, so that a second site can be added; a profile is never
    replaced. Raises InputError: `invalid-name`, `file-exists`.
    """
    root = f"{directory}/" if directory else ""
    profile = f"{root}profiles/{_checked(name)}.yaml"
    if files.exists(profile):
        raise InputError(
            Finding(
                code="file-exists",
                message=f"`{profile}` exists already and is not replaced",
                where=Where(file=profile),
                expected="a new name",
                hint=f"sitewright validate {shown(profile)}",
            )
        )
    texts = {
        profile: _PROFILE,
        f"{root}trust.yaml": _TRUST,
        f"{root}.gitignore": _IGNORED,
        f"{root}ci/check.sh": _CHECK,
        f"{root}ci/gitlab-ci.example.yml": _GITLAB,
    }
    meant = {"SITE": name, "AGENT": agent.value, "ROOT": root}
    content = {path: _filled(text, meant) for path, text in texts.items()}
    for schema in ("site.v1", "trust-policy.v1"):
        content[f"{root}schemas/{schema}.json"] = json.dumps(schemas(schema), indent=2, ensure_ascii=False) + "\n"
    kept = [path for path in content if files.exists(path)]
    written = [path for path in content if path not in kept]
    for path in written:
        files.write(path, content[path].encode())
    lines = [*(f"wrote {shown(path)}" for path in written), *(f"kept  {shown(path)}" for path in kept)]
    following = [
        f"edit {shown(profile)}, above all the URLs of the registry and the repository",
        f"name your keys and rules in {shown(f'{root}trust.yaml')}",
        f"sitewright validate {shown(profile)}",
        f"sitewright lock {shown(profile)}",
    ]
    text = "\n".join([*lines, "", "Next:", *(f"  {number}. {step}" for number, step in enumerate(following, start=1))])
    return Outcome(text=text, document={"site": name, "written": list(written), "kept": list(kept)})


def _filled(text: str, meant: Mapping[str, str]) -> str:
    """The text with its words in capitals replaced."""
    for word, meaning in meant.items():
        text = text.replace(word, meaning)
    return text


def _checked(name: str) -> str:
    try:
        return dns_label(name)
    except ValueError as error:
        raise InputError(
            Finding(
                code="invalid-name",
                message=str(error),
                where=Where(subject="the name of the site"),
                expected="a DNS label such as `branch-017`",
                got=f"`{name}`",
            )
        ) from error
