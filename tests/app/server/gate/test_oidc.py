"""An OpenID provider signs users in, their claims give a role, and the API keeps its tokens."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from app.server.gate import oidc
from app.server.gate.oidc import SESSION_SECONDS, Oidc, oidc_of
from tests.helpers.servers import Server, free_port, start_server
from tunixrt_core.errors import InvalidSettings
from tunixrt_core.settings import Settings

HTML = {"accept": "text/html"}
ORIGIN = "http://localhost:8501"
ANA = {"sub": "1", "email": "Ana@Example.org", "email_verified": True, "groups": ["ml", "staff"]}
PROVIDER = {
    "TUNIXRT_OIDC_ISSUER": "https://id.example.org/realm/",
    "TUNIXRT_OIDC_CLIENT_ID": "tunixrt",
    "TUNIXRT_OIDC_CLIENT_SECRET": "s3cret-of-the-client",
}


def cookies(monkeypatch: pytest.MonkeyPatch, secret: str = "own", **changes: Any) -> dict[str, str]:
    """As Streamlit signs them in its callback."""
    monkeypatch.setattr(oidc, "get_cookie_secret", lambda: "own")
    claims = {**ANA, "iat": time.time(), "origin": ORIGIN, "is_logged_in": True, "provider": "default", **changes}
    return {USER_COOKIE_NAME: create_signed_value(secret, USER_COOKIE_NAME, json.dumps(claims)).decode()}


@pytest.mark.parametrize(
    ("write", "read", "claims", "role"),
    [
        ("ana@example.org", "", {}, "write"),
        ("", "@example.org", {}, "read"),
        ("", "*", {"email_verified": None}, "read"),
        ("groups=ml", "", {"email_verified": False}, "write"),
        ("groups=m", "preferred_username=ana", {"preferred_username": "ana"}, "read"),
        ("@example.org", "", {"email_verified": False}, None),
        ("@ample.org", "", {}, None),
        ("ben@example.org", "", {}, None),
        ("groups=ML", "", {}, None),
    ],
)
def test_a_role_follows_from_verified_addresses_and_claims(
    monkeypatch: pytest.MonkeyPatch, write: str, read: str, claims: dict[str, Any], role: str | None
) -> None:
    settings = Settings.from_env({"TUNIXRT_OIDC_WRITE": write, "TUNIXRT_OIDC_READ": read})
    known = Oidc({"default": "id"}, ORIGIN, settings.oidc_read, settings.oidc_write)
    found = known.identity(cookies(monkeypatch, **claims))
    assert found is not None
    assert (found.caller and ("write" if found.caller.writes else "read")) == role


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "another"},
        {"iat": time.time() - SESSION_SECONDS - 60},
        {"origin": "http://localhost:9999"},
        {"is_logged_in": False},
    ],
)
def test_a_cookie_that_was_not_made_here_or_is_old_names_nobody(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    known = Oidc({"default": "id"}, ORIGIN, ("*",), ())
    assert known.identity(cookies(monkeypatch)) is not None
    assert known.identity(cookies(monkeypatch, **changes)) is None


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TUNIXRT_OIDC_ISSUER": "https://id"}, "TUNIXRT_OIDC_CLIENT_ID is missing"),
        ({**PROVIDER, "TUNIXRT_OIDC_ISSUER": "http://id.example.org"}, "no https address"),
        ({**PROVIDER, "TUNIXRT_OIDC_READ": "ana"}, "'ana' is no address"),
        ({**PROVIDER, "TUNIXRT_URL": "tunix.example.org"}, "no address of a server"),
        (PROVIDER, "nobody has a role"),
        ({"TUNIXRT_OIDC_READ": "*"}, "there is no provider"),
    ],
)
def test_what_is_missing_in_the_settings_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidSettings, match=named):
        oidc_of(Settings.from_env(environ), "token")


def test_the_variables_become_what_streamlit_reads() -> None:
    pytest.importorskip("authlib")
    environ = {**PROVIDER, "TUNIXRT_OIDC_READ": "*", "TUNIXRT_URL": "https://tunix.example.org/"}
    known, secrets = oidc_of(Settings.from_env(environ), "token")
    assert known is not None
    assert (dict(known.providers), known.origin) == ({"default": "id.example.org"}, "https://tunix.example.org")
    assert secrets["auth"]["redirect_uri"] == "https://tunix.example.org/oauth2callback"
    assert secrets["auth"]["server_metadata_url"] == "https://id.example.org/realm/.well-known/openid-configuration"
    assert secrets["auth"]["cookie_secret"] != oidc_of(Settings.from_env(environ), "other")[1]["auth"]["cookie_secret"]


def test_a_secrets_file_may_name_several_providers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("authlib")
    folder = tmp_path / ".streamlit"
    folder.mkdir()
    (folder / "secrets.toml").write_text(
        '[auth]\nredirect_uri = "http://localhost:{port}/oauth2callback"\ncookie_secret = "x"\n'
        '[auth.google]\nclient_id = "a"\n[auth.okta]\nclient_id = "b"\n'
    )
    monkeypatch.chdir(tmp_path)
    known, secrets = oidc_of(Settings.from_env({"TUNIXRT_OIDC_READ": "*", "TUNIXRT_PORT": "9000"}), "token")
    assert known is not None
    assert (list(known.providers), known.origin, secrets) == (["google", "okta"], "http://localhost:9000", {})


# --- a real provider -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider() -> Iterator[Any]:
    """A real OpenID provider on this machine, which believes any name."""
    mock = pytest.importorskip("oidc_provider_mock")
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # http, on this machine
    with mock.run_server_in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def server(provider: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    started = start_server(
        tmp_path_factory.mktemp("oidc") / "home",
        *("--oidc-issuer", f"http://localhost:{provider.server_port}", "--oidc-client-id", "tunixrt"),
        *("--oidc-client-secret", "s3cret-of-the-client", "--url", f"http://localhost:{port}"),
        *("--oidc-write", "ana@example.org", "--oidc-read", "groups=staff"),
        port=port,
    )
    yield started
    started.end(within=60)


def sign_in(server: Server, provider: Any, user: str, *, to: str = "/", **claims: Any) -> httpx.Client:
    """A browser's way: the page that was wanted, sign-in page, provider, callback, dashboard."""
    url = f"http://localhost:{server.port}"
    issuer = f"http://localhost:{provider.server_port}"
    assert httpx.put(f"{issuer}/users/{user}", json=claims).status_code == 204
    visitor = httpx.Client(base_url=url, timeout=60, headers=HTML)
    page = visitor.get(to).text
    assert "Sign in with localhost" in page
    link = re.search(r'href="(/login/[^"]+)"', page)
    assert link is not None
    place = re.search(r"url=([^\"]+)", visitor.get(link[1]).text)
    assert place is not None
    to_provider = visitor.get(place[1].replace("&amp;", "&"))
    assert to_provider.status_code == 302, to_provider.text
    asked = parse_qs(urlsplit(to_provider.headers["location"]).query)
    assert asked["redirect_uri"] == [f"{url}/oauth2callback"]
    agreed = httpx.post(to_provider.headers["location"], data={"sub": user})
    back = visitor.get(agreed.headers["location"])
    assert (back.status_code, back.headers["location"]) == (302, "/")
    return visitor


