"""From two renders to generated values: which, of what kind, which belong together, what they are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from renderer.model.generated.discovered import Discovered
from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.hidden import Hidden
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.objects.workload import needs
from renderer.stages.generated.certificates import wishes
from renderer.stages.generated.checksums import TemplateSums, summed_templates
from renderer.stages.generated.comparing import differences
from renderer.stages.generated.content import Content, examined, is_digest
from renderer.stages.generated.forms import forms
from renderer.stages.generated.naming import group_names
from renderer.stages.generated.relating import related, sums


def discover(
    first: Iterable[Manifest], second: Iterable[Manifest], template_sums: Mapping[str, TemplateSums] | None = None
) -> Discovered:
    """What two renders of the same components invent.

    `template_sums` are, by component (`extension/component`), what its templates say of checksums.
    """
    manifests = tuple(first)
    contents = tuple(map(examined, differences(manifests, second)))
    if not contents:
        return Discovered()
    groups = [
        mine
        for mine in (tuple(index for index in group if not contents[index].kind.follows) for group in related(contents))
        if mine
    ]
    named: dict[int, tuple[str, str, str]] = {}
    certificates: list[CertificateWish] = []
    for name, group in zip(group_names([[contents[index] for index in one] for one in groups]), groups, strict=True):
        found, held = wishes(name, [contents[index] for index in group])
        certificates.extend(found)
        looks = forms([contents[index] for index in group])
        named.update({index: (name, held.get(at, ""), looks[at]) for at, index in enumerate(group)})
    sources = _Sources(contents, manifests, template_sums or {})
    values = [
        _value(content, named.get(index, ("", "", "")), sources.of(index)) for index, content in enumerate(contents)
    ]
    return Discovered(
        values=tuple(sorted(values, key=lambda value: value.order)),
        certificates=tuple(sorted(certificates, key=lambda wish: wish.order)),
        captured=_captured(values, contents),
    )


def _captured(values: Sequence[GeneratedValue], contents: Sequence[Content]) -> dict[GeneratedValue, Hidden]:
    """What stands in each field in the first render; contents come in the order of their components."""
    first: dict[tuple[ObjectId, str], Hidden] = {}
    for content in contents:
        first.setdefault((content.difference.object, content.difference.spelled), content.difference.before)
    return {value: first[value.object, value.path] for value in values if not value.kind.follows}


def _value(content: Content, named: tuple[str, str, str], of: tuple[ObjectId, ...]) -> GeneratedValue:
    difference = content.difference
    group, certificate, form = named
    return GeneratedValue(
        component=difference.component,
        object=difference.object,
        path=difference.spelled,
        kind=content.kind,
        source=difference.manifest.origin.source,
        group=group,
        certificate=certificate,
        form=form,
        of=of,
    )


class _Sources:
    """Which objects a checksum sums."""

    def __init__(
        self, contents: Sequence[Content], manifests: Sequence[Manifest], template_sums: Mapping[str, TemplateSums]
    ) -> None:
        self._contents = contents
        self._template_sums = template_sums
        self._by_content = sums(contents)
        self._by_template: dict[tuple[str, str], list[ObjectId]] = {}
        renamed = {
            (one.difference.component, one.difference.manifest.id) for one in contents if one.kind is GeneratedKind.NAME
        }
        for manifest in manifests:
            component = f"{manifest.origin.extension}/{manifest.origin.component}"
            if (component, manifest.id) not in renamed:
                self._by_template.setdefault((component, manifest.origin.source), []).append(manifest.id)
        self._configuration = {
            (f"{one.origin.extension}/{one.origin.component}", one.id)
            for one in manifests
            if (one.id.group, one.id.kind) in {("", "ConfigMap"), ("", "Secret")}
        }
        self._generated = {(one.difference.component, one.difference.object) for one in contents}

    def of(self, index: int) -> tuple[ObjectId, ...]:
        """The objects that the checksum at `index` sums, sorted; none when nothing says it.

        By its content, if it is the digest of a field; else by the template; else what the pods of the object need:
        that is what they have to start again for.
        """
        content = self._contents[index]
        if content.kind is not GeneratedKind.CHECKSUM:
            return ()
        found = {self._contents[source].difference.object for source in self._by_content.get(index, ())}
        return tuple(sorted(found or self._included(content) or self._needed(content)))

    def _included(self, content: Content) -> set[ObjectId]:
        difference = content.difference
        key, source = str(difference.path[-1]), difference.manifest.origin.source
        known = self._template_sums.get(difference.component, {})
        templates = summed_templates(known, source, key)
        return {one for template in templates for one in self._by_template.get((difference.component, template), ())}

    def _needed(self, content: Content) -> set[ObjectId]:
        difference = content.difference
        needed = {one for _, one in needs(difference.manifest) if (difference.component, one) in self._configuration}
        # A digest was of something generated; a random word is there to start the pods again, whatever for.
        of_generated = any((difference.component, one) in self._generated for one in needed)
        return needed if of_generated or not is_digest(content.texts[0]) else set()
