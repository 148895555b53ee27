"""Key material and passwords anywhere in what is about to be written (checks/output.py)."""

import base64
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.checks.output import look_through, secrets_in_output
from renderer.errors import Finding, Severity
from renderer.model.trees.tree import FileTree


def found(text: str, path: str = "manifests/w020-shop/configmap-web.yaml") -> list[Finding]:
    """What is said of a tree with one file."""
    return list(secrets_in_output(FileTree.of([(path, text.encode())])))


def test_a_private_key_is_an_error_wherever_it_stands(real: Callable[[str], Path]) -> None:
    key = subprocess.run([real("openssl"), "genrsa", "2048"], capture_output=True, text=True, check=True).stdout
    for path in ("records/plan.md", "nodes/containerd/README.md", "agent/application.yaml"):
        (finding,) = found(f"text:\n{key}", path)
        assert (finding.code, finding.severity) == ("secret-in-output", Severity.ERROR)
        assert finding.message == f"`{path}` would put into git what looks like a private key"
        assert (finding.got, finding.where.subject) == ("line 2", path)
        assert key.splitlines()[1] not in repr(finding)


def test_a_private_key_in_base64_is_one_and_a_certificate_is_none(real: Callable[[str], Path]) -> None:
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=web -keyout - -out -"
    made = subprocess.run([real("openssl"), *request.split()], capture_output=True, check=True).stdout
    start = made.index(b"-----BEGIN CERTIFICATE")
    key, certificate = made[:start], made[start:]
    assert found(f"data: {{tls.key: {base64.b64encode(key).decode()}}}")[0].severity is Severity.ERROR
    assert not found(f"data: {{tls.crt: {base64.b64encode(certificate).decode()}}}\n{certificate.decode()}")


@pytest.mark.parametrize(
    "secret",
    [
        "AGE-SECRET-KEY-1" + "Q" * 58,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg",
        "AKIA" + "Q7" * 8,
        "glpat-" + "x7Yq" * 5,
        "ghp_" + "x7Yq" * 9,
    ],
)
def test_tokens_of_known_shape_are_errors(secret: str) -> None:
    (finding,) = found(f"a: 1\nvalue: {secret}\n")
    assert (finding.severity, finding.got) == (Severity.ERROR, "line 2")
    assert secret not in str(finding)


@pytest.mark.parametrize(
    "line",
    [
        'jwtSecret: "{}"',
        "password: {}",
        "  admin_token={}",
        '"clientSecret": "{}"',
        "PASSWORD: '{}'",
        "redis-password: {}",
    ],
)
def test_random_text_behind_a_word_that_promises_a_secret_is_a_warning(line: str) -> None:
    (finding,) = found(f"a: 1\n{line.format('h3Jq81LxTzPw0aVm')}\n")
    assert (finding.severity, finding.got) == (Severity.WARNING, "line 2")


@given(st.binary(min_size=18, max_size=48).filter(lambda one: len(set(one)) > 14))
def test_a_password_of_18_random_bytes_is_seen(random: bytes) -> None:
    assert look_through(b"password: " + base64.urlsafe_b64encode(random).rstrip(b"=").replace(b"_", b"k")) is not None


@pytest.mark.parametrize(
    "text",
    [
        "secretName: kubesphere-monitoring-prometheus-etcd",
        "tokenURL: https://login.example/oauth/token?client=kubesphere",
        "passwordSecretRef: {name: grafana-admin-credentials}",
        "password: ENC[AES256_GCM,data:p673w9Zk8e,iv:YY=,tag:PQ==,type:str]",
        "password: $(REDIS_PASSWORD_FROM_ENV)",
        "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token",
        "secret: <generated>",
        "image: docker.io/library/nginx@sha256:1f3e46996e2966e4faa5846e56e76e3748b7315e2ded61476c24403d592134f0",
        "checksum/secret: 1f3e4699",
        "token: ServiceAccountTokenVolumeProjection",
        "secret-name: short",
        "passwordVariable: 'DOCKER_PASSWORD'",
        "automountServiceAccountToken: false",
        "description: the password must have upper and lower case letters",
    ],
)
def test_names_references_and_ciphertext_are_no_secrets(text: str) -> None:
    assert not found(text)


def test_a_checksum_of_a_secret_is_public() -> None:
    assert not found("checksum/secret: 1f3e46996e2966e4faa5846e56e76e3748b7315e2ded61476c24403d592134f0")


def test_definitions_are_passed_over() -> None:
    path = "manifests/w005-crds/shop/customresourcedefinition-a.yaml"
    assert not found("password: h3Jq81LxTzPw0aVm", path)


def test_many_lines_are_counted() -> None:
    text = "\n".join(f"password: {secrets.token_urlsafe(24).replace('-', 'a')}" for _ in range(9))
    (finding,) = found(text)
    assert finding.got == "lines 1, 2, 3, 4, 5, 6 and 3 more"
