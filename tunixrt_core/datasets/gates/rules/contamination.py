"""Gate: words of an eval prompt in a train row.

Word n-grams as in GPT-3 (Brown et al. 2020, appendix C: 13 words) and its successors (8 and more).
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from tunixrt_core.datasets.gates.check import Check, EvalSet, Found, Gate, Setting, Settings, Tools
from tunixrt_core.datasets.gates.findings import Finding, Findings
from tunixrt_core.datasets.gates.ngrams import Stretch, grams, stretch_of
from tunixrt_core.datasets.gates.owners import GramOwners
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
            self._learn("file", asking.prompt, asking.messages)
        self._notes = {
            "eval_file": eval_set.name,
            "eval_sha256": eval_set.sha256,
            "eval_rows": str(self._rows["file"]),
            **({"eval_rows_unread": str(unread)} if unread else {}),
        }

    def see(self, trace: Trace, split: Split | None) -> None:
        if split == "eval":
            self._rows["eval"] += 1
            if self._against != "file":
                self._learn("split", trace.prompt, trace.conversation.messages)
            return
        self._rows["train"] += 1
        if (finding := self._overlap(trace)) is not None:
            self._findings.append(finding)

    def finish(self, gone: Container[str]) -> Found:
        kept = self._findings.without(gone)
        counts = {name: count for name, count in self._rows.items() if count}
        return Found(kept, {**counts, **({"overlap": len(kept)} if kept else {})}, self._notes)

    def close(self) -> None:
        """What is kept on the disk goes with the check."""

    def _learn(self, kind: str, prompt: str, messages: Sequence[Message]) -> None:
        owner = len(self._asked)
        self._asked.append(bytes([_KINDS.index(kind)]) + bytes.fromhex(group_key_of(prompt, messages)))
        for _, text in asked_texts(prompt, messages):
            for value in grams(text, self._size):
                self._grams.add(value, owner)

    def _overlap(self, trace: Trace) -> Finding | None:
        """The longest stretch of the first part that has one in common with an eval prompt."""
        found = [(name, text, list(grams(text, self._size))) for name, text in parts(trace)]
        owners = self._grams.owners([value for _, _, values in found for value in values])
        start = 0
        for name, text, values in found:
            first, longest = _longest_run(owners, start, start + len(values))
            if longest:
                stretch = stretch_of(text, self._size, first - start, longest)
                return self._finding(trace, name, stretch, owners[first])
            start += len(values)
        return None

    def _finding(self, trace: Trace, name: str, stretch: Stretch, owner: int) -> Finding:
        asked = self._asked[owner]
        detail = {"field": name, **stretch._asdict(), "eval": asked[1:].hex()}
        return Finding(trace.content_hash, f"overlap_{_KINDS[asked[0]]}", detail)


def _longest_run(owners: Mapping[int, int], start: int, stop: int) -> tuple[int, int]:
    """Where the longest run of places that have an owner begins, the first of them, and how long it is."""
    best = longest = run = 0
    for place in range(start, stop) if owners else ():
        run = run + 1 if place in owners else 0
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
