"""Records come back as they were given and in their order, in memory and on the disk; no file stays behind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.util.files.records import HashSet, Records


@given(st.lists(st.binary(min_size=3, max_size=3), max_size=200), st.sampled_from([1, 7, 30, 10_000]))
def test_records_come_back_whole_and_sorted_however_few_are_held(given: list[bytes], held: int) -> None:
    records = Records(3, given, held=held)
    assert list(records) == given
    assert list(records.sorted()) == sorted(given)
    assert [records[i] for i in range(-len(given), len(given))] == given * 2
    assert records.read(1, 5) == b"".join(given[1:6])


def test_another_width_is_refused_and_a_place_beyond_the_end_too() -> None:
    records = Records(4, [b"abcd"])
    with pytest.raises(ValueError, match="5 bytes"):
        records.append(b"abcde")
    with pytest.raises(IndexError):
        records[1]


def test_no_file_is_seen_while_records_are_on_the_disk(tmp_path: Path) -> None:
    records = Records(8, (number.to_bytes(8, "big") for number in range(1_000)), folder=tmp_path, held=64)
    assert len(list(records.sorted())) == 1_000
    assert not list(tmp_path.iterdir())


def test_a_set_of_hashes_holds_what_was_added_and_nothing_else() -> None:
    hashes = [random.Random(n).randbytes(32).hex() for n in range(300)]
    held = HashSet(hashes[:150])
    held.update(hashes[100:200])
    assert len(held) == 200
    assert [one in held for one in hashes] == [True] * 200 + [False] * 100
