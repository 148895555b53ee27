"""Sites: one cluster described by one profile, loaded and layered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import Enum
from urllib.parse import urlsplit

from renderer.errors import Severity
from renderer.model.bundles.extension import ClusterRole, dns_label, extension_name
from renderer.model.fields import Json
from renderer.model.generated.policy import GeneratedPolicy
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Constraint, Version
from renderer.structs import Struct, field


class GitOpsAgent(Enum):
    """Who applies the tree inside the air gap."""

    ARGOCD = "argocd"
    FLUX = "flux"


class Distribution(Enum):
    """The Kubernetes distribution; decides which node configuration is written."""

    KUBEADM = "kubeadm"
    K3S = "k3s"
    RKE2 = "rke2"
    TALOS = "talos"
    OPENSHIFT = "openshift"
    KUBEKEY = "kubekey"
    OTHER = "other"


class Runtime(Enum):
    """The container runtime of the nodes."""

    CONTAINERD = "containerd"
    CRIO = "cri-o"
    DOCKER = "docker"


class ImagesMode(Enum):
    """MIRROR keeps upstream names plus digest; REWRITE puts the site registry into every reference."""

    MIRROR = "mirror"
    REWRITE = "rewrite"


class Fallback(Enum):
    """What a node may do when the site registry lacks an image."""

    NEVER = "never"
    UPSTREAM = "upstream"


class IndexesMode(Enum):
    """What the site registry does with an index of which it does not hold all manifests.

    WHOLE: it refuses it (Harbor, docker-registry 2.x, distribution 3 as it comes). SPARSE: it takes it.
    """

    WHOLE = "whole"
    SPARSE = "sparse"


class NodeDelivery(Enum):
    """How the files of `nodes/` reach the nodes.

    FILES: by whoever manages the nodes. DAEMONSET: Pods of the first wave write them. WITHDRAW: the same Pods take
    back what they wrote, so that the DaemonSet can be removed in the next commit.
    """

    FILES = "files"
    DAEMONSET = "daemonset"
    WITHDRAW = "withdraw"


class SecretsMode(Enum):
    """How secret material reaches the cluster: EXTERNAL objects only, or SOPS-encrypted objects in the tree."""

    EXTERNAL = "external"
    SOPS = "sops"


class Cluster(Struct, frozen=True, kw_only=True):
    """What charts and checks may know of the cluster. `capacity` is what the profile says the nodes have together."""

    kubernetes: Version
    distribution: Distribution
    runtime: Runtime
    runtime_version: Version | None
    platforms: tuple[Platform, ...]
    api_versions: tuple[str, ...]
    role: ClusterRole
    name: str
    storage_classes: tuple[str, ...] = ()


class SecretReference(Struct, frozen=True, kw_only=True):
    """A Secret that exists in the cluster; never its content."""

    name: str
    namespace: str


class SiteRegistry(Struct, frozen=True, kw_only=True):
    """The site's registry. `projects` maps a source registry host to a project (path prefix); `*` is the rest."""

    url: str
    projects: Mapping[str, str]
    images: ImagesMode
    fallback: Fallback
    insecure: bool = False
    ca: bytes | None = None
    ca_file: str | None = None
    credentials: SecretReference | None = None
    indexes: IndexesMode = IndexesMode.WHOLE

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError(f"`{self.url}` is not a registry URL such as `https://harbor.site.local:5443`")
        if parts.scheme == "http" and not self.insecure:
            raise ValueError("an `http://` registry needs `insecure: true`")
        if parts.path.strip("/") or parts.query or parts.username:
            raise ValueError("a registry URL has no path, query or user; use `projects` for paths")

    @property
    def host(self) -> str:
        """`host[:port]`, as it stands in image references."""
        return urlsplit(self.url).netloc

    def project_for(self, registry: str) -> str | None:
        """The project that mirrors the source registry host `registry`, or None when nothing does."""
        return self.projects.get(registry, self.projects.get("*"))


class Nodes(Struct, frozen=True, kw_only=True):
    """How node files are delivered. `image` runs the script of the DaemonSet: any image with a shell.

    With `policy` there is a `policy.json` among them.
    """

    delivery: NodeDelivery = NodeDelivery.FILES
    image: ImageReference | None = None
    policy: bool = False

    def __post_init__(self) -> None:
        if self.delivery is not NodeDelivery.FILES and self.image is None:
            raise ValueError(f"`delivery: {self.delivery.value}` needs an `image` that has a shell")


class GitOps(Struct, frozen=True, kw_only=True):
    """Where the tree goes and who applies it. `path` is the tree's directory in the repository or `""`."""

    agent: GitOpsAgent
    repository: str
    branch: str
    path: str


class BundleRequest(Struct, frozen=True, kw_only=True):
    """A bundle that the profile names. `source` is `oci://…`, or a path relative to the profile's repository."""

    source: str
    version: Constraint | None
    allow_rollback: bool = False


class ValuesLayer(Struct, frozen=True, kw_only=True):
    """One layer of values and where it was written (`profiles/a.yaml`, `values/ks-core.yaml`)."""

    origin: str
    values: Mapping[str, Json]


class ExtensionRequest(Struct, frozen=True, kw_only=True):
    """An extension that the profile enables. `values` are layers, lowest first. `wave` needs a `reason`.

    `components` holds values for single components by name, above `values`.
    """

    name: str
    constraint: Constraint | None
    values: tuple[ValuesLayer, ...] = ()
    components: Mapping[str, tuple[ValuesLayer, ...]] = field(default_factory=dict)
    wave: int | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        extension_name(self.name)
        if (self.wave is None) != (self.reason is None):
            raise ValueError("`wave` and `reason` go together: an override says why")
        if self.wave is not None and not 0 <= self.wave <= 900:
            raise ValueError("a wave is a number from 0 to 900")


class IgnoreRule(Struct, frozen=True, kw_only=True):
    """A finding that the profile accepts: its code, an object glob (`DaemonSet kube-system/*`), why, and until when."""

    rule: str
    object: str
    reason: str
    until: date | None = None


class CheckRules(Struct, frozen=True, kw_only=True):
    """Which severities fail a render, and which findings are accepted."""

    fail: frozenset[Severity] = frozenset({Severity.ERROR})
    ignore: tuple[IgnoreRule, ...] = ()


class Site(Struct, frozen=True, kw_only=True):
    """One loaded, layered profile. `profile` is its file; `digest` covers the merged profile and all files it names."""

    name: str
    labels: Mapping[str, str]
    cluster: Cluster
    registry: SiteRegistry
    gitops: GitOps
    trust: str
    bundles: tuple[BundleRequest, ...]
    extensions: tuple[ExtensionRequest, ...]
    secrets: SecretsMode
    checks: CheckRules
    templates: Mapping[str, str]
    profile: str
    digest: Digest
    generated: GeneratedPolicy = field(default_factory=GeneratedPolicy)
    nodes: Nodes = field(default_factory=Nodes)

    def __post_init__(self) -> None:
        dns_label(self.name)
        names = [extension.name for extension in self.extensions]
        if len(set(names)) != len(names):
            raise ValueError("an extension is enabled twice")

    @property
    def root(self) -> str:
        """The site's directory in the GitOps repository: `[<gitops.path>/]sites/<name>`."""
        return "/".join(part for part in (self.gitops.path, "sites", self.name) if part)
