"""Rules, and what a site accepts of their findings."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from datetime import date

from renderer.errors import Finding, Severity, Where
from renderer.model.rendering import Composed
from renderer.model.site import CheckRules, IgnoreRule
from renderer.structs import Struct


class Rule(Struct, frozen=True, kw_only=True):
    """One judgement over a composed site.

    `code` is the code of its findings, and what `checks.ignore[].rule` in a profile names. `title` says what must
    hold, `why` what happens otherwise. `severity` is the usual one; a single finding may be milder.
    """

    code: str
    title: str
    why: str
    severity: Severity
    check: Callable[[Composed], Iterable[Finding]]


class Judgement(Struct, frozen=True, kw_only=True):
    """What remains of the findings of a run: those that count, and those that the profile accepts."""

    findings: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, IgnoreRule], ...]

    def failing(self, rules: CheckRules) -> tuple[Finding, ...]:
        """The findings whose severity stops a run."""
        return tuple(finding for finding in self.findings if finding.severity in rules.fail)


def run_rules(rules: Iterable[Rule], composed: Composed) -> tuple[Finding, ...]:
    """All findings of `rules`, errors first, then by code and place."""
    order = list(Severity)
    found = (finding for rule in rules for finding in rule.check(composed))
    return tuple(sorted(found, key=lambda one: (order.index(one.severity), one.code, str(one.where), one.message)))


def judge(findings: Sequence[Finding], rules: CheckRules, *, profile: str, today: date) -> Judgement:
    """Take away what the profile accepts today.

    An ignore rule counts up to and including the day `until`; afterwards it accepts nothing and is itself a finding
    (`ignore-expired`). `profile` is the profile's file, for the place of that finding.
    """
    kept: list[Finding] = []
    accepted: list[tuple[Finding, IgnoreRule]] = []
    valid = tuple(rule for rule in rules.ignore if rule.until is None or today <= rule.until)
    for finding in findings:
        rule = accepted_by(finding, valid)
        if rule is None:
            kept.append(finding)
        else:
            accepted.append((finding, rule))
    expired = (_expired(rules, index, profile) for index, rule in enumerate(rules.ignore) if rule not in valid)
    return Judgement(findings=(*kept, *expired), accepted=tuple(accepted))


def accepted_by(finding: Finding, rules: Iterable[IgnoreRule]) -> IgnoreRule | None:
    """The first rule that accepts `finding`, whatever the day.

    The rule's glob is held against the whole subject (`extension vector 1.0.4, Deployment shop/web`) and against its
    last part (`Deployment shop/web`).
    """
    subject = finding.where.subject or ""
    names = {subject, subject.rpartition(", ")[2]}
    return next(
        (
            rule
            for rule in rules
            if rule.rule == finding.code and any(fnmatch.fnmatchcase(name, rule.object) for name in names)
        ),
        None,
    )


def _expired(rules: CheckRules, index: int, profile: str) -> Finding:
    rule = rules.ignore[index]
    return Finding(
        code="ignore-expired",
        message=f"the exception for `{rule.rule}` on `{rule.object}` ended on {rule.until}; it accepts nothing now",
        where=Where(file=profile, path=f"spec.checks.ignore[{index}]"),
        severity=Severity.WARNING,
        hint="mend what it excused, or set a later `until` with the reason",
    )
