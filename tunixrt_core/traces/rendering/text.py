"""Rendered text as pieces with positions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["format", "step", "answer", "system", "prompt", "message", "reply"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a row: `format` (control tokens, tags, line ends), `system`, `prompt`, `step` or `answer`; of turns
    before the prompt, or between prompt and answer, a `message`, or, where it is trained on, a `reply`.

    `index` counts the steps of the row from 0, `type` is the step's; both only mean something for a step.
    """

    text: str
    kind: Kind = "format"
    index: int = 0
    type: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Position of a piece: the characters `[start, end)` of prompt and completion in one text."""

    start: int
    end: int
    kind: Kind
    index: int = 0
    type: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive pieces of a row; `trained`: a model is to write them."""

    pieces: tuple[Piece, ...]
    trained: bool

    @property
    def text(self) -> str:
        return join(self.pieces)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One row as text: `prompt` is given to the model, the pieces are what it should write.

    `prompt_pieces` say what the prompt is made of, where that is known. Of the prompt only each `reply` is trained on.
    """

    prompt: str
    pieces: tuple[Piece, ...]
    prompt_pieces: tuple[Piece, ...] = ()

    @property
    def completion(self) -> str:
        return join(self.pieces)

    @property
    def text(self) -> str:
        """Prompt and completion."""
        return self.prompt + self.completion

    @property
    def spans(self) -> tuple[Span, ...]:
        """Every character of `text` in exactly one span, in order, none empty. Those from `len(prompt)` on, and each
        `reply` before, are trained on: the loss mask needs nothing else.
        """
        return tuple(_spans((*self._asked, *self.pieces)))

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The row as it is encoded, each stretch apart, as each is when a model is asked: the context that the row
        begins with (it may be empty), then replies that are trained on and the context of the next, and the completion.
        """
        found: list[list[Piece]] = [[]]
        trained = False
        for piece in self._asked:
            if (piece.kind == "reply") is not trained:
                found.append([])
                trained = not trained
            found[-1].append(piece)
        asked = (Stretch(tuple(pieces), place % 2 == 1) for place, pieces in enumerate(found))
        return (*asked, Stretch(self.pieces, True))

    @property
    def _asked(self) -> tuple[Piece, ...]:
        return self.prompt_pieces or (Piece(self.prompt, "prompt"),)


def join(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def strip(pieces: Iterable[Piece], characters: str | None = None, *, right: bool = True) -> tuple[Piece, ...]:
    """The pieces without the characters (white space by default) at the beginning and, with `right`, at the end of
    their whole text, as a template that strips the text would leave them.
    """
    left = _strip_left(list(pieces), lambda text: text.lstrip(characters))
    if not right:
        return tuple(left)
    return tuple(reversed(_strip_left(left[::-1], lambda text: text.rstrip(characters))))


def _strip_left(pieces: list[Piece], cut: Callable[[str], str]) -> list[Piece]:
    for place, piece in enumerate(pieces):
        if text := cut(piece.text):
            return [Piece(text, piece.kind, piece.index, piece.type), *pieces[place + 1 :]]
    return []


def _spans(pieces: Iterable[Piece]) -> Iterator[Span]:
    start = 0
    for piece in pieces:
        if piece.text:
            end = start + len(piece.text)
            yield Span(start, end, piece.kind, piece.index, piece.type)
            start = end
