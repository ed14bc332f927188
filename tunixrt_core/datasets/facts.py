"""Facts that a selection needs: stratum, score, size, tokens, correctness."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tunixrt_core.datasets.gates.check import Look
from tunixrt_core.datasets.gates.rules.answer import SETTINGS, AnswerCheck
from tunixrt_core.datasets.gates.rules.length import estimated_tokens
from tunixrt_core.datasets.gates.texts import reasoning, whole_text
from tunixrt_core.datasets.pool import Candidate, Pool
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.files.records import SHA256, Records

_SCORE = struct.Struct(">d")
_MOST_KEYS = 200
_SHOWN_KEYS = 20
_ASKING = {"stratified", "top", "best", "shortest", "budget"}


def asks_for_facts(spec: DatasetSpec) -> bool:
    """Whether the selection needs the traces themselves to decide."""
    return spec.selection in _ASKING


class FactFinder:
    """Fills candidates with what the selection of a spec asks for."""

    def __init__(
        self,
        spec: DatasetSpec,
        beat: Callable[[], None] = lambda: None,
        scores: Iterable[tuple[str, float]] = (),
        folder: Path | None = None,
    ) -> None:
        """`scores` are what the store knows by hash; a trace without one there may carry its own. `folder` takes what
        is too much for the memory.
        """
        self._spec = spec
        self._folder = folder
        packed = (bytes.fromhex(hash) + _SCORE.pack(score) for hash, score in scores)
        self._scores = Records(SHA256 + _SCORE.size, packed, folder=folder)
        self._has_stratum = False
        self._keys: set[str] = set()
        settings = {name: one.default for name, one in SETTINGS.items()}
        right = spec.selection in ("best", "shortest")
        self._answers = AnswerCheck(settings, beat, folder) if right else None

    def look(self) -> Look:
        """What it takes from each trace."""
        spec = self._spec
        judged = self._answers.look(None) if self._answers is not None else None
        return partial(_facts, selection=spec.selection, by=spec.by, tokens=spec.tokens, judged=judged)

    def fill(self, candidate: Candidate, seen: Facts) -> Candidate:
        """With all facts that the trace alone has, as its look gave them."""
        if self._answers is not None:
            self._answers.take(candidate.hash, None, seen.answer)
        if seen.stratum:
            self._has_stratum = True
        elif len(self._keys) < _MOST_KEYS:
            self._keys.update(seen.keys)
        return candidate._replace(stratum=seen.stratum, score=seen.score, size=seen.size, tokens=seen.tokens)

    def completed(self, candidates: Pool) -> Pool:
        """With the scores of the store and `right`, where the selection wants them, then in the order of their hashes.

        Raises InvalidDataset where no trace has what it is to be stratified by.
        """
        if self._spec.selection == "stratified" and not self._has_stratum:
            raise InvalidDataset(self._no_stratum())
        if self._answers is None and not len(self._scores):
            return candidates
        found = candidates.by_hash()
        if len(self._scores):
            known = _beside(found, self._scores.sorted())
            found = (one if at is None else one._replace(score=_SCORE.unpack(at[SHA256:])[0]) for one, at in known)
        if self._answers is not None:
            right = (bytes.fromhex(hash) for hash, word in self._answers.verdicts() if word == "right")
            judged = _beside(found, Records(SHA256, right, folder=self._folder).sorted())
            found = (one._replace(right=at is not None) for one, at in judged)
        return Pool(found, self._folder)

    def _no_stratum(self) -> str:
        by = str(self._spec.by)
        keys = [f"meta.{key}" for key in sorted(self._keys)]
        alike = get_close_matches(by, keys, 1, 0.7)
        hint = f" Did you mean {alike[0]}?" if alike else ""
        known = [name for name in ("source", "model") if name != by]
        seen = ", ".join(known + (keys[:_SHOWN_KEYS] or ["no key of meta"]))
        return f"by: no trace that matches has {by}.{hint} Keys seen: {seen}."

    def close(self) -> None:
        if self._answers is not None:
            self._answers.close()


class Facts(NamedTuple):
    """What the trace itself says about a candidate; `keys` are those of its metadata where it has no stratum."""

    stratum: str
    keys: tuple[str, ...]
    score: float | None
    size: int
    tokens: int
    answer: Any


def _facts(trace: Trace, selection: str, by: str | None, tokens: str, judged: Look | None) -> Facts:
    stratified = selection == "stratified"
    stratum = stratum_of(trace, by) if by and stratified else ""
    return Facts(
        stratum,
        tuple(map(str, trace.meta)) if stratified and not stratum else (),
        score_of(trace, by) if by and not stratified else None,
        len(reasoning(trace).encode()),
        _tokens(trace, tokens) if selection == "budget" else 0,
        judged(trace) if judged else None,
    )


def _tokens(trace: Trace, kind: str) -> int:
    text = whole_text(trace)
    return len(text.split()) if kind == "words" else estimated_tokens(text)


def _beside(candidates: Iterable[Candidate], records: Iterator[bytes]) -> Iterator[tuple[Candidate, bytes | None]]:
    """Each candidate with the record that begins with its hash; both in the order of hashes."""
    record = next(records, None)
    for candidate in candidates:
        wanted = bytes.fromhex(candidate.hash)
        while record is not None and record[:SHA256] < wanted:
            record = next(records, None)
        yield candidate, record if record is not None and record.startswith(wanted) else None


def stratum_of(trace: Trace, by: str) -> str:
    """The value of source, model or `meta.KEY`, as text; empty where the trace has none."""
    value: Any = trace.meta.get(by.removeprefix("meta.")) if by.startswith("meta.") else getattr(trace, by)
    return "" if value is None else str(value)


def score_of(trace: Trace, name: str) -> float | None:
    """A number of that name in the trace's `meta.scores`, or in its `meta`; None where there is none."""
    scores = trace.meta.get("scores")
    for place in (scores if isinstance(scores, Mapping) else {}, trace.meta):
        value = place.get(name)
        if isinstance(value, bool | int | float):
            return float(value)
    return None
