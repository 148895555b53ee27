"""A place to make bundles in: real files, real keys, the real commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from renderer.adapters.executors import SerialExecutor
from renderer.adapters.files import WorkingTree
from renderer.adapters.helm_embedded import EmbeddedHelm
from renderer.adapters.layout import open_images, open_layout
from renderer.adapters.layout_writer import FileLayoutWriter
from renderer.adapters.signing import KeyFileSigner
from renderer.commands.bundle.building.build import build as build_bundle
from renderer.commands.bundle.building.workbench import Workbench
from renderer.commands.bundle.sign import sign as sign_bundle
from renderer.commands.bundle.verify import verify as verify_bundle
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.model.bundles.trust import Algorithm, TrustedKey, TrustPolicy, TrustRule
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.ports import ChartEngine, Layout, Registry
from renderer.stages.verify import load_bundle
from tests.realworld.stand_ins import write_layout

ROOT: Final = Path(__file__).parent.parent.parent
NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CHART: Final = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.0\n",
    "charts/web/values.yaml": "replicas: 1\n",
    "charts/web/templates/web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
    "data: {replicas: {{ .Values.replicas | quote }}}\n",
}
SOURCE: Final = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: demo, version: 1.0.0}
spec:
  sequence: 3
  created: 2026-11-01T00:00:00Z
  platforms: [linux/amd64]
  extensions:
    - name: web
      version: 1.2.0
      namespace: shop
      components:
        - {name: web, helm: charts/web}
        - {name: rbac, manifests: manifests}
  images:
    - {layout: images}
"""


def schema(name: str) -> dict[str, Json]:
    """A schema of this repository."""
    content: dict[str, Json] = json.loads((ROOT / "schemas" / f"{name}.v1.json").read_text(encoding="utf-8"))
    return content


def no_registry(url: str) -> Registry:
    """What a workshop without registries says when it is asked for one."""
    raise AssertionError(f"nothing in this test should ask {url}")


class Workshop:
    """A working directory with sources, keys and bundles."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = WorkingTree(root, lambda path: open_images(path, path.name))
        self.registry: Callable[[str], Registry] = no_registry
        self.writer = FileLayoutWriter(root)
        self.keys: dict[str, TrustedKey] = {}
        self.engine: ChartEngine = EmbeddedHelm()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files below the working directory."""
        for path, content in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def sources(self, images: Sequence[str] = ("docker.io/library/nginx:1.27", "quay.io/team/api:2.0")) -> None:
        """The sources of the bundle `demo` that most tests build."""
        rbac = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n"
        self.write({**CHART, "manifests/rbac.yaml": rbac, "bundle.yaml": SOURCE})
        write_layout(self.root / "images", images)

    def key(
        self, name: str, kind: str = "p256", *, valid_from: date | None = None, valid_to: date | None = None
    ) -> TrustedKey:
        """Make a private key and remember its public half under `name`."""
        private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
        match kind:
            case "p256":
                private = ec.generate_private_key(ec.SECP256R1())
            case "p384":
                private = ec.generate_private_key(ec.SECP384R1())
            case "rsa":
                private = rsa.generate_private_key(65537, 2048)
            case _:
                private = ed25519.Ed25519PrivateKey.generate()
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.write({f"keys/{name}.pem": pem})
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.write({f"keys/{name}.pub": public})
        self.keys[name] = TrustedKey(name=name, pem=public, valid_from=valid_from, valid_to=valid_to)
        return self.keys[name]

    def policy(
        self,
        *signers: str,
        threshold: int = 1,
        bundles: str = "demo*",
        algorithms: frozenset[Algorithm] | None = None,
        max_age_days: int | None = None,
    ) -> TrustPolicy:
        """A trust policy that knows every key made so far and asks for `signers`."""
        rule = TrustRule(
            bundles=bundles,
            threshold=threshold,
            of=signers,
            algorithms=algorithms or frozenset(Algorithm),
            max_age_days=max_age_days,
        )
        return TrustPolicy(name="test", keys=tuple(self.keys.values()), rules=(rule,))

    def build(self, output: str = "bundle", source: str = "bundle.yaml", created: datetime | None = None) -> Outcome:
        """`bundle build`."""
        bench = Workbench(engine=self.engine, executor=SerialExecutor(), registry=self.registry)
        described = schema("bundle-source")
        return build_bundle(self.files, source, output, self.writer, bench, schema=described, created=created)

    def sign(self, key: str, bundle: str = "bundle", *, images: bool = False) -> Outcome:
        """`bundle sign`, with a key made before (or made now)."""
        if key not in self.keys:
            self.key(key)
        signer = KeyFileSigner(self.root / f"keys/{key}.pem", f"keys/{key}.pem")
        return sign_bundle(self.open(bundle), signer, self.writer, bundle, images=images)

    def open(self, bundle: str = "bundle") -> Layout:
        """The bundle as a source of blobs."""
        return open_layout(self.root / bundle, bundle)

    def verify(self, policy: TrustPolicy, bundle: str = "bundle", now: datetime = NOW) -> Outcome:
        """`bundle verify`."""
        return verify_bundle(self.open(bundle), policy, now=now)

    def load(
        self,
        policy: TrustPolicy,
        bundle: str = "bundle",
        *,
        now: datetime = NOW,
        locked: Mapping[str, int] | None = None,
        allow_rollback: bool = False,
    ) -> VerifiedBundle:
        """What `lock` and `render` do with a bundle."""
        source = self.open(bundle)
        return load_bundle(
            source.index(),
            source.blob,
            policy,
            now=now,
            source=bundle,
            locked_sequences=locked,
            allow_rollback=allow_rollback,
        )


def signed(root: Path, bundle: str = "bundle") -> tuple[Workshop, TrustPolicy]:
    """A workshop with a bundle that `vendor` (P-256) and `office` (Ed25519) have signed, and a policy wanting both."""
    workshop = Workshop(root)
    workshop.sources()
    workshop.key("vendor")
    workshop.key("office", "ed25519")
    workshop.build(bundle)
    workshop.sign("vendor", bundle)
    workshop.sign("office", bundle)
    return workshop, workshop.policy("vendor", "office", threshold=2)
