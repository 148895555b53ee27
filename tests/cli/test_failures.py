"""Command lines that cannot be understood (exit code 2), runs that are interrupted (130), and what holds for all
failures: a code, a message, a place, the same as text and as JSON, and never a traceback.

The failures themselves are told in the files beside this one: documents, bundles, resolution, charts, output.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.site_fixture import BUNDLE, LOCK, OUT, PROFILE, REPO, SOURCE, Shop, edit, git, write

ROOT = Path(__file__).parents[2]
TRUST = ("--trust", "profiles/trust.yaml")


# --- command lines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code", "message", "hint"),
    [
        ("redner profiles/shop.yaml", "unknown-command", "`sitewright` has no command `redner`", "sitewright render"),
        ("bundle sing", "unknown-command", "`sitewright bundle` has no command `sing`", "sitewright bundle sign"),
        ("render", "usage", "the following arguments are required: PROFILE", "sitewright render --help"),
        ("render profiles/shop.yaml --uot x", "usage", "unrecognized arguments: --uot x", "did you mean `--out`?"),
        ("why profiles/shop.yaml", "usage", "the following arguments are required: NAME", "sitewright why --help"),
        (
            "render profiles/shop.yaml",
            "usage",
            "the trees need a place to go: a directory or a git repository",
            "sitewright render profiles/shop.yaml --out build",
        ),
        (
            "render profiles/shop.yaml --out out --repo gitops --branch main",
            "usage",
            "--out and --repo name two places; a tree goes to one",
            "leave one of them out",
        ),
        (
            "render profiles/shop.yaml --repo gitops",
            "usage",
            "--repo needs the branch that the commit goes to",
            "--branch main",
        ),
        ("render profiles/shop.yaml --out out --push", "usage", "--push belongs to --repo", "--repo URL --branch main"),
        (
            "render profiles/shop.yaml --repo gitops --branch main --author me",
            "usage",
            "`me` is no author",
            "--author 'Site Owner <owner@site.example>'",
        ),
        (
            "diff profiles/shop.yaml",
            "usage",
            "name what to compare with",
            "add --against DIR, --out DIR, or --repo REPOSITORY --branch BRANCH",
        ),
        (
            "diff out",
            "usage",
            "a tree needs another one to be compared with",
            "sitewright diff out --against HEAD~1",
        ),
        (
            "diff out --against v9",
            "usage",
            "`out` lies in no git repository, so `v9` must be a directory",
            "--against DIR",
        ),
        (
            "check out profiles/shop.yaml",
            "usage",
            "name rendered trees or profiles, not both at once",
            "sitewright check build/demo",
        ),
        (
            "resolve",
            "usage",
            "name a profile, or an extension with --manifest",
            "sitewright resolve profiles/demo.yaml",
        ),
        ("schema sites", "unknown-schema", "there is no schema `sites`", "did you mean `site`?"),
        ("lock profiles/shop.yaml --engine helm", "unknown-engine", "`helm` is no chart engine", "sitewright doctor"),
        (
            "bundle build sources/bundle.yaml",
            "usage",
            "the following arguments are required: --output/-o",
            "sitewright bundle build --help",
        ),
        (
            "bundle sign bundles/pantry",
            "usage",
            "a bundle is signed with `--key FILE` or with `--signer COMMAND`",
            "--key keys/vendor.key",
        ),
    ],
)
def test_wrong_usage(shop: Shop, given: str, code: str, message: str, hint: str) -> None:
    (finding,) = shop.findings(2, *given.split())
    assert (finding["code"], finding["message"], finding["hint"]) == (code, message, hint)
    assert finding["where"]["subject"]


NO_GIT = (
    "error[git-not-found]: there is no program `git`\n"
    "  --> program git\n"
    "   expected: git 2.30 or newer on PATH\n"
    "   hint: install git, then run the same command again\n"
)
NO_HELM = (
    "error[helm-not-found]: there is no program `helm`\n"
    "  --> program helm\n"
    "   expected: Helm 3.14 or newer\n"
    "   hint: install Helm (https://helm.sh/docs/intro/install/), or use the chart engine that is built in\n"
)


@pytest.mark.parametrize(
    ("given", "err"),
    [(("render", PROFILE, *REPO), NO_GIT), (("lock", PROFILE, "--engine", "executable"), NO_HELM)],
)
def test_a_program_that_is_not_installed(
    shop: Shop, given: tuple[str, ...], err: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in a process that never saw the program and in one that lost it."""
    command = [sys.executable, "-m", "renderer", *given]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": "/nowhere"}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", err)
    monkeypatch.setenv("PATH", "/nowhere")
    assert shop.run(*given) == (1, "", err)


