"""Projects of a Harbor registry, through its API v2.0 (https://goharbor.io/docs/, `/api/v2.0/projects`).

The API takes the registry's credentials as Basic, no tokens of the registry. Where only administrators may create
projects, a robot account needs the system permission "create project".
"""

from __future__ import annotations

import json
import re
from typing import Final
from urllib.parse import quote

from renderer.adapters.registry.transport import ANSWER_LIMIT, Received, Request, Transport
from renderer.errors import Finding, InputError, RemoteError, Where
from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.model.fields import Fields
from renderer.structs import replace

_API: Final = "/api/v2.0"
_PAGE_SIZE: Final = 100
_PAGE_LIMIT: Final = 200
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*\Z")


class HarborProjects:
    """The projects of one Harbor. Made by `RegistryClient.harbor`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._faults = transport.faults

    def is_harbor(self) -> bool:
        """True when the registry answers as Harbor does, which tells its version to those only whom it knows.

        Raises RemoteError when it does not answer at all.
        """
        received = self._call("GET", "/systeminfo", set(range(200, 500)), "systeminfo")
        if received.status != 200:
            return False
        try:
            told = Fields.of(parse_json(received.body, limit=ANSWER_LIMIT))
        except ValueError:
            return False
        return "harbor_version" in told or "auth_mode" in told

    def names(self) -> tuple[str, ...]:
        """The names of all projects that this user may see, sorted. Raises RemoteError."""
        found: set[str] = set()
        for page in range(1, _PAGE_LIMIT + 1):
            received = self._call("GET", f"/projects?page={page}&page_size={_PAGE_SIZE}", {200}, "projects")
            try:
                listed = json.loads(received.body)
                names = [Fields.of(entry).text("name") for entry in listed]
            except (ValueError, TypeError, RecursionError) as error:
                message = "the list of Harbor's projects cannot be read"
                raise self._faults.malformed(message, self._subject("projects")) from error
            found.update(names)
            if len(names) < _PAGE_SIZE:
                return tuple(sorted(found))
        raise self._faults.malformed("Harbor's list of projects does not end", self._subject("projects"))

    def exists(self, name: str) -> bool:
        """True when there is a project of this name. Raises RemoteError."""
        received = self._call("HEAD", f"/projects?project_name={quote(name)}", {200, 404}, f"project {name}")
        return received.status == 200

    def create(self, name: str, *, public: bool) -> bool:
        """Make a project (`public`: all may pull); False when it is there already. Raises RemoteError, InputError."""
        if _NAME.match(name) is None or len(name) > 255:
            raise InputError(
                Finding(
                    code="project-name",
                    message=f"`{name}` cannot name a Harbor project",
                    where=Where(subject=f"project {name}"),
                    expected="lower-case letters and digits, with single `.`, `_` or `-` between them",
                )
            )
        body = canonical_json({"project_name": name, "metadata": {"public": "true" if public else "false"}})
        received = self._call("POST", "/projects", {201, 409}, f"project {name}", body)
        return received.status == 201

    def _call(self, method: str, path: str, expected: set[int], subject: str, body: bytes = b"") -> Received:
        headers = {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        credentials = self._transport.authentication.basic("")
        if credentials is not None:
            headers["Authorization"] = credentials
        request = Request(
            method=method,
            url=f"{_API}{path}",
            subject=self._subject(subject),
            headers=headers,
            body=body,
            plain=True,
        )
        try:
            return self._transport.call(request, expected)
        except RemoteError as error:
            raise type(error).of(_as_projects(finding) for finding in error.findings) from error

    def _subject(self, what: str) -> str:
        return f"{self._faults.host}, {what}"


def _as_projects(finding: Finding) -> Finding:
    """The hints for pushing are no help where projects are made."""
    hints = {
        "registry-denied": "a Harbor administrator, or a robot account with the permission to create projects, can",
        "registry-not-found": "is this Harbor? Other registries need no projects, or make them by themselves",
    }
    expected = "Harbor's API" if finding.code == "registry-not-found" else finding.expected
    return replace(finding, hint=hints.get(finding.code, finding.hint), expected=expected)
