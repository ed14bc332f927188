"""Answers from several processes that have loaded one model, as of one process."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Protocol

from tunixrt_core.errors import ModelError
from tunixrt_core.training.trainer import GREEDY, Generation, Sampling

log = logging.getLogger(__name__)

MOST_DEATHS = 3  # of the processes that had one batch, after which the batch is given up
_LOOK_SECONDS = 0.5

Places = tuple[int, ...]


class SamplerLost(Exception):
    """The process of a sampler died, or cannot be reached for a while; another one answers the batch."""


class Sampler(Protocol):
    """A process that has loaded the model. Used by one thread at a time."""

    def plan(self, prompts: Sequence[str], max_new_tokens: int) -> list[Places]:
        """As Generator.plan."""

    def answer(
        self, prompts: Sequence[str], places: Places, *, max_new_tokens: int, sampling: Sampling
    ) -> dict[int, Generation]:
        """One batch of the plan. Raises SamplerLost."""

    def come_back(self) -> bool:
        """Wait until the process is there again after it was lost; False where it will not be."""

    def compiles(self) -> int:
        """Number of shapes compiled so far. Raises SamplerLost."""

    def close(self) -> None:
        """Release the process."""


class SpreadGenerator:
    """A trainer.Generator over samplers.

    Which prompts share a batch, and what is drawn for each, follows from all prompts and the seed: so a batch of the
    plan over all prompts is asked as a whole, of any sampler and as often as needed, and its answers are those of one
    process. They come in another order. A batch whose sampler dies is given to another one at once; it counts deaths,
    not calls that fail while a process is started again.
    """

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        self._samplers = tuple(samplers)
        self._compiles = 0

    @property
    def compiles(self) -> int:
        return self._compiles

    def close(self) -> None:
        for sampler in self._samplers:
            sampler.close()

    def plan(self, prompts: Sequence[str], max_new_tokens: int) -> list[Places]:
        """As Generator.plan, of the first sampler that answers. Raises ModelError where none does."""
        for sampler in self._samplers:
            try:
                return sampler.plan(prompts, max_new_tokens)
            except SamplerLost:
                continue
        raise _all_lost()

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
        skip: Collection[int] = (),
        on_batch: Callable[[Mapping[int, Generation]], None] | None = None,
        on_text: Callable[[Mapping[int, str]], None] | None = None,
        stop: threading.Event | None = None,
    ) -> dict[int, Generation]:
        """As trainer.Generator; `on_text` gets each answer once it is whole. Raises ModelError for a batch that ends
        process after process.
        """
        answered = frozenset(skip)
        plan = self.plan(prompts, max_new_tokens)
        waiting = deque(places for places in plan if not answered.issuperset(places))
        done: dict[int, Generation] = {}
        with ThreadPoolExecutor(len(self._samplers), "tunixrt-sampler") as pool:
            spread = _Spread(self._samplers, pool, waiting)
            for found in spread.answers(
                lambda sampler, places: sampler.answer(
                    prompts, places, max_new_tokens=max_new_tokens, sampling=sampling
                ),
                stop,
            ):
                done |= found
                if on_text is not None:
                    on_text({place: each.text for place, each in found.items()})
                if on_batch is not None:
                    on_batch(found)
        self._compiles = sum(_compiles(sampler) for sampler in self._samplers)
        return done


Answer = Callable[[Sampler, Places], dict[int, Generation]]


class _Spread:
    """Batches that wait, samplers that are free, and what is in progress. Used by the thread that collects."""

    def __init__(self, samplers: Sequence[Sampler], pool: ThreadPoolExecutor, waiting: deque[Places]) -> None:
        self._pool = pool
        self._waiting = waiting
        self._free = list(samplers)
        self._busy: dict[Future[dict[int, Generation]], tuple[Sampler, Places]] = {}
        self._lost: dict[Future[bool], Sampler] = {}
        self._deaths: Counter[Places] = Counter()

    def answers(self, answer: Answer, stop: threading.Event | None) -> Iterator[dict[int, Generation]]:
        """The answers of each batch as it ends; after a stop of those in progress. Raises ModelError."""
        while self._waiting or self._busy:
            if stop is not None and stop.is_set():
                self._waiting.clear()
            while self._waiting and self._free:
                sampler, places = self._free.pop(0), self._waiting.popleft()
                self._busy[self._pool.submit(answer, sampler, places)] = sampler, places
            if self._waiting and not self._busy and not self._lost:
                raise _all_lost()
            followed: list[Future[Any]] = [*self._busy, *self._lost]
            wait(followed, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
            self._take_back()
            yield from self._ended()

    def _ended(self) -> Iterator[dict[int, Generation]]:
        for future in [each for each in self._busy if each.done()]:
            sampler, places = self._busy.pop(future)
            try:
                found = future.result()
            except SamplerLost as error:
                self._lose(sampler, places, error)
            else:
                self._free.append(sampler)
                yield found

    def _lose(self, sampler: Sampler, places: Places, error: SamplerLost) -> None:
        self._deaths[places] += 1
        if self._deaths[places] >= MOST_DEATHS:
            raise ModelError(
                f"{MOST_DEATHS} processes died with the same {len(places)} prompts ({error}). Lower max_new_tokens, or "
                "see whether a machine has too little memory."
            )
        log.warning("A batch of %d prompts is given to another process: %s", len(places), error)
        self._waiting.appendleft(places)
        self._lost[self._pool.submit(sampler.come_back)] = sampler

    def _take_back(self) -> None:
        for future in [each for each in self._lost if each.done()]:
            sampler = self._lost.pop(future)
            if future.result():
                self._free.append(sampler)


def _compiles(sampler: Sampler) -> int:
    try:
        return sampler.compiles()
    except SamplerLost:
        return 0


def _all_lost() -> ModelError:
    return ModelError("All processes that had loaded the model were lost. Evaluate again to continue.")
