"""Gate: final answer against the reference.

Compared by what they say (see `tunixrt_core.traces.answers.comparison`); only formulas that it cannot decide go to
math-verify, in a process that can be killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait

from tunixrt_core.datasets.gates.check import Check, Found, Gate, Setting, Settings, Tools
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.traces.answers.comparison import COMPARISON_VERSION, compare
from tunixrt_core.traces.answers.formulas import needs_mathematics
from tunixrt_core.traces.answers.pool import VerifyPool
from tunixrt_core.traces.answers.reading.readings import Verdict
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace

_MOST_PENDING = 2_000
_BEAT_SECONDS = 0.5  # while it waits, so that a build can be stopped


def answer_matches(trace: Trace) -> bool | None:
    """Whether the final answer means the reference. None where no reference is known, or the comparison cannot tell."""
    if trace.reference_answer is None:
        return None
    return _WORDS.get(compare(trace.reference_answer, trace.final_answer))


_WORDS = {Verdict.SAME: True, Verdict.DIFFERENT: False}


class AnswerCheck:
    """Judges every row that has a reference. `verdicts` holds the word of each after `finish`."""

    def __init__(self, settings: Settings, beat: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._beat = beat
        self._pool: VerifyPool | None = None
        self._pending: list[tuple[str, Future[str]]] = []
        self.verdicts: dict[str, str] = {}

    def see(self, trace: Trace, split: Split | None) -> None:
        if trace.reference_answer is None:
            self.verdicts[trace.content_hash] = "no_reference"
            return
        matches = answer_matches(trace)
        if matches is not None:
            self.verdicts[trace.content_hash] = "right" if matches else "wrong"
        elif self._settings["math"] == "on" and needs_mathematics(trace.reference_answer, trace.final_answer):
            self._ask(trace, trace.reference_answer)
        else:
            self.verdicts[trace.content_hash] = "unparsable"

    def finish(self, gone: set[str]) -> Found:
        self._collect()
        found = {hash: word for hash, word in self.verdicts.items() if hash not in gone}
        findings = [
            Finding(hash, word, {"field": "final_answer"}) for hash, word in found.items() if word in self._stopped()
        ]
        return Found(findings, dict(Counter(found.values())))

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _stopped(self) -> frozenset[str]:
        bad = {"wrong", "unparsable", "timeout", "memory", "crash"}
        if self._settings["wrong_only"] == "on":
            bad = {"wrong"}
        return frozenset(bad)

    def _ask(self, trace: Trace, reference: str) -> None:
        if self._pool is None:
            self._pool = VerifyPool(seconds=self._settings["seconds"], megabytes=self._settings["megabytes"])
        self._pending.append((trace.content_hash, self._pool.submit(trace.final_answer, reference)))
        if len(self._pending) >= _MOST_PENDING:
            self._collect()

    def _collect(self) -> None:
        pending, self._pending = self._pending, []
        for hash, future in pending:
            while not wait([future], timeout=_BEAT_SECONDS).done:
                self._beat()
            self.verdicts[hash] = future.result()


def _start(settings: Settings, tools: Tools) -> Check:
    return AnswerCheck(settings, tools.beat)


SETTINGS: Mapping[str, Setting] = {
    "math": Setting("on", "whether math-verify compares formulas", choices=("on", "off")),
    "wrong_only": Setting("off", "whether unparsable, timed out and crashed rows pass", choices=("on", "off")),
    "seconds": Setting(5.0, "for one row in math-verify", 0.1, 600),
    "megabytes": Setting(1024, "of memory for one row in math-verify", 64, 1 << 20),
}

GATE = Gate(
    "answer",
    COMPARISON_VERSION,
    "Answer differs from the reference",
    "compared by what they say, formulas by math-verify",
    _start,
    SETTINGS,
)
