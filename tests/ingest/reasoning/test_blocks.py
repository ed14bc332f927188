"""No step is cut within a block of markdown, whatever divides it; markdown-it-py says where blocks are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.conftest import examples
from tunixrt_core.ingest.reasoning.steps import RULES, RuleName, Span, divide

_WORDS = st.sampled_from(["so", "x = 1", "é日本", "a|b", "$y$", "2. two", "**bold**", "- no", "`$$`", "🙂 ok"])
_LINE = st.lists(_WORDS, min_size=1, max_size=3).map(" ".join)
_LINES = st.lists(_LINE, min_size=1, max_size=3).map("\n".join)
_CODE = st.lists(st.sampled_from(["def f():", "    return 1", "", "1. x", "| a |", "\tif y:"]), min_size=1, max_size=5)


def _indented(lines: list[str], by: str) -> str:
    return "\n".join(by + line if line else line for line in lines)


def _fenced(lines: list[str], mark: str) -> str:
    return "\n".join([f"{mark}python", *lines, mark])


_OPAQUE = st.one_of(
    st.builds(_fenced, _CODE, st.sampled_from(["```", "~~~~"])),
    st.builds(lambda lines: _indented(["x", *lines, "y"], "    "), _CODE),
    st.builds(lambda body: f"\\[\n{body}\n\n= 2\n\\]", _LINE),
    st.builds(lambda body: f"$$\n{body}\n\n= 2\n$$", _LINE.filter(lambda text: "$$" not in text)),
    st.builds(lambda body: f"\\begin{{align}}\n{body} \\\\[2pt]\n\nz\n\\end{{align}}", _LINE),
    st.just("| a | b |\n|---|:-:|\n| 1 | 2 |"),
)
_ITEMS = st.builds(
    lambda first, rest, mark: f"{mark} {first}" + "".join(f"\n{'' if not line else '   '}{line}" for line in rest),
    _LINE,
    st.lists(
        st.sampled_from(["more", "", "   code", "1. inner", "- inner", "```\n   code\n\n   more\n   ```"]), max_size=4
    ),
    st.sampled_from(["1.", "2.", "-", "*", "+"]),
)
BLOCKS = st.one_of(_OPAQUE, _ITEMS, _LINES, st.sampled_from(["# Head", "---", "> quote\n> more", "***"]))
MARKDOWN = st.lists(st.tuples(BLOCKS, st.sampled_from(["\n\n", "\n\n", "\n", "\n\n\n"])), min_size=1, max_size=6).map(
    lambda parts: "".join(block + end for block, end in parts).rstrip("\n")
)
_PARSER = MarkdownIt("commonmark").enable("table")


def blocks_of(text: str) -> Iterator[tuple[int, int, str]]:
    """Where code, tables and list items of more than one line are, by another program than ours."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for token in _PARSER.parse(text):
        if token.map and token.type in ("fence", "code_block", "table_open", "list_item_open"):
            first, end = token.map
            while end > first and not lines[end - 1].strip():
                end -= 1
            yield starts[first], starts[end] - 1, token.type


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=examples(150), deadline=None)
@given(text=MARKDOWN)
def test_no_step_ends_within_a_block_and_none_is_markup_alone(rule: RuleName, text: str) -> None:
    spans = divide(text, Span(0, len(text)), rule).spans
    for one, other in pairwise(spans):
        for start, end, kind in blocks_of(text):
            assert not (start <= one.end and other.start <= end), (kind, text[start:end], text[slice(*one)])
    if len(spans) > 1:
        assert all(any(c.isalnum() for c in text[slice(*span)]) for span in spans)


@settings(max_examples=examples(150), deadline=None)
@given(before=_LINES, block=_OPAQUE, behind=_LINES, rule=st.sampled_from(RULES))
def test_math_and_environments_stand_in_one_step(before: str, block: str, behind: str, rule: RuleName) -> None:
    text = f"{before}\n\n{block}\n\n{behind}"
    spans = divide(text, Span(0, len(text)), rule).spans
    assert any(block in text[slice(*span)] for span in spans)
