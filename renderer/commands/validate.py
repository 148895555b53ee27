"""`sitewright validate`: whether what people wrote is right, before anything is rendered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from renderer.errors import Finding, InputError, Severity, Where
from renderer.formats.kubernetes.manifests import YamlError, load_values
from renderer.formats.lockfile import KIND as LOCK
from renderer.formats.lockfile import decode_lock
from renderer.formats.profile.site import LoadedSite, read_profile
from renderer.formats.trust.policy import KIND as POLICY
from renderer.formats.trust.policy import read_trust_policy
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.ports import Files
from renderer.structs import Struct, field

__all__ = ["Schemas", "validate"]

Schemas = Callable[[str], Mapping[str, Json]]
"""The JSON schema by its name, such as `site.v1`."""

_WIDTH: Final = 60
"""Characters of a value that `--explain` shows."""


def validate(files: Files, paths: Sequence[str], *, schemas: Schemas, explain: bool = False) -> Outcome:
    """Check profiles, each with its trust policy; trust policies and locks may be named too.

    `paths` count from the root of `files`. With `explain` the text shows every key of each profile with the file and
    line that set it. All faults of all files are findings of the outcome, which has then failed.
    """
    run = _Validation(files, schemas)
    lines: list[str] = []
    results: list[Json] = []
    for path in dict.fromkeys(paths):
        before = len(run.findings)
        summary, loaded = run.file(path)
        faults = sum(finding.severity is Severity.ERROR for finding in run.findings[before:])
        said = summary if not faults else "1 fault" if faults == 1 else f"{faults} faults"
        lines.append(f"{path}: {said}")
        result: dict[str, Json] = {"file": path, "valid": not faults, "faults": faults}
        if loaded is not None:
            result |= {"site": loaded.site.name, "digest": str(loaded.site.digest), "layers": list(loaded.layers)}
            if explain:
                lines += _explained(loaded)
                result["settings"] = [
                    {"path": at, "value": value, "from": place} for at, value, place in loaded.settings()
                ]
        results.append(result)
    findings = tuple(dict.fromkeys(run.findings))
    return Outcome(
        text="\n".join(lines),
        document={"files": results},
        findings=findings,
        failed=any(finding.severity is Severity.ERROR for finding in findings),
    )


class _Validation(Struct):
    """One run over many files; a trust policy that many profiles share is read once."""

    files: Files
    schemas: Schemas
    findings: list[Finding] = field(default_factory=list)
    policies: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    owners: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def file(self, path: str) -> tuple[str, LoadedSite | None]:
        """Check one file; a summary for people, and the site if it is a profile without faults."""
        try:
            kind = self.kind(path)
            if kind == POLICY:
                self.findings += self.policy(path)
                return "a valid trust policy", None
            if kind == LOCK:
                lock = decode_lock(self.files.read(path), path, path.replace(".lock.yaml", ".yaml"))
                return f"a valid lock of site {lock.site}", None
            loaded = read_profile(path, self.files.read, self.files.list, self.schemas("site.v1"))
        except InputError as error:
            self.findings += error.findings
            return "", None
        self.findings += (*self.policy(loaded.site.trust), *self.shared_root(loaded), *_absent(self.files, loaded))
        return _summary(loaded), loaded

    def kind(self, path: str) -> Json:
        """The `kind` of a document; what cannot be read is left to the profile's reader, which says why."""
        try:
            value = load_values(self.files.read(path))
        except YamlError:
            return None
        return value.get("kind") if isinstance(value, dict) else None

    def policy(self, path: str) -> tuple[Finding, ...]:
        """What is wrong with a trust policy."""
        if path not in self.policies:
            try:
                policy = read_trust_policy(path, self.files.read, self.schemas("trust-policy.v1"))
            except InputError as error:
                self.policies[path] = error.findings
            else:
                self.policies[path] = () if policy.rules else (_trusts_nobody(path),)
        return self.policies[path]

    def shared_root(self, loaded: LoadedSite) -> tuple[Finding, ...]:
        """Two sites that would write into the same directory of the same branch."""
        site = loaded.site
        first = self.owners.setdefault((site.gitops.repository, site.gitops.branch, site.root), site.profile)
        if first == site.profile:
            return ()
        return (
            Finding(
                code="duplicate-site",
                message=f"`{site.profile}` and `{first}` are rendered into the same directory `{site.root}`",
                where=loaded.document.where(("metadata", "name")),
                expected="another name, repository, branch or path for one of them",
                got=f"`{site.name}` twice",
            ),
        )


def _trusts_nobody(path: str) -> Finding:
    return Finding(
        code="trusts-nobody",
        message=f"`{path}` has no rules: every bundle will be refused",
        where=Where(file=path),
        severity=Severity.WARNING,
        expected="a key and a rule for each signer",
        hint="sitewright schema trust-policy",
    )


def _absent(files: Files, loaded: LoadedSite) -> tuple[Finding, ...]:
    """Bundles that are not here yet: no fault of the profile."""
    return tuple(
        Finding(
            code="bundle-not-found",
            message=f"there is no bundle at `{bundle.source}` yet",
            where=loaded.document.where(("spec", "bundles", index, "source")),
            severity=Severity.NOTE,
            hint=f"sitewright bundle build bundle.yaml -o {bundle.source}",
        )
        for index, bundle in enumerate(loaded.site.bundles)
        if "://" not in bundle.source and not files.exists(bundle.source)
    )


def _summary(loaded: LoadedSite) -> str:
    count = len(loaded.site.extensions)
    extensions = "1 extension" if count == 1 else f"{count} extensions"
    layers = f", {len(loaded.layers)} layers" if len(loaded.layers) > 1 else ""
    return f"a valid profile of site {loaded.site.name}, {extensions}{layers}"


def _explained(loaded: LoadedSite) -> list[str]:
    """One line a key: its path, its value, the file and line that set it."""
    rows = [(path, _shown(value), place) for path, value, place in loaded.settings()]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return [f"  {path:<{widths[0]}}  {value:<{widths[1]}}  {place}" for path, value, place in rows]


def _shown(value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
