"""Lock files: their text, what is refused, and how a lock drifts from the world."""

from typing import Final

import pytest

from renderer.adapters.package_data import schema
from renderer.errors import Finding, InputError, Severity
from renderer.formats.documents.document import parse_document, validate
from renderer.formats.lockfile import decode_lock, encode_lock
from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.lock import Lock, LockedBundle, LockedEngine, LockedExtension, LockedImage, drift
from renderer.model.objects.manifest import ObjectId
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Version
from renderer.structs import replace

A, B, C, D = (Digest("sha256", char * 64) for char in "abcd")
ENGINE = LockedEngine(name="embedded", helm="v4.2.3")
LOCK: Final = Lock(
    site="branch-017",
    sitewright="0.1.0",
    engine=ENGINE,
    profile=A,
    api_versions=("snapshot.storage.k8s.io/v1",),
    bundles=(
        LockedBundle(
            name="kubesphere",
            source="bundles/kubesphere-4.1.3.tar",
            version=Version.parse("4.1.3"),
            sequence=7,
            digest=B,
            signers=("security-office", "vendor-2026"),
        ),
    ),
    extensions=(
        LockedExtension(
            name="ks-core",
            version=Version.parse("4.1.3"),
            bundle="kubesphere",
            components={"ks-core": C, "agent": D},
            required_by=("profile",),
        ),
        LockedExtension(
            name="on", version=Version.parse("1.0.0-rc.1"), bundle="kubesphere", components={}, required_by=("ks-core",)
        ),
    ),
    images=(
        LockedImage(
            reference=ImageReference.parse("kubesphere/ks-apiserver:v4.1.3"),
            digest=A,
            platforms={Platform.parse("linux/arm64"): C, Platform.parse("linux/amd64"): B},
            mirror="harbor.branch.local:5443/dockerhub/kubesphere/ks-apiserver",
        ),
    ),
    generated=(
        GeneratedValue(
            component="ks-core",
            object=ObjectId("", "Secret", "kubesphere-system", "extensions-museum-certs"),
            path='data["tls.key"]',
            kind=GeneratedKind.PRIVATE_KEY,
            source="ks-core/templates/extensions-museum.yaml",
            group="ks-core/extensions-museum-certs",
            certificate="extensions-museum-certs",
        ),
        GeneratedValue(
            component="ks-core",
            object=ObjectId("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "", "users"),
            path="webhooks[0].clientConfig.caBundle",
            kind=GeneratedKind.CA_BUNDLE,
            source="ks-core/templates/webhook.yaml",
            group="ks-core/webhook-certs",
            certificate="ca",
        ),
        GeneratedValue(
            component="ks-core",
            object=ObjectId("apps", "Deployment", "kubesphere-system", "ks-apiserver"),
            path='spec.template.metadata.annotations["checksum/config"]',
            kind=GeneratedKind.CHECKSUM,
            source="ks-core/templates/ks-apiserver.yaml",
            of=(ObjectId("", "ConfigMap", "kubesphere-system", "kubesphere-config"),),
        ),
    ),
    captured=D,
    certificates=(
        CertificateWish(
            group="ks-core/extensions-museum-certs",
            name="ca",
            common_name="self-signed-ca",
            key_usages=("digital signature", "cert sign"),
            days=3650,
            is_ca=True,
            issuer="ca",
            algorithm="rsa-2048",
        ),
        CertificateWish(
            group="ks-core/extensions-museum-certs",
            name="extensions-museum-certs",
            common_name="museum",
            organizations=("shop",),
            dns_names=("museum.kubesphere-system.svc",),
            ip_addresses=("10.0.0.1",),
            key_usages=("digital signature",),
            extended_usages=("server auth",),
            days=365,
            is_ca=False,
            issuer="ca",
            algorithm="ecdsa-256",
        ),
    ),
)
TEXT: Final = f"""\
# Written by `sitewright lock`; do not edit.
apiVersion: sitewright.dev/v1
kind: SiteLock
metadata: {{name: branch-017}}
spec:
  sitewright: "0.1.0"
  engine: {{name: embedded, helm: v4.2.3}}
  profile: "{A}"
  captured: "{D}"
  apiVersions:
    - snapshot.storage.k8s.io/v1
  bundles:
    - {{name: kubesphere, version: "4.1.3", sequence: 7, digest: "{B}", source: bundles/kubesphere-4.1.3.tar, \
signers: [security-office, vendor-2026]}}
  extensions:
    - {{name: ks-core, version: "4.1.3", bundle: kubesphere, wave: 0, requiredBy: [profile], \
components: {{agent: "{D}", ks-core: "{C}"}}}}
    - {{name: "on", version: "1.0.0-rc.1", bundle: kubesphere, wave: 0, requiredBy: [ks-core], components: {{}}}}
  images:
    - {{reference: "docker.io/kubesphere/ks-apiserver:v4.1.3", digest: "{A}", \
platforms: {{linux/amd64: "{B}", linux/arm64: "{C}"}}, \
mirror: "harbor.branch.local:5443/dockerhub/kubesphere/ks-apiserver"}}
  generated:
    - {{component: ks-core, object: {{kind: Secret, namespace: kubesphere-system, name: extensions-museum-certs}}, \
field: "data[\\"tls.key\\"]", kind: private-key, group: ks-core/extensions-museum-certs, \
certificate: extensions-museum-certs, source: ks-core/templates/extensions-museum.yaml}}
    - {{component: ks-core, object: {{group: admissionregistration.k8s.io, kind: ValidatingWebhookConfiguration, \
name: users}}, field: "webhooks[0].clientConfig.caBundle", kind: ca-bundle, group: ks-core/webhook-certs, \
certificate: ca, source: ks-core/templates/webhook.yaml}}
    - {{component: ks-core, \
object: {{group: apps, kind: Deployment, namespace: kubesphere-system, name: ks-apiserver}}, \
field: "spec.template.metadata.annotations[\\"checksum/config\\"]", kind: checksum, \
of: [{{kind: ConfigMap, namespace: kubesphere-system, name: kubesphere-config}}], \
source: ks-core/templates/ks-apiserver.yaml}}
  certificates:
    - {{group: ks-core/extensions-museum-certs, name: ca, commonName: self-signed-ca, \
keyUsages: ["digital signature", "cert sign"], ca: true, issuer: ca, days: 3650, algorithm: rsa-2048}}
    - {{group: ks-core/extensions-museum-certs, name: extensions-museum-certs, commonName: museum, \
organizations: [shop], dnsNames: [museum.kubesphere-system.svc], ipAddresses: ["10.0.0.1"], \
keyUsages: ["digital signature"], extendedUsages: ["server auth"], issuer: ca, days: 365, algorithm: ecdsa-256}}
"""
EMPTY: Final = replace(LOCK, api_versions=(), bundles=(), extensions=(), images=(), generated=(), certificates=())


def refusal(content: bytes) -> Finding:
    with pytest.raises(InputError) as caught:
        decode_lock(content, "profiles/a.lock.yaml", "profiles/a.yaml")
    (finding,) = caught.value.findings
    return finding


def read(text: str) -> Lock:
    return decode_lock(text.encode(), "a.lock.yaml", "a.yaml")


# --- text ----------------------------------------------------------------------------------------------------------


def test_a_lock_has_one_line_per_pin() -> None:
    assert encode_lock(LOCK).decode() == TEXT


def test_a_lock_reads_back_as_it_was() -> None:
    assert read(TEXT) == LOCK
    assert read(encode_lock(EMPTY).decode()) == EMPTY


def test_the_order_of_pins_does_not_show() -> None:
    shuffled = replace(LOCK, extensions=LOCK.extensions[::-1], generated=LOCK.generated[::-1])
    assert encode_lock(shuffled) == encode_lock(LOCK)


@pytest.mark.parametrize("lock", [LOCK, EMPTY])
def test_a_lock_obeys_its_schema(lock: Lock) -> None:
    validate(parse_document(encode_lock(lock), "a.lock.yaml"), schema("site-lock.v1"))


# --- refusals ------------------------------------------------------------------------------------------------------


def test_another_format_is_refused_with_what_to_do() -> None:
    assert str(refusal(TEXT.replace("dev/v1", "dev/v2").encode())).splitlines() == [
        "error[unknown-api-version]: this version of Sitewright cannot read such a lock",
        "  --> profiles/a.lock.yaml:2:13, apiVersion",
        "   expected: `sitewright.dev/v1`, kind `SiteLock`",
        "   got: `sitewright.dev/v2`, kind `SiteLock`",
        "   hint: use the version of Sitewright that wrote it, or write it anew: sitewright lock profiles/a.yaml",
    ]
    assert refusal(TEXT.replace("SiteLock", "Lock").encode()).where.path == "kind"
    assert refusal(b"").code == "unknown-api-version"


@pytest.mark.parametrize(
    ("old", "new", "code", "path", "message"),
    [
        ('"4.1.3"', '"4.1"', "invalid-field", "spec.bundles[0].version", "a version must read"),
        (f'"{B}", source', '"sha256:b", source', "invalid-field", "spec.bundles[0].digest", "a sha256 digest must"),
        ("sequence: 7, ", "", "missing-field", "spec.bundles[0].sequence", "`sequence` is missing"),
        ("sequence: 7", "sequence: '7'", "invalid-field", "spec.bundles[0].sequence", "`sequence` must be"),
        ("linux/amd64:", "linux:", "invalid-field", "spec.images[0].platforms.linux", "a platform must read"),
        ('name: "on"', "name: ks-core", "invalid-field", "spec.extensions[1]", "this is pinned twice"),
        ("kind: ca-bundle", "kind: cb", "invalid-field", "spec.generated[1].kind", "'cb' is not a valid"),
        ("days: 365,", "days: 1y,", "invalid-field", "spec.certificates[1].days", "`days` must be"),
        (
            "name: extensions-museum-certs, commonName",
            "name: ca, commonName",
            "invalid-field",
            "spec.certificates[1]",
            "this is pinned",
        ),
        (", of: [{kind", ", over: [{kind", "unknown-field", "spec.generated[2].over", "`over` is not a field"),
        ("mirror:", "mirrors:", "unknown-field", "spec.images[0].mirrors", "`mirrors` is not a field"),
        ("  profile:", "  profil:", "unknown-field", "spec.profil", "`profil` is not a field"),
    ],
)
def test_a_damaged_pin_is_told_where_it_stands(old: str, new: str, code: str, path: str, message: str) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    finding = refusal(text.encode())
    assert (finding.code, finding.where.path) == (code, path)
    assert finding.message.startswith(message)
    assert finding.hint == "sitewright lock profiles/a.yaml"
    changed = zip(TEXT.splitlines(), text.splitlines(), strict=True)
    assert finding.where.line == next(number for number, (was, now) in enumerate(changed, start=1) if was != now)


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"a: [", "yaml-syntax", 2),
        (b"a: 1\na: 2\n", "duplicate-key", 2),
        (b"a: &x [1]\nb: *x\n", "yaml-limit", 2),
        (b"<<<<<<< HEAD\na: 1\n=======\n", "yaml-syntax", 2),
    ],
    ids=["cut off", "merged by hand", "aliases", "merge conflict"],
)
def test_text_that_is_no_lock(content: bytes, code: str, line: int) -> None:
    finding = refusal(content)
    assert (finding.code, finding.where.file, finding.where.line) == (code, "profiles/a.lock.yaml", line)
    assert finding.hint == "sitewright lock profiles/a.yaml"


