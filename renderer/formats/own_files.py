"""Files that Sitewright writes and reads again: read strictly and fast, positions looked up only for a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from renderer.errors import Finding, InputError, Where
from renderer.formats.documents.document import DocumentLimits, locate_error, parse_document
from renderer.formats.kubernetes.manifests import Limits, YamlError, load_values
from renderer.model.fields import FieldError, Fields

__all__ = ["OWN_LIMITS", "read_own_file"]

OWN_LIMITS: Final = Limits(bytes=16 * 2**20, depth=16, nodes=1_000_000, aliased=0, documents=1)
_LOCATE: Final = DocumentLimits(bytes=16 * 2**20, depth=16, values=1_000_000, aliased=0)

T = TypeVar("T")


def read_own_file(content: bytes, read: Callable[[Fields], T], *, file: str, what: str, hint: str) -> T:
    """What `read` makes of the document in `content`; it raises FieldError.

    `file` is its name, `what` what it is (`the lock`), `hint` what mends it. Raises InputError with one finding:
    `yaml-syntax`, `duplicate-key`, `yaml-limit`, or the code of the FieldError.
    """
    try:
        return read(Fields.of(load_values(content, limits=OWN_LIMITS, strict_keys=True)))
    except YamlError as error:
        where = Where(file=file, line=error.line, column=error.column)
        message = f"{what} cannot be read: {error.message}"
        raise InputError(Finding(code=error.code, message=message, where=where, hint=hint)) from None
    except FieldError as error:
        finding = _located(content, file, error)
        raise InputError(
            Finding(
                code=finding.code,
                message=finding.message,
                where=finding.where,
                expected=finding.expected,
                got=finding.got,
                hint=f"{error.hint}: {hint}" if error.hint else hint,
            )
        ) from None


def _located(content: bytes, file: str, error: FieldError) -> Finding:
    try:
        return locate_error(parse_document(content, file, limits=_LOCATE), error)
    except InputError:
        return error.finding().at(Where(file=file))
