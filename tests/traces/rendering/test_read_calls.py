"""The calls that a model writes are read in the form of every family, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.conversations import CALL
from tunixrt_core.traces.conversation import Call, calls_text
from tunixrt_core.traces.rendering.families.llama import LLAMA
from tunixrt_core.traces.rendering.families.qwen import HERMES
from tunixrt_core.traces.rendering.read_calls import read_calls
from tunixrt_core.traces.rendering.tool_forms import written_calls

_TEXT = st.text('ab \n"}é', max_size=4)
_VALUES = st.recursive(st.none() | st.booleans() | st.integers(-99, 99) | _TEXT, st.lists, max_leaves=3)
_CALLS = st.builds(Call, st.text("ab_1", min_size=1, max_size=4), st.dictionaries(_TEXT, _VALUES))


@given(st.lists(_CALLS, min_size=1, max_size=3), st.sampled_from(["", "Let me see."]))
def test_what_is_written_is_read(calls: list[Call], said: str) -> None:
    assert read_calls(said + written_calls(HERMES, calls, said)) == (said, tuple(calls))
    assert read_calls(calls_text(calls)) == ("", tuple(calls))
    assert read_calls(written_calls(LLAMA, calls[:1], "")) == ("", (calls[0],))


def test_spacing_and_a_type_beside_the_name_do_not_matter() -> None:
    written = '{"type":"function",\n "parameters":{"city":"Köln","days":2},"name":"weather"}'
    assert read_calls(written) == read_calls(f"<tool_call>{written}</tool_call>") == ("", (CALL,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "{4}",
        '{"name": "weather"}',
        '{"name": "weather", "arguments": [1]}',
        '{"name": 4, "arguments": {}}',
        '{"name": "weather", "arguments": {}, "mood": "good"}',
        '<tool_call>{"name": "weather", "arguments": {}</tool_call>',
        '<tool_call>{"name": "weather", "arguments": {}}</tool_call> and on',
        'so {"name": "weather", "arguments": {}}',
    ],
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert read_calls(text) == (text, ())
