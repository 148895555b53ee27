"""What `bundle build` takes out of registries: images, and charts as `helm push` stores them.

https://helm.sh/docs/topics/registries and the distribution specification 1.1. Blobs are not read here: they stream into
the bundle when it is written.
"""

from __future__ import annotations

from typing import Final

from renderer.commands.bundle.building.places import REFERRERS_LIMIT, as_referrer
from renderer.errors import Finding, InputError, Severity, Where
from renderer.formats.bundle.artifact import CHART_LAYER, MANIFEST_TYPES, malformed, parse_manifest
from renderer.formats.bundle.remote_source import RemoteChart, RemoteName
from renderer.model.bundles.bundle import Referrer, ReferrerForm
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Blob, Registry

_CHART_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
_CHART_LIMIT: Final = 16 * 2**20
_COSIGN: Final = ("sig", "att", "sbom")


class RegistryPlace:
    """One repository of a registry as a place of images. Raises RemoteError."""

    def __init__(self, registry: Registry, repository: str) -> None:
        self._registry = registry
        self._repository = repository

    @property
    def location(self) -> str:
        """Registry and repository."""
        return f"{self._registry.location}/{self._repository}"

    def manifest(self, descriptor: Descriptor) -> bytes | None:
        """The bytes of a manifest, or None when the repository lacks it."""
        found = self._registry.manifest(self._repository, str(descriptor.digest))
        if found is not None and len(found.content) != descriptor.size:
            where = Where(file=self.location, subject=f"manifest {descriptor.digest}")
            raise malformed(where, f"it has {len(found.content)} bytes, and {descriptor.size} where it is named")
        return found.content if found is not None else None

    def blob(self, descriptor: Descriptor) -> Blob:
        """A config or a layer."""
        bare = descriptor.bare
        return Blob(descriptor=bare, open=lambda: self._registry.read_blob(self._repository, bare))

    def referrers(self, subject: Digest) -> tuple[Referrer, ...]:
        """What cosign's tags name, and what the referrers API lists."""
        tags = (f"{subject.algorithm}-{subject.hex}.{kind}" for kind in _COSIGN)
        found = [self._referrer(tag, subject, tag) for tag in tags]
        listed = self._registry.referrers(self._repository, subject)
        if len(listed) > REFERRERS_LIMIT:
            where = Where(file=self.location, subject=f"referrers of {subject}")
            raise malformed(where, f"there are {len(listed)}; {REFERRERS_LIMIT} are allowed")
        found += [self._referrer(str(one.digest), subject, None) for one in listed]
        return tuple(one for one in found if one is not None)

    def _referrer(self, asked: str, subject: Digest, tag: str | None) -> Referrer | None:
        found = self._registry.manifest(self._repository, asked)
        if found is None or found.media_type not in MANIFEST_TYPES:
            return None
        where = Where(file=self.location, subject=f"manifest {found.digest}")
        manifest = parse_manifest(found.content, where)
        stated = manifest.subject.digest if manifest.subject else None
        if tag is None and stated != subject:  # a list is only a hint; the manifest itself says what it speaks of
            return None
        content = Descriptor(media_type=found.media_type, digest=found.digest, size=len(found.content))
        form = ReferrerForm.SUBJECT if tag is None else ReferrerForm.TAG
        return Referrer(content=as_referrer(content, manifest), subject=subject, form=form, tag=tag)


def resolve(registry: Registry, name: RemoteName, where: Where) -> Descriptor:
    """What a name in a registry stands for. Raises InputError (`remote-not-found`), RemoteError."""
    found = registry.manifest(name.repository, name.asked)
    if found is None:
        raise InputError(
            Finding(
                code="remote-not-found",
                message=f"`{name}` does not exist",
                where=where,
                expected=f"`{name.asked}` in the repository `{name.repository}` of {registry.location}",
                hint=f"skopeo list-tags docker://{registry.location.partition('://')[2]}/{name.repository}",
            )
        )
    return Descriptor(media_type=found.media_type, digest=found.digest, size=len(found.content))


def fetch_chart(registry: Registry, chart: RemoteChart, where: Where) -> tuple[bytes, tuple[Finding, ...]]:
    """The archive of a chart, of at most 16 MiB, and a warning when nothing pins it.

    Raises InputError (`remote-not-found`, `not-a-chart`), RemoteError.
    """
    source = chart.source
    found = resolve(registry, source, where)
    place = RegistryPlace(registry, source.repository)
    content = place.manifest(found)
    manifest = parse_manifest(content, where) if content and found.media_type in MANIFEST_TYPES else None
    layers = [one for one in manifest.layers if one.media_type == CHART_LAYER] if manifest else []
    if manifest is None or manifest.config.media_type != _CHART_CONFIG or len(layers) != 1:
        got = manifest.config.media_type if manifest else found.media_type
        raise InputError(_no_chart(source, where, got=f"`{got}`"))
    (layer,) = layers
    if layer.size > _CHART_LIMIT:
        raise InputError(_no_chart(source, where, got=f"a layer of {layer.size} bytes; {_CHART_LIMIT} are allowed"))
    with place.blob(layer).open() as stream:
        return stream.read(), () if source.digest else (_not_pinned(source, found.digest, where),)


def _no_chart(source: RemoteName, where: Where, *, got: str) -> Finding:
    return Finding(
        code="not-a-chart",
        message=f"`{source}` is not a Helm chart",
        where=where,
        expected=f"a manifest with the config `{_CHART_CONFIG}` and one layer `{CHART_LAYER}`",
        got=got,
        hint="helm push CHART.tgz oci://HOST/REPOSITORY",
    )


def _not_pinned(source: RemoteName, digest: Digest, where: Where) -> Finding:
    return Finding(
        code="chart-not-pinned",
        message=f"`{source}` is not pinned: tomorrow the same source may give another bundle",
        where=where,
        severity=Severity.WARNING,
        expected="`digest` beside `version`",
        hint=f"add `digest: {digest}`",
    )
