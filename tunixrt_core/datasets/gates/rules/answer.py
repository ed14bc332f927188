"""Gate: final answer against the reference.

Compared by what they say (see `tunixrt_core.traces.answers.comparison`); only formulas that it cannot decide go to
math-verify, in a process that can be killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tunixrt_core.datasets.gates.check import Check, Found, Gate, Look, Setting, Settings, Tools
from tunixrt_core.datasets.gates.findings import Finding, Findings
from tunixrt_core.traces.answers.comparison import COMPARISON_VERSION, compare
from tunixrt_core.traces.answers.formulas import needs_mathematics
from tunixrt_core.traces.answers.pool import VerifyPool
from tunixrt_core.traces.answers.reading.readings import Verdict
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.files.records import SHA256, Records

_MOST_PENDING = 2_000
_BEAT_SECONDS = 0.5  # while it waits, so that a build can be stopped


def answer_matches(trace: Trace) -> bool | None:
    """Whether the final answer means the reference. None where no reference is known, or the comparison cannot tell."""
    if trace.reference_answer is None:
        return None
    return _WORDS.get(compare(trace.reference_answer, trace.final_answer))


_WORDS = {Verdict.SAME: True, Verdict.DIFFERENT: False}


class Formulas(NamedTuple):
    """What math-verify is to compare."""

    answer: str
    reference: str


def _judged(trace: Trace, math: bool) -> str | Formulas:
    """The word for a row, or what decides about it."""
    if trace.reference_answer is None:
        return "no_reference"
    matches = answer_matches(trace)
    if matches is not None:
        return "right" if matches else "wrong"
    if math and needs_mathematics(trace.reference_answer, trace.final_answer):
        return Formulas(trace.final_answer, trace.reference_answer)
    return "unparsable"


class AnswerCheck:
    """Judges every row that has a reference; keeps 33 bytes of a row, its hash and its word."""

    def __init__(self, settings: Settings, beat: Callable[[], None] = lambda: None, folder: Path | None = None) -> None:
        self._settings = settings
        self._beat = beat
        self._folder = folder
        self._pool: VerifyPool | None = None
        self._pending: list[tuple[str, Future[str]]] = []
        self._words: list[str] = []
        self._judged = Records(SHA256 + 1, folder=folder)

    def look(self, split: Split | None) -> Look:
        return partial(_judged, math=self._settings["math"] == "on")

    def take(self, hash: str, split: Split | None, seen: str | Formulas) -> None:
        if isinstance(seen, str):
            self._note(hash, seen)
        else:
            self._ask(hash, seen)

    def finish(self, gone: Container[str]) -> Found:
        counts: Counter[str] = Counter()
        findings = Findings(folder=self._folder)
        stopped = self._stopped()
        for hash, word in self.verdicts():
            if hash not in gone:
                counts[word] += 1
                if word in stopped:
                    findings.append(Finding(hash, word, {"field": "final_answer"}))
        return Found(findings, dict(counts))

    def verdicts(self) -> Iterator[tuple[str, str]]:
        """The hash of each row, and its word."""
        self._collect()
        return ((record[:SHA256].hex(), self._words[record[SHA256]]) for record in self._judged)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _stopped(self) -> frozenset[str]:
        bad = {"wrong", "unparsable", "timeout", "memory", "crash"}
        if self._settings["wrong_only"] == "on":
            bad = {"wrong"}
        return frozenset(bad)

    def _note(self, hash: str, word: str) -> None:
        if word not in self._words:
            self._words.append(word)
        self._judged.append(bytes.fromhex(hash) + bytes([self._words.index(word)]))

    def _ask(self, hash: str, formulas: Formulas) -> None:
        if self._pool is None:
            self._pool = VerifyPool(seconds=self._settings["seconds"], megabytes=self._settings["megabytes"])
        self._pending.append((hash, self._pool.submit(formulas.answer, formulas.reference)))
        if len(self._pending) >= _MOST_PENDING:
            self._collect()

    def _collect(self) -> None:
        pending, self._pending = self._pending, []
        for hash, future in pending:
            while not wait([future], timeout=_BEAT_SECONDS).done:
                self._beat()
            self._note(hash, future.result())


def _start(settings: Settings, tools: Tools) -> Check:
    return AnswerCheck(settings, tools.beat, tools.folder)


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
