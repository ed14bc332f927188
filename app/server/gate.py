"""Access gate: known host, same origin, access token, security headers.

Plain ASGI, so that it covers pages, uploads, downloads, the API and the WebSocket alike.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.attempts import Attempts
from app.server.headers import encoded, page_headers
from app.server.ports import is_any, is_ip
from app.server.signin import PAGE_CSP, go_on_page, local_target, sign_in_page
from tunixrt_core.settings import Settings

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/_stcore/health"})
LOGIN = "/login"
MAX_FORM_BYTES = 4096
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CLOSE_POLICY = 1008


@dataclass(frozen=True, slots=True)
class _Request:
    """The parts of a request that the gate checks. `method` is empty for a WebSocket."""

    scope: Scope
    method: str
    path: str
    query: str
    headers: dict[str, str]
    hosts: tuple[str, ...]

    @classmethod
    def of(cls, scope: Scope) -> _Request:
        pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = tuple(value.strip().lower() for name, value in pairs if name == "host")
        query = scope["query_string"].decode("latin-1")
        return cls(scope, scope.get("method", ""), scope["path"], query, dict(pairs), hosts)

    @property
    def client(self) -> str:
        """The address of the client, or of the proxy before it."""
        return (self.scope.get("client") or ("unknown", 0))[0]

    @property
    def api(self) -> bool:
        return self.path == "/api" or self.path.startswith("/api/")

    @property
    def same_origin(self) -> bool:
        origin = self.headers.get("origin")
        return origin is None or origin.lower().partition("://")[2] == self.hosts[0]

    @property
    def written_elsewhere(self) -> bool:
        """A change requested by another site's page: the browser adds the cookie by itself, so it proves nothing."""
        return self.method not in _SAFE and not (
            self.same_origin and self.headers.get("sec-fetch-site", "none") in {"same-origin", "none"}
        )

    @property
    def token(self) -> str | None:
        """The token in the address, valid for reading only."""
        if self.method not in {"GET", "HEAD"}:
            return None
        return parse_qs(self.query, keep_blank_values=True).get("token", [None])[-1]

    @property
    def bearer(self) -> str:
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        return value.strip() if kind.lower() == "bearer" else ""

    @property
    def wants_page(self) -> bool:
        machine = self.api or self.path == "/metrics" or self.path.startswith("/_stcore/")
        return not machine and "text/html" in self.headers.get("accept", "")


