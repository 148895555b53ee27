"""From two renders of a real chart to groups: what belongs together, of which kind, under which name."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest

from renderer.adapters.helm_embedded import EmbeddedHelm
from renderer.model.bundles.chart import ChartRequest
from renderer.model.bundles.extension import Component, ComponentKind, Descriptor
from renderer.model.fields import Json
from renderer.model.generated.discovered import Discovered
from renderer.model.generated.groups import CertificateWish, GeneratedGroup, groups_of
from renderer.model.generated.hidden import Hidden
from renderer.model.objects.manifest import Manifest, Origin
from renderer.model.reference import Digest
from renderer.model.version import Version
from renderer.stages.chart.plan import chart_request
from renderer.stages.chart.reading import read_chart
from renderer.stages.generated import KNOWN_KEYS, OTHER_TIME, rewritten, template_sums
from renderer.stages.generated.discovering import discover
from renderer.stages.place import place

Pack = Callable[[str | Mapping[str, str]], bytes]
TLS = """\
{{- $ca := genCA "shop-ca" 3650 }}
{{- $cert := genSignedCert "shop" (list "10.0.0.1") (list "web.shop.svc" "web.shop") 365 $ca }}
apiVersion: v1
kind: Secret
metadata: {name: web-tls}
type: kubernetes.io/tls
data:
  ca.crt: {{ b64enc $ca.Cert }}
  tls.crt: {{ b64enc $cert.Cert }}
  tls.key: {{ b64enc $cert.Key }}
---
apiVersion: example.com/v1
kind: Repository
metadata: {name: shop}
spec: {caBundle: {{ b64enc $ca.Cert }}, trusted: {{ b64enc $ca.Cert }}}
"""


def request_for(archive: bytes, component: str) -> tuple[ChartRequest, Component]:
    content = Descriptor(media_type="application/gzip", digest=Digest.of(archive), size=len(archive))
    made = Component(name=component, kind=ComponentKind.HELM, content=content, release="demo", namespace="shop")
    return chart_request(made, archive, {}, kubernetes=Version.parse("1.31.4"), api_versions=()), made


def rendered(archive: bytes, extension: str, component: str) -> tuple[Manifest, ...]:
    """One render in process, every object in its namespace."""
    request, made = request_for(archive, component)
    inflated = read_chart(EmbeddedHelm().inflate(request), extension, made)
    assert inflated.findings == ()
    return place(inflated.manifests, {(extension, component): "shop"}).manifests


@pytest.fixture
def invented(pack_chart: Pack) -> Callable[..., Discovered]:
    """What a chart of these templates invents, between two renders at two times and with other keys."""

    def of(extension: str = "demo", component: str = "demo", values: str = "", **templates: str) -> Discovered:
        files = {f"templates/{name}.yaml": text for name, text in templates.items() if not name.startswith("_")}
        files |= {f"templates/{name}.tpl": text for name, text in templates.items() if name.startswith("_")}
        archive = pack_chart({**files, "values.yaml": values})
        sums = template_sums(EmbeddedHelm().chart_files(request_for(archive, component)[0]))
        first, second = (
            rendered(one, extension, component) for one in (archive, rewritten(archive, [OTHER_TIME, KNOWN_KEYS]))
        )
        return discover(first, second, {f"{extension}/{component}": sums})

    return of


def groups(found: Discovered) -> dict[str, GeneratedGroup]:
    return {group.name: group for group in groups_of(found.values, found.certificates)}


def members(found: Discovered) -> dict[str, list[tuple[str, str, str]]]:
    """Kind, object and field of everything, by group."""
    shown: dict[str, list[tuple[str, str, str]]] = {}
    for value in found.values:
        shown.setdefault(value.group, []).append((value.kind.value, str(value.object), value.path))
    return shown


def kinds(found: Discovered) -> dict[str, str]:
    return {value.path: value.kind.value for value in found.values}


def secret(name: str, **data: str) -> str:
    lines = "\n".join(f"  {key}: {text}" for key, text in data.items())
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n{lines}\n"


class TestCertificates:
    def test_a_key_its_certificate_its_authority_and_every_bundle_are_one_group(
        self, invented: Callable[..., Discovered]
    ) -> None:
        found = invented(tls=TLS)
        assert members(found) == {
            "demo/web-tls": [
                ("ca", "Secret shop/web-tls", 'data["ca.crt"]'),
                ("certificate", "Secret shop/web-tls", 'data["tls.crt"]'),
                ("private-key", "Secret shop/web-tls", 'data["tls.key"]'),
                ("ca-bundle", "Repository.example.com shop", "spec.caBundle"),
                ("ca", "Repository.example.com shop", "spec.trusted"),
            ]
        }
        assert [value.certificate for value in found.values] == ["ca", "web-tls", "web-tls", "ca", "ca"]

    def test_wishes_say_what_the_chart_wants(self, invented: Callable[..., Discovered]) -> None:
        ca, leaf = invented(tls=TLS).certificates
        usages = {"key_usages": ("digital signature", "key encipherment"), "algorithm": "rsa-2048"}
        purposes = ("server auth", "client auth")
        assert leaf == CertificateWish(
            group="demo/web-tls", name="web-tls", common_name="shop", dns_names=("web.shop.svc", "web.shop"),
            ip_addresses=("10.0.0.1",), extended_usages=purposes, days=365, is_ca=False, issuer="ca", **usages,  # type: ignore[arg-type]
        )  # fmt: skip
        assert (ca.name, ca.common_name, ca.days, ca.is_ca, ca.is_self_signed) == ("ca", "shop-ca", 3650, True, True)
        assert "cert sign" in ca.key_usages

    def test_authorities_of_one_name_are_told_apart_by_their_signatures(
        self, invented: Callable[..., Discovered]
    ) -> None:
        found = invented(one=TLS, two=TLS.replace("web-tls", "other-tls").replace("{name: shop}", "{name: other}"))
        assert set(groups(found)) == {"demo/web-tls", "demo/other-tls"}
        assert all(len(group.certificates) == 2 for group in groups(found).values())

    def test_certificates_of_one_authority_are_one_group(self, invented: Callable[..., Discovered]) -> None:
        two = """\
{{- $ca := genCA "shop-ca" 3650 }}
{{- range list "api" "console" }}
{{- $cert := genSignedCert . nil (list .) 365 $ca }}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ . }}-tls}
data: {tls.crt: {{ b64enc $cert.Cert }}, tls.key: {{ b64enc $cert.Key }}}
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: trust}
data:
  ca.pem: |
    {{- $ca.Cert | nindent 4 }}
