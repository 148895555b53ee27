"""Faults of what people write: profiles, shared profiles, values files, trust policies. Exit code 1, all at once."""

from pathlib import Path

import pytest

from tests.cli.site_fixture import OUT, PROFILE, Shop, edit, write

RENDER = ("render", PROFILE, *OUT)
EVERY = [("lock", PROFILE), ("lock", PROFILE, "--check"), ("resolve", PROFILE), ("check", PROFILE), RENDER]
HEAD = "apiVersion: sitewright.dev/v1\nkind: Site\n"


# --- files that are not there -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["lock", "resolve", "render", "check", "diff"])
def test_a_profile_that_is_not_there(shop: Shop, command: str) -> None:
    place = OUT if command in {"render", "diff"} else ()
    assert shop.refused(1, command, "profiles/shpo.yaml", *place) == (
        "error[file-not-found]: `profiles/shpo.yaml` does not exist\n"
        "  --> profiles/shpo.yaml\n"
        "   expected: a file of the repository\n"
        "   hint: did you mean `profiles/shop.yaml`?\n"
    )


def test_a_profile_like_no_other(shop: Shop) -> None:
    assert shop.refused(1, "lock", "zzz.yaml").endswith("   expected: a file of the repository\n")


def test_validate_says_so_in_its_result(shop: Shop) -> None:
    code, out, err = shop.run("validate", "profiles/shpo.yaml", PROFILE)
    assert code == 1
    assert out == ("profiles/shpo.yaml: 1 fault\nprofiles/shop.yaml: a valid profile of site shop, 2 extensions\n")
    assert err.startswith("error[file-not-found]: `profiles/shpo.yaml` does not exist\n")


@pytest.mark.parametrize("path", ["profiles", "bundles/pantry"])
def test_a_directory_instead_of_a_profile(shop: Shop, path: str) -> None:
    (finding,) = shop.findings(1, "lock", path)
    assert (finding["code"], finding["where"]) == ("not-a-file", {"file": path})
    assert finding["message"].endswith("` is a directory")
    assert "``" not in finding["message"]


def test_a_values_file_that_is_not_there(shop: Shop) -> None:
    Path("profiles/values/web.yaml").unlink()
    for given in EVERY:
        assert shop.refused(1, *given) == (
            "error[file-not-found]: `profiles/values/web.yaml` does not exist\n"
            "  --> profiles/shop.yaml:16:20, spec.extensions[0].valuesFrom[0]\n"
            "   expected: a file of the repository\n"
        )


def test_a_shared_profile_that_is_not_there(shop: Shop) -> None:
    edit(PROFILE, "spec:\n", "spec:\n  extends: [edge.yaml]\n")
    assert shop.refused(1, *RENDER) == (
        "error[file-not-found]: `profiles/edge.yaml` does not exist\n"
        "  --> profiles/shop.yaml:5:13, spec.extends[0]\n"
        "   expected: a file of the repository\n"
    )


def test_a_trust_policy_that_is_not_there(shop: Shop) -> None:
    Path("profiles/trust.yaml").unlink()
    assert shop.refused(1, *RENDER) == (
        "error[file-not-found]: `profiles/trust.yaml` does not exist\n"
        "  --> profiles/shop.yaml:10:10, spec.trust\n"
        "   expected: a file of the repository\n"
    )


def test_a_public_key_that_is_not_there(shop: Shop) -> None:
    Path("keys/office.pub").unlink()
    assert shop.refused(1, *RENDER) == (
        "error[file-not-found]: `keys/office.pub` does not exist\n"
        "  --> profiles/trust.yaml:7:37, spec.keys[1].publicKeyFile\n"
        "   expected: a file of the repository\n"
    )


# --- files that lie outside -------------------------------------------------------------------------------------


def test_paths_that_leave_the_repository(shop: Shop) -> None:
    edit(PROFILE, "[profiles/values/web.yaml]", "[../../../etc/passwd]")
    edit(PROFILE, "source: bundles/pantry", "source: ../pantry")
    edit(PROFILE, "trust: profiles/trust.yaml", "trust: /etc/trust.yaml")
    for given in EVERY:
        found = shop.findings(1, *given)
        assert [(one["code"], one["where"]["path"], one["where"]["line"]) for one in found] == [
            ("path-escape", "spec.trust", 10),
            ("path-escape", "spec.bundles[0].source", 12),
            ("path-escape", "spec.extensions[0].valuesFrom[0]", 16),
        ]
        assert found[0]["message"] == "`/etc/trust.yaml` is absolute; paths count from the root of the repository"
        assert found[1]["message"] == "`../pantry` leads out of the repository"
        assert {one["expected"] for one in found} == {"a path inside the repository"}


