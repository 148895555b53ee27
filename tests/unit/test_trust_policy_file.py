"""Trust policies as files: what they mean, and everything that can be wrong with one."""

import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import NoReturn

import pytest

from renderer.adapters.files import WorkingTree
from renderer.adapters.package_data import schema
from renderer.errors import Finding, InputError
from renderer.formats.trust.policy import read_trust_policy
from renderer.model.bundles.trust import Algorithm, TrustPolicy

NONE: Mapping[str, bytes] = {}
POLICY = """\
apiVersion: sitewright.dev/v1
kind: TrustPolicy
metadata: {name: bank}
spec:
  keys:
    - {name: vendor, publicKeyFile: keys/vendor.pub, validFrom: 2026-01-01, validTo: 2027-12-31}
    - {name: office, publicKeyFile: keys/office.pub}
  rules:
    - bundles: "kubesphere*"
      require: {threshold: 2, of: [vendor, office]}
      algorithms: [ecdsa-p256-sha256]
      maxAgeDays: 400
    - bundles: "*"
      require: {threshold: 1, of: [vendor]}
"""


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two key pairs, made by openssl."""
    place = tmp_path_factory.mktemp("keys")
    for name in ("vendor", "office"):
        make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key"]
        subprocess.run(make, cwd=place, check=True, capture_output=True)
        show = ["openssl", "pkey", "-in", f"{name}.key", "-pubout", "-out", f"{name}.pub"]
        subprocess.run(show, cwd=place, check=True)
    return place


def no_bundles(_: Path) -> NoReturn:
    raise AssertionError("a policy is read without opening bundles")


def load(root: Path, keys: Path, text: str = POLICY, files: Mapping[str, bytes] = NONE) -> TrustPolicy:
    content = {f"keys/{key.name}": key.read_bytes() for key in keys.glob("*.pub")} | {"trust.yaml": text.encode()}
    for path, data in (content | dict(files)).items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return read_trust_policy("trust.yaml", WorkingTree(root, no_bundles).read, schema("trust-policy.v1"))


def faults(root: Path, keys: Path, text: str = POLICY, files: Mapping[str, bytes] = NONE) -> tuple[Finding, ...]:
    with pytest.raises(InputError) as caught:
        load(root, keys, text, files)
    return caught.value.findings


def fault(root: Path, keys: Path, text: str = POLICY, files: Mapping[str, bytes] = NONE) -> Finding:
    found = faults(root, keys, text, files)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


def test_a_policy_is_read_with_its_keys(tmp_path: Path, keys: Path) -> None:
    policy = load(tmp_path, keys)
    assert policy.name == "bank"
    vendor, office = policy.keys
    assert (vendor.name, vendor.pem) == ("vendor", (keys / "vendor.pub").read_bytes())
    assert (vendor.valid_from, vendor.valid_to) == (date(2026, 1, 1), date(2027, 12, 31))
    assert (office.valid_from, office.valid_to) == (None, None)
    first, second = policy.rules
    assert (first.bundles, first.threshold, first.of) == ("kubesphere*", 2, ("vendor", "office"))
    assert (first.algorithms, first.max_age_days) == (frozenset({Algorithm.ECDSA_P256_SHA256}), 400)
    assert (second.algorithms, second.max_age_days) == (frozenset(Algorithm), None)


def test_a_policy_may_trust_nobody(tmp_path: Path, keys: Path) -> None:
    text = "apiVersion: sitewright.dev/v1\nkind: TrustPolicy\nmetadata: {name: a}\nspec: {keys: [], rules: []}\n"
    policy = load(tmp_path, keys, text)
    assert (policy.keys, policy.rules) == ((), ())


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_trust_policy("trust.yaml", WorkingTree(tmp_path, no_bundles).read, schema("trust-policy.v1"))
    assert caught.value.findings[0].code == "file-not-found"


def test_faults_of_shape_come_with_place_and_advice(tmp_path: Path, keys: Path) -> None:
    text = POLICY.replace("threshold: 2", "threshold: two").replace("ecdsa-p256-sha256", "ecdsa-p256")
    wrong_type, unknown = faults(tmp_path, keys, text.replace("maxAgeDays", "maxAge"))[:2]
    assert (wrong_type.code, wrong_type.where.path) == ("wrong-type", "spec.rules[0].require.threshold")
    assert str(unknown.where) == "trust.yaml:11:20, spec.rules[0].algorithms[0]"
    assert (unknown.code, unknown.hint) == ("invalid-value", "did you mean `ecdsa-p256-sha256`?")


def test_a_key_file_that_is_not_there(tmp_path: Path, keys: Path) -> None:
    finding = fault(tmp_path, keys, POLICY.replace("keys/office.pub", "keys/gone.pub"))
    assert (finding.code, finding.message) == ("file-not-found", "`keys/gone.pub` does not exist")
    assert str(finding.where) == "trust.yaml:7:37, spec.keys[1].publicKeyFile"


def test_a_private_key_is_refused_and_never_shown(tmp_path: Path, keys: Path) -> None:
    private = (keys / "office.key").read_bytes()
    finding = fault(tmp_path, keys, files={"keys/office.pub": private})
    assert (finding.code, finding.where.path) == ("private-key", "spec.keys[1].publicKeyFile")
    assert finding.hint == "make a new key pair, and put its public key here: openssl pkey -in KEY -pubout"
    assert private.splitlines()[1].decode() not in str(finding)


@pytest.mark.parametrize("content", [b"", b"0Y0\x13", b"-----BEGIN PUBLIC KEY-----\n####\n-----END PUBLIC KEY-----\n"])
def test_a_key_file_is_pem(tmp_path: Path, keys: Path, content: bytes) -> None:
    finding = fault(tmp_path, keys, files={"keys/office.pub": content})
    assert (finding.code, finding.message) == ("not-a-public-key", "`keys/office.pub` is no PEM file of one public key")
    assert finding.expected == "one block `-----BEGIN PUBLIC KEY-----`"


def test_a_key_file_holds_one_key(tmp_path: Path, keys: Path) -> None:
    both = (keys / "office.pub").read_bytes() + (keys / "vendor.pub").read_bytes()
    finding = fault(tmp_path, keys, files={"keys/office.pub": both})
    assert (finding.code, finding.got) == ("not-a-public-key", "2 of them")


def test_a_key_file_is_small(tmp_path: Path, keys: Path) -> None:
    finding = fault(tmp_path, keys, files={"keys/office.pub": b"#" * 16385})
    assert (finding.code, finding.message) == (
        "file-too-large",
        "`keys/office.pub` has 16385 bytes; 16384 are allowed here",
    )


def test_one_key_cannot_sign_under_two_names(tmp_path: Path, keys: Path) -> None:
    same = b"# the vendor again\r\n" + (keys / "vendor.pub").read_bytes().replace(b"\n", b"\r\n")
    finding = fault(tmp_path, keys, files={"keys/office.pub": same})
    assert finding.code == "same-key-twice"
    assert finding.message == "`office` is the same key as `vendor`: one signer would count as two"


@pytest.mark.parametrize(
    ("old", "new", "code", "path", "message"),
    [
        (
            "{name: office",
            "{name: vendor",
            "duplicate-key-name",
            "spec.keys[1].name",
            "two keys or authorities are called `vendor`",
        ),
        (
            "of: [vendor, office]",
            "of: [vendor, offic]",
            "unknown-signer",
            "spec.rules[0].require.of[1]",
            "`offic` is not",
        ),
        ("threshold: 2", "threshold: 3", "invalid-field", "spec.rules[0].require.threshold", "a threshold of 3 cannot"),
        ("2027-12-31", "2025-12-31", "invalid-field", "spec.keys[0].validTo", "the key ends before it begins"),
        ("2027-12-31", "2027-12-32", "invalid-value", "spec.keys[0].validTo", "`spec.keys[0].validTo`"),
    ],
)
def test_rules_that_cannot_hold(
    tmp_path: Path, keys: Path, old: str, new: str, code: str, path: str, message: str
) -> None:
    finding = faults(tmp_path, keys, POLICY.replace(old, new))[0]
    assert (finding.code, finding.where.path) == (code, path)
    assert finding.message.startswith(message)
