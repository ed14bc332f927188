"""Canonical JSON and content hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.util.hashing import MAX_DEPTH, canonical_json, check_json, check_text, content_hash, file_sha256

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(_JSON)
def test_what_passes_the_check_has_a_canonical_form(value: Any) -> None:
    check_json(value)
    assert canonical_json(value) == canonical_json(value)
    assert len(content_hash(value)) == 64


def test_the_order_of_keys_does_not_change_the_hash() -> None:
    assert content_hash({"a": 1, "b": [2]}) == content_hash({"b": [2], "a": 1})
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()


def test_text_is_never_normalised_in_a_hash() -> None:
    assert content_hash("é") != content_hash("e\u0301")
    assert content_hash(1) != content_hash(1.0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, float("nan")]}, r"^v\.a\[1\]: nan is not a JSON number"),
        (float("inf"), "^v: inf is not"),
        ({"n": 2**64}, r"^v\.n: integer does not fit"),
        ({"n": -(2**63) - 1}, r"^v\.n: integer does not fit"),
        ({"t": "\ud800"}, r"^v\.t: holds a lone surrogate"),
        ({"\0": 1}, "^v key: holds a NUL"),
        ({1: 2}, "^v: key 1 is not a string"),
        ({"s": {1, 2}}, r"^v\.s: set is not a JSON type"),
    ],
)
def test_a_value_without_canonical_form_is_named_by_its_path(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_json(value, "v")


def test_deep_nesting_is_an_error_and_not_a_crash() -> None:
    value: Any = "x"
    for _ in range(MAX_DEPTH):
        value = [value]
    check_json(value)
    canonical_json(value)
    with pytest.raises(ValueError, match="more than 100 levels"):
        check_json([value])


def test_all_other_unicode_is_welcome() -> None:
    check_text("\u2028\u0085\r\n\ufeff\U0010ffff", "t")


def test_a_file_has_the_hash_of_its_bytes(tmp_path: Path) -> None:
    data = b"x" * (3 << 20)
    (tmp_path / "f").write_bytes(data)
    assert file_sha256(tmp_path / "f") == hashlib.sha256(data).hexdigest()
