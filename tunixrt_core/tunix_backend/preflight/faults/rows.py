"""Faults of rows: counts, texts, conversations, lengths."""

from __future__ import annotations

from collections.abc import Iterator

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import LengthPolicy
from tunixrt_core.traces.rendering.context import EarlierThinking, TrainOn
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import SPLITS
from tunixrt_core.training.preflight.report import Finding, about_rows, blocking, many, warning
from tunixrt_core.tunix_backend.data.packing import round_up
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.preflight.faults.tokens import (
    control_faults,
    end_faults,
    misread_faults,
    pad_faults,
    training_faults,
    untrained_rows,
)
from tunixrt_core.tunix_backend.preflight.rows import FileRows

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
    yield from control_faults(manifest, tokenizer, rows)
    yield from _conversation_faults(manifest, rows)
    yield from _length_faults(manifest, rows)
    empty, answerless = untrained_rows(manifest, tokenizer, rows)
    yield from training_faults(empty, answerless)
    yield from misread_faults(manifest, rows, empty | answerless)
    yield from end_faults(manifest, tokenizer, rows)
    yield from pad_faults(tokenizer, rows)


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
