"""Keys that lie elsewhere: a command signs, and is believed only when its public key confirms the signature."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.adapters.external_signer import ExternalSigner
from renderer.adapters.signing import KeyFileSigner
from renderer.errors import Finding, InputError
from renderer.formats.trust.keys import parse_public_key
from renderer.formats.trust.raw_signatures import spellings
from renderer.model.bundles.trust import Algorithm
from tests.simulators.bundles import Workshop

PAYLOAD = b"what is to be signed"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A directory with the key `vendor`, in which commands run."""
    monkeypatch.chdir(tmp_path)
    workshop = Workshop(tmp_path)
    workshop.key("vendor")
    return workshop


def python(code: str) -> str:
    """A command that runs `code`."""
    return f'{sys.executable} -c "{code}"'


def refusal(shop: Workshop, command: str, *, timeout: float = 20.0) -> Finding:
    """Why a signature of `command` is not taken."""
    with pytest.raises(InputError) as caught:
        ExternalSigner(command, shop.keys["vendor"].pem, timeout=timeout).sign(PAYLOAD)
    (finding,) = caught.value.findings
    return finding


def test_openssl_signs(shop: Workshop, real: Callable[[str], Path]) -> None:
    signer = ExternalSigner(f"{real('openssl')} dgst -sha256 -sign keys/vendor.pem", shop.keys["vendor"].pem)
    assert parse_public_key(signer.public_key).check(PAYLOAD, signer.sign(PAYLOAD)) is Algorithm.ECDSA_P256_SHA256


def test_words_are_split_as_a_shell_does_and_no_shell_runs_them(shop: Workshop) -> None:
    shop.write({"a b.py": "import sys; print(sys.argv[1:], file=sys.stderr); sys.exit(1)"})
    finding = refusal(shop, f"{sys.executable} 'a b.py' $HOME '*' ';' \"two words\"")
    assert finding.explanation == ("['$HOME', '*', ';', 'two words']",)


def test_what_the_signer_says_is_shown_when_it_fails(shop: Workshop) -> None:
    finding = refusal(shop, python("import sys; sys.stderr.write('no such token\\n\\x1b[31mpin?'); sys.exit(3)"))
    assert (finding.code, finding.message) == ("signer-failed", "the signer ended with exit code 3")
    assert finding.explanation == ("no such token", " [31mpin?")
    assert (
        finding.hint == "run the command by itself: it reads what is to be signed, and writes the signature and "
        "nothing else"
    )


def test_the_arguments_are_not_repeated_for_they_may_hold_a_pin(shop: Workshop) -> None:
    finding = refusal(shop, "./no-such-signer --pin 4711")
    assert finding.code == "signer-not-found"
    assert finding.where.subject == "--signer ./no-such-signer"
    assert "cannot be started: No such file or directory" in finding.message
    assert "4711" not in str(finding)


@pytest.mark.parametrize(("command", "message"), [("", "is empty"), ("sign 'x", "is no command: No closing quotation")])
def test_what_is_no_command_is_refused(shop: Workshop, command: str, message: str) -> None:
    finding = refusal(shop, command)
    assert finding.code == "signer-not-found"
    assert message in finding.message


def test_a_signature_of_another_key_is_not_stored(shop: Workshop, real: Callable[[str], Path]) -> None:
    other = shop.key("other")
    finding = refusal(shop, f"{real('openssl')} dgst -sha256 -sign keys/other.pem")
    assert finding.code == "signature-not-of-key"
    assert finding.expected == (
        f"a signature by the ECDSA P-256 key {parse_public_key(shop.keys['vendor'].pem).fingerprint}"
    )
    assert str(parse_public_key(other.pem).fingerprint) not in str(finding)


def test_a_signature_over_something_else_is_not_stored(shop: Workshop, real: Callable[[str], Path]) -> None:
    shop.write({"other": b"something else"})
    finding = refusal(shop, f"{real('openssl')} dgst -sha256 -sign keys/vendor.pem other")
    assert finding.code == "signature-not-of-key"


def test_a_signer_that_hangs_is_ended(shop: Workshop) -> None:
    before = time.monotonic()
    finding = refusal(shop, python("import time; time.sleep(60)"), timeout=0.5)
    assert (finding.code, finding.message) == ("signer-timeout", "the signer did not finish within 0.5 seconds")
    assert time.monotonic() - before < 10


def test_a_child_that_keeps_the_pipes_open_is_not_waited_for(shop: Workshop) -> None:
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5)'])"
    before = time.monotonic()
    assert refusal(shop, python(code), timeout=0.5).code == "signer-timeout"
    assert time.monotonic() - before < 4


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("pass", "the signer wrote nothing to its standard output"),
        ("print('x' * 10**7)", "the signer wrote more than 8192 bytes to its standard output"),
    ],
)
def test_what_is_written_has_a_size(shop: Workshop, code: str, message: str) -> None:
    finding = refusal(shop, python(code))
    assert (finding.code, finding.message) == ("signer-failed", message)


