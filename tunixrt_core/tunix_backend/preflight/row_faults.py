"""Faults of rows: losses, trained tokens, start and end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sized
from pathlib import Path

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import LengthPolicy
from tunixrt_core.traces.rendering.chats import stop_tokens
from tunixrt_core.traces.rendering.context import EarlierThinking, TrainOn
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import SPLITS
from tunixrt_core.traces.trace import Trace
from tunixrt_core.training.preflight import Finding, about_rows, blocking, warning
from tunixrt_core.tunix_backend.data.encoding import ANSWER_PART, Span, TokenRow
from tunixrt_core.tunix_backend.data.packing import round_up
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.preflight.read_back import Difference, control_pattern
from tunixrt_core.tunix_backend.preflight.rows import FileRows, traces_at

_NAMES = 4  # control tokens that a sentence names
_TAIL = 4  # last tokens of a row, which include its end of turn

CHECKED = (
    "row_counts",
    "early_stopping",
    "data_unreadable",
    "nothing_trained",
    "answer_cut",
    "nothing_fits",
    "rows_left_out",
    "steps_dropped",
    "end_token",
    "control_tokens",
    "text_changed",
    "answer_misread",
    "eval_in_train",
    "duplicates",
    "no_steps",
    "conversation",
    "turns",
    "earlier_thinking",
    "pad_id",
)


def row_faults(
    manifest: RunManifest, tokenizer: TextTokenizer, rows: FileRows, *, same_file: bool = True
) -> Iterator[Finding]:
    """`same_file`: the data file is the manifest's, so its counts must be too."""
    if same_file and not rows.noticed.unreadable and not rows.noticed.unfit:
        yield from _count_faults(manifest, rows)
    yield from _stopping_faults(manifest, rows)
    yield from _text_faults(manifest, rows)
    yield from _control_faults(manifest, tokenizer, rows)
    yield from _conversation_faults(manifest, rows)
    yield from _length_faults(manifest, rows)
    empty, answerless = _untrained(manifest, tokenizer, rows)
    yield from _training_faults(empty, answerless)
    yield from _misread_faults(manifest, rows, empty | answerless)
    yield from _end_faults(manifest, tokenizer, rows)
    yield from _pad_faults(tokenizer, rows)


def _count_faults(manifest: RunManifest, rows: FileRows) -> Iterator[Finding]:
    train, evals = (len(rows.noticed.numbers[split]) for split in SPLITS)
    counted = {"rows": train + evals, "train_rows": train, "eval_rows": evals}
    wrong = {name: count for name, count in counted.items() if getattr(manifest.data, name) != count}
    if wrong:
        said = "; ".join(f"data.{name} = {getattr(manifest.data, name):,}, in it {n:,}" for name, n in wrong.items())
        yield warning(
            "row_counts",
            f"The manifest's counts are not those of its data file: {said}.",
            "Correct them, or build the manifest again; the rows of the file are trained on.",
            keys=tuple(f"data.{name}" for name in wrong),
        )


def _stopping_faults(manifest: RunManifest, rows: FileRows) -> Iterator[Finding]:
    patience, count = manifest.cadence.early_stopping, len(rows.noticed.numbers["eval"])
    if patience is None or rows.eval.rows:
        return
    why = f"all {count:,} eval rows are left out" if count else "the data has no eval rows"
    yield warning(
        "early_stopping",
        f"cadence.early_stopping = {patience:,} never ends the run: {why}, so there is no eval loss.",
        "Raise max_seq_length." if count else "Build the dataset with eval rows, or set it to null.",
        keys=("cadence.early_stopping", "max_seq_length" if count else "data.eval_rows"),
    )


def _text_faults(manifest: RunManifest, rows: FileRows) -> Iterator[Finding]:
    noticed = rows.noticed
    if noticed.unreadable:
        number, reason = min(noticed.unreadable.items())
        yield blocking(
            "data_unreadable",
            f"{many(noticed.unreadable, 'line', 'lines')} of the data file cannot be read as a row; "
            f"line {number}: {reason}.",
            "Export the dataset version again.",
            keys=("data.path",),
            **about_rows(noticed.unreadable),
        )
    if noticed.eval_in_train:
        yield blocking(
            "eval_in_train",
            f"The prompts of {many(noticed.eval_in_train, 'eval row', 'eval rows')} are trained on too, so the "
            "evaluation would measure memorisation.",
            "Build the dataset version in Tunix RT, which keeps a prompt in one split, or remove these rows.",
            keys=("data.path",),
            **about_rows(noticed.eval_in_train),
        )
    if noticed.duplicates:
        yield warning(
            "duplicates",
            f"{many(noticed.duplicates, 'row repeats', 'rows repeat')} an earlier one word for word.",
            "Each copy is trained on; build the dataset from traces without them.",
            **about_rows(noticed.duplicates),
        )
    if noticed.stepless and manifest.rendering.reasoning is not ReasoningStyle.ANSWER:
        yield warning(
            "no_steps",
            f"{many(noticed.stepless, 'row has', 'rows have')} no reasoning steps, which teaches the model to answer "
            "without any.",
            "Leave them out, or choose rendering.reasoning: answer.",
            keys=("rendering.reasoning",),
            **about_rows(noticed.stepless),
        )


