"""Profiles and policies that try to reach out of the repository, or to cost too much."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from renderer.adapters.files import WorkingTree
from renderer.adapters.package_data import schema
from renderer.errors import Finding, InputError
from renderer.formats.profile.site import read_profile
from renderer.formats.trust.policy import read_trust_policy

SITE = """\
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
HEAD = "apiVersion: sitewright.dev/v1\nkind: Site\n"
OUTSIDE = ["/etc/passwd", "../secret.yaml", "a/../../secret.yaml", "a\\..\\secret.yaml", "a\0b"]


def no_bundles(_: Path) -> NoReturn:
    raise AssertionError("a profile is read without opening bundles")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a secret beside it."""
    (tmp_path / "secret.yaml").write_text("password: hunter2\n")
    place = tmp_path / "repository"
    (place / "profiles").mkdir(parents=True)
    (place / "trust.yaml").touch()
    return place


def faults(root: Path, site: str) -> tuple[Finding, ...]:
    (root / "profiles/site.yaml").write_text(site, encoding="utf-8")
    tree = WorkingTree(root, no_bundles)
    with pytest.raises(InputError) as caught:
        read_profile("profiles/site.yaml", tree.read, tree.list, schema("site.v1"))
    assert "hunter2" not in str(caught.value)
    return caught.value.findings


def quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace("\0", "\\0") + '"'


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("trust: trust.yaml", "trust: {}", "spec.trust"),
        ("bundles/demo", "{}", "spec.bundles[0].source"),
        ("{name: web}", "{{name: web, valuesFrom: [{}]}}", "spec.extensions[0].valuesFrom[0]"),
        ('"*": mirror}', '"*": mirror}}, ca: {}', "spec.registry.ca"),
        ("  trust:", "  templates: {}\n  trust:", "spec.templates"),
        (
            "  trust:",
            "  generated: {{rules: [{{object: a, field: b, reason: c, valueFrom: {}}}]}}\n  trust:",
            "spec.generated.rules[0].valueFrom",
        ),
    ],
    ids=["trust", "bundle", "values", "ca", "templates", "generated value"],
)
def test_no_path_leads_out_of_the_repository(root: Path, path: str, old: str, new: str, field: str) -> None:
    (finding,) = faults(root, SITE.replace(old, new.format(quoted(path))))
    assert (finding.code, finding.where.path) == ("path-escape", field)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret.yaml", "a\\b"])
def test_extends_does_not_lead_out_of_the_repository(root: Path, path: str) -> None:
    (finding,) = faults(root, f"{HEAD}spec: {{extends: [{quoted(path)}]}}")
    assert (finding.code, finding.where.path) == ("path-escape", "spec.extends[0]")


def test_a_link_that_leads_out_is_refused(root: Path) -> None:
    (root / "values.yaml").symlink_to("../secret.yaml")
    (finding,) = faults(root, SITE.replace("{name: web}", "{name: web, valuesFrom: [values.yaml]}"))
    assert (finding.code, finding.message) == (
        "path-escape",
        "`values.yaml` is a link that leads out of the repository",
    )


def test_a_linked_directory_that_leads_out_is_refused(root: Path) -> None:
    (root / "out").symlink_to("..")
    tree = WorkingTree(root, no_bundles)
    for act in (
        lambda: tree.read("out/secret.yaml"),
        lambda: tree.list("out"),
        lambda: tree.write("out/new.yaml", b"x"),
        lambda: tree.source("out"),
    ):
        with pytest.raises(InputError) as caught:
            act()
        assert caught.value.findings[0].code == "path-escape"
    assert not (root.parent / "new.yaml").exists()


def test_links_in_a_circle_are_refused(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(InputError) as caught:
        WorkingTree(root, no_bundles).read("a")
    assert caught.value.findings[0].code in {"path-escape", "file-unreadable", "file-not-found"}


@pytest.mark.parametrize("path", [".git/hooks/post-checkout", "a/.GIT/config", ""])
def test_nothing_is_written_into_git(root: Path, path: str) -> None:
    with pytest.raises(InputError) as caught:
        WorkingTree(root, no_bundles).write(path, b"#!/bin/sh\n")
    assert caught.value.findings[0].code == "path-escape"


def test_a_bomb_of_aliases_is_refused(root: Path) -> None:
    levels = "".join(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (finding,) = faults(root, f"{HEAD}x:\n  a0: &a0 [1]\n{levels}")
    assert finding.code == "yaml-limit"


def test_a_bomb_of_aliases_in_a_value_file_is_refused(root: Path) -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (root / "v.yaml").write_text(f"a0: &a0 [1]\n{levels}")
    (finding,) = faults(root, SITE.replace("{name: web}", "{name: web, valuesFrom: [v.yaml]}"))
    assert (finding.code, finding.where.file) == ("yaml-limit", "v.yaml")


def test_profiles_extend_each_other_sixteen_levels_deep_at_most(root: Path) -> None:
    for number in range(20):
        (root / f"profiles/{number}.yaml").write_text(f"{HEAD}spec: {{extends: [{number + 1}.yaml]}}")
    (root / "profiles/20.yaml").write_text(HEAD)
    (finding,) = faults(root, f"{HEAD}spec: {{extends: [0.yaml]}}")
    assert (finding.code, finding.message) == (
        "extends-limit",
        "profiles extend each other at most 16 levels deep",
    )
    assert finding.where.file == "profiles/15.yaml"


def test_profiles_extend_at_most_64_files(root: Path) -> None:
    for number in range(80):
        (root / f"profiles/{number}.yaml").write_text(HEAD)
    names = ", ".join(f"{number}.yaml" for number in range(80))
    found = faults(root, f"{HEAD}spec: {{extends: [{names}]}}")
    assert {finding.code for finding in found} == {"extends-limit"}


def test_a_directory_of_templates_is_bounded(root: Path) -> None:
    os.mkdir(root / "t")  # noqa: PTH102
    for number in range(257):
        (root / "t" / str(number)).touch()
    (finding,) = faults(root, SITE.replace("  trust:", "  templates: t\n  trust:"))
    assert (finding.code, finding.message) == ("too-many-files", "`t` holds 257 files; 256 are allowed")


def test_a_template_is_text(root: Path) -> None:
    os.mkdir(root / "t")  # noqa: PTH102
    (root / "t/x.j2").write_bytes(b"\xff\xfe")
    (finding,) = faults(root, SITE.replace("  trust:", "  templates: t\n  trust:"))
    assert (finding.code, finding.message) == ("not-text", "`t/x.j2` is not UTF-8 text")


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_key_file_lies_in_the_repository(root: Path, path: str) -> None:
    policy = f"""\
apiVersion: sitewright.dev/v1
kind: TrustPolicy
metadata: {{name: bank}}
spec:
  keys: [{{name: a, publicKeyFile: {quoted(path)}}}]
  rules: [{{bundles: "*", require: {{threshold: 1, of: [a]}}}}]
"""
    (root / "trust.yaml").write_text(policy)
    with pytest.raises(InputError) as caught:
        read_trust_policy("trust.yaml", WorkingTree(root, no_bundles).read, schema("trust-policy.v1"))
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.path) == ("path-escape", "spec.keys[0].publicKeyFile")
