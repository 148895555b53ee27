"""Charts, templates and images that a site cannot be made of. Exit code 1; the lock and all output stay."""

from pathlib import Path

import pytest

from tests.cli.site_fixture import LOCK, OUT, PROFILE, REPO, Shop, contents, edit, write

LOCKING = ("lock", PROFILE)
RENDER = ("render", PROFILE, *OUT)
SETTLED = """\
  generated:
    rules:
      - {object: "ConfigMap shop/door", field: data.code, value: "4711", reason: painted on the door}
  extensions:
"""


def door(kind: str, data: str) -> str:
    """A template of one object that holds `data`."""
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: door}}\n{data}\n"


# --- charts that fail -------------------------------------------------------------------------------------------


AT = "web/templates/extra.yaml:1"


@pytest.mark.parametrize(
    ("template", "explanation"),
    [
        ('{{ fail "no motto" }}', f"execution error at ({AT}:3): no motto"),
        ('{{ required "set .motto" .Values.motto }}', f"execution error at ({AT}:3): set .motto"),
        ("{{ .Values.motto | nope }}", f'parse error at ({AT}): function "nope" not defined'),
    ],
)
def test_a_chart_that_fails(shop: Shop, template: str, explanation: str) -> None:
    shop.bundle(extra=template)
    assert shop.refused(1, *LOCKING) == (
        "error[chart-failed]: Helm cannot inflate the chart of component `web`\n"
        "  --> extension web 1.2.0, component web\n"
        f"   {explanation}\n"
        "   hint: a value that the chart asks for goes into the profile (`spec.extensions[].values`); anything else is "
        "for the author of the chart\n"
    )


def test_a_chart_that_is_given_the_value_it_asks_for(shop: Shop) -> None:
    shop.bundle(extra=door("ConfigMap", 'data: {motto: {{ required "set .motto" .Values.motto }}}'))
    shop.refused(1, *LOCKING)
    edit(PROFILE, "values: {replicas: 2}", "values: {replicas: 2, motto: fresh}")
    shop.ok(*LOCKING)
    assert shop.ok(*RENDER).startswith("sites/shop: 21 files, ")


def test_values_against_the_schema_of_the_chart(shop: Shop) -> None:
    schema = '{"properties": {"replicas": {"type": "string"}}}'
    write("sources/charts/web/values.schema.json", schema)
    shop.bundle()
    (finding,) = shop.findings(1, *LOCKING)
    assert finding["code"] == "chart-failed"
    assert any("/replicas" in line and "got number, want string" in line for line in finding["explanation"])


def test_a_chart_whose_text_is_no_yaml(shop: Shop) -> None:
    shop.bundle(extra=door("ConfigMap", "data: {a: b"))
    assert shop.refused(1, *LOCKING) == (
        "error[chart-bad-yaml]: the text that this template yields is not YAML: "
        "did not find expected ',' or '}' while parsing a flow mapping\n"
        "  --> web/templates/extra.yaml:5:1, extension web, web\n"
        "   hint: check the values that the template puts there\n"
    )


def test_a_chart_whose_text_is_no_object(shop: Shop) -> None:
    shop.bundle(extra="colour: green\n")
    (finding,) = shop.findings(1, *LOCKING)
    assert finding["code"] == "chart-bad-object"
    assert finding["message"] == "`apiVersion` is missing or not a string"
    assert finding["where"] == {
        "file": "web/templates/extra.yaml", "line": 1, "subject": "extension web, web", "path": "apiVersion"
    }  # fmt: skip


def test_an_object_that_is_there_twice(shop: Shop) -> None:
    shop.bundle(extra=door("ConfigMap", "data: {a: b}"), more=door("ConfigMap", "data: {a: c}"))
    (finding,) = shop.findings(1, *LOCKING)
    assert finding["code"] == "duplicate-object"
    assert "ConfigMap shop/door" in finding["message"] + finding["where"]["subject"]


# --- templates and manifests ------------------------------------------------------------------------------------


def test_a_template_that_asks_for_what_is_not_defined(shop: Shop) -> None:
    edit(PROFILE, "values: {motto: fresh}", "values: {mottto: fresh}")
    assert shop.refused(1, *LOCKING) == (
        "error[template-failed]: the template cannot be rendered: `motto` is not defined; did you mean `mottto`?\n"
        "  --> notes/notes.yaml.j2:7, extension notes, notes\n"
        "   hint: set the value under `values` of the extension `notes` in the profile, or correct the template\n"
    )


