"""One row of bytes: read exactly as it is written, or refused with its field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.ingest.files.parse import BadRow, parse_row

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(_TEXT, _VALUES, max_size=5), st.booleans())
def test_what_a_json_writer_wrote_is_read_as_it_was(row: dict[str, Any], ascii: bool) -> None:
    assert parse_row(json.dumps(row, ensure_ascii=ascii).encode()) == row


@pytest.mark.parametrize(
    ("data", "field", "reason"),
    [
        (b'{"a": {"b": NaN}}', "a.b", "nan is not a JSON number"),
        (b'{"a": -Infinity}', "a", "-inf is not a JSON number"),
        (b'{"a": 1180591620717411303424}', "a", "integer does not fit in 64 bits"),
        (b'{"a": "\\ud800"}', "a", "holds a lone surrogate"),
        (b'{"a": "x\\u0000y"}', "", ""),  # valid JSON: the trace refuses it, with the trace's field
        (b'{"a": "x\xffy"}', "a", "holds bytes that are not UTF-8 (byte 9 of the row)"),
        (b'{"a": 1, "b": 2, "a": 3}', "a", "the key occurs twice"),
        (b'{"m": {"k" : 1, "k"\t: 2}}', "k", "the key occurs twice"),
        (b'{"a": "cut', "", "the row breaks off (unterminated string at column 7)"),
        (b'{"a": 1} {"b": 2}', "", "there is more after the object, from column 10"),
        (b"[1]", "", "is a list; each row must be a JSON object"),
        (b'"x"', "", "is text"),
        (b"null", "", "is null"),
        (b"[" * 100_000, "", "nested too deeply"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "", ""),
        (b'{"a": ' + b"9" * 5000 + b"}", "", "not valid JSON"),
    ],
)
def test_what_would_be_altered_is_refused(data: bytes, field: str, reason: str) -> None:
    found = parse_row(data)
    if reason:
        assert isinstance(found, BadRow)
        assert found.field == field
        assert reason in found.reason


def test_a_colon_after_a_quote_inside_text_is_no_repeated_key() -> None:
    assert parse_row(rb'{"a": "say \"x\": y", "b": "12345678901234567890123"}') == {
        "a": 'say "x": y',
        "b": "12345678901234567890123",
    }


@given(st.binary(max_size=60))
def test_any_bytes_give_an_object_or_a_reason(data: bytes) -> None:
    found = parse_row(data)
    assert isinstance(found, dict) or found.reason
