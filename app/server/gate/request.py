"""The parts of a request that the gate checks, and the host names that it knows."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.types import Scope

from app.server.ports import is_any
from tunixrt_core.settings import Settings

LOGIN, LOGOUT = "/login", "/logout"
SIGN_OUT = frozenset({LOGOUT, "/auth/logout"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request or the opening of a WebSocket, whose `method` is empty."""

    scope: Scope
    method: str
    path: str
    query: str
    headers: dict[str, str]
    hosts: tuple[str, ...]

    @classmethod
    def of(cls, scope: Scope) -> Request:
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
        return (self.method not in _SAFE or self.path in SIGN_OUT) and not (
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

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by name; of a name that is sent twice, the last one."""
        pairs = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in pairs}

    @property
    def cookie_name(self) -> str:
        """The name of the session's cookie."""
        # cookies ignore ports: two servers on one machine must not sign each other out
        return f"tunixrt_{(self.scope.get('server') or ('', 0))[1]}"

    @property
    def wanted_name(self) -> str:
        """The name of the cookie with the address that somebody wanted who is at a provider to sign in."""
        return f"{self.cookie_name}_wanted"


def known_hosts(settings: Settings) -> frozenset[str]:
    """The host names that the dashboard answers to: this machine's own, the one it listens on, and those allowed."""
    listening = () if is_any(settings.host) else (without_port(_bracketed(settings.host.lower())),)
    return frozenset({"localhost", "127.0.0.1", "[::1]", *listening, *settings.allowed_hosts})


def without_port(host: str) -> str:
    """The name in a Host header, or all of it where its port is no number."""
    name, _, rest = host.partition("]") if host.startswith("[") else ("", "", host)
    before, colon, port = rest.partition(":")
    if colon and port and not (port.isascii() and port.isdigit()):
        return host  # no port: no name that is known
    if name:
        return host if before else f"{name}]"
    return before.rstrip(".")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
