"""Versions and version ranges.

`Version` is semver 2.0 (https://semver.org), read as leniently as Helm and KubeSphere read it. `Constraint` is the
range language of Masterminds/semver v3 (https://github.com/Masterminds/semver), ported function by function, because
a range must mean here what it means to Helm and to KubeSphere; `tests/data/semver` holds what the original answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from renderer.structs import Struct, force_setattr

_VERSION_LIMIT: Final = 256
_CONSTRAINT_LIMIT: Final = 512
_GROUP_LIMIT: Final = 32
_NUMBER_LIMIT: Final = 2**64
_VERSION_FORM: Final = "`major[.minor[.patch]][-prerelease][+build]`, such as `1.4.0` or `v1.4.0-rc.1`"
_CONSTRAINT_FORM: Final = "something like `>=1.2 <2`, `^1.4`, `~1.4.2`, `1.x`, `1.2 - 1.4` or `^1 || ^2`"

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?\Z")
_IDENTIFIERS_ONLY = re.compile(rf"{_IDENTIFIERS}\Z")
_STRICT_NUMBERS = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}(?![0-9.])")

# The grammar of a range, as in constraints.go. Go's `\s` is ASCII only, and its regular expressions never backtrack;
# ours do, so the list of comparators is written without two ways to share out a run of spaces.
_S = r"[\t\n\f\r ]"
_NUMBER = r"[0-9|xX*]+"
_PRERELEASE, _BUILD = (rf"{sign}[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*" for sign in ("-", r"\+"))
_PARTIAL = rf"v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?(?:{_PRERELEASE})?(?:{_BUILD})?"
_PARTS = rf"v?({_NUMBER})(\.{_NUMBER})?(\.{_NUMBER})?({_PRERELEASE})?(?:{_BUILD})?"
_OPERATOR = r"!=|>=|=>|<=|=<|~>|=|>|<|~|\^"
_ONE = rf"(?:(?:{_OPERATOR}){_S}*)?{_PARTIAL}"
# texts, not compiled: a command that meets no range need not pay for them
_GROUP = rf"{_S}*{_ONE}(?:(?:{_S}++(?:,{_S}*+)?|,{_S}*+){_ONE})*{_S}*\Z"
_COMPARATOR = rf"({_OPERATOR})?{_S}*({_PARTS})"
_HYPHEN_RANGE = rf"{_S}*({_PARTIAL}){_S}+-{_S}+({_PARTIAL}){_S}*"

Precedence = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


class Version(Struct, frozen=True):
    """A semantic version, totally ordered by semver precedence.

    Build metadata does not count for precedence; two versions that differ only there are different values, and
    ordered by that text so that sorting is deterministic. `text` is what was written (`v1.2`) and counts for
    nothing; `str()` is the full form (`1.2.0`).
    """

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    build: str = ""
    text: str = ""
    _order: tuple[Precedence, str] = ((0, 0, 0, True, ()), "")
    """Made of the others, whatever it is given as."""

    def __post_init__(self) -> None:
        if not all(0 <= number < _NUMBER_LIMIT for number in (self.major, self.minor, self.patch)):
            raise ValueError("each number of a version must lie between 0 and 2^64 - 1")
        for label, identifiers in (("prerelease", self.prerelease), ("build metadata", self.build)):
            if identifiers and _IDENTIFIERS_ONLY.match(identifiers) is None:
                raise ValueError(f"the {label} of a version must be dot-separated letters, digits and hyphens")
        parts = self.prerelease.split(".") if self.prerelease else []
        if any(part.isdigit() and part[0] == "0" and part != "0" for part in parts):
            raise ValueError(f"a number in a prerelease must not start with 0, as it does in `{self.prerelease}`")
        release = not parts
        precedence = (self.major, self.minor, self.patch, release, tuple(_identifier(part) for part in parts))
        force_setattr(self, "_order", (precedence, self.build))
        if not self.text:
            force_setattr(self, "text", str(self))

    def __eq__(self, other: object) -> bool:
        return self._order == other._order if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return self._order < other._order

    def __le__(self, other: Version) -> bool:
        return self._order <= other._order

    def __gt__(self, other: Version) -> bool:
        return self._order > other._order

    def __ge__(self, other: Version) -> bool:
        return self._order >= other._order

    def __hash__(self) -> int:
        return hash(self._order)

    @property
    def precedence(self) -> Precedence:
        """What two versions are compared by, without build metadata."""
        return self._order[0]

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version as Masterminds `NewVersion` does: a leading `v`, missing minor and patch, zeros in front.

        Raises ValueError naming the rule, the form and the input.
        """
        if len(text) > _VERSION_LIMIT:
            raise ValueError(f"a version has at most {_VERSION_LIMIT} characters, this one has {len(text)}")
        found = _VERSION.match(text)
        if found is None:
            raise ValueError(f"a version must read {_VERSION_FORM}, not `{text}`")
        major, minor, patch, prerelease, build = found.groups(default="")
        return cls(int(major), int(minor or 0), int(patch or 0), prerelease, build, text)

    @classmethod
    def parse_strict(cls, text: str) -> Version:
        """Read a version exactly as semver 2.0 writes it. Raises ValueError."""
        if _STRICT_NUMBERS.match(text) is None:
            raise ValueError(f"a version must read `major.minor.patch[-prerelease][+build]`, not `{text}`")
        return cls.parse(text)

    @property
    def is_prerelease(self) -> bool:
        """True for `1.0.0-rc.1`."""
        return bool(self.prerelease)

    def __str__(self) -> str:
        prerelease = f"-{self.prerelease}" if self.prerelease else ""
        return f"{self.major}.{self.minor}.{self.patch}{prerelease}{f'+{self.build}' if self.build else ''}"


