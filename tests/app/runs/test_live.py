"""Of a long log a live page shows the end."""

from __future__ import annotations

from app.runs.live import end_of


def test_the_end_of_a_log_begins_with_a_whole_line() -> None:
    assert end_of("short", 100) == "short"
    assert end_of("one\ntwo\nthree", 9) == "two\nthree"
    assert end_of("x" * 50, 9) == "x" * 9
    assert end_of("é" * 50, 5).encode().decode() == end_of("é" * 50, 5)