"""
        (group,) = groups(invented(two=two)).values()
        assert group.name == "demo/api-tls"
        assert [(one.name, one.issuer) for one in group.certificates] == [
            ("api-tls", "ca"), ("ca", "ca"), ("console-tls", "ca")
        ]  # fmt: skip
        assert ("ca", "ConfigMap shop/trust", 'data["ca.pem"]') in members(invented(two=two))[group.name]

    def test_one_that_signs_itself_issues_itself(self, invented: Callable[..., Discovered]) -> None:
        text = '{{- $c := genSelfSignedCert "web" nil nil 30 }}\n' + secret(
            "own", **{"tls.crt": "{{ $c.Cert | quote }}", "tls.key": "{{ $c.Key | quote }}"}
        )
        (wish,) = invented(own=text).certificates
        assert (wish.name, wish.issuer, wish.days) == ("own", "own", 30)

    def test_one_whose_authority_appears_in_no_object_has_no_issuer(self, invented: Callable[..., Discovered]) -> None:
        text = '{{- $c := genSignedCert "web" nil nil 30 (genCA "x" 30) }}\n' + secret(
            "leaf", **{"server.crt": "{{ $c.Cert | quote }}", "server.key": "{{ $c.Key | quote }}"}
        )
        found = invented(leaf=text)
        assert [(one.name, one.issuer) for one in found.certificates] == [("leaf-server", "")]
        assert set(groups(found)) == {"demo/leaf/server"}

    @pytest.mark.parametrize(("algorithm", "expected"), [("ecdsa", "ecdsa-256"), ("ed25519", "ed25519")])
    def test_of_other_kinds_of_keys_say_so(
        self, invented: Callable[..., Discovered], algorithm: str, expected: str
    ) -> None:
        text = f"""\
{{{{- $key := genPrivateKey "{algorithm}" }}}}
{{{{- $c := genSelfSignedCertWithKey "web" nil nil 30 $key }}}}
apiVersion: v1
kind: ConfigMap
metadata: {{name: web}}
data:
  tls.crt: |
    {{{{- $c.Cert | nindent 4 }}}}
  tls.key: |
    {{{{- $key | nindent 4 }}}}
