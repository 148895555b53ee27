"""Both chart engines: the same objects, the same complaints, nothing of this machine."""

from __future__ import annotations

import io
import json
import stat
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from renderer.adapters.executors import SerialExecutor, ThreadExecutor
from renderer.adapters.helm_embedded import EmbeddedHelm
from renderer.adapters.helm_executable import ExecutableHelm
from renderer.errors import InputError
from renderer.formats.kubernetes.manifests import load_values
from renderer.formats.kubesphere.package import AGENT_TAG, HOST_TAG, forced_values
from renderer.model.bundles.chart import ChartRequest
from renderer.model.bundles.extension import Component, ComponentKind, Descriptor
from renderer.model.fields import Fields, Json
from renderer.model.generated.policy import GeneratedPolicy, Mode
from renderer.model.objects.manifest import Manifest
from renderer.model.reference import Digest
from renderer.model.rendering import Inflated
from renderer.model.version import Version
from renderer.ports import ChartEngine, ChartError, Executor
from renderer.stages.chart import chart_request, read_chart
from renderer.stages.generated.discovering import discover
from renderer.stages.settle import settle

Pack = Callable[[str | Mapping[str, str]], bytes]


@pytest.fixture
def embedded() -> ChartEngine:
    return EmbeddedHelm()


@pytest.fixture
def executable(helm: Path) -> ChartEngine:
    return ExecutableHelm(str(helm))


@pytest.fixture(params=["embedded", "executable"])
def engine(request: pytest.FixtureRequest) -> ChartEngine:
    engine: ChartEngine = request.getfixturevalue(request.param)
    return engine


def component(archive: bytes, forced: Mapping[str, Json] | None = None) -> Component:
    content = Descriptor(media_type="application/gzip", digest=Digest.of(archive), size=len(archive))
    return Component(
        name="web", kind=ComponentKind.HELM, content=content, release="demo", namespace="shop", forced=forced or {}
    )


def request_for(
    archive: bytes,
    values: Mapping[str, Json] | None = None,
    *,
    forced: Mapping[str, Json] | None = None,
    api_versions: tuple[str, ...] = (),
) -> ChartRequest:
    kubernetes = Version.parse("1.31.4")
    return chart_request(
        component(archive, forced), archive, values or {}, kubernetes=kubernetes, api_versions=api_versions
    )


def objects(engine: ChartEngine, request: ChartRequest) -> dict[str, Manifest]:
    inflated = read_chart(engine.inflate(request), "demo", component(request.archive))
    assert not inflated.findings
    return {str(manifest.id): manifest for manifest in inflated.manifests}


def complaint(engine: ChartEngine, request: ChartRequest) -> str:
    with pytest.raises(ChartError) as caught:
        engine.inflate(request)
    return caught.value.message


def answer(engine: ChartEngine, name: str, archive: bytes, forced: Mapping[str, Json]) -> Inflated | str:
    """What a chart gives, or what Helm says instead."""
    try:
        return read_chart(engine.inflate(request_for(archive, forced=forced)), name, component(archive))
    except ChartError as error:
        return error.message