# --- all failures -----------------------------------------------------------------------------------------------


def no_lock() -> None:
    Path(LOCK).unlink()


def bad_yaml() -> None:
    write(PROFILE, "spec: {")


def bad_bytes() -> None:
    for path in (PROFILE, LOCK, "profiles/trust.yaml", SOURCE, f"{BUNDLE}/index.json"):
        Path(path).write_bytes(b"\xff\xfe\x00\x01")


def bad_types() -> None:
    for path in (PROFILE, LOCK, "profiles/trust.yaml", SOURCE, f"{BUNDLE}/index.json"):
        write(path, "[1, {a: null}]\n")


def nothing_there() -> None:
    for path in (PROFILE, LOCK, "profiles/trust.yaml", SOURCE, f"{BUNDLE}/index.json"):
        Path(path).unlink()


def empty_files() -> None:
    for path in (PROFILE, LOCK, "profiles/trust.yaml", SOURCE, f"{BUNDLE}/index.json"):
        write(path, "")


def unknown_extension() -> None:
    edit(PROFILE, "name: web", "name: wbe")


def no_bundle() -> None:
    edit(PROFILE, "source: bundles/pantry", "source: bundles/none")


COMMANDS = [
    ("validate", PROFILE),
    ("lock", PROFILE),
    ("lock", PROFILE, "--check"),
    ("resolve", PROFILE),
    ("tree", PROFILE),
    ("why", PROFILE, "web"),
    ("mirrors", PROFILE),
    ("render", PROFILE, *OUT),
    ("diff", PROFILE, *OUT),
    ("check", PROFILE),
    ("bundle", "verify", BUNDLE, *TRUST),
    ("bundle", "inspect", BUNDLE),
    ("bundle", "build", SOURCE, "--output", "bundles/another"),
]
MISHAPS = [no_lock, bad_yaml, bad_bytes, bad_types, nothing_there, empty_files, unknown_extension, no_bundle]


@pytest.mark.parametrize("mishap", MISHAPS)
def test_a_failure_is_told_in_full_and_alike_in_both_formats(shop: Shop, mishap: Callable[[], None]) -> None:
    """`Shop.run` asserts that there is no traceback and no fault of our own (exit code 70)."""
    import json

    mishap()
    for given in COMMANDS:
        code, _, err = shop.run(*given)
        if not code:
            continue
        coded, _, text = shop.run(*given, "--format", "json")
        assert coded == code
        document = json.loads(text)
        assert document["exitCode"] == code
        for finding in document["findings"]:
            assert f"{finding['severity']}[{finding['code']}]: {finding['message']}\n" in err
            assert any(finding["where"].values()), finding
            assert finding["message"][0] not in " \n"


# --- interrupted ------------------------------------------------------------------------------------------------


def test_an_interrupted_run_ends_with_130_and_leaves_the_old_state(shop: Shop) -> None:
    """A remote that takes for ever to answer, and somebody who loses patience."""
    git("clone", "-q", "--bare", "gitops", "remote.git", at=".")
    git("remote", "add", "origin", str(Path("remote.git").absolute()))
    hook = Path("remote.git/hooks/pre-receive")
    hook.parent.mkdir(exist_ok=True)
    place = Path.cwd()
    hook.write_text(f"#!/bin/sh\ntouch {place}/asked\nwhile [ ! -e {place}/enough ]; do sleep 0.05; done\nexit 1\n")
    hook.chmod(0o755)
    edit(PROFILE, "replicas: 2", "replicas: 3")
    shop.ok("lock", PROFILE)
    before = git("for-each-ref"), git("for-each-ref", at="remote.git")
    command = [sys.executable, "-m", "renderer", "render", PROFILE, *REPO, "--push"]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            deadline = time.monotonic() + 60
            while not Path("asked").exists() and run.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=30)
        finally:
            Path("enough").touch()
    assert (run.returncode, out) == (130, "")
    assert err == "interrupted\n"
    assert (git("for-each-ref"), git("for-each-ref", at="remote.git")) == before
    assert git("status", "--porcelain") == ""