def test_a_template_that_cannot_be_read(shop: Shop) -> None:
    write("sources/notes/notes.yaml.j2", Path("sources/notes/notes.yaml.j2").read_text() + "  more: {{ oops\n")
    shop.bundle()
    (finding,) = shop.findings(1, *LOCKING)
    assert finding["code"] == "template-failed"
    assert finding["where"] == {"file": "notes/notes.yaml.j2", "line": 8, "subject": "extension notes, notes"}


@pytest.mark.parametrize(
    ("path", "shown", "line"),
    [
        ("sources/notes/notes.yaml.j2", "notes/notes.yaml.j2", 2),
        ("sources/queue/queue.yaml", "queue/queue.yaml", 2),
    ],
)
def test_a_component_whose_text_is_no_yaml(shop: Shop, path: str, shown: str, line: int) -> None:
    write(path, "kind: {ConfigMap\n")
    shop.bundle()
    (finding,) = shop.findings(1, *LOCKING)
    assert finding["code"] == "chart-bad-yaml"
    assert (finding["where"]["file"], finding["where"]["line"]) == (shown, line)


# --- values that a chart makes up -------------------------------------------------------------------------------


def by_hand() -> None:
    """Let operators create what charts make up."""
    edit(PROFILE, "  extensions:\n", "  generated:\n    default: external\n  extensions:\n")


def test_a_password_that_the_chart_makes_up_stays_out_of_the_tree(shop: Shop) -> None:
    by_hand()
    shop.bundle(extra=door("Secret", "stringData: {password: {{ randAlphaNum 12 }}}"))
    assert "1 generated field" in shop.ok(*LOCKING)
    shop.ok(*RENDER)
    text = Path("out/sites/shop/records/secrets.md").read_text()
    assert "## Secret shop/door\n" in text
    assert "| `stringData.password` | password | `web/templates/extra.yaml` |" in text
    assert 'password: "<generated>"' in text
    assert not [path for path in contents("out/sites/shop/manifests") if "secret" in path]
    before = contents("out")
    assert "unchanged" in shop.ok(*RENDER)
    Path("out/sites/shop/records/plan.md").unlink()  # has it rendered anew, with another password
    shop.ok(*RENDER)
    assert {path: one[0] for path, one in contents("out").items()} == {path: one[0] for path, one in before.items()}


def test_a_value_that_the_chart_makes_up_must_be_settled(shop: Shop) -> None:
    by_hand()
    shop.bundle(extra=door("ConfigMap", "data: {code: {{ randAlphaNum 12 }}}"))
    assert shop.refused(1, *LOCKING) == (
        "error[generated-value]: the chart invents `data.code` of `ConfigMap shop/door` at every render\n"
        "  --> web/templates/extra.yaml, extension web, web, ConfigMap shop/door, data.code\n"
        "   expected: a value that the profile gives, or an object that an operator creates\n"
        "   settle it in the profile:\n"
        "     spec:\n"
        "       generated:\n"
        "         rules:\n"
        '           - object: "ConfigMap shop/door"\n'
        '             field: "data.code"\n'
        "             mode: external  # or `value:` and what is to stand there, if it may be public\n"
        "             reason: created on the site, because it holds secret material\n"
        "   hint: add these lines to the profile, then `sitewright lock`\n"
    )


def test_the_lines_that_settle_a_value_can_be_copied_into_the_profile(shop: Shop) -> None:
    by_hand()
    shop.bundle(extra=door("ConfigMap", "data: {code: {{ randAlphaNum 12 }}}"))
    (finding,) = shop.findings(1, *LOCKING)
    lines = finding["explanation"][3:]
    edit(PROFILE, "  extensions:\n", "\n".join([line[2:] for line in lines] + ["  extensions:\n"]))
    shop.ok(*LOCKING)
    shop.ok(*RENDER)
    assert "## ConfigMap shop/door\n" in Path("out/sites/shop/records/secrets.md").read_text()


def test_a_value_that_the_profile_settles(shop: Shop) -> None:
    shop.bundle(extra=door("ConfigMap", "data: {code: {{ randAlphaNum 12 }}}"))
    edit(PROFILE, "  extensions:\n", SETTLED)
    shop.ok(*LOCKING)
    shop.ok(*RENDER)
    (path,) = Path("out/sites/shop/manifests").rglob("configmap-door.yaml")
    assert 'code: "4711"' in path.read_text()


