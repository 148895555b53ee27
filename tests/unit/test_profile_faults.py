"""Everything that can be wrong with a profile: code, message, place, hint; all faults at once."""

from pathlib import Path
from typing import NoReturn

import pytest

from renderer.adapters.files import WorkingTree
from renderer.adapters.package_data import schema
from renderer.errors import Finding, InputError
from renderer.formats.profile.site import read_profile

BASE = """\
apiVersion: sitewright.dev/v1
kind: Site
metadata: {name: demo}
spec:
  cluster: {kubernetesVersion: 1.31.4, distribution: k3s}
  registry: {url: "https://harbor.demo.local", projects: {"*": mirror}}
  gitops: {agent: argocd, repository: "ssh://git@git.demo.local/a.git"}
  trust: trust.yaml
  bundles: [{source: bundles/demo}]
  extensions: [{name: web}]
"""
RANGES = "something like `>=1.2 <2`, `^1.4`, `~1.4.2`, `1.x`, `1.2 - 1.4` or `^1 || ^2`"
SITE = "apiVersion: sitewright.dev/v1\nkind: Site\nspec:\n  extends: [base.yaml]\n"


def no_bundles(_: Path) -> NoReturn:
    raise AssertionError("a profile is read without opening bundles")


def faults(root: Path, site: str, **files: str) -> tuple[Finding, ...]:
    """What is wrong with `profiles/site.yaml`."""
    texts = {"profiles/site.yaml": site, "profiles/base.yaml": BASE, "trust.yaml": "", **files}
    for path, text in texts.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    tree = WorkingTree(root, no_bundles)
    with pytest.raises(InputError) as caught:
        read_profile("profiles/site.yaml", tree.read, tree.list, schema("site.v1"))
    return caught.value.findings


def fault(root: Path, text: str, **files: str) -> Finding:
    """The one thing that is wrong with a site that sets what `text` says below `spec`, on line 5."""
    found = faults(root, SITE + "".join(f"  {line}\n" for line in text.splitlines()), **files)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


def told(finding: Finding) -> list[str]:
    return str(finding).splitlines()


# --- single fields -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "path", "message"),
    [
        (
            "cluster: {kubernetesVersion: v1.31}",
            "invalid-field",
            "spec.cluster.kubernetesVersion",
            "a version must read `major.minor.patch[-prerelease][+build]`, not `v1.31`",
        ),
        (
            "cluster: {platforms: [linux-amd64]}",
            "invalid-field",
            "spec.cluster.platforms[0]",
            "a platform must read `os/architecture[/variant]`, such as `linux/amd64`",
        ),
        (
            "cluster: {runtime: cri-o, containerdVersion: 2.0.0}",
            "invalid-field",
            "spec.cluster.containerdVersion",
            "`containerdVersion` says nothing about `runtime: cri-o`",
        ),
        (
            "registry: {url: harbor.demo.local}",
            "invalid-field",
            "spec.registry.url",
            "`harbor.demo.local` is not a registry URL such as `https://harbor.site.local:5443`",
        ),
        (
            "registry: {url: 'http://harbor.demo.local'}",
            "invalid-field",
            "spec.registry.url",
            "an `http://` registry needs `insecure: true`",
        ),
        (
            "registry: {url: 'https://harbor.demo.local:70000'}",
            "invalid-field",
            "spec.registry.url",
            "a port is a number from 1 to 65535",
        ),
        (
            "registry: {url: 'https://harbor_demo'}",
            "invalid-field",
            "spec.registry.url",
            "`harbor_demo` is not a registry host",
        ),
        (
            "registry: {projects: {docker.io: DockerHub}}",
            "invalid-field",
            'spec.registry.projects["docker.io"]',
            "`DockerHub` is not a repository path (lower-case letters, digits and . _ - /)",
        ),
        (
            "registry: {projects: {'https://docker.io': dockerhub}}",
            "invalid-field",
            'spec.registry.projects["https://docker.io"]',
            "`https://docker.io` is not a registry host",
        ),
        (
            "gitops: {branch: 'a..b'}",
            "invalid-field",
            "spec.gitops.branch",
            "this is no name of a git branch (git check-ref-format --branch)",
        ),
        ("gitops: {path: ../up}", "invalid-field", "spec.gitops.path", "`../up` leads out of the repository"),
        (
            "gitops: {repository: 'https://git.demo.local/a b'}",
            "invalid-field",
            "spec.gitops.repository",
            "this is no URL of a git repository",
        ),
        (
            "bundles: [{source: bundles/a, version: '>>1'}]",
            "invalid-field",
            "spec.bundles[0].version",
            f"a version range must read {RANGES}, not `>>1`",
        ),
        (
            "bundles: [{source: bundles/a}, {source: ./bundles/a}]",
            "duplicate-bundle",
            "spec.bundles[1].source",
            "the bundle `bundles/a` is listed twice",
        ),
        (
            "bundles: [{source: 'https://example.com/a.tar'}]",
            "invalid-field",
            "spec.bundles[0].source",
            "a bundle comes from a file or directory of the repository, or from `oci://…`",
        ),
        (
            "bundles: [{source: 'oci://harbor.demo.local/a/b:1.0'}]",
            "invalid-field",
            "spec.bundles[0].source",
            "`a/b:1.0` is not a repository path (lower-case letters, digits and . _ - /)",
        ),
        (
            "extensions: [{name: web}, {name: web}]",
            "duplicate-extension",
            "spec.extensions[1].name",
            "the extension `web` is listed twice",
        ),
        (
            "generated: {rules: [{object: a, field: b, reason: c, value: d, mode: external}]}",
            "ambiguous-settlement",
            "spec.generated.rules[0]",
            "a generated value is settled in exactly one way",
        ),
        (
            "generated: {rules: [{object: a, field: b, reason: c}]}",
            "ambiguous-settlement",
            "spec.generated.rules[0]",
            "a generated value is settled in exactly one way",
        ),
    ],
)
def test_a_wrong_value_is_told_where_it_stands(tmp_path: Path, text: str, code: str, path: str, message: str) -> None:
    finding = fault(tmp_path, text)
    assert (finding.code, finding.message) == (code, message)
    assert (finding.where.file, finding.where.line, finding.where.path) == ("profiles/site.yaml", 5, path)


