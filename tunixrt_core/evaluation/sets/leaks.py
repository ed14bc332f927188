"""Leaks: eval rows that occur in the train rows.

The n-grams are those of the contamination gate (`datasets/gates/ngrams.py`), looked up from the side of the eval rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tunixrt_core.datasets.gates.ngrams import count_words, grams, stretch_of
from tunixrt_core.datasets.gates.rules.contamination import GATE
from tunixrt_core.datasets.gates.texts import asked_texts, parts
from tunixrt_core.evaluation.sets.eval_set import EvalRow, EvalSet
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.rows import read_rows
from tunixrt_core.traces.trace import Trace, group_key_of

NGRAM = int(GATE.settings["ngram"].default)
# an n-gram of more rows than this is the set's own wording, such as an instruction above every question
MOST_OWNERS = 20
_TELL_EVERY = 200


@dataclass(frozen=True, slots=True)
class Leak:
    """One eval row and the train row with the largest overlap.

    `exact`: the normalised prompts are equal. `overlap`: `words` consecutive words are the same, at
    `[prompt_start:prompt_end]` of the `prompt_field` of the eval row, its prompt or a message before it, and at
    `[start:end]` of the `field` of the trace with that hash. `train_rows` counts the train rows of that kind.
    """

    row_id: str
    kind: Literal["exact", "overlap"]
    trace: str
    field: str
    start: int
    end: int
    words: int
    prompt_start: int
    prompt_end: int
    train_rows: int
    prompt_field: str = "prompt"


@dataclass(frozen=True, slots=True)
class Leaks:
    """The compared data, and every eval row that overlaps with train rows: the content of `leaks.json`.

    `eval_sha256` is of the eval set's rows, `data_sha256` of the training file. `common` n-grams were left out
    because too many eval rows have them.
    """

    eval_sha256: str
    data_sha256: str
    eval_rows: int
    train_rows: int
    ngram: int
    common: int
    exact: int
    overlap: int
    findings: tuple[Leak, ...]

    @property
    def share(self) -> float:
        """The share of the eval rows, 0 to 1."""
        return (self.exact + self.overlap) / self.eval_rows if self.eval_rows else 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"share": self.share, "findings": [asdict(finding) for finding in self.findings]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Leaks:
        known = {name: data[name] for name in cls.__slots__}
        return cls(**known | {"findings": tuple(Leak(**finding) for finding in data["findings"])})


def find_leaks(
    eval_set: EvalSet,
    manifest: RunManifest,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    ngram: int = NGRAM,
) -> Leaks:
    """Read the train rows of the manifest's data file once, and compare. `on_progress` gets rows done and total rows.

    Memory: the texts of the eval rows, a 64-bit number for each of their n-grams, and one finding per eval row, for
    any number of train rows. Prompts of
    fewer than `ngram` words are found only as a whole. Raises UnreadableFile.
    """
    search = _Search(eval_set.rows, ngram)
    done = 0
    for row in read_rows(Path(manifest.data.path), "train"):
        search.see(row.trace)
        done += 1
        if done % _TELL_EVERY == 0:
            on_progress(done, manifest.data.train_rows)
    on_progress(done, manifest.data.train_rows)
    findings = search.findings()
    exact = sum(finding.kind == "exact" for finding in findings)
    return Leaks(
        eval_sha256=eval_set.ref.sha256,
        data_sha256=manifest.data.sha256,
        eval_rows=len(eval_set.rows),
        train_rows=done,
        ngram=ngram,
        common=search.common,
        exact=exact,
        overlap=len(findings) - exact,
        findings=findings,
    )


@dataclass(slots=True)
class _Best:
    """The state of one eval row; places are counted in n-grams, `run` is the number of consecutive ones."""

    run: int = 0
    leak: Leak | None = None
    train_rows: int = 0
    exact: bool = False


# a word of what an eval row asks: the row, which of its texts, the place of the word
_Word = tuple[int, int, int]


class _Search:
    """Eval prompts by their n-grams, and the longest stretch found of each."""

    def __init__(self, rows: Sequence[EvalRow], size: int) -> None:
        self._rows = rows
        self._size = size
        self._best = [_Best() for _ in rows]
        self._prompts: dict[str, list[int]] = {}
        self._asked = [list(asked_texts(row.prompt, row.conversation.messages)) for row in rows]
        self._owners: dict[int, list[_Word]] = {}
        for i, row in enumerate(rows):
            self._prompts.setdefault(group_key_of(row.prompt, row.conversation.messages), []).append(i)
            for text, (_, asked) in enumerate(self._asked[i]):
                for at, value in enumerate(grams(asked, size)):
                    self._owners.setdefault(value, []).append((i, text, at))
        common = [value for value, owners in self._owners.items() if len({owner[0] for owner in owners}) > MOST_OWNERS]
        for value in common:
            del self._owners[value]
        self.common = len(common)

    def see(self, trace: Trace) -> None:
        """Compare with one train row."""
        for i in self._prompts.get(trace.group_key, ()):
            self._exact(i, trace)
        touched: set[int] = set()
        for name, text in parts(trace):
            self._overlaps(trace, name, text, touched)
        for i in touched:
            self._best[i].train_rows += 1

    def findings(self) -> tuple[Leak, ...]:
        """The leaks in the order of the eval set."""
        return tuple(_counted(best) for best in self._best if best.leak is not None)

    def _exact(self, i: int, trace: Trace) -> None:
        best = self._best[i]
        if not best.exact:
            prompt = self._rows[i].prompt
            whole = (0, len(trace.prompt), count_words(prompt), 0, len(prompt))
            best.leak = Leak(self._rows[i].id, "exact", trace.content_hash, "prompt", *whole, 0)
            best.exact, best.train_rows = True, 0
        best.train_rows += 1

    def _overlaps(self, trace: Trace, name: str, text: str, touched: set[int]) -> None:
        """Stretches that a part of the trace shares with what eval rows ask, each followed word by word."""
        runs: dict[_Word, int] = {}
        longest: dict[int, tuple[int, int, _Word]] = {}  # eval row -> consecutive n-grams, the last of them here, there
        for place, value in enumerate(grams(text, self._size)):
            if (owners := self._owners.get(value)) is None:
                runs = {}
                continue
            runs = {(i, asked, at): runs.get((i, asked, at - 1), 0) + 1 for i, asked, at in owners}
            for word, run in runs.items():
                if not self._best[word[0]].exact and run > longest.get(word[0], (0,))[0]:
                    longest[word[0]] = (run, place, word)
        touched.update(longest)
        for i, (run, place, word) in longest.items():
            if run > self._best[i].run:
                self._best[i].run = run
                self._best[i].leak = self._leak(trace, (name, text), run, place, word)

    def _leak(self, trace: Trace, where: tuple[str, str], run: int, place: int, word: _Word) -> Leak:
        """`run` n-grams in a row, the last of which begins at these words of the train text and of the eval row."""
        i, asked, at = word
        field, told = self._asked[i][asked]
        here = stretch_of(where[1], self._size, place - run + 1, run)
        there = stretch_of(told, self._size, at - run + 1, run)
        row = self._rows[i].id
        return Leak(row, "overlap", trace.content_hash, where[0], *here, there.start, there.end, 0, field)


def _counted(best: _Best) -> Leak:
    assert best.leak is not None, "only rows with a finding are counted"
    return replace(best.leak, train_rows=best.train_rows)
