"""Ctrl-K: go to a page, run, dataset, trace or setting. `?`: the map of keys."""

from __future__ import annotations

from app.component.element import element
from app.ui.navigation import sections

KEYS = (
    ("Ctrl K", "Go to a page, run, dataset, trace or setting (⌘ K on a Mac)"),
    ("?", "This map"),
    ("Esc", "Close"),
    ("↑, ↓, Enter", "In a list: move, and open"),
    ("Space", "Runs: select for the charts"),
    ("J, K", "Traces: read the next or the previous one"),
    ("G, U, B", "Traces: judge good, unsure, bad"),
    ("N, P", "Traces: judge the next or the previous step"),
)


def show_palette(*, tunix: bool) -> None:
    """Listen on every page; until then the page does not show it."""
    pages = [
        {
            "kind": "page",
            "name": spec.title,
            "detail": section,
            "address": "/" if spec.key == "overview" else f"/{spec.key}",
        }
        for section, specs in sections(tunix=tunix).items()
        for spec in specs
    ]
    element("palette", key="palette", pages=pages, url="/api/places", keys=[list(pair) for pair in KEYS])
