"""Pins change references and nothing else; waves keep every promise of the graph, whatever it looks like."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.model.bundles.bundle import BundleImage
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.slots import split_blocks
from renderer.model.images.text import looks_like_image, spot_references
from renderer.model.objects.manifest import HookPhase, Manifest, Origin
from renderer.model.reference import Digest, ImageReference
from renderer.model.site import ImagesMode
from renderer.stages.pin import pin
from renderer.stages.waves import plan_waves

NAMES = ("quay.io/a/b:v1", "docker.io/library/redis:7", "registry.k8s.io/pause:3.9")
SPELLINGS = ("quay.io/a/b:v1", "redis:7", "docker.io/redis:7", "registry.k8s.io/pause:3.9")


def image(text: str) -> BundleImage:
    reference = ImageReference.parse(text)
    content = Descriptor(media_type="x", digest=Digest.of(text.encode()), size=1)
    return BundleImage(reference=reference, content=content, platforms={})


DICTIONARY = {ImageReference.parse(name): image(name) for name in NAMES}
ORIGIN = Origin(extension="web", component="web", source="a.yaml")


def config_map(data: dict[str, Any]) -> Manifest:
    return Manifest.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}, ORIGIN)


def pinned(text: str) -> str:
    data: Any = pin([config_map({"a": text})], DICTIONARY, mode=ImagesMode.MIRROR).manifests[0].body["data"]
    return str(data["a"])


AROUND = st.text(alphabet=" \n\t\"'=,;|[]<>#!&", min_size=1, max_size=5)


@given(st.lists(st.tuples(AROUND, st.sampled_from(SPELLINGS)), max_size=8), AROUND)
def test_every_reference_in_a_text_is_pinned_and_nothing_else_changes(pieces: list[tuple[str, str]], end: str) -> None:
    def text(spell: Any) -> str:
        return "".join(before + spell(name) for before, name in pieces) + end

    def pin_of(name: str) -> str:
        reference = ImageReference.parse(name)
        return f"{reference}@{DICTIONARY[reference].digest}"

    assert pinned(text(str)) == text(pin_of)
    assert pinned(text(pin_of)) == text(pin_of)


@given(st.text(alphabet=st.sampled_from(list("ab1:/@.-_ \\\n{}\"'$,tag:image")), max_size=200))
def test_any_text_can_be_searched_and_what_is_found_lies_there(text: str) -> None:
    done = 0
    for one in spot_references(text):
        assert done <= one.start < one.end <= len(text)
        tag = f":{one.tag}" if one.tag else ""
        assert text[one.start : one.end] == f"{one.name}{tag}{f'@{one.digest}' if one.digest else ''}"
        looks_like_image(one.name, one.tag)
        done = one.end
    for block in split_blocks(text):
        assert all(text[field.start : field.end] == field.value for field in block.values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="ab c\n", max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_objects_without_images_come_back_as_they_are(data: dict[str, Any]) -> None:
    manifest = config_map(data)
    assert pin([manifest], DICTIONARY, mode=ImagesMode.MIRROR).manifests[0] is manifest


EXTENSIONS = [f"e{number}" for number in range(8)]
GRAPHS = st.dictionaries(st.sampled_from(EXTENSIONS), st.frozensets(st.sampled_from(EXTENSIONS), max_size=3))
KINDS = st.sampled_from(["Deployment", "Job before", "Job after", "Webhook", "Namespace", "CRD", "Custom"])


def thing(extension: str, what: str, number: int) -> Manifest:
    kind, api, hook = {
        "Deployment": ("Deployment", "apps/v1", None),
        "Job before": ("Job", "batch/v1", HookPhase.BEFORE),
        "Job after": ("Job", "batch/v1", HookPhase.AFTER),
        "Webhook": ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", None),
        "Namespace": ("Namespace", "v1", None),
        "CRD": ("CustomResourceDefinition", "apiextensions.k8s.io/v1", None),
        "Custom": ("Widget", "a.example/v1", None),
    }[what]
    origin = Origin(extension=extension, component="main", source="a.yaml", hook=hook, hook_weight=number % 3)
    body: dict[str, Any] = {"apiVersion": api, "kind": kind, "metadata": {"name": f"x{number}"}}
    if what == "Webhook":
        body["webhooks"] = [{"rules": [{"apiGroups": ["*"], "resources": ["*"]}]}]
    if what == "CRD":
        body["spec"] = {"group": "a.example", "names": {"kind": "Widget", "plural": "widgets"}}
    return Manifest.of(body, origin)


@settings(max_examples=200)
@given(GRAPHS, st.lists(st.tuples(st.sampled_from(EXTENSIONS), KINDS), max_size=25), st.randoms(use_true_random=False))
def test_waves_keep_every_promise(
    requires: dict[str, frozenset[str]], wanted: list[tuple[str, str]], random: Any
) -> None:
    manifests = [thing(extension, what, number) for number, (extension, what) in enumerate(wanted)]
    planned = plan_waves(manifests, requires, {})
    waves = planned.plan.wave_of()
    numbers = [wave.number for wave in planned.plan.waves]
    assert numbers == sorted(set(numbers))
    assert {one.id for one in manifests} <= waves.keys()
    assert planned.plan.reasons.keys() == waves.keys()
    assert not planned.plan.waves[-1].manifests[1:]  # the closing wave holds its marker only
    knots = [set(one.explanation[0].partition(": ")[2].split(", ")) for one in planned.findings if one.explanation]
    for manifest in manifests:
        mine = waves[manifest.id].number
        if manifest.id.kind == "Namespace":
            assert mine == 0
        for other in manifests:
            theirs = waves[other.id].number
            if other.id.kind == "CustomResourceDefinition" and manifest.id.kind == "Widget":
                assert theirs < mine
            needed = other.origin.extension in requires.get(manifest.origin.extension, ())
            circle = any({manifest.origin.extension, other.origin.extension} <= knot for knot in knots)
            built_in = {"Deployment", "Job", "ValidatingWebhookConfiguration"}
            if needed and not circle and other.origin.extension != manifest.origin.extension:
                assert theirs < mine or not {manifest.id.kind, other.id.kind} <= built_in
    shuffled = list(manifests)
    random.shuffle(shuffled)
    assert _stable(plan_waves(shuffled, requires, {})) == _stable(planned)


def _stable(planned: Any) -> Any:
    return [(wave.directory, [one.id for one in wave.manifests]) for wave in planned.plan.waves]
