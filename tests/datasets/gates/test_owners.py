"""The first text that has an n-gram is found, for any number of n-grams."""

from __future__ import annotations

import random

import pytest

from tunixrt_core.datasets.gates.owners import GramOwners


def test_every_ngram_has_its_lowest_owner_and_no_other_one_has_any() -> None:
    rng = random.Random(1)
    grams = [rng.getrandbits(64) for _ in range(5_000)] + [0, 2**64 - 1]
    owners = GramOwners()
    for number, gram in enumerate(grams):
        owners.add(gram, number)
        owners.add(gram, number + 7)
    assert owners.owners(grams) == {place: place for place in range(len(grams))}
    assert owners.owners([rng.getrandbits(64) for _ in range(5_000)]) == {}
    with pytest.raises(RuntimeError):
        owners.add(1, 1)


def test_without_any_ngram_none_has_an_owner() -> None:
    assert GramOwners().owners([0, 1, 2**64 - 1]) == {}