@pytest.mark.long
@pytest.mark.timeout(180)
def test_users_of_a_provider_come_in_with_their_role_and_out_again(server: Server, provider: Any) -> None:
    trace = {"prompt": "1 + 1?", "steps": ["two"], "final_answer": "2"}
    ana = sign_in(server, provider, "ana", to="/traces?source=a%26b", email="ana@example.org", email_verified=True)
    with closing(ana):
        assert "url=/traces?source=a%26b" in ana.get("/").text
        assert '<div id="root">' in ana.get("/").text
        assert '<div id="root">' in ana.get("/traces").text
        assert ana.get("/api/me").json() == {"name": "ana@example.org", "role": "write"}
        assert ana.post("/api/traces", json=trace).status_code == 201
        assert ana.post("/api/traces", json=trace, headers={"origin": "http://evil.example"}).status_code == 403
        (entry,) = ana.get("/api/audit").json()["entries"]
        assert (entry["who"], entry["action"]) == ("ana@example.org", "import")
        out = ana.get("/logout").text
        assert "url=/auth/logout" in out
        ana.get("/auth/logout")
        assert ana.get("/traces").status_code == 401
    with closing(sign_in(server, provider, "ben", email="ben@example.org", email_verified=True)) as ben:
        refused = ben.get("/traces")
        assert refused.status_code == 403
        assert "ben@example.org is signed in and has no role here" in refused.text
        assert ben.get("/api/me").json()["error"]["code"] == "not_allowed"
    token = {"authorization": f"Bearer {server.token}"}
    assert httpx.get(f"{server.url}/api/me", headers=token).json() == {"name": "access token", "role": "write"}
