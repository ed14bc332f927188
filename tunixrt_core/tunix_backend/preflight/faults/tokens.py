"""Faults of rows in the tokenizer: control tokens, trained tokens, ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.rendering.chats import stop_tokens
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.trace import Trace
from tunixrt_core.training.preflight.report import Finding, about_rows, blocking, many, warning
from tunixrt_core.tunix_backend.data.encoding import ANSWER_PART, Span, TokenRow
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.preflight.read_back import Difference, control_pattern
from tunixrt_core.tunix_backend.preflight.rows import FileRows, traces_at

_NAMES = 4  # control tokens that a sentence names
_TAIL = 4  # last tokens of a row, which include its end of turn


def control_faults(manifest: RunManifest, tokenizer: TextTokenizer, rows: FileRows) -> Iterator[Finding]:
    noticed, pattern = rows.noticed, control_pattern(tokenizer)
    if noticed.control_tokens:
        yield blocking(
            "control_tokens",
            f"{many(noticed.control_tokens, 'row holds', 'rows hold')} {_names(noticed.control_tokens)} in the text, "
            "which the model reads as a control token.",
            "Leave these traces out of the dataset, or take the token out of their text.",
            **about_rows(noticed.control_tokens),
        )
    if alike := noticed.misread.control:
        yield blocking(
            "control_tokens",
            f"{many(alike, 'row holds', 'rows hold')} text that the tokenizer turns into {_names(alike)}, a control "
            f"token; {_first(noticed.misread.changed, alike)}.",
            "Leave these traces out of the dataset, or take the text out of them.",
            **about_rows(alike),
        )
    if pattern and (found := sorted(set(pattern.findall(manifest.rendering.system or "")))):
        yield blocking(
            "control_tokens",
            f"rendering.system holds {', '.join(found[:_NAMES])}, which the model reads as a control token.",
            "Take it out of the system prompt.",
            keys=("rendering.system",),
        )


def _names(tokens: Mapping[int, set[str]]) -> str:
    return ", ".join(sorted(set().union(*tokens.values()))[:_NAMES])


def _first(differences: Mapping[int, Difference], numbers: Collection[int]) -> str:
    number = min(numbers)
    return f"row {number:,}: {differences[number]}"


def misread_faults(manifest: RunManifest, rows: FileRows, untrained: set[int]) -> Iterator[Finding]:
    """Rows that do not come back, but for those that another finding names for the reason."""
    misread = rows.noticed.misread
    named = untrained | set(rows.noticed.control_tokens) | set(misread.control)
    if changed := misread.changed.keys() - named:
        yield warning(
            "text_changed",
            f"{many(changed, 'row does', 'rows do')} not come back through the tokenizer; "
            f"{_first(misread.changed, changed)}.",
            "The model is trained on what it reads as. Use the model's own tokenizer, or leave these rows out.",
            keys=("tokenizer.path",),
            **about_rows(changed),
        )
    if wrong := misread.answers.keys() - named:
        style = manifest.rendering.reasoning.value
        kept = frozenset.intersection(*(misread.kept_by[number] for number in wrong))
        keeping = " or ".join(style.value for style in ReasoningStyle if style in kept)
        yield warning(
            "answer_misread",
            f"{many(wrong, 'row reads', 'rows read')} back with another answer in the style {style}, so a model that "
            f"writes the row as it is counts as wrong; {_first(misread.answers, wrong)}.",
            f"Choose rendering.reasoning: {keeping}, which keeps them, or leave these rows out."
            if keeping
            else "No reasoning style keeps them all; leave these rows out.",
            keys=("rendering.reasoning",),
            **about_rows(wrong),
        )


def untrained_rows(manifest: RunManifest, tokenizer: TextTokenizer, rows: FileRows) -> tuple[set[int], set[int]]:
    """The rows in which nothing is trained, and those in which all but the answer is."""
    doubtful = {number for number, row in rows.numbered() if not bool((row.parts == ANSWER_PART).any())}
    empty = set(rows.numbers_of("train", rows.train.empty)) | set(rows.numbers_of("eval", rows.eval.empty))
    answerless: set[int] = set()
    for number, _, trace in traces_at(Path(manifest.data.path), doubtful):
        steps, answer = _covered(manifest, tokenizer, trace)
        if not answer:
            (answerless if steps else empty).add(number)
    return empty, answerless


def training_faults(empty: set[int], answerless: set[int]) -> Iterator[Finding]:
    if empty:
        yield blocking(
            "nothing_trained",
            f"{many(empty, 'row has', 'rows have')} nothing to train on: the tokenizer has no token for "
            "any of the text.",
            "Use the model's own tokenizer, or leave these rows out.",
            keys=("tokenizer.path",),
            **about_rows(empty),
        )
    if answerless:
        yield blocking(
            "answer_cut",
            f"The answer of {many(answerless, 'row', 'rows')} is not trained on: the tokenizer has no token for it.",
            "Use the model's own tokenizer, or leave these rows out.",
            keys=("tokenizer.path",),
            **about_rows(answerless),
        )


def _covered(manifest: RunManifest, tokenizer: TextTokenizer, trace: Trace) -> tuple[bool, bool]:
    """Whether any token covers a character of the steps, and of the answer."""
    pieces = manifest.rendering.row(trace).pieces
    spans = tokenizer.encode_spans(["".join(piece.text for piece in pieces)])[0][1]
    found = {"step": False, "answer": False, "format": False}
    begin = 0
    for piece in pieces:
        end = begin + len(piece.text)
        found[piece.kind] |= _touches(spans, begin, end)
        begin = end
    return found["step"], found["answer"]


def _touches(spans: Iterable[Span], begin: int, end: int) -> bool:
    return any(start < end and stop > begin for start, stop in spans)


def end_faults(manifest: RunManifest, tokenizer: TextTokenizer, rows: FileRows) -> Iterator[Finding]:
    chat = manifest.rendering.chat
    names = stop_tokens(chat)
    missing = [name for name in names if tokenizer.token_id(name) is None]
    if missing:
        yield blocking(
            "end_token",
            f"The tokenizer has no token {', '.join(missing)}, which the chat format {chat.value} ends a turn with, "
            "so the model would never learn to stop.",
            "Choose the chat format of this model in rendering.chat.",
            keys=("rendering.chat",),
        )
        return
    stops = {tokenizer.token_id(name) for name in names} or {tokenizer.eos_id()}
    endless = [number for number, row in rows.numbered() if not _ends(row, stops)]
    if endless:
        yield blocking(
            "end_token",
            f"{many(endless, 'row does', 'rows do')} not end with {', '.join(names) or 'the end-of-sequence token'}, "
            "so the model would not learn to stop.",
            "Choose the chat format of this model in rendering.chat.",
            keys=("rendering.chat",),
            **about_rows(endless),
        )


def _ends(row: TokenRow, stops: set[int | None]) -> bool:
    return not stops.isdisjoint(int(token) for token in row.tokens[row.prompt_length :][-_TAIL:])


def pad_faults(tokenizer: TextTokenizer, rows: FileRows) -> Iterator[Finding]:
    pad = tokenizer.pad_id()
    hidden = [number for number, row in rows.numbered() if bool((row.tokens[: row.prompt_length] == pad).any())]
    name = tokenizer.control_tokens.get(pad, str(pad))
    if hidden:
        yield blocking(
            "pad_id",
            f"{many(hidden, 'row holds', 'rows hold')} the padding token {name} in the prompt, where generation "
            "hides it from the model.",
            "Set pad_token in tokenizer_config.json to a token that is used for nothing else.",
            **about_rows(hidden),
        )
    named = tokenizer.named_token("pad_token")
    if named is not None and tokenizer.token_id(named) is None:
        yield blocking(
            "pad_id",
            f"tokenizer_config.json names {named} as padding, but the tokenizer has no such token.",
            "Download the model again, or name an existing token.",
        )
