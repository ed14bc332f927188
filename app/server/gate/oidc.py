"""Sign-in by an OpenID provider: Streamlit's own routes, and roles by claims."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from streamlit.auth_util import encode_provider_token, get_cookie_with_chunks
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from app.server.gate.callers import Caller
from tunixrt_core.errors import InvalidSettings
from tunixrt_core.settings import Settings

CALLBACK, SIGN_OUT = "/oauth2callback", "/auth/logout"
PATHS = frozenset({"/auth/login", SIGN_OUT, CALLBACK})
SESSION_SECONDS = 12 * 3600  # after which the provider is asked again, who may have removed the user or a group
_DEFAULT = "default"  # Streamlit's name of a provider without one


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider has signed in. `caller` is None for who has no role here."""

    name: str
    caller: Caller | None


@dataclass(frozen=True, slots=True)
class Oidc:
    """The providers, by the name that Streamlit knows and the one to show, and who gets which role."""

    providers: Mapping[str, str]
    origin: str  # of this server, as its users write it
    read: tuple[str, ...]
    write: tuple[str, ...]

    def start(self, provider: str) -> str | None:
        """The address that leads to a provider; None where there is none of this name."""
        return f"/auth/login?provider={encode_provider_token(provider)}" if provider in self.providers else None

    def identity(self, cookies: Mapping[str, str]) -> Identity | None:
        """Whom these cookies name; None for cookies that were not made here, or are too old."""
        found = get_cookie_with_chunks(lambda name: _unsigned(name, cookies.get(name)), USER_COOKIE_NAME)
        if found is None:
            return None
        claims = json.loads(found)
        until = float(claims.get("iat", 0)) + SESSION_SECONDS
        if claims.get("origin") != self.origin or not claims.get("is_logged_in") or time.time() > until:
            return None
        email = claims.get("email", "") if claims.get("email_verified") is True else ""
        name = str(email or claims.get("preferred_username") or claims.get("sub") or "unknown")
        writes = _matches(self.write, claims)
        known = writes or _matches(self.read, claims)
        return Identity(name, Caller(name, writes, until=until) if known else None)


def _unsigned(name: str, value: str | None) -> bytes | None:
    return None if value is None else decode_signed_value(get_cookie_secret(), name, value.encode("latin-1"))


def _matches(rules: Iterable[str], claims: Mapping[str, Any]) -> bool:
    return any(_matches_one(rule, claims) for rule in rules)


def _matches_one(rule: str, claims: Mapping[str, Any]) -> bool:
    """`*`, `claim=value`, `ana@example.org` or `@example.org`; an address counts if the provider has verified it."""
    if rule == "*":
        return True
    claim, sign, value = rule.partition("=")
    if sign:
        given = claims.get(claim)
        return value in map(str, given if isinstance(given, list) else [given])
    if claims.get("email_verified") is not True:
        return False
    email = str(claims.get("email", "")).lower()
    return email.endswith(rule) if rule.startswith("@") else email == rule


def oidc_of(settings: Settings, token: str) -> tuple[Oidc | None, dict[str, Any]]:
    """The providers of the settings, or of Streamlit's secrets.toml, with what Streamlit must know besides that file.

    None without one. Raises InvalidSettings where something is missing.
    """
    given: dict[str, Any] = {}
    if settings.oidc_issuer:
        given = {"auth": _section(settings, token)}
    section = given.get("auth") or _of_file()
    if not section:
        if settings.oidc_read or settings.oidc_write:
            raise InvalidSettings(
                "TUNIXRT_OIDC_READ, TUNIXRT_OIDC_WRITE: there is no provider. Set TUNIXRT_OIDC_ISSUER."
            )
        return None, {}
    if not (settings.oidc_read or settings.oidc_write):
        raise InvalidSettings("TUNIXRT_OIDC_READ: nobody has a role. Name who may read, or who may write.")
    if find_spec("authlib") is None:
        raise InvalidSettings("TUNIXRT_OIDC_ISSUER: Authlib is not installed. Run: pip install 'tunix-rt[oidc]'")
    place = urlsplit(str(section.get("redirect_uri", "")).replace("{port}", str(settings.port)))
    if place.path != CALLBACK:
        raise InvalidSettings(f"secrets.toml: redirect_uri must end with {CALLBACK}.")
    origin = f"{place.scheme}://{place.netloc}"
    return Oidc(_providers(section), origin, settings.oidc_read, settings.oidc_write), given


def _section(settings: Settings, token: str) -> dict[str, Any]:
    issuer = str(settings.oidc_issuer).rstrip("/")
    well_known = "/.well-known/openid-configuration"
    return {
        "redirect_uri": f"{settings.url}{CALLBACK}",
        "cookie_secret": hmac.new(token.encode(), b"tunixrt openid", hashlib.sha256).hexdigest(),
        "client_id": settings.oidc_client_id,
        "client_secret": settings.oidc_client_secret,
        "server_metadata_url": issuer if issuer.endswith(well_known) else issuer + well_known,
    }


def _of_file() -> Mapping[str, Any]:
    """The section of secrets.toml, in `.streamlit` of the user's home or, before that, of the working directory.

    Read without Streamlit, which would read its other settings at once, before it has those of this server.
    """
    found: dict[str, Any] = {}
    for folder in (Path.home(), Path.cwd()):
        path = folder / ".streamlit" / "secrets.toml"
        try:
            found |= tomllib.loads(path.read_text()) if path.is_file() else {}
        except (OSError, ValueError) as error:
            raise InvalidSettings(f"{path}: {error}") from None
    section: Mapping[str, Any] = found.get("auth", {})
    return section


def _providers(section: Mapping[str, Any]) -> dict[str, str]:
    named = {name: name for name, value in section.items() if isinstance(value, Mapping) and "client_id" in value}
    if "client_id" in section:
        return {_DEFAULT: str(urlsplit(str(section.get("server_metadata_url", ""))).hostname), **named}
    return named
