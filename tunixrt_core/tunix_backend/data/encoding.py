"""Traces as token ids, each trained token tagged with its part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np

from tunixrt_core.errors import TrainingError
from tunixrt_core.manifest.sections import LengthPolicy
from tunixrt_core.traces.rendering.text import Piece, Rendered, Stretch
from tunixrt_core.traces.trace import Trace

# Ids of the parts. From FIRST_TRAINED on a token is trained on.
NO_PART, PROMPT_PART, FORMAT_PART, ANSWER_PART = range(4)
FIRST_TRAINED = FORMAT_PART

_MOST_STEPS = 16  # later steps share the tag of this one, so that the number of parts stays small
_MOST_TYPES = 8
_BATCH = 512  # texts per call of the tokenizer, which encodes them in parallel

Span = tuple[int, int]


BatchWatch = Callable[[Sequence[tuple[Trace, Rendered, list[list[int]]]]], None]
"""Called with some traces in order, the text of each, and the ids of each of its stretches."""


class Encoder(Protocol):
    """The methods that encoding needs of a tokenizer."""

    def encode_prompts(self, texts: Sequence[str]) -> list[list[int]]: ...

    def encode_spans(self, texts: Sequence[str]) -> list[tuple[list[int], list[Span]]]:
        """Ids of each text, and the characters that each id covers, `[start, end)`."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a token belongs to: `prompt`, `format`, `answer`, `reply` (an earlier turn that is trained on), or a `step`
    with its index (from 0) and type.
    """

    kind: str
    index: int = 0
    type: str = ""

    def __str__(self) -> str:
        return f"step {self.index + 1}" if self.kind == "step" else self.kind


class Parts:
    """The parts that occur in the data, each with a small number that is stored with the tokens."""

    def __init__(self) -> None:
        self._parts = [Part("none"), Part("prompt"), Part("format"), Part("answer")]
        self._ids = {part: i for i, part in enumerate(self._parts)}
        self._types: set[str] = set()

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, i: int) -> Part:
        return self._parts[i]

    def id_of(self, piece: Piece) -> int:
        """The number of a piece's part; a new number for a part that has none yet."""
        if piece.kind in ("format", "answer"):
            return FORMAT_PART if piece.kind == "format" else ANSWER_PART
        part = Part("reply")
        if piece.kind == "step":
            part = Part("step", min(piece.index, _MOST_STEPS - 1), self._type_of(piece.type))
        if part not in self._ids:
            self._ids[part] = len(self._parts)
            self._parts.append(part)
        return self._ids[part]

    def _type_of(self, name: str) -> str:
        if name in self._types or len(self._types) < _MOST_TYPES:
            self._types.add(name)
            return name
        return "other"


@dataclass(frozen=True, slots=True, eq=False)
class TokenRow:
    """One row: `tokens` int32 [length], `parts` uint16 [length], the first `prompt_length` tokens are the prompt's.

    Trained are the tokens whose part is at least FIRST_TRAINED: all behind the prompt, and `replied` ones in it; never
    the first token of a row, which has no context. `number` is its place among the rows of its split, from 0;
    `dropped_steps` is the number of steps left out.
    """

    tokens: Any
    parts: Any
    prompt_length: int
    number: int = 0
    dropped_steps: int = 0
    replied: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def trained(self) -> int:
        """Number of trained tokens."""
        return self.written + self.replied

    @property
    def written(self) -> int:
        """Number of tokens of the completion."""
        return len(self.tokens) - self.prompt_length


@dataclass(frozen=True, slots=True)
class TokenRows:
    """The rows that fit, in order; the numbers of those that did not; the number of tokens of each row of the file."""

    rows: tuple[TokenRow, ...]
    left_out: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    full_lengths: Any = field(default_factory=lambda: np.zeros(0, np.int32))

    @property
    def dropped(self) -> int:
        return len(self.left_out) + len(self.empty)

    @property
    def shortened(self) -> tuple[TokenRow, ...]:
        """Number of rows that lost steps from their middle."""
        return tuple(row for row in self.rows if row.dropped_steps)

    @property
    def tokens(self) -> int:
        return sum(len(row) for row in self.rows)

    @property
    def trained_tokens(self) -> int:
        return sum(row.trained for row in self.rows)

    @property
    def longest(self) -> int:
        return max((len(row) for row in self.rows), default=0)