def parts(archive: bytes) -> dict[str, dict[str, Json]]:
    """The host and the agent part of a KubeSphere package, by the values that KubeSphere forces; or the whole chart."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        top = min(
            (name for name in members.getnames() if name.endswith("/Chart.yaml")), key=lambda name: name.count("/")
        )
        file = members.extractfile(top)
        assert file is not None
        dependencies = Fields.of(load_values(file.read())).children("dependencies")
    tags = {tag for dependency in dependencies for tag in dependency.texts("tags")} & {HOST_TAG, AGENT_TAG}
    return {tag: forced_values(dependencies, tag) for tag in sorted(tags)} or {"whole": {}}


class TestBothEngines:
    def test_say_who_they_are(self, embedded: ChartEngine, executable: ChartEngine) -> None:
        assert (embedded.name, executable.name) == ("embedded", "executable")
        assert embedded.helm_version == "v4.2.3"
        assert executable.helm_version == "v4.3.1"

    def test_give_templates_and_crds_by_path_without_notes_and_partials(
        self, engine: ChartEngine, pack_chart: Pack
    ) -> None:
        output = engine.inflate(request_for(pack_chart("umbrella")))
        assert [file.path for file in output.templates] == [
            "umbrella/charts/agent/templates/service.yaml",
            "umbrella/charts/first/templates/service.yaml",
            "umbrella/charts/front/templates/service.yaml",
            "umbrella/templates/configmap.yaml",
        ]
        assert [file.path for file in output.crds] == [
            "umbrella/charts/agent/crds/agent.yaml",
            "umbrella/charts/first/crds/store.yaml",
            "umbrella/charts/front/crds/front.yaml",
            "umbrella/crds/widgets.yaml",
        ]

    def test_a_disabled_subchart_takes_its_crds_along(self, engine: ChartEngine, pack_chart: Pack) -> None:
        # Conditions beat tags in Helm: this is how KubeSphere's controller switches the agent part off.
        forced: dict[str, Json] = {"tags": {"extension": True, "agent": False}, "agent": {"enabled": False}}
        output = engine.inflate(request_for(pack_chart("umbrella"), {"agent": {"enabled": True}}, forced=forced))
        assert not [file.path for file in (*output.templates, *output.crds) if "/agent/" in file.path]

    def test_the_same_chart_can_be_inflated_differently_one_after_another(
        self, engine: ChartEngine, pack_chart: Pack
    ) -> None:
        archive = pack_chart("umbrella")
        off: dict[str, Json] = {"front": {"enabled": False}, "second": {"enabled": True}}
        first = engine.inflate(request_for(archive, off))
        second = engine.inflate(request_for(archive))
        third = engine.inflate(request_for(archive, off))
        assert first == third
        assert first != second

    def test_tell_charts_the_same_of_the_cluster(self, engine: ChartEngine, pack_chart: Pack) -> None:
        request = request_for(pack_chart("umbrella"), api_versions=("demo.example.com/v1/Widget",))
        data = objects(engine, request)["ConfigMap demo-umbrella"].body["data"]
        assert isinstance(data, dict)
        assert data["kubernetes"] == "v1.31.4"
        assert data["widgets"] == "true"
        assert data["policy"] == "true"
        assert data["differing"] == "true", "known to Helm 4.3 only, so named in every request"
        assert data["nodes"] == "0"
        assert data["install"] == "true"

    def test_a_null_takes_a_value_of_the_chart_away(self, engine: ChartEngine, pack_chart: Pack) -> None:
        request = request_for(pack_chart("umbrella"), {"removable": {"taken": None}})
        data = objects(engine, request)["ConfigMap demo-umbrella"].body["data"]
        assert isinstance(data, dict)
        assert (data["kept"], data["taken"]) == ("1", "false")

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"tags": {"agent": False, "extension": True}},
            {"front": {"enabled": False}, "first": {"enabled": False}, "second": {"enabled": True, "port": 81}},
            {"text": "„schön“ 好 'x' \"y\"\nz", "nothing": True},
        ],
    )
    @pytest.mark.parametrize("chart", ["umbrella", "hooks"])
    def test_yield_the_same_objects(
        self, embedded: ChartEngine, executable: ChartEngine, pack_chart: Pack, chart: str, values: dict[str, Json]
    ) -> None:
        request = request_for(pack_chart(chart), values)
        one, other = objects(embedded, request), objects(executable, request)
        assert one
        assert list(one.values()) == list(other.values())

    def test_yield_the_same_objects_once_inventions_are_settled(
        self, embedded: ChartEngine, executable: ChartEngine, pack_chart: Pack
    ) -> None:
        archive = pack_chart("inventor")
        request = request_for(archive)
        renders = [read_chart(one.inflate(request), "demo", component(archive)) for one in (embedded, executable)]
        generated = discover(renders[0].manifests, renders[1].manifests).values
        one, other = (settle(render.manifests, generated, GeneratedPolicy(default=Mode.EXTERNAL)) for render in renders)
        assert one == other

    def test_over_real_charts(
        self, embedded: ChartEngine, executable: ChartEngine, real_charts: tuple[Path, ...]
    ) -> None:
        for path in real_charts:
            archive = path.read_bytes()
            for part, forced in parts(archive).items():
                name = f"{path.stem} {part}"
                one, again = (answer(embedded, name, archive, forced) for _ in range(2))
                other = answer(executable, name, archive, forced)
                if isinstance(one, str) or isinstance(again, str) or isinstance(other, str):
                    assert one == other, name
                    continue
                found = discover(one.manifests, again.manifests)
                generated = found.values
                assert found == discover(one.manifests, other.manifests), name
                assert all(value.group or value.kind.follows for value in generated), name
                settled = settle(one.manifests, generated, GeneratedPolicy(default=Mode.EXTERNAL))
                assert settled == settle(again.manifests, generated, GeneratedPolicy(default=Mode.EXTERNAL)), name
                assert settled == settle(other.manifests, generated, GeneratedPolicy(default=Mode.EXTERNAL)), name

    def test_work_in_threads(self, engine: ChartEngine, pack_chart: Pack) -> None:
        archive = pack_chart("umbrella")
        requests = [request_for(archive, {"front": {"enabled": turn % 2 == 0}}) for turn in range(12)]
        with ThreadPoolExecutor(4) as pool:
            outputs = list(pool.map(engine.inflate, requests))
        assert [len(output.templates) for output in outputs] == [4, 3] * 6


SCHEMA_COMPLAINT = """values don't meet the specifications of the schema(s) in the following chart(s):
small:
- at '/a': got string, want integer"""


class TestComplaints:
    """Helm's own words, equal under both engines, without a path of this machine."""

    @pytest.mark.parametrize(
        ("files", "values", "message"),
        [
            (
                {"templates/a.yaml": '{{ fail "no way" }}'},
                {},
                "execution error at (small/templates/a.yaml:1:3): no way",
            ),
            (
                {"templates/a.yaml": "{{ if }}"},
                {},
                "parse error at (small/templates/a.yaml:1): missing value for if",
            ),
            (
                {
                    "templates/a.yaml": "a: 1",
                    "values.schema.json": '{"type": "object", "properties": {"a": {"type": "integer"}}}',
                },
                {"a": "x"},
                SCHEMA_COMPLAINT,
            ),
            (
                {"Chart.yaml": "apiVersion: v2\nname: small\nversion: 0.1.0\nkubeVersion: '>=1.35'\n"},
                {},
                "chart requires kubeVersion: >=1.35 which is incompatible with Kubernetes v1.31.4",
            ),
            (
                {"Chart.yaml": "apiVersion: v2\nname: small\nversion: 0.1.0\ntype: library\n"},
                {},
                "library charts are not installable",
            ),
        ],
        ids=["fail", "syntax", "schema", "kubeVersion", "library"],
    )
    def test_of_a_chart(
        self, engine: ChartEngine, pack_chart: Pack, files: dict[str, str], values: dict[str, Json], message: str
    ) -> None:
        assert complaint(engine, request_for(pack_chart(files), values)) == message

    def test_of_a_subchart_that_is_not_there(self, engine: ChartEngine, pack_chart: Pack) -> None:
        chart = 'apiVersion: v2\nname: small\nversion: 0.1.0\ndependencies: [{name: lost, version: "1"}]\n'
        message = complaint(engine, request_for(pack_chart({"Chart.yaml": chart})))
        assert message.endswith("found in Chart.yaml, but missing in charts/ directory: lost")

    def test_of_a_release_name(self, engine: ChartEngine, pack_chart: Pack) -> None:
        request = request_for(pack_chart("umbrella"))
        bad = ChartRequest(
            chart=request.chart,
            archive=request.archive,
            release="--Bad_Name",
            namespace="shop",
            values={},
            kube_version="1.31.4",
        )
        assert complaint(engine, bad).startswith('release name check failed: release name "--Bad_Name": invalid')

    @pytest.mark.parametrize("archive", [b"", b"not a chart", b"\x1f\x8b\x08\x00broken"])
    def test_of_bytes_that_are_no_chart(self, engine: ChartEngine, archive: bytes) -> None:
        request = ChartRequest(
            chart=Digest.of(archive),
            archive=archive,
            release="demo",
            namespace="shop",
            values={},
            kube_version="1.31.4",
        )
        message = complaint(engine, request)
        assert message
        assert tempfile.gettempdir() not in message
        with pytest.raises(ChartError):
            engine.chart_files(request)


