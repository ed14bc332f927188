"""Totals of a preflight: lengths, policies and rows to inspect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import LengthPolicy
from tunixrt_core.traces.trace import Trace
from tunixrt_core.training.preflight.report import Finding, Histogram, Pick, PolicyEffect, Severity, Totals
from tunixrt_core.tunix_backend.data.batches import TrainBatches, total_train_steps, train_batches
from tunixrt_core.tunix_backend.data.encoding import TokenRows
from tunixrt_core.tunix_backend.data.rows import row_encoder
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.preflight.rows import FileRows, traces_at

_BINS = 40
_PICKED = 50


def totals_of(manifest: RunManifest, rows: FileRows, tokenizer: TextTokenizer, answers_cut: int) -> Totals:
    train, both = rows.train, (rows.train, rows.eval)
    lengths: Any = np.concatenate([found.full_lengths for found in both])
    feeding = _feeding(manifest, train, tokenizer.pad_id())
    return Totals(
        rows=len(lengths),
        train_rows=len(train.rows),
        eval_rows=len(rows.eval.rows),
        rows_left_out=sum(len(found.left_out) for found in both),
        rows_shortened=sum(len(found.shortened) for found in both),
        rows_empty=sum(len(found.empty) for found in both),
        answers_cut=answers_cut,
        longest=int(lengths.max(initial=0)),
        shortest=int(lengths.min()) if len(lengths) else 0,
        mean=round(float(lengths.mean()), 1) if len(lengths) else 0.0,
        tokens=train.tokens,
        trained_tokens=train.trained_tokens,
        masked_tokens=train.tokens - train.trained_tokens,
        **feeding,
    )


def _feeding(manifest: RunManifest, train: TokenRows, pad_id: int) -> dict[str, Any]:
    """How the train rows would be batched."""
    if not train.rows:
        return {"padding_share": 0.0, "packed_rows": 0, "batch_lengths": (), "train_steps": 0, "epochs": 0.0}
    size, section = manifest.batch.size, manifest.batch
    batches = train_batches(train.rows, section, max_length=manifest.max_seq_length, seed=manifest.seed, pad_id=pad_id)
    steps = total_train_steps(manifest, batches)
    share, packed = _first_epoch(batches, train, size)
    return {
        "padding_share": round(share, 6),
        "packed_rows": packed,
        "batch_lengths": batches.lengths,
        "train_steps": steps,
        "epochs": round(batches.epoch(steps * section.gradient_accumulation), 3),
    }


def _first_epoch(batches: TrainBatches, train: TokenRows, size: int) -> tuple[float, int]:
    """Padding share of the batches of one epoch, and the number of batch rows that hold its rows."""
    cells = tokens = packed = seen = 0
    for k in range(batches.batches(1.0)):
        plan = batches.plan(k)
        cells += size * plan.length
        for chosen in plan.bins:
            tokens += sum(len(train.rows[i]) for i in chosen)
            # the last batch may continue with rows of the next epoch
            packed += seen < len(train.rows)
            seen += len(chosen)
    return 1 - tokens / cells, packed


def histogram_of(rows: FileRows) -> Histogram:
    """Bins of equal width over the lengths of both splits."""
    train, evals = rows.train.full_lengths, rows.eval.full_lengths
    longest = max(int(train.max(initial=0)), int(evals.max(initial=0)))
    width = max(1, -(-(longest + 1) // _BINS))
    edges = np.arange(0, longest + width + 1, width)
    first = min(int(found.min(initial=longest)) for found in (train, evals)) // width
    edges = edges[first:]
    counts = [tuple(int(n) for n in np.histogram(found, edges)[0]) for found in (train, evals)]
    return Histogram(tuple(int(edge) for edge in edges), counts[0], counts[1])


def policies_of(manifest: RunManifest, rows: FileRows, tokenizer: TextTokenizer) -> tuple[PolicyEffect, ...]:
    """Each length policy on the train rows: the manifest's own as encoded, the other one as a trial."""
    train, chosen = rows.train, manifest.too_long
    whole = [row for row in train.rows if not row.dropped_steps]
    kept, tokens = len(whole), sum(row.trained for row in whole)
    shortened = train.shortened
    left_out = len(train.left_out)
    if chosen is LengthPolicy.DROP_ROW and train.left_out:
        encoder = row_encoder(manifest.model_copy(update={"too_long": LengthPolicy.DROP_STEPS}), tokenizer)
        tried = encoder.encode_all(_traces(manifest, rows.numbers_of("train", train.left_out)))
        shortened, left_out = tried.shortened, len(tried.left_out)
    more = sum(row.trained for row in shortened)
    return (
        PolicyEffect(LengthPolicy.DROP_ROW.value, kept, 0, len(shortened) + left_out, tokens),
        PolicyEffect(LengthPolicy.DROP_STEPS.value, kept, len(shortened), left_out, tokens + more),
    )


def _traces(manifest: RunManifest, numbers: Sequence[int]) -> Iterator[Trace]:
    return (trace for _, _, trace in traces_at(Path(manifest.data.path), numbers))


def picks_of(manifest: RunManifest, rows: FileRows, findings: Sequence[Finding]) -> dict[str, tuple[int, ...]]:
    """Row numbers by pick, the most informative pick first. The worst rows are those that findings name, then those
    with the smallest share of trained tokens."""
    lengths = {
        number: int(length)
        for split, encoded in (("train", rows.train), ("eval", rows.eval))
        for number, length in zip(rows.noticed.numbers[split], encoded.full_lengths, strict=True)  # type: ignore[index]
    }
    ordered = sorted(lengths, key=lambda number: (lengths[number], number))
    mixed = np.random.RandomState(manifest.seed).permutation(len(ordered))
    shares = {number: row.trained / max(1, len(row)) for number, row in rows.numbered()}
    named = [
        number
        for finding in sorted(findings, key=lambda f: f.severity is not Severity.BLOCKING)
        if finding.row_count < len(lengths)  # a finding about all rows singles out none
        for number in finding.rows
        if number in lengths
    ]
    worst = dict.fromkeys([*named, *sorted(shares, key=lambda number: (shares[number], number))])
    found: dict[Pick, Sequence[int]] = {
        "longest": ordered[::-1],
        "shortest": ordered,
        "random": [ordered[i] for i in mixed],
        "worst": list(worst),
    }
    return {pick: tuple(numbers[:_PICKED]) for pick, numbers in found.items()}
