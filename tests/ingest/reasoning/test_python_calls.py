"""Calls of Python as answers: names, values and nesting as they are, and nothing guessed."""

from __future__ import annotations

from typing import Any

import pytest

from tunixrt_core.ingest.reasoning.python_calls import looks_like_calls, read_python_calls


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("[f(a=1)]", [("f", {"a": 1})]),
        ("f(a=1)", [("f", {"a": 1})]),
        ("[f()]", [("f", {})]),
        (" [f(a=1), math.g(b='x, (y)'),\n h(c=[1, {\"d\": 2.5}], e=-3)] ",
         [("f", {"a": 1}), ("math.g", {"b": "x, (y)"}), ("h", {"c": [1, {"d": 2.5}], "e": -3})]),
        ('[Market Trends API(trend_type="MARKET_INDEXES", country="us")]',
         [("Market Trends API", {"trend_type": "MARKET_INDEXES", "country": "us"})]),
        ("[f(from='a', class=true, x=null, y=None, z=False)]",
         [("f", {"from": "a", "class": True, "x": None, "y": None, "z": False})]),
        ("[f(a='it\\'s', b=\"c=d\", e={\"k\": [true, null]})]",
         [("f", {"a": "it's", "b": "c=d", "e": {"k": [True, None]}})]),
        ("[f(a=(1, 2), b=1.5e3,)]", [("f", {"a": [1, 2], "b": 1500.0})]),
    ],
)  # fmt: skip
def test_calls_are_read_with_their_values(text: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
    found = read_python_calls(text)
    assert found is not None
    assert [(call.name, call.value) for call in found] == calls


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "no call",
        "[f(1)]",  # an argument without a name
        "[f(a=b)]",  # a name as a value
        "[f(a=1, a=2)]",
        "[f(a=1]",
        "[f(a='x)]",
        "[f(a=1) g(b=2)]",
        "[f(a={1, 2})]",  # a set, which JSON has not
        "[f(a=10000000000000000000000000)]",
        "[f(a=__import__('os'))]",
        "(a=1)",
        "[f(a=" + "[" * 5000 + "]" * 5000 + ")]",
    ],
)
def test_what_is_no_call_is_none(text: str) -> None:
    assert read_python_calls(text) is None


def test_a_text_that_looks_like_calls_ends_with_one() -> None:
    assert looks_like_calls(" [f(a=b)] ")
    assert not looks_like_calls("[f(a=1)] is what I call.")
    assert not looks_like_calls("[1, 2]")
