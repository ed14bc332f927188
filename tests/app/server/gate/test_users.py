"""Users come in with tokens of their own until they are revoked, and the gate says who they are."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.server.gate import callers
from app.server.gate.gate import Gate
from app.server.gate.request import known_hosts
from app.visitor import HEADER
from tests.app.server.gate.test_gate import BASE, PAGE, TOKEN, sign_in
from tunixrt_core.errors import StoreError
from tunixrt_core.settings import Settings
from tunixrt_core.store.records.tokens import AccessToken, Role
from tunixrt_core.util.actors import current_actor

ANA, BEN = "trt_the-token-of-ana", "trt_the-token-of-ben"


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers who it is told that asks; a WebSocket answers each message so."""
    actor = current_actor()
    named = dict(scope["headers"]).get(HEADER.encode(), b"").decode()
    body = json.dumps([actor.name, actor.via, actor.writes, actor.address, unquote(named)])
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await receive()
        while (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": body})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body.encode()})


class Users:
    """Two of them; `tokens` is what the store would answer."""

    def __init__(self) -> None:
        self.tokens = [user("ana", "read", ANA), user("ben", "write", BEN)]
        self.broken = False

    def __call__(self) -> list[AccessToken]:
        if self.broken:
            raise StoreError("The database is away.")
        return self.tokens

    def client(self) -> TestClient:
        gate = Gate(told, token=TOKEN, tokens=self, hosts=known_hosts(Settings.from_env({})))
        return TestClient(gate, base_url=BASE)


def user(name: str, role: Role, token: str) -> AccessToken:
    return AccessToken(name, role, sha256(token.encode()).hexdigest(), datetime.now(UTC), "root")


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> Users:
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0.0)
    return Users()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_the_api_is_told_who_asks_and_what_they_may(users: Users) -> None:
    visitor = users.client()
    assert visitor.get("/api/x", headers=bearer(ANA)).json()[:4] == ["ana", "API", False, "testclient"]
    assert visitor.get(f"/api/x?token={BEN}").json()[:3] == ["ben", "API", True]
    assert visitor.get("/api/x", headers=bearer(TOKEN)).json()[:3] == ["access token", "API", True]
    assert visitor.get("/api/x", headers=bearer(ANA + "x")).status_code == 401


def test_a_page_is_told_by_a_header_that_a_browser_cannot_send(users: Users) -> None:
    visitor = users.client()
    assert sign_in(visitor, ANA)[0] == 200
    with visitor.websocket_connect(
        "ws://localhost:8501/_stcore/stream", headers={HEADER: '["root", true, ""]'}
    ) as page:
        page.send_text("rerun")
        name, via, writes, address, header = page.receive_json()
    assert (name, via, writes) == ("ana", "page", False)
    assert json.loads(header) == ["ana", False, address]
    assert visitor.get("/", headers={HEADER: '["root", true, ""]'}).json()[4] == ""


def test_the_cookie_of_a_user_holds_no_token_and_cannot_be_made_from_the_store(users: Users) -> None:
    visitor = users.client()
    sign_in(visitor, ANA)
    value = visitor.cookies["tunixrt_8501"].strip('"')
    assert ANA not in value
    for wrong in ("ana:", f"ana:{users.tokens[0].hash}", value.replace("ana:", "ben:"), value.removeprefix("ana:")):
        assert users.client().get("/", headers={"cookie": f"tunixrt_8501={wrong}"}).status_code == 401, wrong
    assert users.client().get("/", headers={"cookie": f"tunixrt_8501={value}"}).status_code == 200


def test_a_revoked_token_and_its_cookie_are_refused_and_its_open_page_ends(users: Users) -> None:
    visitor, other = users.client(), users.client()
    sign_in(visitor, ANA)
    sign_in(other, BEN)
    with visitor.websocket_connect("ws://localhost:8501/_stcore/stream") as page:
        page.send_text("rerun")
        assert page.receive_json()[0] == "ana"
        users.tokens = [user("ana", "write", "trt_a-later-one"), users.tokens[1]]
        page.send_text("rerun")
        with pytest.raises(WebSocketDisconnect) as ended:
            page.receive_json()
        assert "revoked" in ended.value.reason
    assert visitor.get("/", headers=PAGE).status_code == 401
    assert visitor.get("/api/x", headers=bearer(ANA)).status_code == 401
    assert other.get("/").status_code == 200


def test_users_are_read_again_after_a_few_seconds_only(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0.4)
    visitor = users.client()
    assert visitor.get("/api/x", headers=bearer(ANA)).status_code == 200
    users.tokens = []
    assert visitor.get("/api/x", headers=bearer(ANA)).status_code == 200
    time.sleep(0.5)
    assert visitor.get("/api/x", headers=bearer(ANA)).status_code == 401


def test_a_new_token_is_known_at_once(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "FRESH_SECONDS", 60.0)
    visitor = users.client()
    assert visitor.get("/api/x", headers=bearer(ANA)).status_code == 200
    users.tokens = [*users.tokens, user("eve", "read", "trt_the-token-of-eve")]
    assert visitor.get("/api/x", headers=bearer("trt_the-token-of-eve")).status_code == 200


def test_without_the_store_the_servers_own_token_still_opens_it(users: Users) -> None:
    users.broken = True
    visitor = users.client()
    refused = visitor.get("/api/x", headers=bearer(ANA))
    assert (refused.status_code, refused.json()["error"]["message"]) == (503, "The database is away.")
    assert visitor.get("/api/x", headers=bearer(TOKEN)).status_code == 200


def test_signing_out_forgets_the_cookie(users: Users) -> None:
    visitor = users.client()
    sign_in(visitor, ANA)
    assert visitor.get("/logout", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert visitor.get("/").status_code == 200
    assert "url=/" in visitor.get("/logout").text
    assert visitor.get("/", headers=PAGE).status_code == 401
