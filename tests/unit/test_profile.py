"""Profiles: what they mean once merged, and their digest."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NoReturn

import pytest

from renderer.adapters.files import WorkingTree
from renderer.adapters.package_data import schema
from renderer.errors import Severity
from renderer.formats.profile.site import LoadedSite, read_profile
from renderer.model.bundles.extension import ClusterRole
from renderer.model.generated.policy import GeneratedPolicy, GeneratedRule, Mode
from renderer.model.generated.recipient import AgeRecipient
from renderer.model.reference import Platform
from renderer.model.site import (
    CheckRules,
    Distribution,
    Fallback,
    GitOpsAgent,
    IgnoreRule,
    ImagesMode,
    Runtime,
    SecretReference,
    SecretsMode,
    ValuesLayer,
)
from renderer.model.version import Constraint, Version

BASE = """\
apiVersion: sitewright.dev/v1
kind: Site
metadata: {labels: {tier: edge}}
spec:
  cluster: {kubernetesVersion: 1.31.4, distribution: k3s}
  registry: {url: "https://harbor.base.local", projects: {docker.io: dockerhub, "*": mirror}}
  gitops: {agent: argocd, repository: "ssh://git@git.base.local/a.git"}
  trust: trust.yaml
  bundles: [{source: bundles/base}]
  extensions: [{name: ks-core}]
"""
SITE = """\
apiVersion: sitewright.dev/v1
kind: Site
metadata: {name: branch-017, labels: {region: east}}
spec:
  extends: [base/edge.yaml]
"""
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def no_bundles(_: Path) -> NoReturn:
    raise AssertionError("a profile is read without opening bundles")


def load(root: Path, site: str = SITE, **files: str) -> LoadedSite:
    """The site of `profiles/site.yaml`; keyword arguments are further files, `__` for `/` and `_0` for `.`."""
    texts = {"profiles/site.yaml": site, "profiles/base/edge.yaml": BASE, "trust.yaml": "rules", **files}
    for path, text in texts.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    tree = WorkingTree(root, no_bundles)
    return read_profile("profiles/site.yaml", tree.read, tree.list, schema("site.v1"))


def spec(text: str) -> str:
    """A site that extends the base and sets what `text` says below `spec`."""
    return SITE + "".join(f"  {line}\n" for line in text.splitlines())


def test_what_is_not_said_has_the_documented_default(tmp_path: Path) -> None:
    site = load(tmp_path).site
    assert site.cluster.kubernetes == Version.parse("1.31.4")
    assert site.cluster.distribution is Distribution.K3S
    assert site.cluster.runtime is Runtime.CONTAINERD
    assert site.cluster.runtime_version is None
    assert site.cluster.platforms == (Platform("linux", "amd64"),)
    assert site.cluster.role is ClusterRole.HOST
    assert site.cluster.name == "host", "KubeSphere calls the host cluster so"
    assert site.registry.images is ImagesMode.MIRROR
    assert site.registry.fallback is Fallback.NEVER
    assert (site.gitops.agent, site.gitops.branch, site.gitops.path) == (GitOpsAgent.ARGOCD, "main", "")
    assert site.secrets is SecretsMode.EXTERNAL
    assert site.checks == CheckRules()
    assert site.generated == GeneratedPolicy()
    assert site.templates == {}
    assert site.profile == "profiles/site.yaml"
    assert site.root == "sites/branch-017"


def test_every_field_reaches_the_site(tmp_path: Path) -> None:
    text = """\
cluster:
  runtime: containerd
  containerdVersion: 1.7.27
  platforms: [linux/amd64, linux/arm64]
  apiVersions: [snapshot.storage.k8s.io/v1]
  capacity: {nodes: 3, cpu: "12", memory: 48Gi, storageClasses: [local-path]}
  role: member
  name: east
registry:
  url: http://harbor.branch.local:5000
  insecure: true
  images: rewrite
  fallback: upstream
  ca: certs/ca.crt
  credentials: {secretRef: {name: harbor-pull, namespace: kube-system}}
gitops: {agent: flux, branch: release/1, path: ./clusters/}
bundles:
  - {source: ./bundles/kubesphere.tar, version: ">=4.1.3 <4.2.0", allowRollback: true}
  - source: oci://harbor.branch.local:5443/bundles/kubesphere
extensions:
  - {name: monitoring, version: ~1.2, wave: 40, reason: the storage team wants it last}
secrets: {mode: sops}
templates: templates/
checks:
  fail: [error, warning]
  ignore: [{rule: privileged-container, object: "DaemonSet kube-system/*", reason: CNI, until: 2027-01-01}]
