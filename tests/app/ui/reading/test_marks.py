"""Invisible characters are marks in HTML, and the rest of a text is escaped."""

from __future__ import annotations

import pytest

from app.ui.reading.marks import marked


@pytest.mark.parametrize(
    ("text", "mark"),
    [("a\u202eb", "RLO"), ("a\u200bb", "ZWSP"), ("a\x1bb", "U+001B"), ("a\U000e0041b", "U+E0041")],
)
def test_an_invisible_character_becomes_a_mark(text: str, mark: str) -> None:
    found = marked(text)
    assert f">{mark}</span>" in found
    assert text[1] not in found


def test_line_ends_and_what_joins_emoji_and_persian_stay() -> None:
    assert marked("<b>\n\t\u200c\U0001f469\u200d\U0001f52c") == "&lt;b&gt;\n\t\u200c\U0001f469\u200d\U0001f52c"