"""
        found = invented(web=text)
        assert [wish.algorithm for wish in found.certificates] == [expected]
        # a key of three lines is one value as well, and not a line of a text
        assert kinds(found) == {'data["tls.crt"]': "certificate", 'data["tls.key"]': "private-key"}
        assert len(groups(found)) == 1


PASSWORD = "{{- $p := randAlphaNum 20 }}\n"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"


class TestSharedValues:
    def test_equal_text_and_text_that_contains_it_are_one_group(self, invented: Callable[..., Discovered]) -> None:
        text = PASSWORD + "---\n".join(
            (
                secret("db", password="{{ $p }}"),
                secret("app", url='"postgres://shop:{{ $p }}@db:5432"'),
                secret("pull", **{".dockerconfigjson": "{{ dict `a` (b64enc (print `bot:` $p)) | toJson | quote }}"}),
                "apiVersion: v1\nkind: Secret\nmetadata: {name: coded}\ndata: {password: {{ b64enc $p }}}\n",
                f"{CONFIG}data:\n  app.conf: |\n    level: info\n    requirepass = {{{{ $p }}}}\n",
            )
        )  # fmt: skip
        found = invented(all=text)
        assert members(found) == {
            "demo/coded/password": [
                ("password", "ConfigMap shop/c", 'data["app.conf"]#2'),
                ("secret", "Secret shop/app", "stringData.url"),
                ("password", "Secret shop/coded", "data.password"),
                ("password", "Secret shop/db", "stringData.password"),
                ("secret", "Secret shop/pull", 'stringData[".dockerconfigjson"]'),
            ]
        }

    def test_what_has_nothing_in_common_is_two_groups_though_it_lies_in_one_secret(
        self, invented: Callable[..., Discovered]
    ) -> None:
        found = invented(all=secret("db", admin="{{ randAlphaNum 20 }}", token="{{ randAlphaNum 20 }}"))
        assert set(groups(found)) == {"demo/db/admin", "demo/db/token"}

    def test_a_password_and_its_hashes_are_one_group(self, invented: Callable[..., Discovered]) -> None:
        text = PASSWORD + "---\n".join(
            (
                secret("web", password="{{ $p }}", auth='{{ htpasswd "shop" $p | quote }}'),
                secret("db", sum="{{ sha256sum $p }}"),
            )
        )
        assert [group.kinds[0].value for group in groups(invented(all=text)).values()] == ["password"]

    def test_a_field_that_two_components_define_is_one(self, pack_chart: Pack) -> None:
        archive = pack_chart({"templates/a.yaml": secret("db", password="{{ randAlphaNum 20 }}")})
        first, second = (
            (*rendered(archive, "devops", "devops"), *rendered(archive, "devops", "devops-agent")) for _ in "ab"
        )
        found = discover(first, second)
        assert set(groups(found)) == {"devops/db/password"}
        one, other = found.captured.values()
        assert one == other
        assert [value.component for value in found.values] == ["devops/devops", "devops/devops-agent"]

    def test_are_looked_for_in_bounded_time(self) -> None:
        origin = Origin(extension="demo", component="demo", source="demo/templates/a.yaml")

        def many(salt: str) -> list[Manifest]:
            data: dict[str, Json] = {f"k{number}": f"{salt}-{number}-{salt * 20}" for number in range(5_000)}
            body: dict[str, Json] = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "a"},
                "stringData": data,
            }
            return [Manifest.of(body, origin)]

        assert len(groups(discover(many("abcdef"), many("ghijkl")))) == 5_000


class TestKinds:
    @pytest.mark.parametrize(
        ("key", "kind"),
        [
            ("password", "password"), ("ADMIN_PASSWORD", "password"), ("dbPass", "password"), ("auth", "password"),
            ("pass-phrase", "password"), ("api-token", "token"), ("jwtSecret", "secret"), ("apiKey", "token"),
            ("cookie-seed", "secret"), ("iv", "secret"), ("data", "secret"), ("compass", "secret"),
        ],
    )  # fmt: skip
    def test_of_random_text_come_from_its_name(self, invented: Callable[..., Discovered], key: str, kind: str) -> None:
        (value,) = invented(all=secret("s", **{key: "{{ randAlphaNum 20 }}"})).values
        assert value.kind.value == kind

    def test_outside_a_secret_a_name_that_says_nothing_says_nothing(self, invented: Callable[..., Discovered]) -> None:
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {motto: {{ randAlphaNum 9 }}}\n"
        assert kinds(invented(all=text)) == {"data.motto": "other"}

    def test_of_lines_come_from_their_keys(self, invented: Callable[..., Discovered]) -> None:
        lines = "    jwtSecret: {{ randAlphaNum 9 | quote }}\n    pool:\n      - token = {{ randAlphaNum 9 }}\n"
        text = (
            f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  a.yaml: |\n{lines}    {{{{ uuidv4 }}}}\n"
        )
        found = invented(all=text)
        assert kinds(found) == {
            'data["a.yaml"]#1': "secret", 'data["a.yaml"]#3': "token", 'data["a.yaml"]##4': "other"
        }  # fmt: skip
        assert set(groups(found)) == {"demo/c/jwtSecret", "demo/c/token", "demo/c/a.yaml"}

    def test_of_web_tokens_come_from_their_form(self) -> None:
        def body(text: str) -> dict[str, Json]:
            token = ".".join(
                base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in ('{"alg":1}', text)
            )
            return {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "a"},
                "stringData": {"x": f"{token}.c2ln"},
            }

        origin = Origin(extension="demo", component="demo", source="demo/templates/a.yaml")
        first, second = ([Manifest.of(body(text), origin)] for text in ("{one}", "{two}"))
        assert kinds(discover(first, second)) == {"stringData.x": "token"}


class TestTimes:
    @pytest.mark.parametrize(
        "code",
        [
            '{{ now | date "2006-01-02" }}', "{{ now | unixEpoch }}", '{{ now | date "Mon, 2 Jan 2006 3PM" }}',
            '{{ dateInZone "2006-01-02T15:04:05Z" (now) "UTC" }}', "{{ htmlDate now }}", "{{ now }}",
            "{{ now.Unix }}", '{{ now | date "20060102.150405" }}',
        ],
    )  # fmt: skip
    def test_are_found_though_both_renders_take_no_second(self, invented: Callable[..., Discovered], code: str) -> None:
        text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  built: >-\n    {code}\n"
        assert kinds(invented(all=text)) == {"data.built": "time"}

    def test_are_found_in_values_that_are_templates_too(self, invented: Callable[..., Discovered]) -> None:
        text = "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\ndata: {mtime: {{ tpl .Values.text . | b64enc }}}\n"
        found = invented(all=text, values='text: "{{ now | htmlDate }}"\n')
        assert kinds(found) == {"data.mtime": "time"}

    def test_do_not_change_what_only_sounds_like_the_clock(self, invented: Callable[..., Discovered]) -> None:
        text = (
            "{{- /* now */}}{{- $now := `now` }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
            'data: {a: "now", b: {{ $now | quote }}, c: {{ "now" | quote }}, d: "{{ .Values.now }}"}\n'
        )
        assert invented(all=text, values="now: later\n") == Discovered()

    def test_stand_alone(self, invented: Callable[..., Discovered]) -> None:
        found = invented(all=secret("s", a="{{ htmlDate now | quote }}", b="{{ htmlDate now | quote }}"))
        assert set(groups(found)) == {"demo/s/a", "demo/s/b"}


POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations:
        ANNOTATION
    spec:
      containers: [{name: web, image: a, envFrom: [{secretRef: {name: db}}, {configMapRef: {name: plain}}]}]
"""
DATABASE = secret("db", password="{{ randAlphaNum 20 }}")
PLAIN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: b}\n"