def _identifier(part: str) -> tuple[bool, int, str]:
    """The order of one prerelease identifier: numbers by value, below all words; words by their bytes."""
    if part.isdigit() and int(part) < _NUMBER_LIMIT:
        return False, int(part), ""
    return True, 0, part


class _Comparator(Struct, frozen=True):
    """One operator and its version. `wild` is the first number left open: 0 major, 1 minor, 2 patch, 3 none."""

    operator: str
    version: Version
    wild: int


class Constraint(Struct, frozen=True):
    """A version range. Two constraints are equal when they are written alike.

    A prerelease is admitted only by a group (the part between two `||`) that names a prerelease itself: `>=1.0.0`
    refuses `2.0.0-rc.1`, `>=1.0.0-0` takes it.
    """

    text: str
    _groups: tuple[tuple[bool, tuple[_Comparator, ...]], ...] = ()
    """Made of the text, whatever it is given as."""

    def __post_init__(self) -> None:
        if len(self.text) > _CONSTRAINT_LIMIT:
            raise ValueError(f"a version range has at most {_CONSTRAINT_LIMIT} characters, this has {len(self.text)}")
        groups = _spell_out_hyphens(self.text).split("||")
        if len(groups) > _GROUP_LIMIT:
            raise ValueError(f"a version range has at most {_GROUP_LIMIT} alternatives, this has {len(groups)}")
        read = []
        for group in groups:
            if re.match(_GROUP, group) is None:
                raise ValueError(f"a version range must read {_CONSTRAINT_FORM}, not `{self.text}`")
            comparators = tuple(_comparator(*found.groups(default="")) for found in re.finditer(_COMPARATOR, group))
            read.append((any(one.version.prerelease for one in comparators), comparators))
        force_setattr(self, "_groups", tuple(read))

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read a range. Raises ValueError naming the rule, the form and the input; an empty text is no range."""
        return cls(text)

    def allows(self, version: Version) -> bool:
        """True when `version` lies in the range."""
        return any(
            (admits_prerelease or not version.prerelease)
            and all(_TESTS[one.operator](version, one) for one in comparators)
            for admits_prerelease, comparators in self._groups
        )

    def __str__(self) -> str:
        return self.text


def _spell_out_hyphens(text: str) -> str:
    """`1.2 - 1.4` as `>= 1.2, <= 1.4 `, byte for byte as rewriteRange does it."""
    for found in re.finditer(_HYPHEN_RANGE, text):
        text = text.replace(found[0], f">= {found[1]}, <= {found[2]} ", 1)
    return text


def _comparator(operator: str, text: str, major: str, minor: str, patch: str, prerelease: str) -> _Comparator:
    """One comparator, its open numbers filled with 0 as parseConstraint does."""
    wild = next((place for place, part in enumerate((major, minor, patch)) if part.lstrip(".") in _OPEN), 3)
    spelled = (f"0.0.0{prerelease}", f"{major}.0.0{prerelease}", f"{major}{minor}.0{prerelease}", text)[wild]
    try:
        return _Comparator(operator, Version.parse(spelled), wild)
    except ValueError as error:
        raise ValueError(f"`{text}` in a version range is no version: {error}") from error


_OPEN: Final = frozenset({"", "x", "X", "*"})

# One function per operator of constraints.go; each has the quirks of the original, which the data in
# tests/data/semver pins down. Prereleases have been judged before, once for the whole group.


def _not_equal(version: Version, one: _Comparator) -> bool:
    bound = one.version
    if one.wild == 1:
        return version.major != bound.major
    if one.wild == 2 and (version.major, version.minor) == (bound.major, bound.minor):
        return version.prerelease != bound.prerelease
    return version.precedence != bound.precedence


def _greater(version: Version, one: _Comparator) -> bool:
    bound = one.version
    if one.wild == 1:
        return version.major > bound.major
    if one.wild == 2:
        return (version.major, version.minor) > (bound.major, bound.minor)
    return version.precedence > bound.precedence


def _less(version: Version, one: _Comparator) -> bool:
    return version.precedence < one.version.precedence


def _at_least(version: Version, one: _Comparator) -> bool:
    return version.precedence >= one.version.precedence


def _at_most(version: Version, one: _Comparator) -> bool:
    bound = one.version
    if one.wild == 3:
        return version.precedence <= bound.precedence
    if one.wild == 1:
        return version.major <= bound.major
    return (version.major, version.minor) <= (bound.major, bound.minor)


def _tilde(version: Version, one: _Comparator) -> bool:
    bound = one.version
    if version.precedence < bound.precedence:
        return False
    if (bound.major, bound.minor, bound.patch) == (0, 0, 0) and one.wild in (0, 3):
        return True
    return version.major == bound.major and (one.wild == 1 or version.minor == bound.minor)


def _equal(version: Version, one: _Comparator) -> bool:
    if one.wild < 3:
        return _tilde(version, one)
    return version.precedence == one.version.precedence


def _caret(version: Version, one: _Comparator) -> bool:
    bound = one.version
    if version.precedence < bound.precedence or version.major != bound.major:
        return False
    if bound.major > 0 or one.wild == 1:
        return True
    if version.minor != bound.minor:
        return False
    return bound.minor > 0 or one.wild == 2 or version.patch == bound.patch


_TESTS: Final[dict[str, Callable[[Version, _Comparator], bool]]] = {
    "": _equal,
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": _less,
    ">=": _at_least,
    "=>": _at_least,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}
