"""What we sign, judged by skopeo and cosign (those of Debian 13) out of a real registry."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from renderer.cli.main import main
from tests.simulators.bundles import Workshop
from tests.simulators.papers import Company
from tests.unit.registry_fixture import RealRegistry, real_registry

pytestmark = pytest.mark.real
Cosign = Callable[..., tuple[bool, str]]
PASSPHRASE = "throwaway"


@pytest.fixture
def registry(real: Callable[[str], Path], tmp_path: Path) -> Iterator[RealRegistry]:
    with real_registry(real("docker-registry"), tmp_path / "registry") as started:
        yield started


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A bundle `demo`, not signed yet, in the working directory."""
    monkeypatch.chdir(tmp_path)
    workshop = Workshop(tmp_path)
    workshop.sources(images=())
    workshop.build()
    return workshop


@pytest.fixture
def cosign(debian13: Callable[[str], Path], tmp_path: Path) -> Cosign:
    """`cosign(*arguments)`: whether it ended well, and what it said."""
    program = debian13("cosign")

    def run(*arguments: str) -> tuple[bool, str]:
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "COSIGN_PASSWORD": PASSPHRASE}
        done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    return run


def sitewright(*arguments: str) -> None:
    assert main(list(arguments)) == 0


def published(registry: RealRegistry) -> tuple[str, str]:
    """The bundle pushed to the registry: its reference by tag, and by digest."""
    repository = f"127.0.0.1:{registry.port}/demo"
    sitewright("bundle", "push", "bundle", f"oci://{repository}:1.0.0", "--plain-http")
    index = json.loads(Path("bundle/index.json").read_bytes())
    return f"{repository}:1.0.0", f"{repository}@{index['manifests'][0]['digest']}"


def copied_by_skopeo(skopeo: Path, reference: str, key: str, registry: RealRegistry) -> str:
    """What skopeo says when it copies an image that must be signed by `key`; nothing when it does copy it."""
    host = f"127.0.0.1:{registry.port}"
    rule = {
        "type": "sigstoreSigned",
        "keyPath": str(Path(key).absolute()),
        # the payload names the bundle, not a place
        "signedIdentity": {"type": "exactRepository", "dockerRepository": "demo"},
    }
    Path("policy.json").write_text(
        json.dumps({"default": [{"type": "reject"}], "transports": {"docker": {host: [rule]}}})
    )
    Path("registries.d").mkdir(exist_ok=True)
    Path("registries.d/site.yaml").write_text(f"docker: {{'{host}': {{use-sigstore-attachments: true}}}}\n")
    command = [str(skopeo), "--policy", "policy.json", "--registries.d", "registries.d", "copy", "--quiet"]
    command += ["--src-tls-verify=false", f"docker://{reference}", "dir:copied"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (not done.stderr)
    return done.stderr


@pytest.mark.parametrize("kind", ["p256", "ed25519", "rsa"])
def test_skopeo_copies_what_we_signed_and_refuses_another_key(
    shop: Workshop, registry: RealRegistry, debian13: Callable[[str], Path], kind: str
) -> None:
    shop.key("vendor", kind)
    shop.key("stranger", kind)
    sitewright("bundle", "sign", "bundle", "--key", "keys/vendor.pem", "--form", "both")
    by_tag, _ = published(registry)
    skopeo = debian13("skopeo")
    assert copied_by_skopeo(skopeo, by_tag, "keys/vendor.pub", registry) == ""
    assert "Source image rejected" in copied_by_skopeo(skopeo, by_tag, "keys/stranger.pub", registry)


def test_skopeo_hashes_with_sha256_only_and_so_refuses_p384(
    shop: Workshop, registry: RealRegistry, debian13: Callable[[str], Path]
) -> None:
    shop.key("vendor", "p384")
    sitewright("bundle", "sign", "bundle", "--key", "keys/vendor.pem")
    by_tag, _ = published(registry)
    assert "invalid signature" in copied_by_skopeo(debian13("skopeo"), by_tag, "keys/vendor.pub", registry)


@pytest.mark.parametrize(("kind", "more"), [("p256", ()), ("p384", ("--signature-digest-algorithm=sha384",))])
def test_cosign_verifies_what_we_signed(
    shop: Workshop, registry: RealRegistry, cosign: Cosign, kind: str, more: tuple[str, ...]
) -> None:
    shop.key("vendor", kind)
    shop.key("stranger", kind)
    sitewright("bundle", "sign", "bundle", "--key", "keys/vendor.pem", "--form", "both")
    _, by_digest = published(registry)
    well, said = cosign("verify", "--key", "keys/vendor.pub", "--insecure-ignore-tlog", *more, by_digest)
    assert well, said
    well, said = cosign("verify", "--key", "keys/stranger.pub", "--insecure-ignore-tlog", *more, by_digest)
    assert not well
    assert "no matching signatures" in said


def test_cosign_verifies_a_certificate_and_its_chain(shop: Workshop, registry: RealRegistry, cosign: Cosign) -> None:
    company = Company(shop.root / "papers")
    company.release("release@bank.example")
    certificate = ("--certificate", "papers/release.crt", "--chain", "papers/chain.crt")
    sitewright("bundle", "sign", "bundle", "--key", "papers/release.key", *certificate)
    _, by_digest = published(registry)
    asked = ("--ca-roots=papers/root.crt", "--ca-intermediates=papers/intermediate.crt", "--insecure-ignore-sct")
    trusts = (*asked, "--insecure-ignore-tlog", "--certificate-oidc-issuer-regexp=.*", "--certificate-identity")
    well, said = cosign("verify", *trusts, "release@bank.example", by_digest)
    assert well, said
    well, said = cosign("verify", *trusts, "somebody@bank.example", by_digest)
    assert not well
    assert "none of the expected identities matched" in said


@pytest.mark.usefixtures("shop")
def test_a_key_of_cosign_signs_here_what_cosign_verifies(
    registry: RealRegistry, cosign: Cosign, monkeypatch: pytest.MonkeyPatch
) -> None:
    well, said = cosign("generate-key-pair")
    assert well, said
    monkeypatch.setenv("SITEWRIGHT_KEY_PASSPHRASE", PASSPHRASE)
    sitewright("bundle", "sign", "bundle", "--key", "cosign.key")
    _, by_digest = published(registry)
    well, said = cosign("verify", "--key", "cosign.pub", "--insecure-ignore-tlog", by_digest)
    assert well, said


def test_signatures_that_cosign_adds_stay_when_we_sign_again(
    shop: Workshop, registry: RealRegistry, cosign: Cosign, debian13: Callable[[str], Path]
) -> None:
    assert cosign("generate-key-pair")[0]
    by_tag, by_digest = published(registry)
    well, said = cosign("sign", "--yes", "--key", "cosign.key", "--tlog-upload=false", by_digest)
    assert well, said
    tag = f"sha256-{by_digest.rpartition(':')[2]}.sig"
    repository = by_tag.rpartition(":")[0]
    command = [str(debian13("skopeo")), "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"]
    subprocess.run([*command, f"docker://{repository}:{tag}", f"oci:bundle:{tag}"], check=True)
    shop.key("vendor")
    sitewright("bundle", "sign", "bundle", "--key", "keys/vendor.pem")
    subprocess.run([*command[:-1], "--dest-tls-verify=false", f"oci:bundle:{tag}", f"docker://{repository}:{tag}"],
                   check=True)  # fmt: skip
    for key in ("cosign.pub", "keys/vendor.pub"):
        well, said = cosign("verify", "--key", key, "--insecure-ignore-tlog", by_digest)
        assert well, said