def test_a_link_that_leaves_the_repository(shop: Shop) -> None:
    Path("profiles/values/web.yaml").unlink()
    Path("profiles/values/web.yaml").symlink_to("/etc/hostname")
    (finding,) = shop.findings(1, *RENDER)
    assert finding["code"] == "path-escape"
    assert finding["message"] == "`profiles/values/web.yaml` is a link that leads out of the repository"
    assert finding["where"]["line"] == 16


def test_a_profile_of_another_repository(shop: Shop) -> None:
    (finding,) = shop.findings(1, "render", PROFILE, "/etc/hosts", *OUT)
    assert finding["code"] == "path-escape"
    assert finding["message"] == "`/etc/hosts` does not lie in the repository"
    assert finding["expected"] == f"a path below `{Path.cwd()}`"


# --- YAML -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", EVERY, ids=" ".join)
def test_a_profile_that_is_no_yaml(shop: Shop, given: tuple[str, ...]) -> None:
    edit(PROFILE, "values: {replicas: 2}", "values: {replicas: 2")
    assert shop.refused(1, *given) == (
        "error[yaml-syntax]: did not find expected ',' or '}' while parsing a flow mapping\n"
        "  --> profiles/shop.yaml:18:11\n"
        "   hint: look at what begins on line 17, column 15\n"
    )


def test_a_values_file_that_is_no_yaml(shop: Shop) -> None:
    write("profiles/values/web.yaml", "colour: [green\n")
    assert shop.refused(1, *RENDER) == (
        "error[yaml-syntax]: did not find expected ',' or ']' while parsing a flow sequence\n"
        "  --> profiles/values/web.yaml:2:1\n"
        "   named by profiles/shop.yaml:16:20, spec.extensions[0].valuesFrom[0]\n"
    )


def test_a_tab_in_a_profile(shop: Shop) -> None:
    edit(PROFILE, "  trust:", "\ttrust:")
    (finding,) = shop.findings(1, *RENDER)
    assert (finding["code"], finding["where"]) == ("yaml-syntax", {"file": PROFILE, "line": 10, "column": 1})


def test_a_key_that_is_given_twice(shop: Shop) -> None:
    edit(PROFILE, "kind: Site\n", "kind: Site\nkind: Site\n")
    assert shop.refused(1, *RENDER) == (
        "error[duplicate-key]: the key `kind` is given twice\n"
        "  --> profiles/shop.yaml:3:1\n"
        "   got: `kind` stands on line 2 already\n"
    )


def test_an_empty_profile(shop: Shop) -> None:
    write(PROFILE, "")
    assert shop.findings(1, *RENDER)[0]["where"]["file"] == PROFILE


# --- against the schema -----------------------------------------------------------------------------------------


def test_a_misspelled_key(shop: Shop) -> None:
    edit(PROFILE, "  bundles:\n", "  secretz: {mode: external}\n  bundles:\n")
    assert shop.refused(1, *RENDER) == (
        "error[unknown-field]: `secretz` is not a field of `spec`\n"
        "  --> profiles/shop.yaml:11:3, spec.secretz\n"
        "   expected: `bundles`, `checks`, `cluster`, `extends`, `extensions`, `generated`, `gitops`, `nodes`, "
        "`registry`, `secrets`, `templates` or `trust`\n"
        "   hint: did you mean `secrets`?\n"
    )


def test_a_value_of_the_wrong_type(shop: Shop) -> None:
    edit(PROFILE, "values: {replicas: 2}", "values: [2]")
    assert shop.refused(1, *RENDER) == (
        "error[wrong-type]: `spec.extensions[0].values` must be a mapping\n"
        "  --> profiles/shop.yaml:17:15, spec.extensions[0].values\n"
        "   expected: a mapping\n"
        "   got: a list\n"
    )