class TestTemplateSources:
    def test_come_from_the_chart_and_all_subcharts(self, engine: ChartEngine, pack_chart: Pack) -> None:
        files = engine.chart_files(request_for(pack_chart("umbrella")))
        assert list(files) == [
            "top/charts/agent/templates/service.yaml",
            "top/charts/agent/values.yaml",
            "top/charts/front/templates/service.yaml",
            "top/charts/front/values.yaml",
            "top/charts/store/templates/service.yaml",
            "top/charts/store/values.yaml",
            "top/templates/NOTES.txt",
            "top/templates/_names.tpl",
            "top/templates/configmap.yaml",
            "top/templates/nothing.yaml",
            "top/values.yaml",
        ]
        assert 'define "umbrella.name"' in files["top/templates/_names.tpl"]


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """`program(script)`: a shell script in the place of helm."""

    def write(script: str) -> str:
        path = tmp_path / "stand-in"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


class TestTheProgram:
    """What surrounds a run of helm, shown with shell scripts in its place."""

    def test_must_be_there(self, pack_chart: Pack) -> None:
        with pytest.raises(InputError) as caught:
            ExecutableHelm("/nowhere/helm").inflate(request_for(pack_chart("umbrella")))
        (finding,) = caught.value.findings
        assert finding.code == "helm-not-found"
        assert finding.message == "there is no program `/nowhere/helm`"
        assert finding.expected == "Helm 3.14 or newer"
        assert finding.hint is not None

    @pytest.mark.parametrize(
        ("said", "code", "got"),
        [
            ("v3.13.2", "helm-too-old", "v3.13.2"),
            ("hello", "helm-unusable", "a version must read"),
        ],
    )
    def test_must_be_new_enough(self, program: Callable[[str], str], said: str, code: str, got: str) -> None:
        with pytest.raises(InputError) as caught:
            _ = ExecutableHelm(program(f"echo {said}")).helm_version
        (finding,) = caught.value.findings
        assert finding.code == code
        assert finding.got is not None
        assert finding.got.startswith(got)

    def test_sees_nothing_of_this_machine(
        self, program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, pack_chart: Pack
    ) -> None:
        for name in ("HTTPS_PROXY", "HELM_NAMESPACE", "HELM_DEBUG", "KUBECONFIG", "SECRET_TOKEN"):
            monkeypatch.setenv(name, "leaked")
        script = program('[ "$1" = version ] && echo v3.14.0 && exit; /usr/bin/env >&2; pwd >&2; exit 1')
        message = complaint(ExecutableHelm(script), request_for(pack_chart("umbrella")))
        assert "leaked" not in message
        known = {line.partition("=")[0] for line in message.splitlines() if "=" in line}
        assert known - {"PWD", "SHLVL", "_", "OLDPWD"} == {
            *("HOME", "TMPDIR", "PATH", "LC_ALL", "TZ", "KUBECONFIG", "HELM_CACHE_HOME", "HELM_CONFIG_HOME"),
            *("HELM_DATA_HOME", "HELM_PLUGINS", "HELM_REGISTRY_CONFIG", "HELM_REPOSITORY_CONFIG"),
            "HELM_REPOSITORY_CACHE",
        }

    def test_gets_values_as_a_file_and_the_options_that_a_request_means(
        self, program: Callable[[str], str], pack_chart: Pack
    ) -> None:
        script = program('[ "$1" = version ] && echo v3.14.0 && exit; echo "$@" >&2; /bin/cat values.json >&2; exit 1')
        request = request_for(pack_chart("umbrella"), {"a": {"b": [1, None]}}, api_versions=("x/v1", "y/v1/Z"))
        arguments, values = complaint(ExecutableHelm(script), request).splitlines()
        assert arguments.startswith("template --namespace=shop --kube-version=1.31.4 --include-crds --skip-tests=false")
        assert "x/v1,y/v1/Z" in arguments
        assert arguments.endswith(" -- demo ./chart.tgz")
        assert json.loads(values) == {"a": {"b": [1, None]}}

    def test_that_never_ends_is_stopped(self, program: Callable[[str], str], pack_chart: Pack) -> None:
        script = program('[ "$1" = version ] && echo v3.14.0 && exit; exec /bin/sleep 60')
        message = complaint(ExecutableHelm(script, timeout=0.3), request_for(pack_chart("umbrella")))
        assert message == "helm did not finish within 0.3 seconds"

    def test_that_never_stops_printing_is_stopped(
        self, program: Callable[[str], str], pack_chart: Pack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("renderer.adapters.helm_executable._OUTPUT_LIMIT", 100_000)
        script = program('[ "$1" = version ] && echo v3.14.0 && exit; exec /usr/bin/yes')
        message = complaint(ExecutableHelm(script), request_for(pack_chart("umbrella")))
        assert message == "helm printed more than 100000 bytes"

    def test_that_fails_without_a_word_is_reported(self, program: Callable[[str], str], pack_chart: Pack) -> None:
        script = program('[ "$1" = version ] && echo v3.14.0 && exit; exit 7')
        message = complaint(ExecutableHelm(script), request_for(pack_chart("umbrella")))
        assert message == "helm ended with status 7 and said nothing"


class TestExecutors:
    @pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(), ThreadExecutor(workers=7)])
    def test_keep_the_order_and_raise_the_first_exception(self, executor: Executor) -> None:
        assert list(executor.map(lambda number: number * 2, range(50))) == [number * 2 for number in range(50)]
        with pytest.raises(ZeroDivisionError):
            executor.map(lambda number: 1 // (number - 3), range(9))

    def test_need_a_worker(self) -> None:
        with pytest.raises(ValueError, match="at least one worker"):
            ThreadExecutor(workers=0)


def test_the_embedded_engine_refuses_a_library_that_is_not_the_pinned_one(
    monkeypatch: pytest.MonkeyPatch, embedded: ChartEngine
) -> None:
    from helm_python import _native

    assert embedded.helm_version == _native.helm_sdk_version()
    monkeypatch.setattr(_native, "helm_sdk_version", lambda: "v9.9.9")
    with pytest.raises(ChartError, match=r"holds Helm v9\.9\.9, and not v4\.2\.3"):
        embedded.inflate(
            ChartRequest(
                chart=Digest.of(b""), archive=b"", release="a", namespace="b", values={}, kube_version="1.31.4"
            )
        )
