"""Access gate: known host, same origin, access token, security headers.

Plain ASGI, so that it covers pages, uploads, downloads, the API and the WebSocket alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qs, quote, unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.gate import answers
from app.server.gate.attempts import Attempts
from app.server.gate.callers import Caller, Callers, Tokens
from app.server.gate.oidc import PATHS, SIGN_OUT, Identity, Oidc
from app.server.gate.request import LOGIN, LOGOUT, Request, without_port
from app.server.gate.signin import go_on_page, local_target, next_target, sign_in_page
from app.server.headers import encoded, page_headers
from app.server.ports import is_ip
from app.visitor import ANYBODY, HEADER, to_header
from tunixrt_core.errors import StoreError
from tunixrt_core.util.actors import Actor, acting_as

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/_stcore/health"})


class Gate:
    """ASGI middleware. Without a token it still refuses unknown hosts and other origins, and adds the headers.

    `tokens` reads the access tokens of users, `oidc` knows providers that sign them in.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        hosts: Iterable[str],
        tokens: Tokens = tuple,
        oidc: Oidc | None = None,
        any_ip: bool = False,
        open_metrics: bool = False,
    ) -> None:
        self._app = app
        self._open = OPEN_PATHS | {"/metrics"} if open_metrics else OPEN_PATHS
        self._callers = Callers(token, tokens)
        self._oidc = oidc
        self._hosts = frozenset(hosts)
        self._any_ip = any_ip
        self._headers = encoded(page_headers())
        self._attempts = Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request = Request.of(scope)
        if len(request.hosts) != 1 or not self._knows(request.hosts[0]):
            await answers.refuse(request, send, 421, "unknown_host", answers.UNKNOWN_HOST)
        elif any(ord(letter) < 32 for letter in request.path):
            # a line end in an API address would make it look like a page of the dashboard
            await answers.refuse(request, send, 400, "bad_request", answers.CONTROL_CHARACTERS)
        elif ".." in request.path.split("/"):
            # httpx and browsers resolve these; what is left would leave the API for the pages
            await answers.refuse(request, send, 404, "not_found", answers.NOT_RESOLVED)
        elif not request.method and not request.same_origin:
            await answers.refuse(request, send, 403, "other_origin", answers.OTHER_ORIGIN)
        elif request.path in self._open and request.method in {"GET", "HEAD"}:
            await self._pass(request, Caller(ANYBODY, writes=False), receive, send)
        else:
            try:
                await self._known(request, receive, send)
            except StoreError as error:  # who has the server's own token is let in without the store
                await answers.refuse(request, send, 503, error.code, str(error))

    async def _known(self, request: Request, receive: Receive, send: Send) -> None:
        if caller := await self._callers.by_token(request.bearer):
            await self._pass(request, caller, receive, send)  # no browser sends this header by itself
        elif caller := self._callers.anybody or await self._callers.by_cookie(
            request.cookies.get(request.cookie_name, "")
        ):
            await self._signed(request, caller, receive, send)
        elif self._oidc and request.method == "GET" and request.path in PATHS:
            await self._signed(request, Caller(ANYBODY, writes=False), receive, send)
        elif identity := self._oidc and self._oidc.identity(request.cookies):
            await self._identified(request, identity, receive, send)
        else:
            await self._stranger(request, receive, send)

    async def _identified(self, request: Request, identity: Identity, receive: Receive, send: Send) -> None:
        if request.path == LOGOUT and not request.written_elsewhere:
            await answers.page(send, 200, go_on_page(SIGN_OUT), {})
        elif identity.caller is None:
            await answers.refuse(request, send, 403, "not_allowed", answers.NO_ROLE.format(identity.name))
        elif request.method == "GET" and request.path == "/" and (wanted := request.cookies.get(request.wanted_name)):
            await answers.page(send, 200, go_on_page(next_target(unquote(wanted))), _wanted(request, "", 0))
        else:
            await self._signed(request, identity.caller, receive, send)

    async def _signed(self, request: Request, caller: Caller, receive: Receive, send: Send) -> None:
        if request.written_elsewhere:
            await answers.refuse(request, send, 403, "other_origin", answers.OTHER_ORIGIN)
        elif request.method == "GET" and request.path == LOGOUT:
            await self._sign_out(request, send)
        elif request.method == "GET" and not request.api and (request.token or request.path == LOGIN):
            await self._welcome(request, caller, send, local_target(request.path, request.query))
        else:
            await self._pass(request, caller, receive, send)

    async def _stranger(self, request: Request, receive: Receive, send: Send) -> None:
        if request.path == LOGIN and request.method == "POST":
            await self._sign_in(request, receive, send)
        elif target := self._oidc and self._oidc.start(request.path.removeprefix(f"{LOGIN}/")):
            wanted = next_target(parse_qs(request.query).get("next", ["/"])[-1])
            await answers.page(send, 200, go_on_page(target), _wanted(request, wanted))
        elif request.bearer:
            await self._wrong(request, send)
        elif (given := request.token) is None:
            await self._refuse_unsigned(request, send, "token_required", answers.TOKEN_REQUIRED)
        elif (caller := await self._callers.by_token(given)) is None:
            await self._wrong(request, send)
        elif request.api:
            await self._pass(request, caller, receive, send)
        else:
            await self._welcome(request, caller, send, local_target(request.path, request.query))

    async def _pass(self, request: Request, caller: Caller, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                have = {name.lower() for name, _ in message["headers"]}
                extra = [pair for pair in self._headers if pair[0] not in have]
                if request.api and b"cache-control" not in have:
                    extra.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        if not request.method:
            session = _Session(self._callers, caller, receive, send)
            receive, send = session.receive, session.send
        with acting_as(Actor(caller.name, "API" if request.api else "page", caller.writes, request.client)):
            await self._app(_scope_of(request, caller), receive, with_headers)

    async def _sign_in(self, request: Request, receive: Receive, send: Send) -> None:
        body = await answers.small_body(receive)
        if body is None:
            await answers.refuse(request, send, 413, "too_large", answers.LARGE_FORM)
            return
        form = parse_qs(body.decode("latin-1"))
        target = next_target(form.get("next", ["/"])[0])
        if request.written_elsewhere:
            await answers.refuse(request, send, 403, "other_origin", answers.OTHER_ORIGIN)
        elif caller := await self._callers.by_token(form.get("token", [""])[0].strip()):
            await self._welcome(request, caller, send, target)
        else:
            await self._wrong(request, send, target)

    async def _wrong(self, request: Request, send: Send, target: str | None = None) -> None:
        """Refuse a wrong token: logged with the address, and the later the more there were."""
        await self._attempts.wrong(request.client)
        await self._refuse_unsigned(request, send, "wrong_token", answers.WRONG_TOKEN, target)

    async def _refuse_unsigned(
        self, request: Request, send: Send, code: str, text: str, target: str | None = None
    ) -> None:
        """A sign-in page for a browser, words for a program."""
        if not (request.method and request.wants_page):
            await answers.refuse(request, send, 401, code, text)
            return
        problem = text if code == "wrong_token" else ""
        providers = self._oidc.providers if self._oidc else {}
        page = sign_in_page(target or local_target(request.path, request.query), problem, providers)
        await answers.page(send, 401, page, answers.ASK_TOKEN)

    async def _welcome(self, request: Request, caller: Caller, send: Send, target: str) -> None:
        self._attempts.right(request.client)
        headers = {} if self._callers.anybody else _cookie(request, self._callers.cookie(caller))
        await answers.page(send, 200, go_on_page(target), headers)

    async def _sign_out(self, request: Request, send: Send) -> None:
        await answers.page(send, 200, go_on_page("/"), _cookie(request, "", "; Max-Age=0"))

    def _knows(self, host: str) -> bool:
        name = without_port(host)
        return name in self._hosts or (self._any_ip and is_ip(name))


class _Session:
    """The WebSocket of somebody whose token may be revoked meanwhile, which ends it."""

    def __init__(self, callers: Callers, caller: Caller, receive: Receive, send: Send) -> None:
        self._callers = callers
        self._caller = caller
        self._receive = receive
        self._send = send
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive" and not await self._callers.still(self._caller):
            self._ended = True
            await self._send({"type": "websocket.close", "code": answers.CLOSE_POLICY, "reason": answers.REVOKED})
            return {"type": "websocket.disconnect", "code": answers.CLOSE_POLICY}
        return message

    async def send(self, message: Message) -> None:
        if not self._ended:
            await self._send(message)


def _scope_of(request: Request, caller: Caller) -> Scope:
    """The scope with the caller, whom a browser cannot name itself."""
    headers = [pair for pair in request.scope["headers"] if pair[0].lower() != HEADER.encode()]
    if request.same_origin:
        # Checked here, by the host that the browser used. Streamlit would query a server on the internet for this
        # machine's address before it accepted an origin other than localhost.
        headers = [pair for pair in headers if pair[0].lower() != b"origin"]
    if not request.method:
        headers.append((HEADER.encode(), to_header(caller.name, caller.writes, request.client).encode()))
    return {**request.scope, "headers": headers}


def _cookie(request: Request, value: str, more: str = "") -> dict[str, str]:
    return {"set-cookie": f"{request.cookie_name}={value}; Path=/; HttpOnly; SameSite=Strict{_secure(request)}{more}"}


def _wanted(request: Request, target: str, seconds: int = 600) -> dict[str, str]:
    """A cookie that comes back from the provider, which sends everybody to `/`; a strict one would be held back."""
    value = f"{request.wanted_name}={quote(target, safe='')}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}"
    return {"set-cookie": value + _secure(request)}


def _secure(request: Request) -> str:
    return "; Secure" if request.scope.get("scheme") == "https" else ""