def test_a_version_that_yaml_takes_for_a_number(shop: Shop) -> None:
    edit(PROFILE, "1.31.4", "1.31")
    assert shop.refused(1, *RENDER) == (
        "error[wrong-type]: `spec.cluster.kubernetesVersion` must be a string\n"
        "  --> profiles/shop.yaml:5:32, spec.cluster.kubernetesVersion\n"
        "   expected: a string\n"
        "   got: a number (`1.31`)\n"
        '   hint: put it in quotes: "1.31"\n'
    )


def test_a_value_that_is_not_one_of_a_few(shop: Shop) -> None:
    edit(PROFILE, "agent: argocd", "agent: argo")
    assert shop.refused(1, *RENDER) == (
        "error[invalid-value]: `spec.gitops.agent` cannot be `argo`\n"
        "  --> profiles/shop.yaml:9:19, spec.gitops.agent\n"
        "   expected: `argocd` or `flux`\n"
        "   hint: did you mean `argocd`?\n"
    )


def test_all_faults_are_told_at_once(shop: Shop) -> None:
    edit(PROFILE, "    url: ", "    urll: ")
    edit(PROFILE, "agent: argocd", "agent: argo")
    edit(PROFILE, "platforms: [linux/amd64]", "platforms: linux/amd64")
    edit(PROFILE, '">=1.0.0 <2.0.0"', "later")
    err = shop.refused(1, *RENDER)
    assert [line.split("]")[0] for line in err.splitlines() if line.startswith("error[")] == [
        "error[wrong-type",
        "error[missing-field",
        "error[unknown-field",
        "error[invalid-value",
        "error[invalid-field",
    ]
    assert err.endswith("\n\n5 errors\n")


def test_a_fault_in_a_shared_profile_is_told_where_it_is(shop: Shop) -> None:
    edit(PROFILE, "spec:\n", "spec:\n  extends: [edge.yaml]\n")
    write("profiles/edge.yaml", f"{HEAD}spec:\n  gitops: {{agnet: flux}}\n")
    assert shop.refused(1, *RENDER) == (
        "error[unknown-field]: `agnet` is not a field of `spec.gitops`\n"
        "  --> profiles/edge.yaml:4:12, spec.gitops.agnet\n"
        "   expected: `agent`, `branch`, `path` or `repository`\n"
        "   hint: did you mean `agent`?\n"
    )


def test_faults_of_several_profiles(shop: Shop) -> None:
    write("profiles/second.yaml", Path(PROFILE).read_text().replace("agent: argocd", "agent: fluxx"))
    edit(PROFILE, "agent: argocd", "agent: argo")
    code, out, err = shop.run("validate", PROFILE, "profiles/second.yaml")
    assert (code, out) == (1, "profiles/shop.yaml: 1 fault\nprofiles/second.yaml: 1 fault\n")
    assert "profiles/shop.yaml:9:19" in err
    assert "profiles/second.yaml:9:19" in err
    assert "hint: did you mean `flux`?" in err


# --- trust policies ---------------------------------------------------------------------------------------------


def test_a_signer_that_nobody_knows(shop: Shop) -> None:
    edit("profiles/trust.yaml", "of: [vendor, office]", "of: [vendor, ofice]")
    assert shop.refused(1, *RENDER) == (
        "error[unknown-signer]: `ofice` is not the name of a key or authority in this policy\n"
        "  --> profiles/trust.yaml:9:65, spec.rules[0].require.of[1]\n"
        "   expected: `office`, `vendor`\n"
        "   got: `ofice`\n"
    )


def test_a_threshold_that_cannot_be_reached(shop: Shop) -> None:
    edit("profiles/trust.yaml", "threshold: 2", "threshold: 3")
    assert shop.refused(1, *RENDER) == (
        "error[invalid-field]: a threshold of 3 cannot be reached with 2 signer(s)\n"
        "  --> profiles/trust.yaml:9:49, spec.rules[0].require.threshold\n"
        "   expected: at most 2\n"
        "   got: `3`\n"
    )


def test_a_private_key_in_a_trust_policy(shop: Shop) -> None:
    edit("profiles/trust.yaml", "keys/office.pub", "keys/office.key")
    (finding,) = shop.findings(1, *RENDER)
    assert finding["code"] == "private-key"
    assert finding["where"]["path"] == "spec.keys[1].publicKeyFile"
    assert "PRIVATE KEY-----" not in str(finding)
