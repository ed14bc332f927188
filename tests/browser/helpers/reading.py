"""Gestures in the list of traces and in the reader, whose shadow roots Playwright's locators see through."""

from __future__ import annotations

from typing import Any

from tests.browser.helpers.visitor import Visitor


def items(visitor: Visitor) -> Any:
    return visitor.page.locator(".reader .item")


def rows(visitor: Visitor) -> Any:
    return visitor.page.locator(".list .row")


def reads(visitor: Visitor, text: str, timeout: float = 30_000) -> None:
    """Wait until the reader shows a text."""
    items(visitor).filter(has_text=text).first.wait_for(timeout=timeout)


def shown_trace(visitor: Visitor) -> str:
    """The first digits of the trace that the reader shows."""
    return str(visitor.page.locator(".reader .scroller").first.get_attribute("aria-label")).removeprefix("Trace ")


def shows_another(visitor: Visitor, before: str) -> str:
    """The trace that the reader shows once it is another one."""
    for _ in range(300):
        if (now := shown_trace(visitor)) != before:
            return now
        visitor.page.wait_for_timeout(100)
    raise AssertionError(f"the reader still shows {before}")


def frame_of(visitor: Visitor, selector: str) -> dict[str, float]:
    """Where an element is in the window."""
    box = visitor.page.locator(selector).first.bounding_box()
    assert box is not None
    return dict(box)
