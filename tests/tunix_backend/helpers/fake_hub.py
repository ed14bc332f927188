"""A Hugging Face hub on loopback: the few answers that a download asks for, and the ways in which they fail."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = hashlib.sha1(b"the only commit").hexdigest()


@dataclass
class FakeHub:
    """Repositories by name, each with its files. What is asked of it is kept in `requests` as `GET file from byte`."""

    repositories: dict[str, dict[str, bytes]]
    refusal: tuple[int, str] | None = None  # HTTP status and the hub's own error code, for everything
    token: str | None = None  # the only one that is let in, where set
    broken: set[str] = field(default_factory=set)  # files that cannot be had now
    cut: set[str] = field(default_factory=set)  # files whose first answer ends in the middle
    requests: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(hub: FakeHub) -> Iterator[FakeHub]:
    """The hub on a free port of this machine, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _answer(self, body: bool) -> None:
        hub = self.hub
        if hub.refusal is not None:
            return self._refuse(*hub.refusal)
        if hub.token is not None and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self._refuse(401, "GatedRepo")
        path = self.path.split("?", 1)[0]
        if found := re.fullmatch(r"/api/models/(?P<name>[^/]+/[^/]+)(?:/revision/(?P<revision>.+))?", path):
            return self._describe(found["name"], found["revision"])
        if found := re.fullmatch(r"/(?P<name>[^/]+/[^/]+)/resolve/[^/]+/(?P<file>.+)", path):
            return self._give(found["name"], found["file"], body)
        return self._refuse(404, "EntryNotFound")

    def _describe(self, name: str, revision: str | None) -> None:
        files = self.hub.repositories.get(name)
        if files is None:
            return self._refuse(401, "RepoNotFound")
        if revision not in (None, "main", "v1", COMMIT):
            return self._refuse(404, "RevisionNotFound")
        siblings = [{"rfilename": file, "size": len(content)} for file, content in files.items()]
        return self._send(200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode())

    def _give(self, name: str, file: str, body: bool) -> None:
        if name not in self.hub.repositories:
            return self._refuse(401, "RepoNotFound")
        content = self.hub.repositories[name][file]
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        if not body:
            return self._send(200, content, headers, body=False)
        asked = re.fullmatch(r"bytes=(\d+)-\d*", self.headers.get("Range") or "")
        start = int(asked[1]) if asked else 0
        self.hub.requests.append(f"GET {file} from {start}")
        if file in self.hub.broken:
            return self._refuse(500, "")
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        end = len(content)
        if file in self.hub.cut:
            self.hub.cut.remove(file)
            end = len(content) // 2
        return self._send(206 if asked else 200, content[start:], headers, end=end - start)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code})

    def _send(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        *,
        body: bool = True,
        end: int | None = None,
    ) -> None:
        """`end`: the connection is closed after this many bytes of the content."""
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(content[:end])
        if end is not None and end < len(content):
            self.close_connection = True
