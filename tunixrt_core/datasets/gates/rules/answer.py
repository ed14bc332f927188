"""Gate: the final answer against the reference: right, wrong, unparsable, or out of time.

Compared as text first, then as numbers, both cheap and sure; only what neither can decide goes to math-verify, in a
process that can be killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait

from tunixrt_core.datasets.gates.check import Check, Found, Gate, Setting, Settings, Tools
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.traces.answers.pool import VerifyPool
from tunixrt_core.traces.answers.same import cheap_verdict
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace

_MOST_PENDING = 2_000
_BEAT_SECONDS = 0.5  # while it waits, so that a build can be cancelled


def answer_matches(trace: Trace) -> bool | None:
    """Whether the final answer equals the reference, as text or as a number. None where no reference is known."""
    if trace.reference_answer is None:
        return None
    return cheap_verdict(trace.final_answer, trace.reference_answer) is True


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
        cheap = cheap_verdict(trace.final_answer, trace.reference_answer)
        if cheap is not None:
            self.verdicts[trace.content_hash] = "right" if cheap else "wrong"
        elif self._settings["math"] == "off":
            self.verdicts[trace.content_hash] = "unparsable"
        else:
            self._ask(trace, trace.reference_answer)

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
    "math": Setting("on", "whether math-verify decides what text and numbers cannot", choices=("on", "off")),
    "wrong_only": Setting("off", "whether unparsable, timed out and crashed rows pass", choices=("on", "off")),
    "seconds": Setting(5.0, "for one row in math-verify", 0.1, 600),
    "megabytes": Setting(1024, "of memory for one row in math-verify", 64, 1 << 20),
}

GATE = Gate(
    "answer",
    1,
    "Answer differs from the reference",
    "compared as text, as a number, then by math-verify",
    _start,
    SETTINGS,
)
