"""The reader of model text, mounted on a page."""

from __future__ import annotations

from app.component.element import element
from app.ui.reading import Reading


def show_reading(reading: Reading, label: str, *, key: str) -> None:
    """A text of at most some thousand characters; `label` names it for a screen reader. A stored trace has a route."""
    element("reader", key=key, reading=reading, label=label)
