"""The reader of model text, mounted on a page."""

from __future__ import annotations

from collections.abc import Callable

from app.component.element import element
from app.ui.reading.values import Reading


def show_reading(
    reading: Reading,
    label: str,
    *,
    key: str,
    step_button: str | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> None:
    """A text of at most some thousand characters; `label` names it for a screen reader. A stored trace has a route.

    `step_button` puts a button of that name at each step. A click sets the value `step` of the element to the number
    of the step, from 0, and calls `on_step`.
    """
    element("reader", key=key, reading=reading, label=label, step_button=step_button, on_step_change=on_step)