def test_a_day_lies_in_the_calendar(tmp_path: Path) -> None:
    finding = fault(tmp_path, "checks: {ignore: [{rule: a, object: b, reason: c, until: 2027-02-30}]}")
    assert (finding.code, finding.where.path) == ("invalid-value", "spec.checks.ignore[0].until")
    assert finding.expected == "a day such as `2027-12-31`"
    assert "`2027-02-30`" in str(finding)


def test_an_override_of_a_wave_says_why(tmp_path: Path) -> None:
    finding = fault(tmp_path, "extensions: [{name: web, wave: 3}]")
    assert (finding.code, finding.message) == ("missing-field", "`spec.extensions[0]` lacks `reason`")


def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    finding = fault(tmp_path, "gitops: {repository: 'https://bot:hunter2@git.demo.local/a.git'}")
    assert told(finding) == [
        "error[secret-in-profile]: a repository URL must not carry a password",
        "  --> profiles/site.yaml:5:24, spec.gitops.repository",
        "   expected: `https://git.demo.local/a.git`",
        "   hint: give the agent its credentials in a Secret of the cluster",
    ]
    assert "hunter2" not in str(fault(tmp_path, "registry: {url: 'https://bot:hunter2@harbor.demo.local'}"))


# --- files that a profile names ------------------------------------------------------------------------------------


def test_a_missing_file_is_told_at_the_field_that_names_it(tmp_path: Path) -> None:
    finding = fault(tmp_path, "trust: nobody.yaml")
    assert (finding.code, finding.message) == ("file-not-found", "`nobody.yaml` does not exist")
    assert str(finding.where) == "profiles/site.yaml:5:10, spec.trust"


def test_a_path_counted_from_the_profile_gets_a_hint(tmp_path: Path) -> None:
    text = "extensions: [{name: web, valuesFrom: [values/a.yaml]}]"
    finding = fault(tmp_path, text, **{"profiles/values/a.yaml": "a: 1"})
    assert finding.code == "file-not-found"
    assert finding.hint == "paths count from the root of the repository: write `profiles/values/a.yaml`"


def test_a_value_file_holds_a_mapping(tmp_path: Path) -> None:
    finding = fault(tmp_path, "extensions: [{name: web, valuesFrom: [v.yaml]}]", **{"v.yaml": "- a"})
    assert (finding.code, finding.message) == ("wrong-type", "`v.yaml` must hold a mapping")
    assert (finding.expected, finding.got) == ("a mapping", "a list")
    assert finding.where.path == "spec.extensions[0].valuesFrom[0]"


