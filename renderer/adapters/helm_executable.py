"""The `helm` program, 3.14 or newer: for people who must use the Helm that their company vouches for.

Every run happens in a throw-away directory with an environment of our own: no plugins, no repositories, no
kubeconfig, no proxies, nothing of the user's.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Final, cast

from renderer.errors import Finding, InputError, Where
from renderer.formats.charts.archive import ChartArchiveError, template_sources
from renderer.model.bundles.chart import ChartFile, ChartOutput, ChartRequest
from renderer.model.version import Version
from renderer.ports import ChartError

__all__ = ["ExecutableHelm"]

_OLDEST: Final = Version(3, 14, 0)
_TIMEOUT: Final = 120.0
_OUTPUT_LIMIT: Final = 256 * 2**20
_MESSAGE_LIMIT: Final = 16 * 2**10
_NAMES_PER_OPTION: Final = 200
_SOURCE = re.compile(r"^---\n# Source: (\S.*)\n", re.MULTILINE)
_CRD_FILE = re.compile(r"[^/]+(?:/charts/[^/]+)*/crds/")
_CHATTER = re.compile(r"^(?:level=|time=|WARNING: |coalesce\.go|warning: |Use --debug flag)")


class ExecutableHelm:
    """The chart engine that runs `program`, or the `helm` on PATH. Thread-safe."""

    def __init__(self, program: str | None = None, *, timeout: float = _TIMEOUT) -> None:
        self._named = program
        self._timeout = timeout

    @property
    def name(self) -> str:
        """`executable`."""
        return "executable"

    @cached_property
    def helm_version(self) -> str:
        """The version that the program reports, such as `v4.3.1`. Raises InputError when it is older than 3.14."""
        try:
            reported = self._run(["version", "--template", "{{.Version}}"], {}).strip()
            version = Version.parse(reported)
        except (ChartError, ValueError) as error:
            raise _unusable(
                "helm-unusable", f"`{self._program}` does not say its Helm version", self._program, got=str(error)
            ) from error
        if version < _OLDEST:
            raise _unusable("helm-too-old", f"`{self._program}` is Helm {reported}", self._program, got=reported)
        return reported

    def inflate(self, request: ChartRequest) -> ChartOutput:
        """Inflate one chart without cluster or network. Raises ChartError, and InputError without a usable helm."""
        self._require_usable()
        arguments = [
            "template",
            f"--namespace={request.namespace}",
            f"--kube-version={request.kube_version}",
            "--include-crds",
            "--skip-tests=false",
            "--values=values.json",
            *_api_version_options(request.api_versions),
            "--",
            request.release,
            "./chart.tgz",
        ]
        values = json.dumps(request.values).encode()
        return _read(self._run(arguments, {"chart.tgz": request.archive, "values.json": values}))

    def chart_files(self, request: ChartRequest) -> Mapping[str, str]:
        """The template sources of the chart and its subcharts by path. Raises ChartError."""
        try:
            return template_sources(request.archive)
        except ChartArchiveError as error:
            raise ChartError(str(error)) from error

    def _require_usable(self) -> None:
        """Raises InputError once and for all when the program is missing or too old."""
        _ = self.helm_version

    @cached_property
    def _program(self) -> str:
        wanted = self._named or "helm"
        found = shutil.which(wanted)
        if found is None:
            raise _unusable("helm-not-found", f"there is no program `{wanted}`", wanted)
        return str(Path(found).resolve())

    def _run(self, arguments: Sequence[str], files: Mapping[str, bytes]) -> str:
        """What helm prints, run beside `files` in a directory that exists for this run only. Raises ChartError."""
        with tempfile.TemporaryDirectory(prefix="sitewright-helm-") as text:
            directory = Path(text)
            for name, content in files.items():
                (directory / name).write_bytes(content)
            output, message, code = _bounded([self._program, *arguments], directory, self._timeout)
        if code == 0:
            return output
        raise ChartError(_message(message, text) or f"helm ended with status {code} and said nothing")


def _bounded(command: Sequence[str], directory: Path, timeout: float) -> tuple[str, str, int]:
    """Standard output, standard error and status; a program that runs or prints too much is killed."""
    overdue = threading.Event()
    with (
        (directory / "stderr").open("w+b") as errors,
        subprocess.Popen(
            command,
            cwd=directory,
            env=_environment(directory),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):

        def expire() -> None:
            overdue.set()
            process.kill()

        timer = threading.Timer(timeout, expire)
        timer.start()
        try:
            output = cast("IO[bytes]", process.stdout).read(_OUTPUT_LIMIT + 1)
            if len(output) > _OUTPUT_LIMIT:
                process.kill()
            code = process.wait()
        finally:
            timer.cancel()
        errors.seek(0)
        message = errors.read(_MESSAGE_LIMIT)
    if overdue.is_set():
        raise ChartError(f"helm did not finish within {timeout:g} seconds")
    if len(output) > _OUTPUT_LIMIT:
        raise ChartError(f"helm printed more than {_OUTPUT_LIMIT} bytes")
    return output.decode("utf-8", errors="replace"), message.decode("utf-8", errors="replace"), code


def _environment(directory: Path) -> dict[str, str]:
    """Everything that helm may know of this machine: one directory, and that it is alone."""
    place = str(directory)
    return {
        "HOME": place,
        "TMPDIR": place,
        "PATH": place,
        "LC_ALL": "C",
        "TZ": "UTC",
        "KUBECONFIG": f"{place}/no-kubeconfig",
        "HELM_CACHE_HOME": f"{place}/cache",
        "HELM_CONFIG_HOME": f"{place}/config",
        "HELM_DATA_HOME": f"{place}/data",
        "HELM_PLUGINS": f"{place}/no-plugins",
        "HELM_REGISTRY_CONFIG": f"{place}/no-registry.json",
        "HELM_REPOSITORY_CONFIG": f"{place}/no-repositories.yaml",
        "HELM_REPOSITORY_CACHE": f"{place}/no-repositories",
    }


def _api_version_options(names: Sequence[str]) -> Iterator[str]:
    """`--api-versions=a,b,…`, few enough a piece that no argument grows past what a kernel takes."""
    for start in range(0, len(names), _NAMES_PER_OPTION):
        yield f"--api-versions={','.join(names[start : start + _NAMES_PER_OPTION])}"


def _read(output: str) -> ChartOutput:
    """Take helm's output apart at its `# Source:` comments. Documents of one file are joined in helm's order."""
    found: dict[str, list[str]] = {}
    _, *parts = _SOURCE.split(output)
    for path, text in zip(parts[::2], parts[1::2], strict=True):
        found.setdefault(path, []).append(text)
    files = [ChartFile(path=path, text="\n---\n".join(texts)) for path, texts in sorted(found.items())]
    return ChartOutput(
        templates=tuple(file for file in files if not _CRD_FILE.match(file.path)),
        crds=tuple(file for file in files if _CRD_FILE.match(file.path)),
    )


def _message(text: str, directory: str) -> str:
    """Helm's own message: no log lines, no path of this machine, not what `--debug` would do."""
    lines = [line.rstrip() for line in text.replace(f"{directory}/", "").splitlines() if not _CHATTER.match(line)]
    return "\n".join(lines).strip().removeprefix("Error: ").strip()


def _unusable(code: str, message: str, program: str, got: str | None = None) -> InputError:
    return InputError(
        Finding(
            code=code,
            message=message,
            where=Where(subject=f"program {program}"),
            expected=f"Helm {_OLDEST.major}.{_OLDEST.minor} or newer",
            got=got,
            hint="install Helm (https://helm.sh/docs/intro/install/), or use the chart engine that is built in",
        )
    )
