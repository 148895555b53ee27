"""Values that charts invent at every render, and how a profile settles them.

A chart that calls `genCA`, `randAlphaNum` or `lookup` is not a function of its input. `sitewright lock` finds the
fields by rendering twice; `renderer.stages.settle` replaces them, so that a render is.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from enum import Enum

from renderer.model.fields import Json
from renderer.model.objects.manifest import ObjectId


class GeneratedKind(Enum):
    """What a generated field is for; decides how it can be settled."""

    SECRET = "secret"  # noqa: S105 - the name of a kind of field
    CA_BUNDLE = "ca-bundle"
    CHECKSUM = "checksum"
    NAME = "name"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedValue:
    """One field that differed between two renders of the same input.

    `path` is spelled as in findings (`webhooks[0].clientConfig.caBundle`); `data["app.yaml"]#27` is one line of a
    text. For NAME, `object` has the stable prefix of the name followed by `*`. `component` reads
    `extension/component`, `source` is the template.
    """

    component: str
    object: ObjectId
    path: str
    kind: GeneratedKind
    source: str

    @property
    def order(self) -> tuple[str, ObjectId, str, str]:
        """The key by which generated values are sorted, wherever they are listed."""
        return self.component, self.object, self.path, self.kind.value

    @property
    def stable_name(self) -> str:
        """The part of a generated name that both renders shared, without trailing dashes."""
        return self.object.name.rstrip("*").rstrip("-.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How the profile settles generated fields of the objects that match.

    `object` is a glob over `Kind namespace/name`, `field` a glob over the field path; each may also be written out,
    brackets and all. Either `external` is true (the object stays out of the tree, an operator creates it) or `value`
    is the public value to use.
    """

    object: str
    field: str
    external: bool
    value: Json
    reason: str

    def matches(self, identity: ObjectId, path: str) -> bool:
        """True when this settlement speaks of the field `path` of the object."""
        return all(
            text == glob or fnmatch.fnmatchcase(text, glob)
            for text, glob in ((str(identity), self.object), (path, self.field))
        )