def test_the_two_numbers_side_by_side_become_der(shop: Workshop) -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    key = parse_public_key(shop.keys["vendor"].pem)
    for _ in range(20):  # numbers with leading zeroes and leading ones are among them
        signature = KeyFileSigner(shop.root / "keys/vendor.pem", "vendor").sign(PAYLOAD)
        r, s = decode_dss_signature(signature)
        raw = r.to_bytes(32) + s.to_bytes(32)
        assert signature in spellings(raw)
        assert key.check(PAYLOAD, raw) is None
    shop.write({"raw": raw})
    signer = ExternalSigner(
        python("import sys, pathlib; sys.stdout.buffer.write(pathlib.Path('raw').read_bytes())"),
        shop.keys["vendor"].pem,
    )
    assert signer.sign(PAYLOAD) == signature


def test_other_lengths_are_taken_as_they_are() -> None:
    assert spellings(b"x" * 70) == (b"x" * 70,)
    assert spellings(b"") == (b"",)
    assert len(spellings(b"\x80" * 96)) == 2


# --- a security module, in software ------------------------------------------------------------------------------


@pytest.fixture
def token(tmp_path: Path, real: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A SoftHSM token `release` with the PIN 1234; `token(*arguments)` is what pkcs11-tool says to them."""
    tool, util = real("pkcs11-tool"), real("softhsm2-util")
    modules = [path for pattern in MODULES for path in Path("/").glob(pattern.lstrip("/"))]
    if not modules:
        pytest.fail("libsofthsm2.so is not where Debian has it")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    monkeypatch.setenv("PKCS11_MODULE_PATH", str(modules[0]))
    monkeypatch.chdir(tmp_path)

    def run(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(str(util), "--init-token", "--free", "--label", "release", "--pin", "1234", "--so-pin", "5678")
    return lambda *arguments: run(str(tool), "--module", str(modules[0]), *arguments)


@pytest.mark.real
@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("EC:prime256v1", Algorithm.ECDSA_P256_SHA256), ("rsa:2048", Algorithm.RSA_PKCS1_SHA256)],
)
def test_a_bundle_is_signed_by_a_key_that_never_leaves_its_module(
    token: Callable[..., str], real: Callable[[str], Path], tmp_path: Path, kind: str, algorithm: Algorithm
) -> None:
    token("--login", "--pin", "1234", "--keypairgen", "--key-type", kind, "--label", "vendor", "--id", "01")
    token("--read-object", "--type", "pubkey", "--id", "01", "-o", "vendor.der")
    openssl = real("openssl")
    subprocess.run([openssl, "pkey", "-pubin", "-inform", "DER", "-in", "vendor.der", "-out", "vendor.pub"], check=True)
    uri = "pkcs11:token=release;object=vendor;type=private;pin-value=1234"
    command = f"{openssl} dgst -sha256 -engine pkcs11 -keyform engine -sign '{uri}'"
    signer = ExternalSigner(command, (tmp_path / "vendor.pub").read_bytes())
    assert parse_public_key(signer.public_key).check(PAYLOAD, signer.sign(PAYLOAD)) is algorithm

    with pytest.raises(InputError) as caught:
        ExternalSigner(command.replace("1234", "9999"), signer.public_key).sign(PAYLOAD)
    (finding,) = caught.value.findings
    assert finding.code == "signer-failed"
    assert finding.explanation, "what OpenSSL says about the PIN"
    assert "9999" not in finding.message


@pytest.mark.real
def test_pkcs11_tool_gives_the_two_numbers(
    token: Callable[..., str], real: Callable[[str], Path], tmp_path: Path
) -> None:
    token("--login", "--pin", "1234", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "vendor", "--id", "01")
    token("--read-object", "--type", "pubkey", "--id", "01", "-o", "vendor.der")
    openssl = real("openssl")
    subprocess.run([openssl, "pkey", "-pubin", "-inform", "DER", "-in", "vendor.der", "-out", "vendor.pub"], check=True)
    script = tmp_path / "sign"
    script.write_text(
        "#!/bin/sh\nset -e\n"
        "openssl dgst -sha256 -binary > digest\n"
        f"{real('pkcs11-tool')} --module $PKCS11_MODULE_PATH --login --pin 1234 --sign --id 01 --mechanism ECDSA "
        "--input-file digest --output-file signature >&2\n"
        "cat signature\n"
    )
    script.chmod(0o700)
    signer = ExternalSigner("./sign", (tmp_path / "vendor.pub").read_bytes())
    assert parse_public_key(signer.public_key).check(PAYLOAD, signer.sign(PAYLOAD)) is Algorithm.ECDSA_P256_SHA256
    assert (tmp_path / "signature").stat().st_size == 64
