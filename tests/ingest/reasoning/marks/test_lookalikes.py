"""Marks that were not read as marks are spoken of, and other tags are not."""

from __future__ import annotations

import io

import pytest

from tunixrt_core.ingest.preview import diagnose, preview_of
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.reasoning.marks.lookalikes import mark_unread
from tunixrt_core.ingest.reasoning.steps import rule_named
from tunixrt_core.traces.trace import Trace

LINES = b'{"prompt": "q", "completion": "<plan>x</plan>4"}\n{"prompt": "r", "completion": "<plan>y</plan>5"}\n'


@pytest.mark.parametrize(
    ("answer", "mark"),
    [
        ("<plan>x</plan>4", "<plan>"),
        ("<my_thinking>x</my_thinking>4", "<my_thinking>"),
        ("4 <|thinking_ends|>", "<|thinking_ends|>"),
        ("[PLAN]x[/PLAN] 4", "[PLAN]"),
        ("So </reflections> 4", "</reflections>"),
        ("<p>It is 4.</p> Done.", None),
        ("<note><to>me</to></note>", None),
        ("a[0] < b and c > d", None),
        ("[1, 2]", None),
        ("[link](address)", None),
    ],
)
def test_what_looks_like_a_mark(answer: str, mark: str | None) -> None:
    assert mark_unread(Trace("q", (), answer)) == mark


def test_an_import_warns_of_it_once_with_the_number_of_rows() -> None:
    for look in (preview_of, diagnose):
        (warning,) = look(read_traces(io.BytesIO(LINES), name="f")).warnings
        assert (warning.times, warning.first_line) == (2, 1)
        assert "<plan> is in the answer" in warning.text
        assert "--think-tags OPEN CLOSE" in warning.text
        named = read_traces(io.BytesIO(LINES), name="f", rule=rule_named("auto", ("<plan>", "</plan>")))
        assert look(named).warnings == ()
