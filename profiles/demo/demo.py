"""The demo: build and sign a small bundle, lock a site, render it into a git repository. Run by `make demo`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = Path("build/demo")
COMMAND = Path(sys.executable).with_name("sitewright")


def run(*words: str) -> None:
    """Show one command as a user would type it, run it, stop at the first failure."""
    print(f"$ {' '.join(words)}", flush=True)
    program = str(COMMAND) if words[0] == "sitewright" else words[0]
    code = subprocess.run([program, *words[1:]], cwd=ROOT, env=environment(), check=False).returncode
    if code:
        sys.exit(code)
    print(flush=True)


def environment() -> dict[str, str]:
    """The caller's environment, with a commit author for machines on which git has none."""
    who = {"AUTHOR_NAME": "Demo", "AUTHOR_EMAIL": "demo@example.com"}
    return {f"GIT_{key}": value for key, value in who.items()} | dict(os.environ)


def main() -> None:
    """Run the tour."""
    os.chdir(ROOT)
    shutil.rmtree(PLACE, ignore_errors=True)
    run("sitewright", "bundle", "build", "profiles/demo/bundle.yaml", "-o", f"{PLACE}/bundle")
    for who in ("vendor", "office"):
        run("sitewright", "bundle", "keygen", f"{PLACE}/keys/{who}.key")
        run("sitewright", "bundle", "sign", f"{PLACE}/bundle", "--key", f"{PLACE}/keys/{who}.key")
    run("sitewright", "bundle", "verify", f"{PLACE}/bundle", "--trust", "profiles/trust.yaml")
    run("sitewright", "lock", "profiles/demo.yaml")
    run("git", "init", "-q", "-b", "main", f"{PLACE}/gitops")
    run("sitewright", "render", "profiles/demo.yaml", "--repo", f"{PLACE}/gitops", "--branch", "main")
    run("git", "-C", f"{PLACE}/gitops", "show", "--stat=100", "--format=%s%n%n%b", "HEAD")
    print("Where to look:")
    for path, what in (
        ("sites/demo/manifests", "the objects, one a file, one directory a wave"),
        ("sites/demo/agent", "what Argo CD needs to apply them"),
        ("sites/demo/nodes", "mirror configuration for the nodes"),
        ("sites/demo/records", "lock, provenance, image list, report, plan"),
    ):
        print(f"  {PLACE}/gitops/{path:<22} {what}")


if __name__ == "__main__":
    main()