class TestChecksums:
    def of(self, found: Discovered) -> list[str]:
        (checksum,) = (value for value in found.values if value.kind.value == "checksum")
        assert checksum.group == ""
        return [str(one) for one in checksum.of]

    def test_of_a_template_are_of_its_objects(self, invented: Callable[..., Discovered]) -> None:
        line = 'checksum/all: {{ include (print $.Template.BasePath "/both.yaml") . | sha256sum }}'
        found = invented(both=f"{DATABASE}---\n{PLAIN}", web=POD.replace("ANNOTATION", line), other=secret("x", a="b"))
        assert self.of(found) == ["ConfigMap shop/plain", "Secret shop/db"]

    def test_may_stand_in_a_partial(self, invented: Callable[..., Discovered]) -> None:
        line = 'checksum/db: {{ include (print .Template.BasePath "/db.yaml") . | sha256sum }}'
        partial = f'{{{{- define "notes" }}}}\n{line}\n{{{{- end }}}}'
        line = '{{- include "notes" . | nindent 8 }}'
        found = invented(db=DATABASE, plain=PLAIN, web=POD.replace("ANNOTATION", line), _helpers=partial)
        assert self.of(found) == ["Secret shop/db"]

    def test_of_a_value_are_of_the_object_that_holds_it(self, invented: Callable[..., Discovered]) -> None:
        text = '{{- $c := genSelfSignedCert "web" nil nil 30 }}\n' + POD.replace(
            "ANNOTATION", "checksum/cert: {{ sha256sum $c.Cert }}"
        )
        tls = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: own}\ndata: {tls.crt: {{ b64enc $c.Cert }}}\n"
        assert self.of(invented(web=text + tls, db=DATABASE)) == ["Secret shop/own"]

    @pytest.mark.parametrize("line", ["rollme: {{ randAlphaNum 5 | quote }}", "restarted: {{ now | quote }}"])
    def test_of_nothing_are_of_what_the_pods_need(self, invented: Callable[..., Discovered], line: str) -> None:
        found = invented(db=DATABASE, plain=PLAIN, x=secret("x", a="{{ uuidv4 }}"), web=POD.replace("ANNOTATION", line))
        assert self.of(found) == ["ConfigMap shop/plain", "Secret shop/db"]

    def test_of_nothing_in_particular_are_of_all_that_is_generated(self, invented: Callable[..., Discovered]) -> None:
        found = invented(x=secret("x", a="{{ uuidv4 }}"), web=POD.replace("ANNOTATION", "rollme: {{ uuidv4 }}"))
        assert self.of(found) == []


