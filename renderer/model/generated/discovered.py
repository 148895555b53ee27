"""What charts invented in one render, as it stood there: only `sitewright lock` has it, to seal it."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.hidden import Hidden
from renderer.model.generated.values import GeneratedValue
from renderer.structs import Struct, field


class Discovered(Struct, frozen=True, kw_only=True):
    """What two renders tell of generated values: the values (sorted), their certificates, and what they were.

    `captured` holds, for each value that does not follow from content, what stood in its field in the first render (of
    a line, what stands behind its key): all of one render, so that everything fits. A field of an object that two
    components define is one field, and holds what the first of them made.
    """

    values: tuple[GeneratedValue, ...] = ()
    certificates: tuple[CertificateWish, ...] = ()
    captured: Mapping[GeneratedValue, Hidden] = field(default_factory=dict)