def _control_faults(manifest: RunManifest, tokenizer: TextTokenizer, rows: FileRows) -> Iterator[Finding]:
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


def _misread_faults(manifest: RunManifest, rows: FileRows, untrained: set[int]) -> Iterator[Finding]:
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


def _conversation_faults(manifest: RunManifest, rows: FileRows) -> Iterator[Finding]:
    noticed, rendering = rows.noticed, manifest.rendering
    if noticed.unfit:
        reasons = dict.fromkeys(noticed.unfit[number] for number in sorted(noticed.unfit))
        yield blocking(
            "conversation",
            f"{many(noticed.unfit, 'row holds', 'rows hold')} what the chat format {rendering.chat.value} has no form "
            f"for: {'; '.join(reasons)}.",
            "Choose the model's own chat format in rendering.chat, if that is another, or leave these rows out.",
            keys=("rendering.chat",),
            **about_rows(noticed.unfit),
        )
    if rendering.train_on is not TrainOn.LAST and not noticed.replied:
        yield warning(
            "turns",
            f"rendering.train_on is {rendering.train_on.value}, but no row has an earlier turn of the assistant, so "
            "only the last turn is trained on.",
            "Choose train_on: last, or import the traces from a file that holds their conversations.",
            keys=("rendering.train_on",),
        )
    elif rendering.train_on is TrainOn.MARKED and not noticed.marked:
        yield warning(
            "turns",
            "rendering.train_on is marked, but the data marks no earlier turn as trained, so only the last turn of "
            "each row is trained on.",
            "Choose train_on: all or last, or mark turns in the file before it is imported.",
            keys=("rendering.train_on",),
        )
    if noticed.thoughts_dropped and rendering.earlier_thinking is EarlierThinking.TEMPLATE:
        yield warning(
            "earlier_thinking",
            f"{many(noticed.thoughts_dropped, 'row trains', 'rows train')} earlier turns without the thinking that the "
            "data has of them, as the model's template drops it; that teaches the model to answer without thinking.",
            "Choose earlier_thinking: keep, train_on: last, or, where that is meant, earlier_thinking: drop.",
            keys=("rendering.earlier_thinking", "rendering.train_on"),
            **about_rows(noticed.thoughts_dropped),
        )


def _length_faults(manifest: RunManifest, rows: FileRows) -> Iterator[Finding]:
    limit = manifest.max_seq_length
    left_out = rows.numbers_of("train", rows.train.left_out) + rows.numbers_of("eval", rows.eval.left_out)
    shortened = [number for number, row in rows.numbered() if row.dropped_steps]
    longest = max((int(found.full_lengths.max(initial=0)) for found in (rows.train, rows.eval)), default=0)
    raised = f"Raise max_seq_length to {round_up(longest, 1 << 30):,}"
    keys = ("max_seq_length", "too_long")
    if not rows.train.rows:
        yield blocking(
            "nothing_fits",
            f"None of the {len(rows.noticed.numbers['train']):,} train rows can be trained on within "
            f"max_seq_length = {limit:,} tokens.",
            f"{raised}, or choose shorter traces." if left_out else "Choose other traces.",
            keys=keys,
        )
    if left_out:
        dropping = manifest.too_long is LengthPolicy.DROP_ROW
        most = len(left_out) > manifest.data.rows / 2
        yield (blocking if most else warning)(
            "rows_left_out",
            f"{len(left_out):,} of {manifest.data.rows:,} rows are left out, being longer than {limit:,} tokens. "
            f"The longest has {longest:,}.",
            f"{raised}" + (", or choose too_long: drop_steps." if dropping else ", or choose shorter traces."),
            keys=keys,
            **about_rows(left_out),
        )
    if shortened:
        yield warning(
            "steps_dropped",
            f"{many(shortened, 'row loses', 'rows lose')} steps from the middle to fit in {limit:,} tokens; answer and "
            f"end of turn are kept. The longest has {longest:,}.",
            f"{raised} to keep every step.",
            keys=keys,
            **about_rows(shortened),
        )


def _untrained(manifest: RunManifest, tokenizer: TextTokenizer, rows: FileRows) -> tuple[set[int], set[int]]:
    """The rows in which nothing is trained, and those in which all but the answer is."""
    doubtful = {number for number, row in rows.numbered() if not bool((row.parts == ANSWER_PART).any())}
    empty = set(rows.numbers_of("train", rows.train.empty)) | set(rows.numbers_of("eval", rows.eval.empty))
    answerless: set[int] = set()
    for number, _, trace in traces_at(Path(manifest.data.path), doubtful):
        steps, answer = _covered(manifest, tokenizer, trace)
        if not answer:
            (answerless if steps else empty).add(number)
    return empty, answerless


def _training_faults(empty: set[int], answerless: set[int]) -> Iterator[Finding]:
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


def _end_faults(manifest: RunManifest, tokenizer: TextTokenizer, rows: FileRows) -> Iterator[Finding]:
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


def _pad_faults(tokenizer: TextTokenizer, rows: FileRows) -> Iterator[Finding]:
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


def many(numbers: Sized, one: str, other: str) -> str:
    """`1 row holds` or `12 rows hold`."""
    return f"{len(numbers):,} {one if len(numbers) == 1 else other}"