def test_a_lock_from_before_groups_is_read_and_has_drifted() -> None:
    old, sections = [], ("  certificates:", "  generated:")
    for line in TEXT.splitlines(keepends=True):
        if line.startswith(sections[0]):
            break
        old.append(line.replace(", group: ks-core/webhook-certs, certificate: ca", ""))
    lock = read("".join(old))
    assert (lock.certificates, lock.bundle("kubesphere")) == (None, LOCK.bundle("kubesphere"))
    assert lock.generated[1].group == ""
    (finding,) = drifted(lock=lock)
    assert finding.message == "the lock is of an older form: it does not say which generated values belong together"
    assert str(finding).splitlines() == [
        f"error[lock-drift-format]: {finding.message}",
        "  --> lock of site branch-017",
        "   expected: a group for each of `generated`, and their `certificates`",
        "   hint: sitewright lock profiles/a.yaml",
    ]


def test_an_old_lock_without_generated_values_is_as_good_as_a_new_one() -> None:
    text = encode_lock(EMPTY).decode().replace("  certificates: []\n", "")
    assert "certificates" not in text
    assert read(text) == EMPTY


# --- drift ---------------------------------------------------------------------------------------------------------


def drifted(
    *,
    profile: Digest = A,
    bundles: dict[str, tuple[Digest, int]] | None = None,
    engine: LockedEngine = ENGINE,
    sitewright: str = "0.1.0",
    allowed: frozenset[str] = frozenset(),
    lock: Lock = LOCK,
) -> list[Finding]:
    return drift(
        lock,
        profile=profile,
        bundles={"kubesphere": (B, 7)} if bundles is None else bundles,
        engine=engine,
        sitewright=sitewright,
        profile_file="profiles/a.yaml",
        rollback_allowed=allowed,
    )


