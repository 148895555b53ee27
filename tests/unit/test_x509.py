"""Paths of certificates: what leads to a company's root, and all that breaks on the way (RFC 5280, section 6)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from renderer.formats.trust.certificate import parse_certificate
from renderer.formats.trust.pem import certificates_of
from renderer.formats.trust.x509 import PATH_LIMIT, find_path, parse_authority
from renderer.model.bundles.trust import NameKind, SubjectName
from tests.simulators.authority import CODE_SIGNING, NOW, YEAR, Holder, authority, new_key, root, signer, usage

UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
EMAIL_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])


def path(chain: Sequence[Holder], *trusted: Holder) -> list[str]:
    """The common names on the path from the first of `chain` to one of those trusted."""
    certificates = [parse_certificate(one.der) for one in chain]
    believed = parse_authority(b"".join(one.pem for one in trusted))
    return [certificate.subject for certificate in find_path(certificates, believed, NOW)]


def broken(chain: Sequence[Holder], *trusted: Holder) -> str:
    """Why there is no path."""
    with pytest.raises(ValueError, match=r".") as caught:
        path(chain, *trusted)
    return str(caught.value)


# --- reading ------------------------------------------------------------------------------------------------------


def test_what_a_certificate_says() -> None:
    names = [
        x509.RFC822Name("li.na@bank.example"),
        x509.UniformResourceIdentifier("https://ci.bank.example/release"),
        x509.DNSName("build.bank.example"),
        x509.DirectoryName(x509.Name([])),
    ]
    holder = root().issue("Release, Office", signer(*names))
    found = parse_certificate(holder.der)
    assert (found.subject, found.issuer, found.serial) == (r"CN=Release\, Office", "CN=Bank Root", holder.serial)
    assert found.names == (
        SubjectName(NameKind.EMAIL, "li.na@bank.example"),
        SubjectName(NameKind.URI, "https://ci.bank.example/release"),
        SubjectName(NameKind.DNS, "build.bank.example"),
        SubjectName(NameKind.COMMON_NAME, "Release, Office"),
    )
    assert found.public_key().kind == "ECDSA P-256"
    assert not found.self_issued


@pytest.mark.parametrize("content", [b"", b"\x30\x03\x02\x01\x00", b"nonsense", root().der[:-1], root().der + b"\0"])
def test_what_is_no_certificate(content: bytes) -> None:
    with pytest.raises(ValueError, match="the certificate cannot be read"):
        parse_certificate(content)


def test_a_name_cannot_paint_on_the_terminal() -> None:
    found = parse_certificate(root("Bank\x1b[2J\u202eRoot").issue("plain", signer()).der)
    assert found.issuer == "CN=Bank\ufffd[2J\ufffdRoot"
    with pytest.raises(ValueError, match="characters that are not shown"):
        parse_certificate(root().issue("a\x1b[2J", signer()).der)


# --- paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa", "ed25519"])
def test_a_root_certifies_a_signer(kind: str) -> None:
    bank = root(kind=kind)
    assert path([bank.issue("release", signer())], bank) == ["CN=release", "CN=Bank Root"]


def test_intermediates_come_with_the_signature_or_with_the_policy() -> None:
    bank = root()
    below = bank.issue("Releases", authority())
    deeper = below.issue("Releases East", authority())
    release = deeper.issue("release", signer())
    names = ["CN=release", "CN=Releases East", "CN=Releases", "CN=Bank Root"]
    assert path([release, deeper, below], bank) == names
    assert path([release, below, deeper], bank) == names, "the order of those that help says nothing"
    assert path([release], bank, below, deeper) == names
    assert path([release, deeper], bank, below) == names
    assert path([release, deeper, below, bank], bank) == names, (
        "a root that comes along proves nothing and harms nothing"
    )
    assert broken([release, below], bank) == "`CN=Releases East`, which issued the certificate, leads to no root"


def test_where_no_root_is_named_each_certificate_is_believed() -> None:
    below = root().issue("Releases", authority())
    release = below.issue("release", signer())
    assert path([release], below) == ["CN=release", "CN=Releases"]


def test_beside_a_root_an_intermediate_must_come_from_it() -> None:
    stranger = root("Elsewhere").issue("Releases", authority())
    assert "leads to no root" in broken([stranger.issue("release", signer())], root(), stranger)


def test_one_of_several_roots_is_enough() -> None:
    old, new = root("Root 2016"), root("Root 2026")
    assert path([new.issue("release", signer())], old, new)[-1] == "CN=Root 2026"


def test_two_roots_of_one_name_are_told_apart_by_their_keys() -> None:
    one, two = root(), root()
    assert path([two.issue("release", signer())], one, two) == ["CN=release", "CN=Bank Root"]
    assert "leads to no root" in broken([two.issue("release", signer())], one)


def test_a_root_that_comes_with_the_signature_is_not_believed() -> None:
    evil = root("Evil")
    assert broken([evil.issue("release", signer()), evil], root()) == (
        "`CN=Evil`, which issued the certificate, leads to no root"
    )


def test_a_signer_who_certifies_himself_is_nobody() -> None:
    alone = root("alone", [(x509.BasicConstraints(ca=False, path_length=None), True)])
    assert "leads to no root" in broken([alone], root())


# --- what certificates admit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        (authority(), "that of an authority, which signs certificates and not bundles"),
        ([(usage("key_encipherment"), True)], "key usage does not admit digital signatures"),
        ([(EMAIL_ONLY, False)], "extended key usage does not admit code signing"),
        ([(UNKNOWN, True)], "a critical extension that is not understood here (1.3.6.1.4.1.99999.1)"),
        ([(x509.NameConstraints([x509.DNSName("x")], None), False)], "name constraints, which are not understood"),
        ([(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)], "does not admit code signing"),
    ],
    ids=["authority", "usage", "purpose", "critical", "constraints", "any-purpose"],
)
def test_certificates_that_do_not_admit_signing(extensions: list[tuple[x509.ExtensionType, bool]], reason: str) -> None:
    bank = root()
    assert reason in broken([bank.issue("release", extensions)], bank)


@pytest.mark.parametrize(
    "extensions",
    [
        [],
        [(usage("digital_signature", "key_encipherment"), True)],
        [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION, CODE_SIGNING]), True)],
        [(UNKNOWN, False), (x509.BasicConstraints(ca=False, path_length=None), True)],
    ],
    ids=["nothing-said", "both", "purposes", "not-critical"],
)
def test_certificates_that_admit_signing(extensions: list[tuple[x509.ExtensionType, bool]]) -> None:
    bank = root()
    assert path([bank.issue("release", extensions)], bank)


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        (signer(), "basic constraints do not say `CA:TRUE`"),
        ([(x509.BasicConstraints(ca=False, path_length=None), True)], "basic constraints do not say `CA:TRUE`"),
        ([], "basic constraints do not say `CA:TRUE`"),
        ([authority()[0], (usage("digital_signature"), True)], "key usage does not admit signing certificates"),
        ([*authority(), (EMAIL_ONLY, False)], "extended key usage does not admit code signing"),
        ([*authority(), (UNKNOWN, True)], "critical extension that is not understood"),
        ([*authority(), (x509.NameConstraints([x509.DNSName("x")], None), True)], "name constraints"),
    ],
    ids=["signer", "no-authority", "nothing-said", "usage", "purpose", "critical", "constraints"],
)
def test_certificates_that_do_not_admit_issuing(extensions: list[tuple[x509.ExtensionType, bool]], reason: str) -> None:
    bank = root()
    false = bank.issue("false", extensions)
    told = broken([false.issue("release", signer()), false], bank)
    assert told.startswith("the authority's certificate `CN=false`: ")
    assert reason in told


def test_the_length_of_a_path_is_what_the_authorities_admit() -> None:
    bank = root(extensions=authority(path_length=0))
    assert path([bank.issue("release", signer())], bank)
    below = bank.issue("Releases", authority())
    assert broken([below.issue("release", signer()), below], bank) == (
        "the authority's certificate `CN=Bank Root`: it admits 0 authorities below itself, and there are 1"
    )


def test_the_length_of_a_path_has_a_limit() -> None:
    chain = [root()]
    for number in range(PATH_LIMIT - 1):
        chain.append(chain[-1].issue(f"below {number}", authority()))
    fits = chain[-2].issue("release", signer())
    assert len(path([fits, *chain[1:-1]], chain[0])) == PATH_LIMIT
    assert broken([chain[-1].issue("release", signer()), *chain[1:]], chain[0]) == (
        f"the path to a root has more than {PATH_LIMIT} certificates"
    )


def test_a_maze_of_certificates_is_not_gone_through() -> None:
    # Ten authorities of one name and one key, each of which may have issued each.
    bank, key = root(), new_key()
    first = bank.issue("maze", authority(), key=key)
    maze = [first.issue("maze", authority(), key=key) for _ in range(9)]
    release = maze[0].issue("release", signer())
    other = root("Elsewhere")
    with pytest.raises(ValueError, match="finding a path takes more than 24 signatures of certificates"):
        path([release, *maze], other)


# --- validity -----------------------------------------------------------------------------------------------------

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("start", "end", "valid"),
    [
        (NOW, NOW, True),
        (NOW + SECOND, NOW + YEAR, False),
        (NOW - YEAR, NOW - SECOND, False),
    ],
)
def test_every_certificate_is_valid_at_the_moment_of_verification(start: object, end: object, valid: bool) -> None:
    during = {"start": start, "end": end}
    bank = root()
    below = bank.issue("Releases", authority())
    release = bank.issue("release", signer(), **during)  # type: ignore[arg-type]
    brief = bank.issue("Brief", authority(), **during)  # type: ignore[arg-type]
    old = root("Old Root", **during)  # type: ignore[arg-type]
    chains = (
        ([release], bank),
        ([brief.issue("release", signer()), brief], bank),
        ([old.issue("release", signer())], old),
    )
    assert path([below.issue("release", signer()), below], bank)
    for chain, trusted in chains:
        if valid:
            assert path(chain, trusted)
        else:
            assert "the certificate is valid from 20" in broken(chain, trusted)
            assert broken(chain, trusted).endswith(" only"), "without today's day: provenance repeats it"


# --- signatures of authorities ------------------------------------------------------------------------------------


def test_a_certificate_that_was_changed_is_not_believed() -> None:
    bank = root()
    release = bank.issue("release", signer())
    place = release.der.index(b"release@bank.example")
    changed = release.der[:place] + b"evilone" + release.der[place + 7 :]
    with pytest.raises(ValueError, match="leads to no root"):
        find_path([parse_certificate(changed)], parse_authority(bank.pem), NOW)


def test_pss_is_believed() -> None:
    bank = root(kind="rsa")
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    assert path([bank.issue("release", signer(), rsa_padding=pss)], bank)


def test_sha_1_is_not_believed(openssl: Callable[[str], str], tmp_path: Path) -> None:
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=Root -days 9")
    openssl("req -new -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -subj /CN=release")
    (tmp_path / "ext").write_text("subjectAltName=email:release@bank.example\n")
    openssl("x509 -req -in csr.pem -CA ca.crt -CAkey ca.key -sha1 -extfile ext -out release.crt -days 9")
    (content,) = certificates_of((tmp_path / "release.crt").read_bytes())
    believed = parse_authority((tmp_path / "ca.crt").read_bytes())
    with pytest.raises(
        ValueError, match=r"signed with an algorithm that is not believed \(1\.2\.840\.113549\.1\.1\.5\)"
    ):
        find_path([parse_certificate(content)], believed, NOW)


def test_weak_keys_of_authorities_are_not_believed() -> None:
    weak = root().issue("Weak", authority(), key=new_key("rsa1024"))
    with pytest.raises(ValueError, match="its key is weak"):
        parse_authority(weak.pem)


def test_sm2_certificates(openssl: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "ext").write_text("subjectAltName=email:release@bank.example\nextendedKeyUsage=codeSigning\n")
    identity = "-sigopt distid:1234567812345678"
    openssl("genpkey -algorithm SM2 -out ca.key")
    openssl(f"req -x509 -new -key ca.key -sm3 {identity} -subj /CN=Root -out ca.crt -days 9")
    openssl("genpkey -algorithm SM2 -out key.pem")
    openssl(f"req -new -key key.pem -sm3 {identity} -subj /CN=release -out csr.pem")
    openssl(
        f"x509 -req -in csr.pem -CA ca.crt -CAkey ca.key -sm3 {identity} -vfyopt distid:1234567812345678"
        " -extfile ext -out release.crt -days 9"
    )
    (content,) = certificates_of((tmp_path / "release.crt").read_bytes())
    release = parse_certificate(content)
    now = release.read.not_valid_before_utc + timedelta(hours=1)
    found = find_path([release], parse_authority((tmp_path / "ca.crt").read_bytes()), now)
    assert [one.subject for one in found] == ["CN=release", "CN=Root"]
    assert release.public_key().kind == "SM2"
    other = root("Root").pem
    with pytest.raises(ValueError, match="leads to no root"):
        find_path([release], parse_authority(other), now)


@pytest.fixture
def openssl(real: Callable[[str], Path], tmp_path: Path) -> Callable[[str], str]:
    """Debian's openssl, run in `tmp_path`."""
    program = real("openssl")

    def run(arguments: str) -> str:
        ran = subprocess.run([program, *arguments.split()], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


# --- authorities --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (b"", "there is no certificate in it"),
        (root().issue("release", signer()).pem, r"certificate 1 \(`CN=release`\) is not that of an authority"),
        (
            root().pem + b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            "certificate 2: the certificate",
        ),
        (root().pem * 11, "there are 11 certificates; 10 are allowed"),
    ],
    ids=["empty", "signer", "broken", "many"],
)
def test_what_is_no_authority(pem: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_authority(pem)


def test_a_certificate_of_which_a_byte_was_changed_is_refused_and_never_more(recwarn: pytest.WarningsRecorder) -> None:
    bank = root()
    below = bank.issue("Releases", authority())
    release, believed = below.issue("release", signer()), parse_authority(bank.pem)
    for whole in (release.der, below.der):
        for position in range(len(whole)):
            changed = bytearray(whole)
            changed[position] ^= 1 << position % 8
            chain = [bytes(changed) if one == whole else one for one in (release.der, below.der)]
            with pytest.raises(ValueError, match=r"."):
                find_path([parse_certificate(one) for one in chain], believed, NOW)
    assert not recwarn.list
