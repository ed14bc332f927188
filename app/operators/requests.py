"""Counted requests: how many, how long, by the part of the server that answered."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from app.operators.exposition import Family, Sample

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_WATCHED = {"/healthz": "health", "/readyz": "health", "/_stcore/health": "health", "/metrics": "metrics"}
_STARTS = (("/api/", "api"), ("/_stcore/", "streamlit"), ("/app/static/", "static"), ("/static/", "static"))


class Requests:
    """What the middleware counts, on the server's event loop alone."""

    def __init__(self) -> None:
        self.done: Counter[tuple[str, str, str]] = Counter()  # part, method, status class
        self.durations: dict[str, list[int]] = {}  # part -> how many ended in each bucket, and the rest
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.open = 0
        self.sessions = 0

    def ended(self, part: str, method: str, status: int, seconds: float) -> None:
        self.done[part, method, f"{status // 100}xx"] += 1
        counts = self.durations.setdefault(part, [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds[part] += seconds

    def families(self) -> Iterator[Family]:
        """Counts of requests since the start, and those that are open now."""
        from app.operators.exposition import Family, Sample, gauge

        done = [
            Sample(count, {"part": part, "method": method, "status": status})
            for (part, method, status), count in sorted(self.done.items())
        ]
        yield Family("tunixrt_http_requests_total", "counter", "HTTP requests that were answered.", done)
        yield Family("tunixrt_http_request_seconds", "histogram", "Time to the end of an answer.", [*self._histogram()])
        yield gauge("tunixrt_http_requests_open", "HTTP requests that are being answered.", self.open)
        yield gauge("tunixrt_dashboard_sessions", "Open WebSockets: one per tab with the dashboard.", self.sessions)

    def _histogram(self) -> Iterator[Sample]:
        from app.operators.exposition import Sample

        for part, counts in sorted(self.durations.items()):
            total = sum(counts)
            for limit, below in zip(BUCKETS, accumulate(counts), strict=False):
                yield Sample(below, {"part": part, "le": str(limit)}, "_bucket")
            yield Sample(total, {"part": part, "le": "+Inf"}, "_bucket")
            yield Sample(self.seconds[part], {"part": part}, "_sum")
            yield Sample(total, {"part": part}, "_count")


class Counted:
    """ASGI middleware around the gate, so that refused requests count too."""

    def __init__(self, app: ASGIApp, *, requests: Requests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._session(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = False

        async def watched(message: Message) -> None:
            nonlocal accepted
            if message["type"] == "websocket.accept":
                accepted = True
                self._requests.sessions += 1
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._requests.sessions -= accepted

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, began = 500, time.perf_counter()  # what the server answers where nothing else did

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._requests.open += 1
        try:
            await self._app(scope, receive, watched)
        finally:
            self._requests.open -= 1
            self._requests.ended(part_of(scope["path"]), _method(scope), status, time.perf_counter() - began)


def part_of(path: str) -> str:
    """The part of the server that answers an address; few words, whatever the addresses of requests."""
    if path in _WATCHED:
        return _WATCHED[path]
    return next((part for start, part in _STARTS if path.startswith(start)), "page")


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"
