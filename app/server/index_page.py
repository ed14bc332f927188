"""Streamlit's index.html with our title, icon and first script."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.ui.navigation import PAGES

_CHANGES = (
    ("<title>Streamlit</title>", "<title>Tunix RT</title>"),
    ('href="./favicon.png"', 'href="/app/static/favicon.png"'),
    # before Streamlit's own scripts, which are modules and so wait for the whole document
    ('<meta charset="UTF-8" />', '<meta charset="UTF-8" />\n    <script src="/app/static/before.js"></script>'),
)


@cache
def index_page() -> str:
    """The document. Raises ValueError if the installed Streamlit's document lacks an expected part."""
    text = (files("streamlit") / "static" / "index.html").read_text(encoding="utf-8")
    for old, new in _CHANGES:
        if old not in text:
            raise ValueError(f"Streamlit's index.html has no {old}")
        text = text.replace(old, new, 1)
    return text


def page_routes() -> list[Route]:
    """One route per page of the menu. Streamlit answers all other addresses with its own "not found" page."""
    paths = ["/", *(f"/{spec.key}" for spec in PAGES)]
    led = ["/compare", "/runs"]
    return [Route(path, page, methods=["GET"]) for page, all in ((_index, paths), (_to_runs, led)) for path in all]


_ALONG = {"Train step": "step", "Tokens": "tokens", "Time": "time"}


async def _to_runs(request: Request) -> Response:
    """The page of comparisons became a part of the list of runs; links to it stay valid. People type `/runs`."""
    query = {name: value for name, value in request.query_params.items() if name in ("runs", "log")}
    if along := _ALONG.get(request.query_params.get("along", "")):
        query["x"] = along
    if request.query_params.get("raw") == "true":
        query["smoothing"] = "0"
    return RedirectResponse(f"run?{urlencode(query, safe=',')}" if query else "run")


async def _index(request: Request) -> Response:
    return HTMLResponse(index_page(), headers={"cache-control": "no-cache"})