generated:
  default: cert-manager
  recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
  expiring: 14d
  inCluster: {image: "quay.io/tools/kubectl:v1.31.4"}
  rules:
    - {extension: devops, group: "devops/*", mode: in-cluster, reason: nobody knows them}
    - {object: "Secret kubesphere-system/*", field: "data.*", mode: external, reason: made elsewhere}
    - {object: "*", field: caBundle, value: LS0t, reason: the CA}
    - {object: "*", field: other, valueFrom: certs/ca.b64, reason: the CA}
"""
    files = {"certs/ca.crt": CERTIFICATE, "certs/ca.b64": "LS0tLS1C\n", "templates/agent/app.yaml.j2": "x: 1\n"}
    site = load(tmp_path, spec(text), **files).site
    assert site.cluster.runtime_version == Version.parse("1.7.27")
    assert site.cluster.platforms == (Platform("linux", "amd64"), Platform("linux", "arm64"))
    assert site.cluster.api_versions == ("snapshot.storage.k8s.io/v1",)
    assert (site.cluster.role, site.cluster.name) == (ClusterRole.MEMBER, "east")
    assert site.cluster.storage_classes == ("local-path",)
    assert site.registry.host == "harbor.branch.local:5000"
    assert (site.registry.images, site.registry.fallback) == (ImagesMode.REWRITE, Fallback.UPSTREAM)
    assert (site.registry.ca_file, site.registry.ca) == ("certs/ca.crt", CERTIFICATE.encode())
    assert site.registry.credentials == SecretReference(name="harbor-pull", namespace="kube-system")
    assert site.registry.projects == {"docker.io": "dockerhub", "*": "mirror"}
    assert (site.gitops.agent, site.gitops.branch) == (GitOpsAgent.FLUX, "release/1")
    assert site.root == "clusters/sites/branch-017"
    assert [(bundle.source, bundle.allow_rollback) for bundle in site.bundles] == [
        ("bundles/kubesphere.tar", True),
        ("oci://harbor.branch.local:5443/bundles/kubesphere", False),
    ]
    assert site.bundles[0].version == Constraint.parse(">=4.1.3 <4.2.0")
    (monitoring,) = site.extensions
    assert (monitoring.wave, monitoring.reason) == (40, "the storage team wants it last")
    assert site.secrets is SecretsMode.SOPS
    assert site.templates == {"agent/app.yaml.j2": "x: 1\n"}
    assert site.checks.fail == {Severity.ERROR, Severity.WARNING}
    rule, objects = "privileged-container", "DaemonSet kube-system/*"
    assert site.checks.ignore == (IgnoreRule(rule=rule, object=objects, reason="CNI", until=date(2027, 1, 1)),)
    assert site.generated == GeneratedPolicy(
        default=Mode.CERT_MANAGER,
        recipients=(AgeRecipient.parse("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"),),
        expiring=14,
        image="quay.io/tools/kubectl:v1.31.4",
        rules=(
            GeneratedRule(extension="devops", group="devops/*", mode=Mode.IN_CLUSTER, reason="nobody knows them"),
            GeneratedRule(
                object="Secret kubesphere-system/*", field="data.*", mode=Mode.EXTERNAL, reason="made elsewhere"
            ),
            GeneratedRule(object="*", field="caBundle", value="LS0t", reason="the CA"),
            GeneratedRule(object="*", field="other", value="LS0tLS1C", reason="the CA"),
        ),
    )


# --- layers --------------------------------------------------------------------------------------------------------


def test_maps_merge_and_lists_replace(tmp_path: Path) -> None:
    text = 'registry: {url: "https://harbor.branch.local"}\nextensions: [{name: gateway}]'
    site = load(tmp_path, spec(text)).site
    assert site.labels == {"tier": "edge", "region": "east"}
    assert site.registry.projects == {"docker.io": "dockerhub", "*": "mirror"}
    assert [extension.name for extension in site.extensions] == ["gateway"]


def test_bases_are_laid_down_left_to_right_and_a_shared_one_once(tmp_path: Path) -> None:
    head = "apiVersion: sitewright.dev/v1\nkind: Site\n"
    files = {
        "profiles/base/left.yaml": (
            f"{head}metadata: {{labels: {{tier: left, left: x}}}}\nspec: {{extends: [edge.yaml]}}"
        ),
        "profiles/base/right.yaml": f"{head}metadata: {{labels: {{right: x}}}}\nspec: {{extends: [edge.yaml]}}",
    }
    loaded = load(tmp_path, SITE.replace("[base/edge.yaml]", "[base/left.yaml, ./base/../base/right.yaml]"), **files)
    assert loaded.layers == (
        "profiles/base/edge.yaml",
        "profiles/base/left.yaml",
        "profiles/base/right.yaml",
        "profiles/site.yaml",
    )
    assert loaded.site.labels == {"tier": "left", "left": "x", "right": "x", "region": "east"}


def test_null_takes_back_what_a_base_says(tmp_path: Path) -> None:
    base = BASE.replace('"*": mirror}}', '"*": mirror}, ca: certs/none.crt}')
    site = load(tmp_path, spec("registry: {ca: null}"), **{"profiles/base/edge.yaml": base}).site
    assert site.registry.ca_file is None


def test_null_stays_null_in_values(tmp_path: Path) -> None:
    site = load(tmp_path, spec("extensions: [{name: web, values: {ingress: null}}]")).site
    assert site.extensions[0].values == (ValuesLayer(origin="profiles/site.yaml", values={"ingress": None}),)


def test_settings_say_which_file_set_each_key(tmp_path: Path) -> None:
    settings = {path: (value, place) for path, value, place in load(tmp_path).settings()}
    assert settings["metadata.name"] == ("branch-017", "profiles/site.yaml:3")
    assert settings["spec.cluster.distribution"] == ("k3s", "profiles/base/edge.yaml:5")
    assert settings['spec.registry.projects["*"]'] == ("mirror", "profiles/base/edge.yaml:6")


# --- values --------------------------------------------------------------------------------------------------------


def test_values_stand_above_value_files_and_later_files_above_earlier(tmp_path: Path) -> None:
    text = """\