class TestNames:
    def test_are_the_same_at_every_render(self, pack_chart: Pack) -> None:
        archive = pack_chart({"templates/a.yaml": TLS + "---\n" + DATABASE})
        renders = [rendered(archive, "demo", "demo") for _ in range(4)]
        found = [discover(one, other) for one, other in pairwise(renders)]
        assert found[0].values == found[1].values == found[2].values
        assert found[0].certificates == found[1].certificates == found[2].certificates

    def test_stay_when_a_chart_uses_a_value_in_one_more_place(self, invented: Callable[..., Discovered]) -> None:
        more = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {ca: {{ $ca.Cert | quote }}}\n"
        assert set(groups(invented(tls=TLS + more))) == set(groups(invented(tls=TLS)))

    def test_tell_components_of_one_extension_apart(self, invented: Callable[..., Discovered]) -> None:
        names = [
            set(groups(invented(extension=extension, component=component, db=DATABASE)))
            for extension, component in (("vector", "vector"), ("vector", "vector-agent"), ("shop", "cart"))
        ]
        assert names == [{"vector/db/password"}, {"vector-agent/db/password"}, {"shop/cart/db/password"}]

    def test_that_would_be_alike_get_their_namespace_and_kind(self, invented: Callable[..., Discovered]) -> None:
        here, there = DATABASE, DATABASE.replace("{name: db}", "{name: db, namespace: east}")
        assert set(groups(invented(here=here, there=there))) == {"demo/shop.db/password", "demo/east.db/password"}
        config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\ndata: {password: {{ randAlphaNum 20 }}}\n"
        assert set(groups(invented(here=here, there=config))) == {
            "demo/secret.shop.db/password", "demo/configmap.shop.db/password"
        }  # fmt: skip


class TestSecrecy:
    def test_no_value_is_shown_by_accident(self, pack_chart: Pack) -> None:
        archive = pack_chart({"templates/a.yaml": TLS + "---\n" + DATABASE})
        first, second = rendered(archive, "demo", "demo"), rendered(archive, "demo", "demo")
        found = discover(first, second)
        held = [hidden.reveal() for hidden in found.captured.values()]
        assert len(held) == 6
        shown = repr(found) + str(found) + f"{found.captured}"
        assert not [value for value in held if isinstance(value, str) and value in shown]

    def test_a_hidden_value_is_not_written_down(self) -> None:
        import pickle

        hidden = Hidden("hush")
        assert (repr(hidden), str(hidden), f"{hidden}") == ("<hidden>",) * 3
        assert (hidden == Hidden("hush"), hidden == Hidden("other"), hidden == "hush") == (True, False, False)
        with pytest.raises(TypeError, match="not written down"):
            pickle.dumps(hidden)

    def test_what_is_captured_is_of_one_render(self, pack_chart: Pack) -> None:
        archive = pack_chart({"templates/a.yaml": TLS})
        first = rendered(archive, "demo", "demo")
        found = discover(first, rendered(archive, "demo", "demo"))
        (body,) = (one.body for one in first if one.id.kind == "Secret")
        kept = {value.path: hidden.reveal() for value, hidden in found.captured.items()}
        assert kept['data["tls.key"]'] == body["data"]["tls.key"]  # type: ignore[index, call-overload]


def test_the_archive_at_another_time_is_the_same_chart(pack_chart: Pack) -> None:
    archive = pack_chart({"templates/a.yaml": secret("a", b="{{ randAlphaNum 3 }}"), "files/x.txt": "{{ now }}"})
    other = rewritten(archive, [OTHER_TIME])
    one, two = (EmbeddedHelm().chart_files(request_for(some, "demo")[0]) for some in (archive, other))
    assert one == two
    assert rewritten(archive, [OTHER_TIME]) == other
