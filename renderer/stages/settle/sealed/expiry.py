"""Captured certificates that end soon. Judged by the day of the run, and no part of what a render writes."""

from __future__ import annotations

from datetime import date, timedelta

from renderer.errors import Finding, Severity, Where
from renderer.model.generated.sealed import Captured, CapturedGroup


def ending(captured: Captured, days: int, today: date) -> tuple[CapturedGroup, ...]:
    """The groups with a certificate that ends within so many days, or has ended."""
    limit = today + timedelta(days=days)
    return tuple(one for one in captured.groups.values() if one.ends is not None and one.ends.date() <= limit)


def expiring_certificates(captured: Captured, days: int, today: date, profile: str) -> list[Finding]:
    """`certificate-expiring` for each such group: a warning, an error for one that has ended."""
    return [_finding(group, today, profile) for group in ending(captured, days, today)]


def _finding(group: CapturedGroup, today: date, profile: str) -> Finding:
    end = group.ends.date() if group.ends else today
    left = (end - today).days
    when = f"ends on {end}, in {left} day{'' if left == 1 else 's'}" if left >= 0 else f"ended on {end}"
    return Finding(
        code="certificate-expiring",
        message=f"a certificate of `{group.name}` {when}",
        where=Where(subject=f"group {group.name}"),
        severity=Severity.WARNING if left >= 0 else Severity.ERROR,
        hint=f"sitewright lock {profile} --rotate {group.name}",
    )
