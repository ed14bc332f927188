"""The short way and the long way from a line to a trace agree, on good lines and on every kind of odd one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.fast import FAST
from tunixrt_core.ingest.files.parse import BadRow, parse_row
from tunixrt_core.ingest.formats.detect import FORMATS
from tunixrt_core.ingest.formats.fields import Options
from tunixrt_core.traces.trace import Trace

_CHARS = st.sampled_from(
    ['"', "\\", ":", " ", "\t", "\0", "\n", "\u2028", "é", "𝟙", "\ud800", "\udc00", "a", "{", "}", ","]
)
_TEXT = st.lists(_CHARS | st.characters(), max_size=6).map("".join) | st.sampled_from(["p", "1", " ", ""])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_META = (
    _JSON
    | st.dictionaries(_TEXT, _JSON, max_size=3).map(json.dumps)
    | st.sampled_from(
        [
            "{}",
            "[]",
            '{"k": 1, "k": 2}',
            '{"k": {"n": "a:b"}}',
            '{"n": 12345678901234567890123}',
            "{",
            '{"k": NaN}',
            " {} ",
        ]
    )
)
_STEP = st.fixed_dictionaries(
    {"content": _TEXT}, optional={"type": _TEXT | st.just("plan"), "i": st.integers(0, 2), "more": _JSON}
)
_OPTIONAL = {name: _TEXT | st.none() | st.just("x") for name in ("system", "reference_answer", "source", "model")}
_TRACES = st.fixed_dictionaries(
    {
        "prompt": _TEXT,
        "steps": st.lists(_TEXT | _STEP | st.just("s"), max_size=3),
        "final_answer": _TEXT | st.just("1"),
    },
    optional={
        **_OPTIONAL,
        "meta": _META | st.just({}),
        "trace_version": st.sampled_from(["1.0", "2.0", None]),
        "x": _JSON,
    },
)
_METADATA = st.fixed_dictionaries(
    {},
    optional={
        **_OPTIONAL,
        "trace_id": _TEXT,
        "split": st.sampled_from(["train", "eval", "test", None, ""]),
        "step_types": st.lists(_TEXT | st.just("plan"), max_size=3) | st.none(),
        "meta": _META,
        "x": _JSON,
    },
)
# a label comes from the caller, not from the line: it may need what the line does without
_LABELS = st.sampled_from([None, "label", 'a "b"', "c\\d", "e\tf", "g\x7f\u2028é"])
_SFT_ROWS = st.fixed_dictionaries(
    {"prompt": _TEXT, "trace_steps": st.lists(_TEXT | st.just("s"), max_size=3), "final_answer": _TEXT | st.just("1")},
    optional={"metadata": _METADATA | _JSON, "x": _JSON},
)


@st.composite
def _lines(draw: st.DrawFn, rows: st.SearchStrategy[dict[str, Any]]) -> bytes:
    """A row as some program might write it, sometimes with a key twice or bytes that are no text."""
    row = draw(rows)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), (",\t", "\t:\r")]))
    text = json.dumps(row, ensure_ascii=draw(st.booleans()), separators=separators)
    if draw(st.integers(0, 5)) == 0:
        key = draw(st.sampled_from([*row, "source"]))
        text = text[:-1] + f',{json.dumps(key)}{draw(st.sampled_from([":", " :"]))}"again"}}'
    data = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from([b"\xff", b"\x01", b'"', b"", b" "])) + data[at + 1 :]
    return data


def long_way(format: str, line: bytes, source: str | None) -> Trace | None:
    row = parse_row(line)
    if isinstance(row, BadRow):
        return None
    try:
        (trace,) = FORMATS[format].read(row, Options(source))
    except InvalidTrace:
        return None
    assert isinstance(trace, Trace)
    return trace


def check(format: str, line: bytes, source: str | None) -> None:
    short = FAST[format](line, source)
    if short is None:
        return
    long = long_way(format, line, source)
    assert long is not None, line
    assert short == long
    assert short.canonical == long.canonical
    assert short.content_hash == long.content_hash
    assert short.group_key == long.group_key


@given(_lines(_TRACES), _LABELS)
@example(b'{"prompt":"p","steps":[],"final_answer":"p","meta":" {} "}', None)
@settings(max_examples=examples(700), deadline=None)
def test_a_trace_read_the_short_way_is_the_one_of_the_long_way(line: bytes, source: str | None) -> None:
    check("trace", line, source)


@given(_lines(_SFT_ROWS), _LABELS)
@settings(max_examples=examples(400), deadline=None)
def test_so_is_a_row_of_an_export(line: bytes, source: str | None) -> None:
    check("tunix_sft", line, source)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "p", "steps": ["s", "t"], "final_answer": "1"},
        {
            "prompt": "p: x",
            "steps": [{"i": 0, "type": "plan", "content": "s: y"}],
            "final_answer": "1",
            "meta": {"b": 1, "a": [2]},
        },
        {
            "prompt": "é\u2028",
            "steps": [],
            "final_answer": "1",
            "source": "x",
            "model": "m",
            "system": "s",
            "trace_version": "1.0",
        },
    ],
)
def test_ordinary_traces_take_the_short_way(row: dict[str, Any]) -> None:
    for ascii in (True, False):
        line = json.dumps(row, ensure_ascii=ascii).encode()
        assert FAST["trace"](line, None) is not None
        check("trace", line, "label")


@pytest.mark.parametrize("steps", [0, 1, 255, 256, 257, 1000])
def test_so_do_traces_of_any_number_of_steps(steps: int) -> None:
    row = {"prompt": "p", "steps": [f"s{i}" for i in range(steps)], "final_answer": "1"}
    line = json.dumps(row).encode()
    assert FAST["trace"](line, None) is not None
    check("trace", line, "label")


@pytest.mark.parametrize("code", [*range(32), 127, 0x80, 0x2028])
def test_a_character_that_stands_in_a_line_without_its_escape_is_read_alike(code: int) -> None:
    line = json.dumps({"prompt": f"p{chr(code)}q", "steps": ["s"], "final_answer": "1"}, ensure_ascii=False)
    check("trace", line.replace(json.dumps(chr(code))[1:-1], chr(code)).encode(), None)


def test_ordinary_export_rows_take_the_short_way() -> None:
    metadata = {"trace_id": "x", "split": "eval", "step_types": ["plan"], "source": "s", "meta": {"k": {"n": 1}}}
    line = json.dumps({"prompt": "p", "trace_steps": ["s"], "final_answer": "a", "metadata": metadata}).encode()
    assert FAST["tunix_sft"](line, None) is not None
    check("tunix_sft", line, None)


@pytest.mark.parametrize(
    "line",
    [
        b'{"prompt":"p","prompt" :"q","steps":[],"final_answer":"1"}',
        b'{"prompt":"p","steps":[{"i":0,"content":"s"}],"final_answer":"1","final_answer":"2"}',
        b'{"prompt":"p","steps":[],"final_answer":"1","meta":{"n":123456789012345678901234567890}}',
        b'{"prompt":"p","steps":[],"final_answer":"1","meta":{"k":1,"k":2}}',
        b'{"prompt":"p\\u0000","steps":[],"final_answer":"1"}',
        b'{"prompt":"\\ud800","steps":[],"final_answer":"1"}',
        b'{"prompt":" ","steps":[],"final_answer":"1"}',
        b'{"prompt":"p","steps":[{"i":1,"type":"a","content":"s"}],"final_answer":"1"}',
        b'{"prompt":"p","steps":[],"final_answer":"1","extra":1}',
    ],
)
def test_what_must_be_refused_never_takes_the_short_way(line: bytes) -> None:
    assert FAST["trace"](line, None) is None
