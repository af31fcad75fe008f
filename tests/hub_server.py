"""A Hub on this machine: the few routes by which repositories are made, filled and read."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class HubServer(ThreadingHTTPServer):
    """Repositories of files, in memory; every commit holds all of them.

    Attributes:
        commits: of each repository, by branch and by name the files of a commit.
        asked: each request, as in ``GET /owner/name/resolve/main/config.json``, with the token that came along.
        gated: repositories that ask for consent.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.names: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.gated: set[str] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def commit(self, repository: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Files on top of those of a branch; the commit's name."""
        branches = self.commits.setdefault(repository, {})
        names = self.names.setdefault(repository, {})
        held = branches.get(names.get(branch, ""), {}) | files
        name = hashlib.sha1(json.dumps([repository, sorted(held), len(branches)]).encode()).hexdigest()
        branches[name], names[branch] = held, name
        return name

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _note(self) -> str:
        path = urlsplit(self.path).path
        self.server.asked.append((f"{self.command} {path}", self.headers.get("Authorization")))
        return path

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._note())
        if not found:
            return self._fail(404, "EntryNotFound")
        repository, revision, file = found.groups()
        if repository in self.server.gated:
            return self._fail(403, "GatedRepo")
        if repository not in self.server.commits:
            return self._fail(401, "RepoNotFound")
        name = self.server.names[repository].get(revision, revision)
        if name not in self.server.commits[repository]:
            return self._fail(404, "RevisionNotFound")
        if file not in self.server.commits[repository][name]:
            return self._fail(404, "EntryNotFound", name)
        data = self.server.commits[repository][name][file]
        headers = {"X-Repo-Commit": name, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        return self._answer(200, data, headers)

    def do_POST(self) -> None:
        path = self._note()
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != "Bearer hf_writer":
            return self._fail(401, "")
        if path == "/api/repos/create":
            asked = json.loads(data)
            repository = f"{asked['organization']}/{asked['name']}"
            self.server.commits.setdefault(repository, {})
            self.server.names.setdefault(repository, {})
            return self._tell({"url": f"{self.server.url}/{repository}"})
        if path == "/api/validate-yaml":
            return self._tell({"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/[^/]+", path):
            files = [one["path"] for one in json.loads(data)["files"]]
            inline = {"uploadMode": "regular", "shouldIgnore": False}
            return self._tell({"files": [{"path": file, **inline} for file in files]})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/([^/]+)", path):
            lines = [json.loads(line) for line in data.splitlines()]
            files = {
                line["value"]["path"]: base64.b64decode(line["value"]["content"])
                for line in lines
                if line["key"] == "file"
            }
            name = self.server.commit(found[1], files, found[2])
            return self._tell(
                {"commitUrl": f"{self.server.url}/{found[1]}/commit/{name}", "commitOid": name, "success": True}
            )
        return self._fail(404, "EntryNotFound")

    def _tell(self, value: Any) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _fail(self, status: int, code: str, commit: str = "") -> None:
        self._answer(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code, "X-Repo-Commit": commit})

    def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
