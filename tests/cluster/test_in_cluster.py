"""Values made in the cluster: the scripts of the Jobs, run as their ServiceAccounts against a real API server.

The Jobs' Pods cannot run (there are no nodes); what runs is what they would run: the same script under two shells, with
the real openssl and kubectl, the token of the Job's own account, and no other rights than its Role gives.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from renderer.model.fields import Json
from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.policy import GeneratedPolicy, Mode
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import Manifest, Origin
from renderer.stages.chart.hooks import name_hooks
from renderer.stages.settle import settle
from tests.cluster.control_plane import Cluster
from tests.cluster.jobs import run_job

pytestmark = pytest.mark.real
ORIGIN = Origin(extension="shop", component="web", source="web/templates/tls.yaml")
POLICY = GeneratedPolicy(default=Mode.IN_CLUSTER, image="docker.io/alpine/k8s:1.33.4")
ADMISSION = "admissionregistration.k8s.io/v1"
SHELLS = ("dash", "busybox")


@dataclass
class Site:
    """Objects of one chart in a namespace of their own."""

    namespace: str

    @property
    def group(self) -> str:
        return f"shop/{self.namespace}-tls"

    def manifest(self, kind: str, name: str, api: str = "v1", *, cluster: bool = False, **fields: Json) -> Manifest:
        metadata: dict[str, Json] = {"name": name, **({} if cluster else {"namespace": self.namespace})}
        return Manifest.of({"apiVersion": api, "kind": kind, "metadata": metadata, **fields}, ORIGIN)

    def value(self, of: Manifest, path: str, kind: GeneratedKind, form: str, certificate: str = "") -> GeneratedValue:
        group = self.group if certificate else f"shop/{self.namespace}-{of.id.name}"
        return GeneratedValue(
            component="shop/web",
            object=of.id,
            path=path,
            kind=kind,
            source=ORIGIN.source,
            group=group,
            certificate=certificate,
            form=form,
        )

    def wish(self, name: str, issuer: str, **changes: Any) -> CertificateWish:
        given = {"common_name": name, "days": 365, "is_ca": False, "algorithm": "rsa-2048", **changes}
        return CertificateWish(group=self.group, name=name, issuer=issuer, **given)

    @property
    def tls(self) -> Manifest:
        data: Json = {"tls.crt": "eA==", "tls.key": "eQ=="}
        return self.manifest("Secret", "web-tls", type="kubernetes.io/tls", data=data).with_metadata(
            labels={"app": "web"}
        )

    @property
    def client(self) -> Manifest:
        return self.manifest("Secret", "client-tls", data={"client.pem": "eA==", "key.pem": "eQ==", "ca.crt": "eg=="})

    @property
    def login(self) -> Manifest:
        return self.manifest("Secret", "login", data={"user": "YWRtaW4="}, stringData={"password": "x"})

    @property
    def webhook(self) -> Manifest:
        service: Json = {"name": "web", "namespace": self.namespace}
        hooks: list[Json] = [
            {
                "name": f"{name}.shop.example",
                "clientConfig": {"caBundle": "eg==", "service": service},
                "rules": [
                    {"apiGroups": ["shop"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["carts"]}
                ],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
            for name in ("one", "two")
        ]
        return self.manifest("ValidatingWebhookConfiguration", self.namespace, ADMISSION, cluster=True, webhooks=hooks)

    @property
    def everything(self) -> tuple[Manifest, ...]:
        return self.tls, self.client, self.login, self.webhook

    def settled(self) -> tuple[dict[str, Any], ...]:
        kind = GeneratedKind
        values = (
            self.value(self.tls, 'data["tls.crt"]', kind.CERTIFICATE, "certificate", "web"),
            self.value(self.tls, 'data["tls.key"]', kind.PRIVATE_KEY, "rsa-private-key", "web"),
            self.value(self.client, 'data["client.pem"]', kind.CERTIFICATE, "certificate", "client"),
            self.value(self.client, 'data["key.pem"]', kind.PRIVATE_KEY, "private-key", "client"),
            self.value(self.client, 'data["ca.crt"]', kind.CA, "certificate", "ca"),
            self.value(self.login, "stringData.password", kind.PASSWORD, "alphanumeric-20"),
            *(
                self.value(self.webhook, f"webhooks[{at}].clientConfig.caBundle", kind.CA_BUNDLE, "certificate", "ca")
                for at in (0, 1)
            ),
        )
        wishes = (
            self.wish("ca", "ca", is_ca=True, days=3650, key_usages=("cert sign", "digital signature")),
            self.wish(
                "client",
                "ca",
                organizations=("system:masters", "shop"),
                algorithm="ecdsa-256",
                extended_usages=("client auth",),
            ),
            self.wish(
                "web",
                "ca",
                dns_names=(f"web.{self.namespace}.svc", "*.web"),
                ip_addresses=("10.0.0.1", "fd00::1"),
                key_usages=("digital signature", "key encipherment"),
                extended_usages=("server auth", "client auth"),
            ),
        )
        done = settle(self.everything, values, POLICY, certificates=wishes)
        assert done.findings == ()
        return tuple(cast("dict[str, Any]", one.body) for one in name_hooks(done.manifests))


@dataclass
class Applied:
    """A site in a cluster, and its Jobs."""

    cluster: Cluster
    namespace: str
    objects: tuple[dict[str, Any], ...]
    scratch: Path
    shell: list[str]

    def run(self, end: str) -> subprocess.CompletedProcess[str]:
        """The script of the Job whose name begins so, as its account."""
        (job,) = (
            one
            for one in self.objects
            if one["kind"] == "Job" and one["metadata"]["name"].startswith(f"sitewright-shop-{end}-")
        )
        return run_job(self.cluster, job, self.scratch, self.shell)

    def secret(self, name: str) -> dict[str, bytes]:
        found = self.cluster.get("secret", name, "-n", self.namespace)
        return {key: base64.b64decode(text) for key, text in found["data"].items()}

    def delete(self, *names: str) -> None:
        assert self.cluster.kubectl("delete", "secret", *names, "-n", self.namespace).returncode == 0


@pytest.fixture(params=SHELLS)
def applied(request: pytest.FixtureRequest, cluster: Cluster, real: Callable[[str], Path], tmp_path: Path) -> Applied:
    shell = str(request.param)
    namespace = f"{request.function.__name__.replace('_', '-')[5:40].strip('-')}-{shell}"
    objects = Site(namespace).settled()
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    cluster.apply(*objects)
    command = [str(real(shell)), "sh"] if shell == "busybox" else [str(real(shell))]
    return Applied(cluster, namespace, objects, tmp_path, command)


def openssl(*words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["openssl", *words], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_secrets_are_made_as_the_chart_wants_them(applied: Applied, tmp_path: Path) -> None:
    done = applied.run("values")
    assert done.returncode == 0, done.stderr
    tls, client, login = (applied.secret(name) for name in ("web-tls", "client-tls", "login"))
    assert set(tls) == {"tls.crt", "tls.key"}
    assert set(client) == {"client.pem", "key.pem", "ca.crt"}
    assert login["user"] == b"admin"
    assert len(login["password"]) == 20
    assert login["password"].isalnum()
    assert tls["tls.key"].startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert client["key.pem"].startswith(b"-----BEGIN PRIVATE KEY-----")
    (tmp_path / "ca.pem").write_bytes(client["ca.crt"])
    (tmp_path / "web.pem").write_bytes(tls["tls.crt"])
    (tmp_path / "client.pem").write_bytes(client["client.pem"])
    ca = ("-CAfile", str(tmp_path / "ca.pem"), "-x509_strict")
    openssl(
        "verify",
        *ca,
        "-purpose",
        "sslserver",
        "-verify_hostname",
        f"web.{applied.namespace}.svc",
        str(tmp_path / "web.pem"),
    )
    openssl("verify", *ca, "-purpose", "sslserver", "-verify_ip", "fd00::1", str(tmp_path / "web.pem"))
    openssl("verify", *ca, "-purpose", "sslclient", str(tmp_path / "client.pem"))
    public = openssl("x509", "-pubkey", "-noout", stdin=tls["tls.crt"])
    assert openssl("pkey", "-pubout", stdin=tls["tls.key"]) == public
    kept = applied.cluster.get("secret", "web-tls", "-n", applied.namespace)
    assert (kept["type"], kept["metadata"]["labels"]) == ("kubernetes.io/tls", {"app": "web"})


def test_a_second_run_changes_nothing(applied: Applied) -> None:
    assert applied.run("values").returncode == 0
    before = applied.cluster.get("secret", "-n", applied.namespace)["items"]
    done = applied.run("values")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert applied.cluster.get("secret", "-n", applied.namespace)["items"] == before


def test_what_somebody_deleted_is_made_again_as_it_was(applied: Applied) -> None:
    assert applied.run("values").returncode == 0
    before = applied.secret("web-tls")
    applied.delete("web-tls")
    assert applied.run("values").returncode == 0
    assert applied.secret("web-tls") == before


def test_without_its_home_secret_what_is_there_is_taken_over(applied: Applied) -> None:
    assert applied.run("values").returncode == 0
    before = applied.secret("web-tls"), applied.secret("client-tls")
    applied.delete("client-tls-generated")
    done = applied.run("values")
    assert done.returncode == 0, done.stderr
    assert (applied.secret("web-tls"), applied.secret("client-tls")) == before


def test_a_part_that_nothing_fits_is_said_and_left_alone(applied: Applied) -> None:
    assert applied.run("values").returncode == 0
    before = applied.secret("client-tls")
    applied.delete("client-tls-generated", "web-tls")
    done = applied.run("values")
    assert done.returncode == 1
    assert done.stderr == (
        f"of Secret {applied.namespace}/client-tls only a part is there ( {applied.namespace}/client-tls ), "
        "and nothing can be made that fits it: delete what is there\n"
    )
    assert applied.secret("client-tls") == before
    applied.delete("client-tls")
    assert applied.run("values").returncode == 0
    assert applied.secret("client-tls") != before


def test_bundles_are_filled_in_and_stay_when_the_tree_is_applied_again(applied: Applied) -> None:
    assert applied.run("values").returncode == 0
    done = applied.run("bundles")
    assert done.returncode == 0, done.stderr
    authority = base64.b64encode(applied.secret("client-tls")["ca.crt"]).decode()

    def bundles() -> list[str]:
        found = applied.cluster.get("validatingwebhookconfiguration", applied.namespace)["webhooks"]
        return [one["clientConfig"]["caBundle"] for one in found]

    assert bundles() == [authority, authority]
    applied.cluster.apply(*applied.objects)
    assert bundles() == [authority, authority]
    assert applied.run("bundles").returncode == 0


@pytest.mark.parametrize("applied", ["dash"], indirect=True)
def test_the_jobs_may_do_no_more_than_that(applied: Applied) -> None:
    site = applied.namespace

    def may(end: str, *words: str) -> bool:
        account = f"system:serviceaccount:{site}:sitewright-shop-{end}"
        return applied.cluster.kubectl("auth", "can-i", *words, "--as", account).returncode == 0

    assert may("values", "create", "secrets", "-n", site)
    assert may("values", "get", "secrets/web-tls", "-n", site)
    assert not may("values", "get", "secrets", "-n", site)
    assert not may("values", "get", "secrets/other", "-n", site)
    assert not may("values", "patch", "secrets/web-tls", "-n", site)
    assert not may("values", "create", "secrets", "-n", "default")
    assert not may("values", "patch", f"validatingwebhookconfigurations/{site}")
    assert may("bundles", "patch", f"validatingwebhookconfigurations/{site}")
    assert not may("bundles", "patch", "validatingwebhookconfigurations/other")
    assert may("bundles", "get", "secrets/client-tls-generated", "-n", site)
    assert not may("bundles", "get", "secrets/web-tls", "-n", site)
    assert not may("bundles", "create", "secrets", "-n", site)
