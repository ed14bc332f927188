"""Answers of the gate itself: refusals, sign-in pages, redirects by page."""

from __future__ import annotations

import json

from starlette.types import Receive, Send

from app.server.gate.request import Request
from app.server.gate.signin import PAGE_CSP, refusal_page
from app.server.headers import encoded, page_headers

MAX_FORM_BYTES = 4096
ASK_TOKEN = {"www-authenticate": 'Bearer realm="Tunix RT"'}
CLOSE_POLICY = 1008

UNKNOWN_HOST = "The host name is not allowed. Start the server with --allow-host NAME to add it."
OTHER_ORIGIN = "The request comes from a page of another site. Send it from this server's own pages."
TOKEN_REQUIRED = (
    "The access token is missing or revoked. Reload the page to sign in, or send `Authorization: Bearer TOKEN`."
)
WRONG_TOKEN = "The access token is wrong or revoked. Use the one that the server printed at its start, or your own."
REVOKED = "Your access token was revoked. Sign in again."
NO_ROLE = "{} is signed in and has no role here. Ask for TUNIXRT_OIDC_READ or TUNIXRT_OIDC_WRITE to name you."
CONTROL_CHARACTERS = "The address contains control characters. Remove them."
NOT_RESOLVED = "The address contains `..`. Send it resolved."
LARGE_FORM = "The sign-in form is too large. Send only the token."


async def refuse(request: Request, send: Send, status: int, code: str, text: str) -> None:
    """Refuse a request: by words for a browser, by JSON, or by the end of a WebSocket that has not begun."""
    if not request.method:
        # before the handshake is accepted, the server answers this with 403
        await send({"type": "websocket.close", "code": CLOSE_POLICY, "reason": text})
        return
    headers = ASK_TOKEN if status == 401 else {}
    if status == 403 and request.wants_page:
        await page(send, status, refusal_page(text), headers)
        return
    from app.api.errors import error_body  # loads FastAPI, which no page needs

    body = json.dumps(error_body(code, text)).encode()
    await _answer(send, status, body, "application/json", headers)


async def page(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    """A page of the gate."""
    await _answer(send, status, body, "text/html; charset=utf-8", headers)


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


async def small_body(receive: Receive) -> bytes | None:
    """The request's body; None if it is too large for a sign-in form."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_FORM_BYTES:
            return None
        if not message.get("more_body"):
            return bytes(body)
