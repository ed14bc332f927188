"""Answers that are spread over processes are those of one, whatever dies, and in whatever order they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from tunixrt_core.errors import ModelError
from tunixrt_core.jobs.ray_cluster import spread
from tunixrt_core.jobs.ray_cluster.spread import MOST_DEATHS, Places, SamplerLost, SpreadGenerator
from tunixrt_core.training.trainer import Generation, Sampling

PROMPTS = [f"prompt {i}" for i in range(7)]
PLAN: list[Places] = [(5, 6), (3, 4), (1, 2), (0,)]


class Deaths:
    """Which batches end the process that has them, and how often."""

    def __init__(self, left: dict[Places, int] | None = None) -> None:
        self.left = dict(left or {})

    def due(self, places: Places) -> bool:
        self.left[places] = self.left.get(places, 0) - 1
        return self.left[places] >= 0


class OneProcess:
    """A sampler that writes down what it was asked, and may be dead."""

    def __init__(self, deaths: Deaths, comes_back: bool = True, seconds: float = 0.0) -> None:
        self.deaths, self._comes_back, self._seconds = deaths, comes_back, seconds
        self.asked: list[Places] = []
        self.dead = self.closed = False

    def plan(self, prompts: Sequence[str], max_new_tokens: int) -> list[Places]:
        self._require()
        return PLAN

    def answer(
        self, prompts: Sequence[str], places: Places, *, max_new_tokens: int, sampling: Sampling
    ) -> dict[int, Generation]:
        self._require()
        self.asked.append(places)
        time.sleep(self._seconds)
        if self.deaths.due(places):
            self.dead = True
            raise SamplerLost("its node died")
        # as of a generator: what is drawn follows from the whole batch and the seed
        return {place: Generation(f"{prompts[place]} {places} {sampling.seed}", 3, False) for place in places}

    def come_back(self) -> bool:
        self.dead = not self._comes_back
        return self._comes_back

    def compiles(self) -> int:
        self._require()
        return len(self.asked)

    def close(self) -> None:
        self.closed = True

    def _require(self) -> None:
        if self.dead:
            raise SamplerLost("it is missing")


def answers(*samplers: OneProcess, **asked: object) -> dict[int, str]:
    found = SpreadGenerator(samplers).generate(
        PROMPTS,
        max_new_tokens=4,
        sampling=Sampling(temperature=1.0, seed=5),
        **asked,  # type: ignore[arg-type]
    )
    return {place: each.text for place, each in found.items()}


def test_several_processes_answer_as_one_does_batch_by_batch() -> None:
    alone = answers(OneProcess(Deaths()))
    assert sorted(alone) == list(range(7))
    two = [OneProcess(Deaths(), seconds=0.02) for _ in range(2)]
    told: list[int] = []
    assert answers(*two, on_batch=lambda found: told.extend(found)) == alone
    assert sorted(told) == list(range(7))
    assert sorted(two[0].asked + two[1].asked) == sorted(PLAN)
    assert all(each.asked for each in two), "none is idle"


def test_a_batch_that_is_answered_is_left_out_and_one_that_is_partly_so_is_asked_as_a_whole() -> None:
    one = OneProcess(Deaths())
    assert sorted(answers(one, skip=[5, 6, 3])) == [0, 1, 2, 3, 4]
    assert one.asked == [(3, 4), (1, 2), (0,)]


def test_a_batch_whose_process_dies_is_answered_by_another_one_with_the_same_words() -> None:
    alone = answers(OneProcess(Deaths()))
    dies, stays = OneProcess(Deaths({(5, 6): 1}), comes_back=False), OneProcess(Deaths(), seconds=0.02)
    assert answers(dies, stays) == alone
    assert (5, 6) in stays.asked
    assert answers(OneProcess(Deaths({(3, 4): MOST_DEATHS - 1, (0,): 1}))) == alone, "one that comes back goes on"


def test_a_batch_that_ends_process_after_process_is_given_up_and_so_are_all_when_none_comes_back() -> None:
    with pytest.raises(ModelError, match=r"3 processes died with the same 2 prompts \(its node died\)"):
        answers(OneProcess(Deaths({(3, 4): MOST_DEATHS})))
    with pytest.raises(ModelError, match="All processes that had loaded the model were lost"):
        answers(OneProcess(Deaths({(5, 6): 1}), comes_back=False))
    gone = OneProcess(Deaths())
    gone.dead = True
    with pytest.raises(ModelError, match="All processes"):
        answers(gone)


def test_a_stop_keeps_what_is_answered_and_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "_LOOK_SECONDS", 0.01)
    stop = threading.Event()
    one = OneProcess(Deaths())
    assert sorted(answers(one, stop=stop, on_batch=lambda found: stop.set())) == [5, 6]
    assert one.asked == [(5, 6)]


def test_the_shapes_of_all_are_counted_and_all_are_closed() -> None:
    two = [OneProcess(Deaths()) for _ in range(2)]
    made = SpreadGenerator(two)
    made.generate(PROMPTS, max_new_tokens=4)
    assert made.compiles == 4
    made.close()
    assert all(each.closed for each in two)
