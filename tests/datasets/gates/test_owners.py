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
    known = owners.filter()
    assert known.places(grams) == list(range(len(grams)))
    assert owners.owners(dict(enumerate(grams))) == {place: place for place in range(len(grams))}
    others = [rng.getrandbits(64) for _ in range(5_000)]
    possible = known.places(others)
    assert len(possible) < 250, "the filter answers for nearly all"
    assert owners.owners({place: others[place] for place in possible}) == {}
    with pytest.raises(RuntimeError):
        owners.add(1, 1)


def test_without_any_ngram_none_has_an_owner() -> None:
    owners = GramOwners()
    with pytest.raises(RuntimeError):
        owners.owners({0: 1})
    assert owners.filter().places([0, 1, 2**64 - 1]) == []
    assert owners.owners({0: 0, 1: 1, 2: 2**64 - 1}) == {}