def test_a_fault_in_a_value_file_is_told_where_it_stands(tmp_path: Path) -> None:
    finding = fault(tmp_path, "extensions: [{name: web, valuesFrom: [v.yaml]}]", **{"v.yaml": "a: 1\na: 2"})
    assert told(finding) == [
        "error[duplicate-key]: the key `a` is given twice",
        "  --> v.yaml:2:1",
        "   named by profiles/site.yaml:5:41, spec.extensions[0].valuesFrom[0]",
    ]
    finding = fault(tmp_path, "extensions: [{name: web, valuesFrom: [v.yaml]}]", **{"v.yaml": "a: ["})
    assert (finding.code, finding.where.file, finding.where.line) == ("yaml-syntax", "v.yaml", 2)


def test_a_ca_file_is_a_certificate_and_nothing_secret(tmp_path: Path) -> None:
    finding = fault(tmp_path, "registry: {ca: ca.crt}", **{"ca.crt": "MIIB"})
    assert (finding.code, finding.hint) == ("not-a-certificate", "openssl x509 -inform der -in ca.crt -out ca.crt")
    both = "-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\n"  # not a key
    finding = fault(tmp_path, "registry: {ca: ca.crt}", **{"ca.crt": both})
    assert (finding.code, finding.where.path) == ("secret-in-profile", "spec.registry.ca")
    assert finding.hint == "openssl x509 -in ca.crt -out ca.crt"


RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def test_a_private_key_among_the_recipients_is_refused_and_not_repeated(tmp_path: Path) -> None:
    private = "AGE-SECRET-KEY-" + "1" * 59  # not a key
    finding = fault(tmp_path, f"generated: {{recipients: [{RECIPIENT}, {private}]}}")
    assert told(finding)[0].startswith("error[secret-in-profile]: this is a private key")
    assert (finding.where.path, finding.hint) == ("spec.generated.recipients[1]", "age-keygen -y KEYFILE")
    assert private not in str(finding)


def test_a_recipient_is_spelled_right(tmp_path: Path) -> None:
    finding = fault(tmp_path, f"generated: {{recipients: [{RECIPIENT[:-1]}q]}}")
    assert (finding.code, finding.where.path) == ("invalid-field", "spec.generated.recipients[0]")
    assert finding.hint == "age-keygen -o KEYFILE"


def test_a_rule_for_generated_values_selects_something(tmp_path: Path) -> None:
    finding = fault(tmp_path, "generated: {rules: [{mode: external, reason: because}]}")
    assert (finding.code, finding.where.path) == ("missing-field", "spec.generated.rules[0]")
    assert finding.message == "`spec.generated.rules[0]` lacks one of `extension`, `group`, `object` or `field`"


def test_a_value_is_given_to_a_field_of_an_object(tmp_path: Path) -> None:
    finding = fault(tmp_path, "generated: {rules: [{extension: a, field: b, value: c, reason: because}]}")
    assert (finding.code, finding.where.path) == ("missing-field", "spec.generated.rules[0]")
    assert (finding.message, finding.expected) == ("a value is given to one field of one kind of object", "`object`")


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("generated: {expiring: 30 days}", "spec.generated.expiring", "a number of days such as `30d`"),
        ("generated: {default: seal}", "spec.generated.default", None),
        ("generated: {inCluster: {image: 'A B'}}", "spec.generated.inCluster.image", None),
    ],
)
def test_what_a_policy_for_generated_values_can_say(tmp_path: Path, text: str, path: str, expected: str | None) -> None:
    finding = fault(tmp_path, text)
    assert (finding.code in {"invalid-value", "invalid-field"}, finding.where.path) == (True, path)
    assert expected in {None, finding.expected}


def test_a_settled_value_is_public(tmp_path: Path) -> None:
    text = "generated: {rules: [{object: a, field: b, reason: c, valueFrom: key.pem}]}"
    finding = fault(tmp_path, text, **{"key.pem": "-----BEGIN EC PRIVATE KEY-----\n"})  # not a key
    assert (finding.code, finding.where.path) == ("secret-in-profile", "spec.generated.rules[0].valueFrom")
    assert finding.expected == "a public value, or `mode: sealed`"


def test_templates_are_a_directory(tmp_path: Path) -> None:
    finding = fault(tmp_path, "templates: t")
    assert (finding.code, finding.where.path) == ("file-not-found", "spec.templates")
    finding = fault(tmp_path, "templates: trust.yaml")
    assert (finding.code, finding.message) == ("not-a-directory", "`trust.yaml` is no directory")