class Gate:
    """ASGI middleware. Without a token it still refuses unknown hosts and other origins, and adds the headers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        hosts: Iterable[str],
        any_ip: bool = False,
        open_metrics: bool = False,
    ) -> None:
        self._app = app
        self._open = OPEN_PATHS | {"/metrics"} if open_metrics else OPEN_PATHS
        self._token = token.encode() if token else b""
        # the cookie is not the token itself
        self._session = hmac.new(self._token, b"tunixrt session", hashlib.sha256).hexdigest() if token else ""
        self._hosts = frozenset(hosts)
        self._any_ip = any_ip
        self._headers = encoded(page_headers())
        self._attempts = Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request = _Request.of(scope)
        if len(request.hosts) != 1 or not self._knows(request.hosts[0]):
            await _refuse(request, send, 421, "unknown_host", _UNKNOWN_HOST)
        elif any(ord(letter) < 32 for letter in request.path):
            # a line end in an API address would make it look like a page of the dashboard
            await _refuse(request, send, 400, "bad_request", "The address contains control characters. Remove them.")
        elif ".." in request.path.split("/"):
            # httpx and browsers resolve these; what is left would leave the API for the pages
            await _refuse(request, send, 404, "not_found", "The address contains `..`. Send it resolved.")
        elif not request.method and not request.same_origin:
            await _refuse(request, send, 403, "other_origin", _OTHER_ORIGIN)
        elif request.path in self._open and request.method in {"GET", "HEAD"}:
            await self._pass(request, receive, send)
        elif self._is(request.bearer):
            await self._pass(request, receive, send)  # no browser sends this header by itself
        elif not self._token or self._signed_in(request):
            await self._signed(request, receive, send)
        else:
            await self._stranger(request, receive, send)

    async def _signed(self, request: _Request, receive: Receive, send: Send) -> None:
        if request.written_elsewhere:
            await _refuse(request, send, 403, "other_origin", _OTHER_ORIGIN)
        elif request.method == "GET" and not request.api and (request.token or request.path == LOGIN):
            await self._welcome(request, send, local_target(request.path, request.query))
        else:
            await self._pass(request, receive, send)

    async def _stranger(self, request: _Request, receive: Receive, send: Send) -> None:
        if request.path == LOGIN and request.method == "POST":
            await self._sign_in(request, receive, send)
        elif request.bearer:
            await self._wrong(request, send)
        elif (given := request.token) is None:
            await _refuse(request, send, 401, "token_required", _TOKEN_REQUIRED)
        elif not self._is(given):
            await self._wrong(request, send)
        elif request.api:
            await self._pass(request, receive, send)
        else:
            await self._welcome(request, send, local_target(request.path, request.query))

    async def _pass(self, request: _Request, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                have = {name.lower() for name, _ in message["headers"]}
                extra = [pair for pair in self._headers if pair[0] not in have]
                if request.api and b"cache-control" not in have:
                    extra.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        scope = request.scope
        if request.same_origin:
            # Checked here, by the host that the browser used. Streamlit would query a server on the internet for this
            # machine's address before it accepted an origin other than localhost.
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != b"origin"]}
        await self._app(scope, receive, with_headers)

    async def _sign_in(self, request: _Request, receive: Receive, send: Send) -> None:
        body = await _small_body(receive)
        if body is None:
            await _refuse(request, send, 413, "too_large", "The sign-in form is too large. Send only the token.")
            return
        form = parse_qs(body.decode("latin-1"))
        path, _, query = form.get("next", ["/"])[0].partition("?")
        target = local_target(unquote(path), query)
        if request.written_elsewhere:
            await _refuse(request, send, 403, "other_origin", _OTHER_ORIGIN)
        elif self._is(form.get("token", [""])[0].strip()):
            await self._welcome(request, send, target)
        else:
            await self._wrong(request, send, target)

    async def _wrong(self, request: _Request, send: Send, target: str | None = None) -> None:
        """Refuse a wrong token: logged with the address, and the later the more there were."""
        await self._attempts.wrong(request.client)
        await _refuse(request, send, 401, "wrong_token", _WRONG_TOKEN, target)

    async def _welcome(self, request: _Request, send: Send, target: str) -> None:
        self._attempts.right(request.client)
        headers = {}
        if self._token:
            secure = "; Secure" if request.scope.get("scheme") == "https" else ""
            cookie = f"{_cookie_name(request)}={self._session}; Path=/; HttpOnly; SameSite=Strict{secure}"
            headers = {"set-cookie": cookie}
        await _answer(send, 200, go_on_page(target), "text/html; charset=utf-8", headers)

    def _knows(self, host: str) -> bool:
        name = _without_port(host)
        return name in self._hosts or (self._any_ip and is_ip(name))

    def _is(self, given: str) -> bool:
        # bytes, as comparing text fails for letters outside ASCII
        return bool(self._token) and secrets.compare_digest(given.encode(), self._token)

    def _signed_in(self, request: _Request) -> bool:
        wanted = _cookie_name(request)
        for part in request.headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == wanted and secrets.compare_digest(value.encode(), self._session.encode()):
                return True
        return False


_UNKNOWN_HOST = "The host name is not allowed. Start the server with --allow-host NAME to add it."
_OTHER_ORIGIN = "The request comes from a page of another site. Send it from this server's own pages."
_TOKEN_REQUIRED = "The access token is missing. Send it as `Authorization: Bearer TOKEN`."
_WRONG_TOKEN = "The access token is wrong. Use the one that the server printed at its start."


def known_hosts(settings: Settings) -> frozenset[str]:
    """The host names that the dashboard answers to: this machine's own, the one it listens on, and those allowed."""
    listening = () if is_any(settings.host) else (_without_port(_bracketed(settings.host.lower())),)
    return frozenset({"localhost", "127.0.0.1", "[::1]", *listening, *settings.allowed_hosts})


async def _refuse(request: _Request, send: Send, status: int, code: str, text: str, target: str | None = None) -> None:
    if not request.method:
        # before the handshake is accepted, the server answers this with 403
        await send({"type": "websocket.close", "code": _CLOSE_POLICY, "reason": text})
        return
    headers = {"www-authenticate": 'Bearer realm="Tunix RT"'} if status == 401 else {}
    if status == 401 and request.wants_page:
        page = sign_in_page(target or local_target(request.path, request.query), text if code == "wrong_token" else "")
        await _answer(send, status, page, "text/html; charset=utf-8", headers)
        return
    from app.api.errors import error_body  # loads FastAPI, which no page needs

    body = json.dumps(error_body(code, text)).encode()
    await _answer(send, status, body, "application/json", headers)


async def _answer(send: Send, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
    whole = {
        **page_headers(),
        "content-security-policy": PAGE_CSP,
        "content-type": kind,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **headers,
    }
    await send({"type": "http.response.start", "status": status, "headers": encoded(whole)})
    await send({"type": "http.response.body", "body": body})


async def _small_body(receive: Receive) -> bytes | None:
    """The request's body; None if it is too large for a sign-in form."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_FORM_BYTES:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _cookie_name(request: _Request) -> str:
    # cookies ignore ports: two servers on one machine must not sign each other out
    return f"tunixrt_{(request.scope.get('server') or ('', 0))[1]}"


def _without_port(host: str) -> str:
    name, _, rest = host.partition("]") if host.startswith("[") else ("", "", host)
    before, colon, port = rest.partition(":")
    if colon and port and not (port.isascii() and port.isdigit()):
        return host  # no port: no name that is known
    if name:
        return host if before else f"{name}]"
    return before.rstrip(".")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
