"""Sign-in and sign-out pages of the access gate."""

from __future__ import annotations

import html
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, unquote, urlencode

PAGE_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

_STYLE = """
:root { color-scheme: light dark; --page: #f4f6f9; --card: #fff; --text: #0b1220; --muted: #4a5568; --line: #dde2ea;
  --primary: #2456e6; --wrong: #c9271d }
@media (prefers-color-scheme: dark) { :root { --page: #0f1318; --card: #171c23; --text: #e3e8ef; --muted: #9aa5b4;
  --line: #29313c; --primary: #356ae6; --wrong: #ff7369 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--page); color: var(--text);
  font: 14px/1.5 Inter, system-ui, sans-serif }
main { width: min(25rem, 92vw); padding: 1.75rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px }
h1 { margin: 0; font-size: 1.5rem; font-weight: 650 }
p { margin: .25rem 0 1.25rem; color: var(--muted) }
p[role=alert] { color: var(--wrong) }
label { display: block; margin-bottom: .375rem; font-weight: 600 }
.button { display: block; margin-bottom: 1rem; text-align: center; text-decoration: none }
input, button, .button { width: 100%; padding: .5rem .75rem; border-radius: 6px; font: inherit }
input { border: 1px solid var(--line); background: var(--page); color: inherit }
button { margin-top: 1rem }
button, .button { border: 0; background: var(--primary); color: #fff; font-weight: 600; cursor: pointer }
:focus-visible { outline: 2px solid var(--primary); outline-offset: 2px }
"""


def sign_in_page(target: str, problem: str = "", providers: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """The form for the token, which then opens `target`. `providers`: others that sign in, by id, with their names."""
    alert = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    then = urlencode({"next": target})
    others = "".join(
        f'<a class="button" href="/login/{quote(name)}?{then}">Sign in with {html.escape(shown)}</a>'
        for name, shown in providers.items()
    )
    return _document(
        "Sign in · Tunix RT",
        f"""<main><h1>Tunix RT</h1>
<p>Paste the access token. The server printed it when it started; it is also in the file <code>token</code> of its
home.</p>{alert}{others}
<form method="post" action="/login"><input type="hidden" name="next" value="{html.escape(target)}">
<label for="token">Access token</label>
<input id="token" name="token" type="password" autocomplete="off" spellcheck="false" required autofocus>
<button>Sign in</button></form></main>""",
    )


def refusal_page(text: str) -> bytes:
    """A refusal in words, with the way out for who is signed in as somebody else."""
    return _document(
        "Not allowed · Tunix RT",
        f'<main><h1>Tunix RT</h1><p role="alert">{html.escape(text)}</p><a href="/logout">Sign out</a></main>',
    )


def go_on_page(target: str) -> bytes:
    """A page that opens `target` automatically.

    Not a redirect: in a chain of redirects that began on another site the browser may hold back a SameSite=Strict
    cookie, and a user who followed a link would see the sign-in page.
    """
    place = html.escape(target)
    refresh = f'<meta http-equiv="refresh" content="0; url={place}">'
    return _document("Tunix RT", f'<main><a href="{place}">Continue to Tunix RT</a></main>', refresh)


def next_target(text: str) -> str:
    """The address that a form or a cookie says to open next, on this server."""
    path, _, query = text.partition("?")
    return local_target(unquote(path), query)


def local_target(path: str, query: str = "") -> str:
    """An address on this server without the token, never one that a browser could read as another host."""
    rest = urlencode([(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "token"])
    place = "/" if path == "/login" else "/" + quote(path.lstrip("/\\"), safe="/")
    return f"{place}?{rest}" if rest else place


def _document(title: str, body: str, head: str = "") -> bytes:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{head}<style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>"
    ).encode()