extensions:
  - name: ks-core
    values: {replicaCount: 1}
    valuesFrom: [values/a.yaml, values/b.yaml]
    components:
      agent: {values: {x: 1}, valuesFrom: [values/b.yaml]}
"""
    files = {"values/a.yaml": "a: on\n", "values/b.yaml": "# all of them\nb: 0o17\n"}
    (extension,) = load(tmp_path, spec(text), **files).site.extensions
    assert extension.values == (
        ValuesLayer(origin="values/a.yaml", values={"a": True}),
        ValuesLayer(origin="values/b.yaml", values={"b": 15}),
        ValuesLayer(origin="profiles/site.yaml", values={"replicaCount": 1}),
    ), "value files are read as Helm reads them"
    assert extension.components == {
        "agent": (
            ValuesLayer(origin="values/b.yaml", values={"b": 15}),
            ValuesLayer(origin="profiles/site.yaml", values={"x": 1}),
        )
    }


# --- digest --------------------------------------------------------------------------------------------------------

WITH_FILES = spec("extensions: [{name: ks-core, valuesFrom: [v.yaml]}]\nregistry: {ca: ca.crt}\ntemplates: t")
FILES = {"v.yaml": "a: 1\n", "ca.crt": CERTIFICATE, "t/x.j2": "x"}


@pytest.fixture
def digest(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The digest of a site in a repository of its own, each in another place."""
    return lambda site=WITH_FILES, **files: str(
        load(tmp_path_factory.mktemp("repository"), site, **{**FILES, **files}).site.digest
    )


def test_the_digest_is_the_same_wherever_the_repository_lies(digest: Callable[..., str]) -> None:
    assert digest() == digest()


@pytest.mark.parametrize(
    ("site", "files"),
    [
        ("# a comment\n" + WITH_FILES, {}),
        (WITH_FILES, {"v.yaml": "# a comment\n'a':   1.0\n"}),
        (WITH_FILES.replace("v.yaml", "values/w.yaml"), {"values/w.yaml": "a: 1\n"}),
        (WITH_FILES.replace("ca.crt", "certs/ca.crt"), {"certs/ca.crt": CERTIFICATE}),
        (WITH_FILES, {"trust.yaml": "other rules"}),
    ],
    ids=["comment", "spelling of values", "name of a value file", "name of the CA file", "the trust policy's content"],
)
def test_the_digest_does_not_depend_on(site: str, files: dict[str, str], digest: Callable[..., str]) -> None:
    assert digest(site, **files) == digest()


def test_the_digest_does_not_depend_on_how_many_files_the_profile_is_spread_over(digest: Callable[..., str]) -> None:
    whole = BASE.replace("metadata: {labels: {tier: edge}}", "metadata: {name: x, labels: {tier: edge}}")
    split = SITE.replace("{name: branch-017, labels: {region: east}}", "{name: x}")
    assert digest(whole) == digest(split)


@pytest.mark.parametrize(
    ("site", "files"),
    [
        (WITH_FILES.replace("region: east", "region: west"), {}),
        (WITH_FILES, {"v.yaml": "a: 2\n"}),
        (WITH_FILES, {"v.yaml": "a: '1'\n"}),
        (WITH_FILES, {"ca.crt": CERTIFICATE.replace("MIIB", "MIIC")}),
        (WITH_FILES, {"t/x.j2": "y"}),
        (WITH_FILES, {"t/y.j2": "x"}),
        (WITH_FILES, {"profiles/base/edge.yaml": BASE.replace("1.31.4", "1.31.5")}),
    ],
    ids=["label", "value", "type of a value", "CA", "template", "new template", "base profile"],
)
def test_the_digest_depends_on(site: str, files: dict[str, str], digest: Callable[..., str]) -> None:
    assert digest(site, **files) != digest()
