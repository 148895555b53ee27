"""`sitewright values`: what a component is told on a site, and by whom."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.cli.main import main
from tests.golden.demo_site import prepare


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["lock", "profiles/demo.yaml"]) == 0
    capsys.readouterr()
    return tmp_path


def relock(demo: Path, values: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Give the web extension a values file below the values of the profile."""
    (demo / "values").mkdir()
    (demo / "values/web.yaml").write_text(values)
    profile = demo / "profiles/demo.yaml"
    profile.write_text(
        profile.read_text().replace(
            "      values:\n        replicaCount",
            "      valuesFrom: [values/web.yaml]\n      values:\n        replicaCount",
        )
    )
    assert main(["lock", "profiles/demo.yaml"]) == 0
    capsys.readouterr()


def test_every_key_is_shown_with_the_layer_that_set_it(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    relock(demo, "replicaCount: 9\nimage: {tag: 1.2.0}\n", capsys)
    assert main(["values", "profiles/demo.yaml", "web", "--explain"]) == 0
    assert capsys.readouterr().out == (
        "# component web of web 1.2.0\n"
        'image.tag = "1.2.0"  # values/web.yaml\n'
        "replicaCount = 2     # profiles/demo.yaml\n"
    )


@pytest.mark.usefixtures("demo")
def test_values_are_yaml_that_kubernetes_reads_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["values", "profiles/demo.yaml", "site-info"]) == 0
    assert capsys.readouterr().out == '# component facts of site-info 0.1.0\nmotto: "on"\n'
    assert main(["values", "profiles/demo.yaml", "web", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert "replicaCount" in json.dumps(document)


@pytest.mark.usefixtures("demo")
def test_an_extension_that_is_not_enabled_has_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["values", "profiles/demo.yaml", "wbe"]) == 1
    assert capsys.readouterr().err.startswith(
        "error[unknown-extension]: `wbe` is not an extension of site demo\n"
        "  --> profiles/demo.yaml, spec.extensions\n"
        "   expected: `queue`, `site-info`, `web`\n"
        "   hint: sitewright tree profiles/demo.yaml\n"
    )
