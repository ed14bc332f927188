"""Rows token by token, with cut parts in place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.rendering.chats import stop_tokens
from tunixrt_core.traces.rendering.text import Stretch
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace
from tunixrt_core.training.preflight.report import Fate, RowView, TokenView
from tunixrt_core.tunix_backend.data.encoding import (
    RowEncoder,
    Span,
    TokenRow,
    middle_steps,
    pieces_of,
    without_middle_steps,
)
from tunixrt_core.tunix_backend.data.rows import row_encoder
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.preflight.rows import traces_at


class RowViewer:
    """Views of the rows of one manifest."""

    def __init__(self, manifest: RunManifest, tokenizer: TextTokenizer) -> None:
        self._manifest = manifest
        self._tokenizer = tokenizer
        self._control = tokenizer.control_tokens
        self._encoder: RowEncoder = row_encoder(manifest, tokenizer)

    def show(self, numbers: Collection[int]) -> list[RowView]:
        """The rows on these lines of the data file, in the order of the request."""
        found = {
            number: self._view(number, split, trace)
            for number, split, trace in traces_at(Path(self._manifest.data.path), numbers)
        }
        return [found[number] for number in numbers if number in found]

    def _view(self, number: int, split: Split, trace: Trace) -> RowView:
        whole = self._encoder.encode(trace)
        encoded = self._encoder.encode_all([trace])
        row = encoded.rows[0] if encoded.rows else None
        fate = _fate(row, bool(encoded.empty))
        tokens = self._tokens(trace)
        if row is None:
            tokens = [replace(token, cut=True) for token in tokens]
        elif row.dropped_steps:
            first, end = middle_steps(len(trace.steps), row.dropped_steps)
            tokens = self._with_cut(self._tokens(without_middle_steps(trace, row.dropped_steps)), tokens, first, end)
        trained = row.trained if row is not None else 0
        dropped = row.dropped_steps if row is not None else 0
        return RowView(number, split, fate, len(whole), trained, dropped, tuple(tokens))

    @staticmethod
    def _with_cut(kept: Sequence[TokenView], whole: Sequence[TokenView], first: int, end: int) -> list[TokenView]:
        """The tokens as trained, with the tokens of the dropped steps, from `first` to before `end`, in their place."""
        lost = [replace(token, cut=True) for token in whole[_after(whole, first) : _after(whole, end)]]
        at = _after(kept, end)
        return [*kept[:at], *lost, *kept[at:]]

    def _tokens(self, trace: Trace) -> list[TokenView]:
        first, *others = self._manifest.rendering.row(trace).stretches
        tokens = [*self._begin(first), *self._of_stretch(first)]
        for stretch in others:
            tokens += self._of_stretch(stretch)
        if not stop_tokens(self._manifest.rendering.chat):
            end = self._tokenizer.eos_id()
            tokens.append(TokenView(end, self._control.get(end, ""), "format", special=True, trained=True))
        return tokens

    def _begin(self, first: Stretch) -> Iterator[TokenView]:
        """The beginning-of-sequence token, where the tokenizer adds it."""
        ids = self._tokenizer.encode_completion(first.text)
        asked = self._tokenizer.encode_prompt(first.text)
        for token in asked[: len(asked) - len(ids)]:
            yield TokenView(token, self._control.get(token, ""), "prompt", special=True)

    def _of_stretch(self, stretch: Stretch) -> Iterator[TokenView]:
        text, trained = stretch.text, stretch.trained
        ids, spans = self._tokenizer.encode_spans([text])[0]
        places = pieces_of(stretch.pieces, spans).tolist()
        for token, part, place in zip(ids, _texts(text, spans), places, strict=True):
            piece = stretch.pieces[place]
            step = piece.index + 1 if piece.kind == "step" else None
            kind = piece.kind if trained or piece.kind == "message" else "prompt"
            yield TokenView(token, part, kind, step, special=token in self._control, trained=trained)


def _after(tokens: Sequence[TokenView], step: int) -> int:
    """The start of the step after this one; the end where no later step has a token of its own."""
    later = (i for i, token in enumerate(tokens) if token.step is not None and token.step > step)
    return next(later, len(tokens))


def _texts(text: str, spans: Sequence[Span]) -> Iterator[str]:
    """The characters of each token, each character once: tokens may share a character of several bytes."""
    done = 0
    for start, end in spans:
        yield text[max(start, done) : end]
        done = max(done, end)


def _fate(row: TokenRow | None, empty: bool) -> Fate:
    if row is None:
        return Fate.EMPTY if empty else Fate.LEFT_OUT
    return Fate.SHORTENED if row.dropped_steps else Fate.KEPT
