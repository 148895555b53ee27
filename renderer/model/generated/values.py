"""Values that charts invent at every render.

A chart that calls `genCA`, `randAlphaNum` or `lookup` is not a function of its input. `sitewright lock` finds the
fields by rendering twice; `renderer.stages.settle` replaces them, so that a render is.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from renderer.model.fields import read_path
from renderer.model.objects.manifest import ObjectId
from renderer.structs import Struct


class GeneratedKind(Enum):
    """What a generated field holds; decides how it can be settled.

    CA is the certificate of an authority that stands anywhere but in a `caBundle`. SECRET is what stands in a Secret
    and is none of the others, OTHER what stands elsewhere and tells nothing about itself.
    """

    PRIVATE_KEY = "private-key"
    CERTIFICATE = "certificate"
    CA = "ca"
    CA_BUNDLE = "ca-bundle"
    PASSWORD = "password"  # noqa: S105 - the name of a kind of field
    TOKEN = "token"  # noqa: S105 - the name of a kind of field
    SECRET = "secret"  # noqa: S105 - the name of a kind of field
    NAME = "name"
    CHECKSUM = "checksum"
    TIME = "time"
    OTHER = "other"

    @property
    def is_public(self) -> bool:
        """True when everybody may read such a value. What tells nothing about itself (OTHER) counts as secret."""
        return self in _PUBLIC

    @property
    def follows(self) -> bool:
        """True when such a value is not invented for its own sake, but follows from the content of objects."""
        return self in {GeneratedKind.NAME, GeneratedKind.CHECKSUM}


_PUBLIC: Final = frozenset(
    {
        GeneratedKind.CERTIFICATE,
        GeneratedKind.CA,
        GeneratedKind.CA_BUNDLE,
        GeneratedKind.NAME,
        GeneratedKind.CHECKSUM,
        GeneratedKind.TIME,
    }
)


MADE_OF_KEYS: Final = frozenset(
    {GeneratedKind.PRIVATE_KEY, GeneratedKind.CERTIFICATE, GeneratedKind.CA, GeneratedKind.CA_BUNDLE}
)
"""What a chart makes keys for."""


class GeneratedValue(Struct, frozen=True, kw_only=True):
    """One field that differed between two renders of the same input.

    `path` is spelled as in findings (`webhooks[0].clientConfig.caBundle`); `data["app.yaml"]#27` is one line of a
    text. For NAME, `object` has the stable prefix of the name followed by `*`. `component` reads
    `extension/component`, `source` is the template.

    `group` names what is settled and renewed together (`GeneratedGroup`); it is empty for what follows from content.
    `certificate` is the name of the group's certificate that stands in the field, or that its key belongs to. `form` is
    how its text looks, for whoever makes another one: alphabet and length of a random text (`alphanumeric-16`,
    `hex-40`, `base64-32` for so many bytes, `uuid`), the kind of PEM (`certificate`, `rsa-private-key`); it is empty
    where only the chart knows how to make it. Random texts of one group that have a form are the same text. `of` are
    the objects that a checksum sums; none: every generated object of the component.
    """

    component: str
    object: ObjectId
    path: str
    kind: GeneratedKind
    source: str
    group: str = ""
    certificate: str = ""
    form: str = ""
    of: tuple[ObjectId, ...] = ()

    @property
    def order(self) -> tuple[str, ObjectId, str, str]:
        """The key by which generated values are sorted, wherever they are listed."""
        return self.component, self.object, self.path, self.kind.value

    @property
    def extension(self) -> str:
        """The extension whose chart invents it."""
        return self.component.partition("/")[0]

    @property
    def stable_name(self) -> str:
        """The part of a generated name that both renders shared, without trailing dashes."""
        return self.object.name.rstrip("*").rstrip("-.")

    @property
    def in_secret(self) -> bool:
        """True when the value stands in the data of a Secret."""
        return (self.object.group, self.object.kind) == ("", "Secret") and self.path.startswith(("data", "stringData"))

    @property
    def data_key(self) -> str | None:
        """The key of a Secret whose whole text the value is; None for anything else."""
        steps = read_path(self.path) if self.in_secret and "#" not in self.path else ()
        return str(steps[1]) if len(steps) == 2 else None