# --- extends -------------------------------------------------------------------------------------------------------


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    tree = WorkingTree(tmp_path, no_bundles)
    with pytest.raises(InputError) as caught:
        read_profile("profiles/none.yaml", tree.read, tree.list, schema("site.v1"))
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file) == ("file-not-found", "profiles/none.yaml")


def test_a_base_that_is_not_there_is_told_where_it_is_named(tmp_path: Path) -> None:
    (finding,) = faults(tmp_path, SITE.replace("base.yaml", "gone.yaml"))
    assert finding.message == "`profiles/gone.yaml` does not exist"
    assert str(finding.where) == "profiles/site.yaml:4:13, spec.extends[0]"


def test_a_circle_of_profiles_is_spelled_out(tmp_path: Path) -> None:
    a = SITE.replace("base.yaml", "b/b.yaml")
    b = SITE.replace("base.yaml", "../site.yaml")
    (finding,) = faults(tmp_path, a, **{"profiles/b/b.yaml": b})
    assert finding.code == "extends-cycle"
    assert finding.message == (
        "profiles cannot extend themselves: `profiles/site.yaml` extends `profiles/b/b.yaml` "
        "extends `profiles/site.yaml`"
    )
    assert str(finding.where) == "profiles/b/b.yaml:4:13, spec.extends[0]"


def test_a_profile_extends_profiles_only(tmp_path: Path) -> None:
    policy = "apiVersion: sitewright.dev/v1\nkind: TrustPolicy\n"
    (finding,) = faults(tmp_path, SITE.replace("base.yaml", "../trust.yaml"), **{"trust.yaml": policy})
    assert told(finding) == [
        "error[wrong-kind]: `trust.yaml` is no site profile: its `kind` is not `Site`",
        "  --> trust.yaml:2:7, kind",
        "   expected: `kind: Site`",
        "   got: `TrustPolicy`",
        "   hint: sitewright schema site",
    ]


def test_an_empty_profile(tmp_path: Path) -> None:
    (finding,) = faults(tmp_path, "")
    assert (finding.code, finding.got) == ("wrong-kind", "nothing")
    assert finding.where.file == "profiles/site.yaml"


def test_syntax_faults_of_all_layers_come_together(tmp_path: Path) -> None:
    site = SITE.replace("[base.yaml]", "[a.yaml, b.yaml]")
    found = faults(tmp_path, site, **{"profiles/a.yaml": "a: [", "profiles/b.yaml": "b: 1\nb: 2"})
    assert [(finding.code, finding.where.file) for finding in found] == [
        ("yaml-syntax", "profiles/a.yaml"),
        ("duplicate-key", "profiles/b.yaml"),
    ]


# --- all at once ---------------------------------------------------------------------------------------------------


def test_all_faults_come_at_once_each_in_the_file_that_set_the_key(tmp_path: Path) -> None:
    base = BASE.replace("1.31.4", "latest").replace("k3s", "k4s")
    site = SITE + '  registry: {url: "ftp://x"}\n  trsut: trust.yaml\n  extensions: [{name: web, version: x.y.z.}]\n'
    found = faults(tmp_path, site, **{"profiles/base.yaml": base})
    assert [(finding.code, str(finding.where)) for finding in found] == [
        ("invalid-field", "profiles/base.yaml:5:32, spec.cluster.kubernetesVersion"),
        ("invalid-value", "profiles/base.yaml:5:54, spec.cluster.distribution"),
        ("invalid-field", "profiles/site.yaml:5:19, spec.registry.url"),
        ("unknown-field", "profiles/site.yaml:6:3, spec.trsut"),
        ("invalid-field", "profiles/site.yaml:7:37, spec.extensions[0].version"),
    ]
    assert found[1].hint == "did you mean `k3s`?"
    assert found[3].hint == "did you mean `trust`?"


def test_a_fault_that_the_schema_finds_is_told_once(tmp_path: Path) -> None:
    site = (
        SITE.replace("base.yaml", "")
        + "  cluster: 3\n  extensions: [5, {name: A, valuesFrom: x}]\n  secrets: {mode: x}\n"
    )
    found = faults(tmp_path, site.replace("  extends: []\n", ""))
    places = [(finding.code, finding.where.path, finding.message) for finding in found]
    assert len(set(places)) == len(places)
    assert {finding.code for finding in found} == {"missing-field", "wrong-type", "invalid-value"}
    assert ("wrong-type", "spec.extensions[0]") in {(code, path) for code, path, _ in places}
    assert ("invalid-value", "spec.secrets.mode") in {(code, path) for code, path, _ in places}
