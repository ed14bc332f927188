"""Gate: words of an eval prompt in a train row.

Word n-grams as in GPT-3 (Brown et al. 2020, appendix C: 13 words) and its successors (8 and more).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Container, Mapping, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from tunixrt_core.datasets.gates.check import Check, EvalSet, Found, Gate, Look, Setting, Settings, Tools
from tunixrt_core.datasets.gates.findings import Finding, Findings
from tunixrt_core.datasets.gates.ngrams import Stretch, grams, stretch_of
from tunixrt_core.datasets.gates.owners import GramFilter, GramOwners
from tunixrt_core.datasets.gates.texts import asked_texts, parts
from tunixrt_core.traces.conversation import Message
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace, group_key_of
from tunixrt_core.util.files.records import SHA256, Records

_KINDS = ("split", "file")  # where an eval prompt is from


class ContaminationCheck:
    """Holds a number of 64 bits for each n-gram of what eval rows ask; of the eval texts themselves, nothing."""

    def __init__(self, settings: Settings, eval_set: EvalSet | None, folder: Path | None = None) -> None:
        self._size: int = settings["ngram"]
        self._against: str = settings["against"]
        self._asked = Records(1 + SHA256, folder=folder)  # the kind of an eval prompt and its group key
        self._grams = GramOwners(folder)  # by the number of the prompt
        self._findings = Findings(folder=folder)
        self._notes: dict[str, str] = {}
        self._rows = {"train": 0, "eval": 0, "file": 0}
        if eval_set is not None and self._against != "split":
            self._take_file(eval_set)

    def _take_file(self, eval_set: EvalSet) -> None:
        unread = 0
        for asking in eval_set.prompts():
            if asking is None:
                unread += 1
                continue
            self._rows["file"] += 1
            self._learn("file", _asking(asking.prompt, asking.messages, self._size))
        self._notes = {
            "eval_file": eval_set.name,
            "eval_sha256": eval_set.sha256,
            "eval_rows": str(self._rows["file"]),
            **({"eval_rows_unread": str(unread)} if unread else {}),
        }

    def look(self, split: Split | None) -> Look:
        """Of train rows only once those of the eval split were taken."""
        if split != "eval":
            return partial(_possible, size=self._size, known=self._grams.filter())
        return partial(_nothing if self._against == "file" else _asked, size=self._size)

    def take(self, hash: str, split: Split | None, seen: Any) -> None:
        if split == "eval":
            self._rows["eval"] += 1
            if seen is not None:
                self._learn("split", seen)
            return
        self._rows["train"] += 1
        if seen and (finding := self._overlap(hash, seen)) is not None:
            self._findings.append(finding)

    def finish(self, gone: Container[str]) -> Found:
        kept = self._findings.without(gone)
        counts = {name: count for name, count in self._rows.items() if count}
        return Found(kept, {**counts, **({"overlap": len(kept)} if kept else {})}, self._notes)

    def close(self) -> None:
        """What is kept on the disk goes with the check."""

    def _learn(self, kind: str, asked: _Asked) -> None:
        owner = len(self._asked)
        self._asked.append(bytes([_KINDS.index(kind)]) + asked.key)
        for value in asked.grams:
            self._grams.add(value, owner)

    def _overlap(self, hash: str, seen: Sequence[_Possible]) -> Finding | None:
        """The longest stretch of the first part that has one in common with an eval prompt."""
        for part in seen:
            if owners := self._grams.owners(part.grams):
                first, longest = _longest_run(owners)
                return self._finding(hash, part.name, stretch_of(part.text, self._size, first, longest), owners[first])
        return None

    def _finding(self, hash: str, name: str, stretch: Stretch, owner: int) -> Finding:
        asked = self._asked[owner]
        detail = {"field": name, **stretch._asdict(), "eval": asked[1:].hex()}
        return Finding(hash, f"overlap_{_KINDS[asked[0]]}", detail)


class _Asked(NamedTuple):
    """What an eval row asks: the digest of its group key, and its n-grams."""

    key: bytes
    grams: array[int]


class _Possible(NamedTuple):
    """A part of a train row, and those of its n-grams by their place that an eval prompt may have."""

    name: str
    text: str
    grams: dict[int, int]


def _asked(trace: Trace, size: int) -> _Asked:
    return _asking(trace.prompt, trace.conversation.messages, size)


def _asking(prompt: str, messages: Sequence[Message], size: int) -> _Asked:
    texts = asked_texts(prompt, messages)
    found = array("Q", (value for _, text in texts for value in grams(text, size)))
    return _Asked(bytes.fromhex(group_key_of(prompt, messages)), found)


def _nothing(trace: Trace, size: int) -> None:
    """Eval rows of a check against a file."""


def _possible(trace: Trace, size: int, known: GramFilter) -> list[_Possible]:
    """The filter is asked once about all n-grams of a row."""
    found = [(name, text, list(grams(text, size))) for name, text in parts(trace)]
    ends = list(accumulate(len(values) for _, _, values in found))
    made: dict[int, _Possible] = {}
    for place in known.places([value for _, _, values in found for value in values]):
        at = bisect_right(ends, place)
        name, text, values = found[at]
        first = ends[at] - len(values)
        made.setdefault(at, _Possible(name, text, {})).grams[place - first] = values[place - first]
    return list(made.values())


def _longest_run(owners: Mapping[int, int]) -> tuple[int, int]:
    """Where the longest run of places that have an owner begins, the first of them, and how long it is."""
    best = longest = run = 0
    last = -2
    for place in owners:
        run = run + 1 if place == last + 1 else 1
        last = place
        if run > longest:
            longest, best = run, place - run + 1
    return best, longest


def _start(settings: Settings, tools: Tools) -> Check:
    return ContaminationCheck(settings, tools.eval_set, tools.folder)


GATE = Gate(
    "contamination",
    3,
    "Train rows that hold an eval prompt",
    "a train row contains a stretch of that many words of an eval prompt or of the messages before it",
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
