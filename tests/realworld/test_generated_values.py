"""Generated values of the whole museum: captured once, the same bytes ten times over, no secret in clear anywhere.

Every package gets a site of its own, with ks-core and what it requires. The sites are locked once with the engine that
is built in, and rendered from nothing with it and with the executable.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.realworld.sites import INVENTIVE, Sites

ROUNDS = int(os.environ.get("SITEWRIGHT_ROUNDS", "10"))


def digests(tree: Path, skip: Callable[[str], bool] = lambda _: False) -> dict[str, str]:
    """SHA-256 by path."""
    files = (path for path in tree.rglob("*") if path.is_file())
    names = {path.relative_to(tree).as_posix(): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(names.items()) if not skip(name)
    }


def test_what_the_packages_invent_is_captured(sealed_sites: Sites) -> None:
    captured = {
        name: (sealed_sites.place / f"profiles/{name}.generated.yaml").read_text() for name in sealed_sites.names
    }
    groups = {
        group for text in captured.values() for group in re.findall(r"^    ([\w-]+)/[\w./-]+:$", text, re.MULTILINE)
    }
    assert all("\n    ks-core/ks-controller-manager-webhook-cert:\n" in text for text in captured.values())
    assert groups - {"ks-core"} == {
        one for one in INVENTIVE if any(name.startswith(one.removesuffix("-agent")) for name in sealed_sites.names)
    }


def test_ten_renders_are_the_same_bytes(
    sealed_sites: Sites, sealed_trees: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = digests(sealed_trees)
    for number in range(2, ROUNDS + 1):
        monkeypatch.setenv("TZ", ("UTC", "Asia/Shanghai", "America/St_Johns")[number % 3])
        monkeypatch.setenv("PYTHONHASHSEED", str(number))
        sealed_sites.run("render", *sealed_sites.profiles, "--out", f"again-{number}")
        assert digests(sealed_sites.place / f"again-{number}") == first


def test_the_other_engine_makes_the_same_tree_ten_times(sealed_sites: Sites, sealed_trees: Path, helm: Path) -> None:
    engine = f"executable:{helm.resolve()}"
    first = digests(sealed_trees, of_the_engine)
    captured = {path: path.read_bytes() for path in (sealed_sites.place / "profiles").glob("*.generated.yaml")}
    sealed_sites.run("lock", *sealed_sites.profiles, "--engine", engine)
    assert {path: path.read_bytes() for path in captured} == captured
    before: dict[str, str] = {}
    for number in range(1, ROUNDS + 1):
        sealed_sites.run("render", *sealed_sites.profiles, "--out", f"other-{number}", "--engine", engine)
        other = sealed_sites.place / f"other-{number}"
        assert digests(other, of_the_engine) == first
        assert digests(other) == (before or digests(other))
        before = before or digests(other)
    sealed_sites.run("lock", *sealed_sites.profiles)


def of_the_engine(path: str) -> bool:
    """The records that name the engine, and the digest of everything."""
    return path.endswith(("records/lock.yaml", "records/report.md", "records/provenance.json"))


def test_no_secret_stands_in_clear_in_anything_that_is_written_or_said(
    sealed_sites: Sites, sealed_trees: Path, sops: Path
) -> None:
    name = sealed_sites.names[0]
    shutil.copytree(sealed_trees / "sites" / name, sealed_sites.place / "before/sites" / name)
    sealed_sites.run("lock", f"profiles/{name}.yaml", "--rotate", "ks-core/ks-controller-manager-webhook-cert")
    sealed_sites.run("render", f"profiles/{name}.yaml", "--out", "rotated")
    for profile in sealed_sites.profiles:
        sealed_sites.run("generated", profile)
    for form in ("text", "markdown", "json"):
        told = sealed_sites.run("diff", "rotated", "--against", "before", "--format", form)
        assert "certificate of self-signed-ca, ks-core-admission-webhook renewed" in told
    places = [
        *sealed_trees.rglob("*"),
        *(sealed_sites.place / "rotated").rglob("*"),
        *(sealed_sites.place / "profiles").iterdir(),
    ]
    texts = {str(path): path.read_bytes() for path in places if path.is_file()}
    texts["said"] = "\n".join(sealed_sites.said).encode()
    everything = b"\0".join(texts.values())
    secrets = {one for name in sealed_sites.names for one in captured_secrets(sops, sealed_sites.place, name)}
    assert sum("PRIVATE KEY" in one for one in map(plain, secrets)) >= len(sealed_sites.names)
    for secret in secrets:
        for spelled in spellings(secret):
            assert spelled not in everything, [name for name, text in texts.items() if spelled in text]


def captured_secrets(sops: Path, place: Path, name: str) -> Iterator[str]:
    """What was captured for a site, opened by the real program, earlier values too."""
    content = (place / f"profiles/{name}.generated.yaml").read_text()
    pending = [content]
    while pending:
        words = [str(sops), "-d", "--input-type", "yaml", "--output-type", "json", "/dev/stdin"]
        given = {"SOPS_AGE_KEY_FILE": str(place / "site.agekey"), "PATH": os.environ["PATH"]}
        done = subprocess.run(words, input=pending.pop().encode(), capture_output=True, check=True, env=given)
        document = json.loads(done.stdout)
        yield from (str(secret["sealed"]) for secret in document["spec"]["secrets"])
        pending += document["spec"].get("earlier", [])


def plain(secret: str) -> str:
    """What is behind base64, or the text."""
    try:
        return base64.b64decode(secret, validate=True).decode()
    except ValueError:
        return secret


def spellings(secret: str) -> Iterator[bytes]:
    """A secret as it could stand somewhere: as it is, in base64, decoded; of a key, every line."""
    text = plain(secret)
    for one in {secret, text, text.strip()}:
        yield one.encode()
        yield base64.b64encode(one.encode())
    if "-----BEGIN" in text:
        yield from (line.encode() for line in text.splitlines() if len(line) > 40)
