"""Gate: a train row holds a stretch of words of an eval prompt, of this version's eval split or of a file.

Word n-grams as in GPT-3 (Brown et al. 2020, appendix C: 13 words) and its successors (8 and more).
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator

from tunixrt_core.quality.check import Check, EvalSet, Found, Gate, Setting, Settings, Tools
from tunixrt_core.quality.findings import Finding
from tunixrt_core.quality.texts import Word, parts, words
from tunixrt_core.rows import Split
from tunixrt_core.traces import Trace


class ContaminationCheck:
    """Holds a number of 64 bits for each n-gram of an eval prompt; of the eval texts themselves, nothing."""

    def __init__(self, settings: Settings, eval_set: EvalSet | None) -> None:
        self._size: int = settings["ngram"]
        self._against: str = settings["against"]
        self._owners: list[tuple[str, str]] = []  # ("split" or "file", the group key of an eval prompt)
        self._grams: dict[int, int] = {}  # n-gram -> index of its first owner
        self._findings: list[Finding] = []
        self._notes: dict[str, str] = {}
        self._rows = {"train": 0, "eval": 0, "file": 0}
        if eval_set is not None and self._against != "split":
            self._take_file(eval_set)

    def _take_file(self, eval_set: EvalSet) -> None:
        for trace in eval_set.traces():
            self._rows["file"] += 1
            self._learn("file", trace)
        self._notes = {
            "eval_file": eval_set.name,
            "eval_sha256": eval_set.sha256,
            "eval_rows": str(self._rows["file"]),
        }

    def see(self, trace: Trace, split: Split | None) -> None:
        if split == "eval":
            self._rows["eval"] += 1
            if self._against != "file":
                self._learn("split", trace)
            return
        self._rows["train"] += 1
        if (finding := self._overlap(trace)) is not None:
            self._findings.append(finding)

    def finish(self, gone: set[str]) -> Found:
        kept = [finding for finding in self._findings if finding.hash not in gone]
        counts = {name: count for name, count in self._rows.items() if count}
        return Found(kept, {**counts, **({"overlap": len(kept)} if kept else {})}, self._notes)

    def close(self) -> None:
        self._grams.clear()

    def _learn(self, kind: str, trace: Trace) -> None:
        owner = len(self._owners)
        self._owners.append((kind, trace.group_key))
        for value, _, _ in _grams(words(trace.prompt), self._size):
            self._grams.setdefault(value, owner)

    def _overlap(self, trace: Trace) -> Finding | None:
        """The longest stretch of the first part that has one in common with an eval prompt."""
        for name, text in parts(trace):
            best: tuple[int, int, int, int] | None = None
            start = end = owner = run = 0
            for value, first, last in _grams(words(text), self._size):
                found = self._grams.get(value)
                if found is None:
                    run = 0
                    continue
                if not run:
                    start, owner = first, found
                run, end = run + 1, last
                if best is None or run > best[0]:
                    best = (run, start, end, owner)
            if best is not None:
                return self._finding(trace, name, *best)
        return None

    def _finding(self, trace: Trace, name: str, run: int, start: int, end: int, owner: int) -> Finding:
        kind, group = self._owners[owner]
        detail = {"field": name, "start": start, "end": end, "words": run + self._size - 1, "eval": group}
        return Finding(trace.content_hash, f"overlap_{kind}", detail)


def _grams(found: list[Word], size: int) -> Iterator[tuple[int, int, int]]:
    """Every n-gram as a number of 64 bits, with where it begins and ends in the raw text.

    A sum of word numbers times powers of an odd number, modulo 2**64, so that the next one costs one step. A prompt of
    fewer words than an n-gram has none: groups of the same prompt never stand on both sides anyway.
    """
    if len(found) < size:
        return
    mask, base = (1 << 64) - 1, 0x9E3779B97F4A7C15
    numbers = array("Q", (_number(word.text) for word in found))
    top = pow(base, size, 1 << 64)
    value = 0
    for i, number in enumerate(numbers):
        value = (value * base + number) & mask
        if i >= size:
            value = (value - numbers[i - size] * top) & mask
        if i >= size - 1:
            yield value, found[i - size + 1].start, found[i].end


_known: dict[str, int] = {}


def _number(word: str) -> int:
    """The same number for a word in every process; Python's own hash differs."""
    number = _known.get(word)
    if number is None:
        if len(_known) > 200_000:
            _known.clear()
        number = _known[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    return number


def _start(settings: Settings, tools: Tools) -> Check:
    return ContaminationCheck(settings, tools.eval_set)


GATE = Gate(
    "contamination",
    1,
    "Train rows that hold an eval prompt",
    "a stretch of that many words of an eval prompt stands in a train row",
    _start,
    {
        "ngram": Setting(13, "words of a stretch; 8 finds more, some of it by chance", 5, 50),
        "against": Setting(
            "both", "this version's eval split, the eval file, or both", choices=("both", "split", "file")
        ),
        "eval_sha256": Setting("", "the eval file that was used, by its content"),
    },
    sets=True,
    splits=True,
)
