"""Files of age: made here and opened by the real age, and the other way round; everything else is refused."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.formats.sealed.age import DoesNotOpenError, age_open, age_seal, parse_identities
from renderer.model.generated.recipient import AgeRecipient
from tests.sealing_fixture import counted, key_pair

ONE, OTHER = key_pair("one"), key_pair("other")
CONTENT = bytes(range(32))


@pytest.mark.real
def test_what_is_sealed_here_the_real_age_opens_for_every_recipient(
    real: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "sealed.age").write_text(age_seal(CONTENT, [ONE.recipient, OTHER.recipient], counted()))
    for pair in (ONE, OTHER):
        (tmp_path / "key.txt").write_text(pair.text)
        opened = subprocess.run(
            [str(real("age")), "-d", "-i", "key.txt", "sealed.age"], cwd=tmp_path, capture_output=True, check=True
        )
        assert opened.stdout == CONTENT


@pytest.mark.real
@pytest.mark.parametrize("length", [0, 1, 32, 47, 48, 49, 5000])
def test_what_the_real_age_seals_is_opened_here(real: Callable[[str], Path], length: int) -> None:
    content = bytes(length)
    command = [str(real("age")), "-a", "-r", str(OTHER.recipient), "-r", str(ONE.recipient)]
    armored = subprocess.run(command, input=content, capture_output=True, check=True).stdout.decode()
    assert age_open(armored, [ONE.identity]) == content


@pytest.mark.real
def test_a_key_file_of_the_real_age_keygen_is_read(real: Callable[[str], Path]) -> None:
    keygen = str(real("age-keygen"))
    made = subprocess.run([keygen], capture_output=True, check=True, text=True)
    (identity,) = parse_identities(made.stdout)
    asked = subprocess.run([keygen, "-y"], input=made.stdout, capture_output=True, check=True, text=True)
    assert str(identity.recipient) == asked.stdout.strip()


def test_only_the_right_key_opens() -> None:
    sealed = age_seal(CONTENT, [ONE.recipient], counted())
    assert age_open(sealed, [OTHER.identity, ONE.identity]) == CONTENT
    with pytest.raises(DoesNotOpenError):
        age_open(sealed, [OTHER.identity])
    with pytest.raises(DoesNotOpenError):
        age_open(sealed, [])


def test_the_same_randomness_gives_the_same_file() -> None:
    assert age_seal(CONTENT, [ONE.recipient], counted()) == age_seal(CONTENT, [ONE.recipient], counted())


def test_a_changed_character_anywhere_is_refused() -> None:
    sealed = age_seal(CONTENT, [ONE.recipient], counted())
    for at, character in enumerate(sealed.rstrip("\n")):
        changed = sealed[:at] + ("B" if character == "A" else "A") + sealed[at + 1 :]
        with pytest.raises(ValueError, match=r"age|armor|open"):
            age_open(changed, [ONE.identity])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not an age file in armor"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n\n-----END AGE ENCRYPTED FILE-----", "malformed"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\naGVsbG8=\n-----END AGE ENCRYPTED FILE-----", "not a file of age"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\nä\n-----END AGE ENCRYPTED FILE-----", "not base64"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n" + "A" * 200_000, "longer than"),
    ],
)
def test_what_is_no_age_file_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        age_open(text, [ONE.identity])


def test_private_keys_are_never_shown() -> None:
    secret = ONE.text.strip()
    assert secret not in repr(ONE.identity)
    with pytest.raises(ValueError, match=r"^line 2: the key is misspelled: its checksum does not fit$") as caught:
        parse_identities(f"# a comment\n{secret[:-1]}Q\n")
    assert secret[:-1] not in str(caught.value)
    with pytest.raises(ValueError, match="begins with `AGE-SECRET-KEY-1`"):
        parse_identities(str(ONE.recipient))


def test_several_keys_in_one_text_and_none() -> None:
    both = parse_identities(f"{ONE.text}\n# old\n{OTHER.text}")
    assert [one.recipient for one in both] == [ONE.recipient, OTHER.recipient]
    assert parse_identities("# nothing\n\n") == ()
    with pytest.raises(ValueError, match="at most 100"):
        parse_identities(ONE.text * 101)
    with pytest.raises(ValueError, match="at most 64 KiB"):
        parse_identities("#" * 70_000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ONE.text.strip(), "this is a private key"),
        ("age1pq1abc", "other kinds of keys"),
        ("ssh-ed25519 AAAA", "other kinds of keys"),
        (str(ONE.recipient)[:-1] + "q", "checksum"),
        (str(ONE.recipient)[:-1], "checksum"),
        (str(ONE.recipient).title(), "all of them small"),
        ("age", "not a key of age"),
        ("a" * 500, "one word"),
    ],
)
def test_what_is_no_recipient_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        AgeRecipient.parse(text)
    assert "AGE-SECRET-KEY-1" not in str(caught.value)


def test_nothing_is_sealed_for_nobody() -> None:
    with pytest.raises(ValueError, match="at least one recipient"):
        age_seal(CONTENT, [], counted())
