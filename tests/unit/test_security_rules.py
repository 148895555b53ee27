"""Hashes of passwords outside of Secrets; what a hook leaves behind."""

from __future__ import annotations

import pytest

from renderer.checks import security
from renderer.errors import Severity
from renderer.model.check import run_rules
from renderer.model.objects.manifest import HookPhase, Manifest
from renderer.structs import replace
from tests.simulators.sites import a_plan, an_object, composed

BCRYPT = "$2a$10$" + "zcHepmzfKPoxCVCYZr5K7O" + "R" * 31


def found(*manifests: Manifest, code: str = "password-in-git") -> list[str]:
    findings = run_rules(security.RULES, composed(a_plan((20, "extensions", manifests))))
    return [str(finding) for finding in findings if finding.code == code]


def test_a_user_with_a_password() -> None:
    user = an_object("User", "admin", group="iam.example/v1", spec={"logins": [{"password": BCRYPT}]})
    (text,) = found(user)
    assert text == (
        "warning[password-in-git]: `User.iam.example admin` holds the hash of a password: whoever reads the repository "
        "can try to guess it, and the agent puts it back whenever somebody changes the password in the cluster\n"
        "  --> User.iam.example admin, spec.logins[0].password\n"
        f"   from {user.origin}\n"
        "   hint: set your own in the values of the extension and change it there, or turn the object off"
    )
    (rule,) = (one for one in security.RULES if one.code == "password-in-git")
    assert rule.severity is Severity.WARNING


@pytest.mark.parametrize(
    "text",
    [
        f"admin:{BCRYPT}\n",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
        "$6$salt$" + "a" * 86,
        "$5$rounds=5000$salt$" + "a" * 43,
    ],
)
def test_kinds_of_hashes(text: str) -> None:
    assert len(found(an_object("ConfigMap", "users", "shop", data={"htpasswd": text}))) == 1


def test_what_is_none() -> None:
    harmless = {"a": "$2a", "b": "costs $2 or $5$", "c": "${2a}", "d": "s/$1/$2a$10$/", "e": "$HOME", "f": ""}
    assert found(an_object("ConfigMap", "texts", "shop", data=harmless)) == []
    secret = an_object("Secret", "users", "shop", stringData={"htpasswd": BCRYPT})
    assert found(secret) == [], "`secret-in-clear` speaks of Secrets"


def test_rights_of_a_hook_stay_in_the_cluster() -> None:
    binding = an_object(
        "ClusterRoleBinding",
        "upgrade",
        group="rbac.authorization.k8s.io",
        roleRef={"name": "cluster-admin"},
        subjects=[{"kind": "ServiceAccount", "name": "upgrade", "namespace": "shop"}],
    )
    hook = replace(binding, origin=replace(binding.origin, hook=HookPhase.BEFORE))
    stays = "it belongs to a Helm hook: Helm can delete it when the hook has run, in a tree it stays"
    assert [stays in text for one in (binding, hook) for text in found(one, code="cluster-admin")] == [False, True]
