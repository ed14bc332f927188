"""Names of values inside of a row: what they find, and what is left when it is taken out."""

from __future__ import annotations

from typing import Any

import pytest

from tunixrt_core.ingest.files.paths import Keys, keys_of, nested_in, value_at, with_value, without

ROW: dict[str, Any] = {
    "a": {"b": 1, "b.c": 2, "0": {"x": 3}},
    "a.b": 4,
    "m": [{"t": "x"}, {"t": "y", "u": [5, 6]}],
    "m[0]": 7,
    "n": None,
}


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("a.b", ("a.b",), 4),
        ("a.b.c", ("a", "b.c"), 2),
        ("a.0.x", ("a", "0", "x"), 3),
        ("m[0]", ("m[0]",), 7),
        ("m[0].t", ("m", 0, "t"), "x"),
        ("m.1.u.0", ("m", 1, "u", 0), 5),
        ("m[-1].u[-1]", ("m", -1, "u", -1), 6),
        ("n", ("n",), None),
    ],
)
def test_a_name_finds_its_value_and_a_key_comes_before_a_path(name: str, keys: Keys, value: object) -> None:
    assert keys_of(ROW, name) == keys
    assert value_at(ROW, keys) == value


@pytest.mark.parametrize("name", ["", "x", "a.", ".a", "a.x", "a.b.d", "m.2", "m[-3]", "m[x]", "m.0t", "n.x", "a[b]"])
def test_a_name_that_stands_nowhere_finds_nothing(name: str) -> None:
    assert keys_of(ROW, name) is None


def test_a_value_is_put_in_or_taken_out_of_a_copy() -> None:
    row = {"m": [{"t": "x", "u": 1}, {"t": "y"}], "o": {"p": {"q": 1}}}
    before = repr(row)
    assert with_value(row, ("m", 0, "t"), "z")["m"][0] == {"t": "z", "u": 1}
    left = without(without(row, ("m", 0, "t")), ("m", -1, "t"))
    assert left["m"] == [{"u": 1}, None]
    assert without(left, ("m", 1, "t")) == left
    assert without(without(row, ("o", "p", "q")), ("o", "p")) == {"m": row["m"]}
    assert repr(row) == before


def test_what_is_offered_is_read_as_it_is_named() -> None:
    row = {"c": {"x": [{"y": 1}], "bad.name": 2, "": 3, "l": ["s"]}}
    offered = dict(nested_in("c", row["c"]))
    assert offered == {"c.x[0].y": 1, "c.l": ["s"]}
    for name, value in offered.items():
        assert value_at(row, keys_of(row, name) or ()) == value