# --- images -----------------------------------------------------------------------------------------------------


def with_image(image: str) -> None:
    edit(PROFILE, "values: {replicas: 2}", f'values: {{replicas: 2, image: "{image}"}}')


def test_an_image_that_no_bundle_vouches_for(shop: Shop) -> None:
    with_image("ghcr.io/acme/till:9")
    assert shop.refused(1, *LOCKING) == (
        "error[image-not-in-bundle]: `ghcr.io/acme/till:9` is not vouched for by any bundle\n"
        "  --> Deployment shop/web, spec.template.spec.containers[0].image\n"
        "   expected: a reference that one of the site's bundles lists\n"
        "   got: `ghcr.io/acme/till:9`\n"
        "   from extension web, web: web/templates/web.yaml\n"
        "   hint: list the image in the bundle's sources and build the bundle again; if this is no image, add a rule "
        "`image-not-in-bundle` with a reason under `spec.checks.ignore`\n"
    )


@pytest.mark.parametrize("image", ["docker.io/example/web:1.1.0", "example/web:1.1.0", "example/web"])
def test_an_image_of_another_version(shop: Shop, image: str) -> None:
    with_image(image)
    (finding,) = shop.findings(1, *LOCKING)
    assert finding["code"] == "image-not-in-bundle"
    assert finding["where"]["path"] == "spec.template.spec.containers[0].image"
    assert finding["hint"].startswith("the bundles have `docker.io/example/web:1.2.0`; ")


def test_an_image_with_another_digest(shop: Shop) -> None:
    digest = f"sha256:{'0' * 64}"
    with_image(f"docker.io/example/web:1.2.0@{digest}")
    (finding,) = shop.findings(1, *LOCKING)
    assert finding["code"] == "image-digest-mismatch"
    assert finding["got"] == f"`{digest}`"
    assert finding["expected"] == "`sha256:4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce`"
    assert finding["hint"].startswith("remove the digest from the values, or build the bundle with ")


def test_what_is_no_image(shop: Shop) -> None:
    with_image("Till IO/!")
    (finding,) = shop.findings(1, *LOCKING)
    assert finding["code"] == "image-not-in-bundle"
    assert finding["message"] == "`Till IO/!` is no image reference, so no bundle can vouch for it"
    assert finding["hint"] == "set the image in the extension's `values` in the profile"


def test_an_image_that_the_profile_accepts(shop: Shop) -> None:
    with_image("ghcr.io/acme/till:9")
    rule = '{rule: image-not-in-bundle, object: "Deployment shop/web", reason: built on the site}'
    edit(PROFILE, "  extensions:\n", f"  checks: {{ignore: [{rule}]}}\n  extensions:\n")
    shop.ok(*LOCKING)


def test_an_image_that_has_no_place_in_the_registry_of_the_site(shop: Shop) -> None:
    edit(PROFILE, 'projects: {"*": mirror}', "projects: {quay.io: quay}\n    images: rewrite")
    found = shop.findings(1, *LOCKING)
    assert {one["code"] for one in found} == {"image-not-mirrored"}
    assert found[0]["hint"] == (
        'add `docker.io: <project>` or `"*": <project>` to `spec.registry.projects` in the profile'
    )


# --- everything at once -----------------------------------------------------------------------------------------


def test_a_chart_that_fails_leaves_lock_tree_and_commits(shop: Shop) -> None:
    before = Path(LOCK).read_bytes()
    shop.bundle(extra='{{ fail "no" }}')
    shop.refused(1, *LOCKING)
    shop.refused(1, *RENDER)
    shop.refused(1, "render", PROFILE, *REPO)
    assert Path(LOCK).read_bytes() == before


def test_a_chart_that_fails_at_the_render_only(shop: Shop) -> None:
    """A lock of one cluster, rendered where the chart refuses: nothing is half written."""
    shop.bundle(extra='{{ if eq .Values.colour "red" }}{{ fail "not red" }}{{ end }}')
    shop.ok(*LOCKING)
    digest = next(line for line in Path(LOCK).read_text().splitlines() if line.startswith("  profile: "))
    write("profiles/values/web.yaml", "colour: red\n")
    drift = shop.findings(1, *RENDER)[0]
    edit(LOCK, digest, f'  profile: "{drift["got"].removeprefix("profile ")}"')
    (finding,) = shop.findings(1, *RENDER)
    assert finding["code"] == "chart-failed"