def test_a_lock_that_is_still_true() -> None:
    assert drifted() == []


def test_a_changed_profile() -> None:
    (finding,) = drifted(profile=C)
    assert str(finding).splitlines() == [
        "error[lock-drift-profile]: `profiles/a.yaml`, or a file that it names, changed after the lock was written",
        "  --> lock of site branch-017",
        f"   expected: profile {A}",
        f"   got: profile {C}",
        "   hint: sitewright lock profiles/a.yaml",
    ]


def test_another_engine_or_version_of_helm() -> None:
    (finding,) = drifted(engine=LockedEngine(name="executable", helm="v4.3.1"))
    assert finding.code == "lock-drift-engine"
    assert finding.expected == "the embedded engine with Helm v4.2.3"
    assert finding.got == "the executable engine with Helm v4.3.1"
    assert finding.hint == "sitewright lock profiles/a.yaml --engine executable, or leave --engine out"


def test_another_version_of_sitewright_is_a_warning() -> None:
    (finding,) = drifted(sitewright="0.2.0")
    assert (finding.code, finding.severity) == ("lock-drift-sitewright", Severity.WARNING)
    assert finding.message == "the lock was written by Sitewright 0.1.0; this is 0.2.0"


def test_another_content_of_a_bundle() -> None:
    (finding,) = drifted(bundles={"kubesphere": (C, 8)})
    assert (finding.code, finding.where.subject) == ("lock-drift-bundle", "bundle kubesphere")
    assert finding.expected == f"4.1.3 (sequence 7), {B}"
    assert finding.got == f"sequence 8, {C}"
    assert finding.hint == "sitewright lock profiles/a.yaml"


def test_bundles_that_came_and_went() -> None:
    went, came = drifted(bundles={"other": (C, 1)})
    assert went.message == "the profile does not name the locked bundle `kubesphere` any more"
    assert came.message == "the bundle `other` is not in the lock"
    assert {went.code, came.code} == {"lock-drift-bundle"}


def test_an_older_bundle_is_a_rollback_unless_the_profile_allows_it() -> None:
    (finding,) = drifted(bundles={"kubesphere": (C, 6)})
    assert (finding.code, finding.expected, finding.got) == ("bundle-rollback", "sequence 7 or higher", "sequence 6")
    assert finding.hint is not None
    assert "allowRollback: true" in finding.hint
    (allowed,) = drifted(bundles={"kubesphere": (C, 6)}, allowed=frozenset({"kubesphere"}))
    assert allowed.code == "lock-drift-bundle"


def test_everything_that_drifted_is_told_at_once() -> None:
    codes = [finding.code for finding in drifted(profile=C, engine=LockedEngine(name="x", helm="y"), bundles={})]
    assert codes == ["lock-drift-profile", "lock-drift-engine", "lock-drift-bundle"]
