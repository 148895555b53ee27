"""What the verbs over sites remember of bundles: an older one is refused under whatever file name it comes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from renderer.cli.main import main
from tests.golden.demo_site import prepare


def test_an_older_bundle_is_refused_though_its_file_has_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    source, profile = tmp_path / "profiles/demo/bundle.yaml", tmp_path / "profiles/demo.yaml"
    source.write_text(
        source.read_text().replace("version: 1.0.0}", "version: 1.1.0}").replace("sequence: 1", "sequence: 7")
    )
    assert main(["bundle", "build", "profiles/demo/bundle.yaml", "-o", "build/demo/newer.tar"]) == 0
    for who in ("vendor", "office"):
        assert main(["bundle", "sign", "build/demo/newer.tar", "--key", f"build/demo/keys/{who}.key"]) == 0
    text = profile.read_text()
    profile.write_text(text.replace("build/demo/bundle", "build/demo/newer.tar"))
    assert main(["lock", "profiles/demo.yaml"]) == 0
    profile.write_text(text)
    capsys.readouterr()
    assert main(["lock", "profiles/demo.yaml"]) == 3
    err = capsys.readouterr().err
    assert "error[bundle-rollback]" in err
    assert "sequence 7" in err


def test_keys_expire_by_the_clock_whatever_source_date_epoch_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    trust = tmp_path / "profiles/trust.yaml"
    trust.write_text(trust.read_text().replace("validFrom: 2026-01-01, validTo: 2036-12-31", "validTo: 2026-01-31"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    assert main(["lock", "profiles/demo.yaml"]) == 3
    assert "error[trust-threshold]" in capsys.readouterr().err


def test_a_commit_that_could_not_be_pushed_is_pushed_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    for words in (("--bare", "remote.git"), ("work",)):
        subprocess.run(["git", "init", "-q", "-b", "main", *words], check=True)
    subprocess.run(["git", "-C", "work", "remote", "add", "origin", "../remote.git"], check=True)
    assert main(["lock", "profiles/demo.yaml"]) == 0
    render = ["render", "profiles/demo.yaml", "--repo", "work", "--branch", "main"]
    assert main(render) == 0
    capsys.readouterr()
    assert main([*render, "--push"]) == 0
    assert "unchanged" in (out := capsys.readouterr().out)
    assert ", pushed" in out
    tips = [subprocess.check_output(["git", "-C", place, "rev-parse", "main"]) for place in ("work", "remote.git")]
    assert tips[0] == tips[1]


def test_two_profiles_cannot_be_rendered_into_one_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    shutil.copy(tmp_path / "profiles/demo.yaml", tmp_path / "profiles/copy.yaml")
    both = ["profiles/demo.yaml", "profiles/copy.yaml"]
    assert main(["lock", *both]) == 0
    capsys.readouterr()
    assert main(["render", *both, "--out", "out"]) == 1
    err = capsys.readouterr().err
    assert "error[duplicate-site]" in err
    assert "--> profiles/copy.yaml" in err
    assert not (tmp_path / "out/sites").exists()


def test_what_is_found_alike_on_many_sites_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    chart = tmp_path / "profiles/demo/charts/web/templates/web.yaml"
    chart.write_text(chart.read_text().replace("      containers:", "      hostNetwork: true\n      containers:"))
    assert main(["bundle", "build", "profiles/demo/bundle.yaml", "-o", "build/demo/other"]) == 0
    for who in ("vendor", "office"):
        assert main(["bundle", "sign", "build/demo/other", "--key", f"build/demo/keys/{who}.key"]) == 0
    text = (tmp_path / "profiles/demo.yaml").read_text().replace("build/demo/bundle", "build/demo/other")
    profiles = []
    for number in range(5):
        profiles.append(f"profiles/site-{number}.yaml")
        Path(profiles[-1]).write_text(text.replace("name: demo\n", f"name: site-{number}\n"))
    assert main(["lock", *profiles]) == 0
    capsys.readouterr()
    assert main(["render", *profiles, "--out", "out"]) == 0
    err = capsys.readouterr().err
    assert err.count("warning[privileged-container]") == 1
    assert "   on site-0, site-1, site-2 and 2 more\n" in err