class RowEncoder:
    """Encodes the rows of one manifest. `render` makes the text of a trace; `end` closes each completion.

    A row of more than `max_length` tokens is left out, or loses steps from its middle, as the policy says. The
    answer, the end of the turn, the first and the last step are never cut.
    """

    def __init__(
        self,
        encoder: Encoder,
        render: Callable[[Trace], Rendered],
        *,
        max_length: int,
        policy: LengthPolicy = LengthPolicy.DROP_ROW,
        end: tuple[int, ...] = (),
        parts: Parts | None = None,
    ) -> None:
        self._encoder = encoder
        self._render = render
        self._max_length = max_length
        self._policy = policy
        self._end = end
        self.parts = parts or Parts()

    def encode_all(self, traces: Iterable[Trace], watch: BatchWatch | None = None) -> TokenRows:
        """All rows, in order, and the outcome for each. `watch` sees every row whole, also one that does not fit."""
        rows: list[TokenRow] = []
        left_out: list[int] = []
        empty: list[int] = []
        lengths: list[int] = []
        for number, (trace, whole) in enumerate(self._encoded(traces, watch)):
            lengths.append(len(whole))
            if not whole.prompt_length or whole.written <= len(self._end):
                empty.append(number)
            elif (row := self._fitted(trace, whole)) is None:
                left_out.append(number)
            else:
                rows.append(replace(row, number=number))
        return TokenRows(tuple(rows), tuple(left_out), tuple(empty), np.asarray(lengths, np.int32))

    def encode(self, trace: Trace) -> TokenRow:
        """One row of any length."""
        return next(self._encoded([trace]))[1]

    def _encoded(self, traces: Iterable[Trace], watch: BatchWatch | None = None) -> Iterator[tuple[Trace, TokenRow]]:
        source = iter(traces)
        while batch := list(islice(source, _BATCH)):
            rendered = [self._render(trace) for trace in batch]
            texts = [each.stretches for each in rendered]
            begins = self._encoder.encode_prompts([first.text for first, *_ in texts])
            spans = iter(self._encoder.encode_spans([each.text for _, *others in texts for each in others]))
            rest = [[(each, *next(spans)) for each in others] for _, *others in texts]
            if watch is not None:
                ids = [[begin, *(found for _, found, _ in others)] for begin, others in zip(begins, rest, strict=True)]
                watch(list(zip(batch, rendered, ids, strict=True)))
            for trace, begin, others in zip(batch, begins, rest, strict=True):
                yield trace, self._row(begin, others)

    def _row(self, begin: list[int], others: Sequence[tuple[Stretch, list[int], list[Span]]]) -> TokenRow:
        """The row whose first context has the ids `begin`; the other stretches with their ids and characters."""
        tokens, parts = [*begin], [PROMPT_PART] * len(begin)
        prompt_length = 0
        for stretch, ids, spans in others:
            prompt_length = len(tokens)  # the last stretch is the completion
            tokens += ids
            parts += self._parts_of(stretch.pieces, spans) if stretch.trained else [PROMPT_PART] * len(ids)
        if prompt_length:
            parts[0] = PROMPT_PART
        replied = sum(part >= FIRST_TRAINED for part in parts[:prompt_length]) if len(others) > 1 else 0
        return TokenRow(
            np.asarray([*tokens, *self._end], np.int32),
            np.asarray([*parts, *[FORMAT_PART] * len(self._end)], np.uint16),
            prompt_length=prompt_length,
            replied=replied,
        )

    def _parts_of(self, pieces: Sequence[Piece], spans: list[Span]) -> list[int]:
        ids = [self.parts.id_of(piece) for piece in pieces]
        return [ids[place] for place in pieces_of(pieces, spans).tolist()]

    def _fitted(self, trace: Trace, whole: TokenRow) -> TokenRow | None:
        if len(whole) <= self._max_length:
            return whole
        if self._policy is LengthPolicy.DROP_ROW:
            return None
        # the smallest number of dropped steps that makes the row fit; fewer steps are fewer tokens, so bisection works
        least, most = 1, len(trace.steps) - 2
        found: TokenRow | None = None
        while least <= most:
            count = (least + most) // 2
            row = self.encode(without_middle_steps(trace, count))
            if len(row) <= self._max_length:
                found, most = replace(row, dropped_steps=count), count - 1
            else:
                least = count + 1
        return found


def pieces_of(pieces: Sequence[Piece], spans: Sequence[Span]) -> Any:
    """The piece of each token, int64 [tokens]: the one that contains the middle of the token's characters."""
    ends = np.cumsum([len(piece.text) for piece in pieces])
    begins, behind = np.asarray(spans, np.int64).reshape(-1, 2).T
    middles = (begins + np.maximum(begins, behind - 1)) // 2
    return np.minimum(np.searchsorted(ends, middles, side="right"), len(pieces) - 1)


def middle_steps(steps: int, count: int) -> tuple[int, int]:
    """The range of the `count` middle steps of `steps`, `[first, last)`."""
    first = (steps - count + 1) // 2
    return first, first + count


def without_middle_steps(trace: Trace, count: int) -> Trace:
    """The trace without `count` steps around its middle. The others keep their numbers."""
    first, end = middle_steps(len(trace.steps), count)
    layout = trace.layout and trace.layout.without(first, end, len(trace.steps))
    return replace(trace, steps=(*trace.steps[:first], *trace.steps[end:]), layout=layout)


def require_rows(rows: TokenRows, max_length: int) -> None:
    """Raises TrainingError, with the reason, where no train row can be trained on."""
    if rows.rows:
        return
    if rows.left_out:
        raise TrainingError(
            f"None of the {rows.dropped:,} train rows fits in max_seq_length = {max_length:,} tokens, "
            "so there is nothing to train on. Raise max_seq_length, or choose shorter traces."
        )
    raise TrainingError("The train rows hold no tokens to train on. Choose traces with a prompt and an answer.")
