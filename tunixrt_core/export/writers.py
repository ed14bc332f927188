"""Writers of lines: entries in, one line per trace, prompt or pair out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import orjson

from tunixrt_core.errors import InvalidDataset
from tunixrt_core.export import pairs, shapes
from tunixrt_core.export.entries import Entry, ExportOptions, ScoresOf
from tunixrt_core.traces.conversation import FIELDS, conversation_of
from tunixrt_core.traces.rows import Split, json_text
from tunixrt_core.traces.scores import is_negative
from tunixrt_core.traces.trace import group_key_of, normalise_prompt

OnLeftOut = Callable[[str, str], object]  # the hash of a trace, and why it gives no row
BodyOf = Callable[[str], str | None]
_DEFAULT = ExportOptions()


@dataclass(frozen=True, slots=True)
class Job:
    """How one export is written. `scores_of` gives the scores of a trace, `body_of` its canonical JSON, None where it
    is not stored; `negatives` are the negative examples among the entries, found by their scores where it is None;
    `on_left_out` is told the hash of each trace that is no row of the format, and why, as `LeftOut` has it.
    """

    options: ExportOptions = _DEFAULT
    scores_of: ScoresOf = lambda trace_hash: ()
    on_left_out: OnLeftOut = lambda trace_hash, reason: None
    body_of: BodyOf = lambda trace_hash: None
    negatives: Collection[str] | None = None

    def is_negative(self, trace_hash: str) -> bool:
        if self.negatives is None:
            return is_negative(self.scores_of(trace_hash))
        return trace_hash in self.negatives


Lines = Callable[[Iterable[Entry], Job], Iterator[bytes]]


def one_per_trace(shape: shapes.Shape, *, scored: bool = False) -> Lines:
    """A line per trace, in a shape that may leave traces out; `scored`: the shape always gets the scores."""

    def lines(entries: Iterable[Entry], job: Job) -> Iterator[bytes]:
        options, loads, dumps, newline = job.options, orjson.loads, orjson.dumps, orjson.OPT_APPEND_NEWLINE
        for entry in entries:
            # a negative example is told as such, so that nobody takes it for a good one
            told = scored or job.is_negative(entry.hash)
            row = shape(entry, loads(entry.body), options, job.scores_of(entry.hash) if told else ())
            if isinstance(row, shapes.LeftOut):
                job.on_left_out(entry.hash, row.reason)
            else:
                yield dumps(row, option=newline)

    return lines


def canonical(entries: Iterable[Entry], job: Job) -> Iterator[bytes]:
    """Canonical JSON, but for `meta`, `layout` and the parts of a conversation, which are JSON as text."""
    for entry in entries:
        row = orjson.loads(entry.body)
        for name in ("meta", "layout", *FIELDS):
            if name in row:
                row[name] = json_text(row[name])
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def some_of(lines: Lines, advice: str) -> Lines:
    """The same lines; raises InvalidDataset at the end where all traces are left out, with the reasons."""

    def checked(entries: Iterable[Entry], job: Job) -> Iterator[bytes]:
        reasons: Counter[str] = Counter()

        def on_left_out(trace_hash: str, reason: str) -> None:
            reasons[reason] += 1
            job.on_left_out(trace_hash, reason)

        line = None
        for line in lines(entries, replace(job, on_left_out=on_left_out)):
            yield line
        if line is None and reasons:
            raise InvalidDataset(f"None of these traces makes a row ({left_out_words(reasons)}): {advice}")

    return checked


def left_out_words(reasons: Mapping[str, int]) -> str:
    """How many traces are left out for each reason, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    return "; ".join(f"{count:,} {reason}" for reason, count in ordered)


def _prompts(entries: Iterable[Entry], *names: str) -> Iterator[list[tuple[Entry, dict[str, Any]]]]:
    """Entries with their data, those of the very same prompt, system text, named parts of the conversation and split
    together.
    """
    parsed = ((entry, orjson.loads(entry.body)) for entry in entries)
    for _, group in groupby(parsed, lambda one: _group_of(one[1])):
        same: dict[tuple[str, str], list[tuple[Entry, dict[str, Any]]]] = {}
        for entry, data in group:
            same.setdefault((entry.split or "", shapes.context_of(data, *names)), []).append((entry, data))
        # not in the order of the traces, of which some may give no row
        yield from (same[key] for key in sorted(same))


def _group_of(data: Mapping[str, Any]) -> str:
    """The same for all traces of a prompt group; a prompt without turns before it is its own key."""
    if "messages" in data:
        return group_key_of(data["prompt"], conversation_of({"messages": data["messages"]}).messages)
    return normalise_prompt(data["prompt"])


def grpo(entries: Iterable[Entry], job: Job) -> Iterator[bytes]:
    """A line per prompt that has a right answer."""
    for group in _prompts(entries, "messages", "turns", "tools"):
        asked = next(_asked(group, job), None)
        if asked is None:
            row: dict[str, Any] | shapes.LeftOut = _NO_ANSWER
        else:
            scores = job.scores_of(asked[0].hash) if job.is_negative(asked[0].hash) else ()
            row = shapes.grpo(*asked, job.options, scores)
        if not isinstance(row, shapes.LeftOut):
            yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        for entry, _ in group:
            if isinstance(row, shapes.LeftOut):
                job.on_left_out(entry.hash, row.reason)
            elif asked is None or entry.hash != asked[0].hash:
                job.on_left_out(entry.hash, _SAME_PROMPT.reason)


_NO_ANSWER = shapes.LeftOut("whose prompt has no right answer, only negative examples")
_SAME_PROMPT = shapes.LeftOut("whose prompt has a row already")
_NO_PAIR = shapes.LeftOut("without another trace to make a pair with")


def _asked(group: Sequence[tuple[Entry, dict[str, Any]]], job: Job) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Traces that know the answer of a prompt, the best first: the answer of a negative example is none."""
    negatives = [one for one in group if job.is_negative(one[0].hash)]
    yield from (one for one in group if one not in negatives)
    yield from (one for one in negatives if one[1].get("reference_answer") is not None)


def preference(entries: Iterable[Entry], job: Job) -> Iterator[bytes]:
    """A line per pair of traces of one prompt."""
    for group in _prompts(entries, "messages", "tools"):
        used: dict[str, str | None] = {}
        judged = [pairs.judge(entry, data, job.scores_of(entry.hash)) for entry, data in group]
        for better, worse in pairs.pair(judged, _other_side(job, group[0][0].split)):
            row = pairs.preference(better, worse, job.options)
            reason = row.reason if isinstance(row, shapes.LeftOut) else None
            used |= {side.entry.hash: reason for side in (better, worse)}
            if not isinstance(row, shapes.LeftOut):
                yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        for entry, _ in group:
            why = used.get(entry.hash, _NO_PAIR.reason)
            if why is not None:
                job.on_left_out(entry.hash, why)


def _other_side(job: Job, split: Split | None) -> pairs.OtherSide:
    """Finds the rejected side of a pair of a file, which a version leaves out as a negative example."""

    def find(trace_hash: str) -> pairs.Judged | None:
        body = job.body_of(trace_hash)
        if body is None:
            return None
        return pairs.judge(Entry(trace_hash, body, split), orjson.loads(body), job.scores_of(trace_hash))

    return find
