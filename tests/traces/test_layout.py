"""A layout is a part of its trace: in its hash where it says something, in every form that a trace is written in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle, completion_pieces, render_completion
from tunixrt_core.traces.rendering.text import join
from tunixrt_core.traces.rows import from_row, to_row
from tunixrt_core.traces.trace import Step, Trace

STEPS = (Step(0, "one"), Step(1, "two"), Step(2, "It is 42.", "solution"))
PLAIN = Trace("q", STEPS, "42")
_TEXT = st.text(st.sampled_from("a \n#*日</>"), max_size=4)


@st.composite
def laid_out(draw: st.DrawFn) -> Trace:
    """A trace with a layout of any kind that fits."""
    texts = draw(st.lists(_TEXT.filter(str.strip), max_size=4))
    solution = draw(st.integers(0, len(texts)))
    between = draw(st.just(()) | st.tuples(*[_TEXT] * (len(texts) - solution + 1)))
    before, after, at = draw(_TEXT), draw(_TEXT), None
    if solution and draw(st.booleans()):
        at, texts[-1], before, after = len(before), f"{before}42{after}", "", ""
    steps = tuple(Step(i, text, f"t{i}") for i, text in enumerate(texts))
    return Trace("q", steps, "42", layout=Layout(between, solution, at, before, after))


@given(trace=laid_out())
def test_a_trace_with_a_layout_comes_back_from_every_form_with_its_hash(trace: Trace) -> None:
    assert Trace.from_dict(trace.to_dict()) == trace
    again = Trace.from_canonical(trace.canonical)
    assert (again, again.content_hash) == (trace, trace.content_hash)
    assert from_row(to_row(trace, "eval")).trace == trace


@pytest.mark.parametrize("chat", ChatFormat)
@settings(max_examples=examples(25), deadline=None)
@given(trace=laid_out(), style=st.sampled_from(ReasoningStyle))
def test_every_character_of_a_row_is_told_what_it_is(chat: ChatFormat, style: ReasoningStyle, trace: Trace) -> None:
    row = render(trace, style, chat)
    ends = [0, *(span.end for span in row.spans)]
    assert [span.start for span in row.spans] == ends[:-1]
    assert ends[-1] == len(row.text)
    assert [row.text[span.start : span.end] for span in row.spans if span.kind == "answer"] == ["42"]
    contents = [step.content for step in trace.steps]
    pieces = completion_pieces(trace.steps, "42", style, trace.layout)
    assert join(pieces) == render_completion(contents, "42", style, trace.layout)


def test_a_layout_that_says_nothing_is_none_and_leaves_the_hash_alone() -> None:
    for nothing in (None, Layout(), Layout(("", "\n", "\n", ""))):
        trace = Trace("q", STEPS, "42", layout=nothing)
        assert (trace.layout, trace.content_hash) == (None, PLAIN.content_hash)
    # as it was before there were layouts
    assert PLAIN.content_hash == "1c8bb4a97b1d01d977e2d9f074c089e6bc34c4df1a2b47a8f85cd713b1e7461d"


@pytest.mark.parametrize(
    ("layout", "field"),
    [
        ({"between": ["", "\n"]}, "layout.between"),
        ({"between": ["", "\n", "\n", 1]}, "layout"),
        ({"between": ["", "\0", "\n", ""]}, "layout.between[1]"),
        ({"solution": 4}, "layout.solution"),
        ({"solution": -1}, "layout.solution"),
        ({"answer_at": 6}, "layout.answer_at"),
        ({"solution": 1, "answer_at": 5}, "layout.answer_at"),
        ({"solution": 1, "answer_at": 6, "after_answer": "."}, "layout.answer_at"),
        ({"before": "x"}, "layout"),
        ("wide", "layout"),
    ],
)
def test_a_layout_of_another_text_is_refused(layout: Any, field: str) -> None:
    with pytest.raises(InvalidTrace) as caught:
        Trace.from_dict({**PLAIN.to_dict(), "layout": layout})
    assert caught.value.field == field


def test_the_metadata_of_another_program_may_have_a_layout_of_its_own() -> None:
    row = {"prompt": "q", "trace_steps": ["one"], "final_answer": "1", "metadata": {"layout": {"page": 3}}}
    assert from_row(row).trace.meta == {"layout": {"page": 3}}
