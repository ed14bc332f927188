"""Rows read back from their own tokens: text, control tokens, answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunixrt_core.evaluation.scorers.final import exact_match
from tunixrt_core.evaluation.scorers.scorer import Answer
from tunixrt_core.manifest.sections import RenderingSection
from tunixrt_core.traces.rendering.chats import stop_tokens
from tunixrt_core.traces.rendering.parse import parse_completion
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rendering.text import Rendered, join
from tunixrt_core.traces.trace import Trace
from tunixrt_core.tunix_backend.data.encoding import BatchWatch
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer

_SHOWN = 24  # characters on each side of a difference


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place at which a text does not come back: a few characters of it, and what they read as."""

    text: str
    read: str

    def __str__(self) -> str:
        return f"{self.text!r} reads as {self.read!r}"


@dataclass(slots=True)
class Misread:
    """Rows that do not come back, by their line in the data file."""

    changed: dict[int, Difference] = field(default_factory=dict)  # by the tokenizer
    control: dict[int, set[str]] = field(default_factory=dict)  # text that became a control token, by its name
    answers: dict[int, Difference] = field(default_factory=dict)  # by the reasoning style
    kept_by: dict[int, frozenset[ReasoningStyle]] = field(default_factory=dict)  # styles that keep such an answer


def control_pattern(tokenizer: TextTokenizer) -> re.Pattern[str] | None:
    """Matches the text of every control token; None where there is none."""
    tokens = sorted(tokenizer.control_tokens.values(), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, tokens))) if tokens else None


class ReadBack:
    """Reads every row as an evaluation would read it, had a model written it token by token."""

    def __init__(self, rendering: RenderingSection, tokenizer: TextTokenizer, misread: Misread) -> None:
        self._rendering = rendering
        self._tokenizer = tokenizer
        self._misread = misread
        self._control_ids = tokenizer.control_tokens
        self._control = control_pattern(tokenizer)
        self._begin = tokenizer.begin_id
        self._begin_text = self._control_ids.get(self._begin, "") if self._begin is not None else ""
        names = (tokenizer.token_id(name) for name in stop_tokens(rendering.chat))
        self._stops = {tokenizer.eos_id(), *(i for i in names if i is not None)}

    def of(self, numbers: Sequence[int]) -> BatchWatch:
        """A watch of the rows of one split, which have these lines in the file. The list may grow meanwhile."""
        place = 0

        def watch(batch: Sequence[tuple[Trace, Rendered, list[list[int]]]]) -> None:
            nonlocal place
            stretches = [(stretch.text, ids) for _, row, each in batch for stretch, ids in _paired(row, each)]
            whole = self._tokenizer.decode_all([self._without_begin(text, ids) for text, ids in stretches])
            read = iter(zip(stretches, whole, strict=True))
            for trace, row, each in batch:
                number, place = numbers[place], place + 1
                same = self._look_at_text(number, [next(read) for _ in each])
                self._look_at_answer(number, trace, row, each[-1], same=same)

        return watch

    def _without_begin(self, text: str, ids: list[int]) -> list[int]:
        added = ids[:1] == [self._begin] and not text.startswith(self._begin_text)
        return ids[1:] if added else ids

    def _look_at_text(self, number: int, read: Iterable[tuple[tuple[str, list[int]], str]]) -> bool:
        """Whether every stretch comes back."""
        same = True
        for (text, ids), found in read:
            if text == found:
                continue
            same = False
            if made := self._made_of_text(text, self._without_begin(text, ids)):
                self._misread.control.setdefault(number, set()).update(made)
            self._misread.changed.setdefault(number, difference(text, found))
        return same

    def _made_of_text(self, text: str, ids: Sequence[int]) -> set[str]:
        """Control tokens among the ids that are not in the text."""
        written = Counter(self._control.findall(text)) if self._control else Counter[str]()
        return set(Counter(self._control_ids[i] for i in ids if i in self._control_ids) - written)

    def _look_at_answer(self, number: int, trace: Trace, row: Rendered, ids: Sequence[int], *, same: bool) -> None:
        said = join(row.pieces[:-1])  # without the end of the turn
        if not same or (self._control and self._control.search(said)):
            end = next((place for place, i in enumerate(ids) if i in self._stops), len(ids))
            said = self._tokenizer.decode(ids[:end])
        if reads_as(said, trace, self._rendering.reasoning):
            return
        answer = parse_completion(said, self._rendering.reasoning).answer
        self._misread.answers[number] = difference(trace.final_answer, answer or "")
        self._misread.kept_by[number] = frozenset(self._styles_that_keep(trace))

    def _styles_that_keep(self, trace: Trace) -> Iterator[ReasoningStyle]:
        for style in ReasoningStyle:
            if style is ReasoningStyle.ANSWER and trace.steps:
                continue  # it would keep the answer and lose the steps
            row = self._rendering.model_copy(update={"reasoning": style}).row(trace)
            if reads_as(join(row.pieces[:-1]), trace, style):
                yield style


def reads_as(completion: str, trace: Trace, style: ReasoningStyle) -> bool:
    """Whether an evaluation finds the trace's own answer in a completion."""
    answer = parse_completion(completion, style).answer
    if answer is not None and answer.split() == trace.final_answer.split():
        return True
    # the scorer looks for more than is needed here, so it is asked about few rows
    judged = exact_match(Answer(trace.prompt, completion, trace.final_answer, style, 0, False))
    return judged.value == 1.0


def difference(text: str, found: str) -> Difference:
    """The first place where two texts differ, with some characters around it."""
    at = next((i for i, (a, b) in enumerate(zip(text, found, strict=False)) if a != b), min(len(text), len(found)))
    start = max(0, at - _SHOWN // 2)
    return Difference(text[start : at + _SHOWN], found[start : at + _SHOWN])


def _paired(row: Rendered, ids: Sequence[list[int]]) -> Iterator[tuple[Any, list[int]]]:
    return zip(row.stretches, ids, strict=True)
