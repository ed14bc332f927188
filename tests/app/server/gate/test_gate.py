"""The gate lets in who shows the token, from a known host and the same origin, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.server.gate.gate import Gate
from app.server.gate.request import known_hosts
from tunixrt_core.settings import Settings

TOKEN = "a-token-of-this-server"
BASE = "http://localhost:8501"
PAGE = {"accept": "text/html"}
BEARER = {"authorization": f"Bearer {TOKEN}"}


async def dummy(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everything, and tells which headers it was given."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})
        return
    body = json.dumps({key.decode(): value.decode() for key, value in scope["headers"]}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


def client(
    token: str | None = TOKEN,
    *,
    hosts: Iterable[str] = known_hosts(Settings.from_env({})),
    any_ip: bool = False,
    base: str = BASE,
) -> TestClient:
    return TestClient(Gate(dummy, token=token, hosts=hosts, any_ip=any_ip), base_url=base)


def signed_in() -> TestClient:
    visitor = client()
    assert visitor.get(f"/?token={TOKEN}").status_code == 200
    return visitor


def opens(visitor: TestClient, path: str = "/_stcore/stream", **headers: str) -> bool:
    try:
        with visitor.websocket_connect(f"ws://localhost:8501{path}", headers=headers):
            return True
    except WebSocketDisconnect:
        return False


@pytest.mark.parametrize("path", ["/", "/traces", "/login", "/static/app.js"])
def test_a_browser_without_the_token_meets_the_sign_in_page(path: str) -> None:
    answer = client().get(path, headers=PAGE)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "<form" in answer.text


@pytest.mark.parametrize("path", ["/api/traces", "/api", "/_stcore/host-config", "/media/x.png"])
def test_a_program_without_the_token_gets_json(path: str) -> None:
    answer = client().get(path)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "token_required"


@pytest.mark.parametrize("path", ["/healthz", "/_stcore/health"])
def test_the_health_checks_are_open_for_reading_only(path: str) -> None:
    assert client().get(path).status_code == 200
    assert client().post(path).status_code == 401


def test_a_token_in_the_address_sets_a_cookie_and_is_taken_out_of_the_address() -> None:
    visitor = client()
    answer = visitor.get(f"/traces?model=m3&token={TOKEN}&q=a%20b")
    assert answer.status_code == 200
    assert "url=/traces?model=m3&amp;q=a+b" in answer.text
    assert TOKEN not in answer.text
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("tunixrt_8501=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert visitor.get("/traces").status_code == 200


def test_the_cookie_is_for_the_secure_scheme_only_where_the_server_has_it() -> None:
    assert "Secure" in client(base="https://localhost:8501").get(f"/?token={TOKEN}").headers["set-cookie"]


@pytest.mark.parametrize("given", ["wrong", "", "%C3%A9", TOKEN + "x", TOKEN[:-1]])
def test_a_wrong_token_is_refused_and_the_page_says_so(given: str) -> None:
    answer = client().get(f"/?token={given}", headers=PAGE)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("value", ["wrong", "tunixrt", "é".encode().decode("latin-1")])
def test_a_wrong_cookie_or_header_is_refused(value: str) -> None:
    assert client().get("/", headers={"cookie": f"tunixrt_8501={value}".encode("latin-1")}).status_code == 401
    assert client().get("/", headers={"authorization": f"Bearer {value}".encode("latin-1")}).status_code == 401
    assert client().get("/", headers={"authorization": f"Basic {TOKEN}"}).status_code == 401


def test_the_bearer_header_passes_without_a_cookie_and_from_anywhere() -> None:
    answer = client().post("/api/traces", headers={**BEARER, "origin": "http://elsewhere.example"})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


def test_the_api_takes_the_token_in_the_address_for_reading_only() -> None:
    answer = client().get(f"/api/traces?token={TOKEN}")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert client().post(f"/api/traces?token={TOKEN}").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:9999"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_another_sites_page_cannot_write_with_the_users_cookie(method: str, headers: dict[str, str]) -> None:
    assert signed_in().request(method, "/api/traces", headers=headers).status_code == 403
    assert client(token=None).request(method, "/api/traces", headers=headers).status_code == 403


def test_our_own_pages_write_and_upload() -> None:
    headers = {"origin": BASE, "sec-fetch-site": "same-origin"}
    assert signed_in().put("/_stcore/upload_file/1", headers=headers).status_code == 200
    assert signed_in().post("/api/traces").status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "[::1].evil.example",
        "localhost:evil",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.5",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/api/traces"])
def test_an_unknown_host_name_is_refused_everywhere(host: str, path: str) -> None:
    assert client().get(path, headers={**BEARER, "host": host}).status_code == 421
    assert not opens(client(), **BEARER, host=host)


def test_an_address_with_control_characters_is_refused() -> None:
    answer = client().get("/api/traces%0A", headers=BEARER)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8501", "localhost.", "127.0.0.1:1", "[::1]:8501"])
def test_this_machines_own_names_are_known(host: str) -> None:
    assert client().get("/", headers={**BEARER, "host": host}).status_code == 200


def test_allowed_names_and_the_address_that_is_listened_on_are_known() -> None:
    settings = Settings.from_env({"TUNIXRT_HOST": "10.0.0.5", "TUNIXRT_ALLOWED_HOSTS": "tpu.lan, other.lan"})
    visitor = client(hosts=known_hosts(settings))
    for host in ("10.0.0.5:8501", "tpu.lan", "Other.lan:80"):
        assert visitor.get("/", headers={**BEARER, "host": host}).status_code == 200
    assert visitor.get("/", headers={**BEARER, "host": "10.0.0.6"}).status_code == 421


def test_behind_a_token_any_ip_address_is_known_but_no_name() -> None:
    visitor = client(any_ip=True, hosts=known_hosts(Settings.from_env({"TUNIXRT_HOST": "0.0.0.0"})))
    for host in ("10.1.2.3:8501", "[fe80::1]:8501"):
        assert visitor.get("/", headers={**BEARER, "host": host}).status_code == 200
    assert visitor.get("/", headers={**BEARER, "host": "evil.example"}).status_code == 421


def test_the_websocket_opens_with_cookie_or_header_from_the_same_origin_only() -> None:
    assert opens(signed_in())
    assert opens(signed_in(), origin=BASE)
    assert opens(client(), **BEARER)
    assert not opens(client())
    assert not opens(client(), f"/_stcore/stream?token={TOKEN}")
    assert not opens(client(), cookie="tunixrt_8501=wrong")
    for origin in ("http://evil.example", "http://localhost:9999", "null"):
        assert not opens(signed_in(), origin=origin)
        assert not opens(client(token=None), origin=origin)


def test_a_checked_origin_is_not_passed_on() -> None:
    # Streamlit would look up this machine's address on the internet to check it once more
    assert "origin" not in signed_in().get("/", headers={"origin": BASE}).json()


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("//evil.example/", "/evil.example/"),
        ("/\\evil.example/", "/evil.example/"),
        ("/login", "/"),
        ("/a%20b%22", "/a%20b%22"),
    ],
)
def test_signing_in_by_address_never_leads_to_another_host(path: str, target: str) -> None:
    answer = client().get(f"{BASE}{path}?token={TOKEN}")
    assert f'content="0; url={target}"' in answer.text


def sign_in(visitor: TestClient, token: str, target: str = "/", **headers: str) -> tuple[int, str]:
    answer = visitor.post("/login", data={"token": token, "next": target}, headers={**PAGE, **headers})
    return answer.status_code, answer.text


def test_the_form_signs_in_and_leads_to_the_page_that_was_asked_for() -> None:
    visitor = client()
    assert 'value="/traces?q=a+b"' in visitor.get("/traces?q=a%20b", headers=PAGE).text
    status, text = sign_in(visitor, f" {TOKEN} ", "/traces?q=a+b")
    assert status == 200
    assert "url=/traces?q=a+b" in text
    assert visitor.get("/").status_code == 200


def test_the_form_keeps_the_page_after_a_wrong_token() -> None:
    status, text = sign_in(client(), "wrong", "/a%20b?q=1")
    assert status == 401
    assert 'value="/a%20b?q=1"' in text


@pytest.mark.parametrize("target", ["//evil.example", "http://evil.example", "\\\\evil.example", "http://[", '/"><x>'])
def test_the_form_leads_nowhere_else(target: str) -> None:
    status, text = sign_in(client(), TOKEN, target)
    assert status == 200
    place = text.partition("url=")[2].partition('"')[0]
    assert place.startswith("/")
    assert not place.startswith(("//", "/\\"))
    assert "<x>" not in text


def test_the_form_refuses_other_sites_and_large_bodies() -> None:
    assert sign_in(client(), TOKEN, origin="http://evil.example")[0] == 403
    assert sign_in(client(), "x" * 5000)[0] == 413


def test_who_is_signed_in_is_led_on_from_the_sign_in_page_and_from_old_links() -> None:
    assert "url=/" in signed_in().get("/login").text
    assert "url=/traces" in signed_in().get("/traces?token=an-old-one").text


def test_without_a_token_pages_are_open_and_hosts_still_checked() -> None:
    visitor = client(token=None)
    assert visitor.get("/").status_code == 200
    assert visitor.post("/api/traces").status_code == 200
    assert opens(visitor)
    assert visitor.get("/", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("path", ["/", "/api/x", "/healthz"])
@pytest.mark.parametrize("headers", [{}, BEARER, {"host": "evil.example"}, PAGE])
def test_every_answer_carries_the_security_headers(path: str, headers: dict[str, str]) -> None:
    answer = client().get(path, headers=headers)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"


def test_the_policy_names_streamlits_own_script_and_no_other_inline_ones() -> None:
    policy = client().get("/", headers=BEARER).headers["content-security-policy"]
    scripts = policy.partition("script-src ")[2].partition(";")[0]
    assert "'sha256-" in scripts
    assert "unsafe" not in scripts


def test_answers_of_the_api_are_not_kept_by_caches() -> None:
    assert client().get("/api/traces", headers=BEARER).headers["cache-control"] == "no-store"
