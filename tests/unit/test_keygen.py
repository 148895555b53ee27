"""Keys for signing: made with the command line, usable by the command line and by OpenSSL, never replaced."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.adapters.signing import KeyFileSigner, make_key_pair
from renderer.errors import InputError
from renderer.formats.trust.keys import parse_public_key
from renderer.model.bundles.trust import Algorithm


@pytest.mark.parametrize("algorithm", [Algorithm.ECDSA_P256_SHA256, Algorithm.ECDSA_P384_SHA384, Algorithm.ED25519])
def test_a_new_key_signs_what_its_public_key_verifies(algorithm: Algorithm, tmp_path: Path) -> None:
    outcome = make_key_pair(tmp_path / "keys/a.key", "keys/a.key", algorithm, None)
    public = parse_public_key((tmp_path / "keys/a.pub").read_bytes())
    signer = KeyFileSigner(tmp_path / "keys/a.key", "keys/a.key")
    assert public.check(b"payload", signer.sign(b"payload")) is algorithm
    assert str(public.fingerprint) in outcome.text


def test_the_private_key_is_readable_by_its_owner_only_and_never_replaced(tmp_path: Path) -> None:
    key = tmp_path / "a.key"
    make_key_pair(key, "a.key", Algorithm.ED25519, None)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    with pytest.raises(InputError) as caught:
        make_key_pair(key, "a.key", Algorithm.ED25519, None)
    assert caught.value.findings[0].code == "key-exists"
    assert key.read_bytes() == before


@pytest.mark.real
def test_an_encrypted_key_opens_with_its_passphrase_here_and_in_openssl(
    real: Callable[[str], Path], tmp_path: Path
) -> None:
    make_key_pair(tmp_path / "a.key", "a.key", Algorithm.ECDSA_P256_SHA256, b"correct horse")
    assert b"ENCRYPTED" in (tmp_path / "a.key").read_bytes()
    KeyFileSigner(tmp_path / "a.key", "a.key", lambda: b"correct horse").sign(b"x")
    with pytest.raises(InputError, match="the passphrase is wrong"):
        KeyFileSigner(tmp_path / "a.key", "a.key", lambda: b"wrong")
    command = [str(real("openssl")), "pkey", "-in", "a.key", "-passin", "pass:correct horse", "-pubout"]
    opened = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert opened.stdout == (tmp_path / "a.pub").read_bytes()
