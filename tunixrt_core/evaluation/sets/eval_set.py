"""Rows of an eval set, and the eval split as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunixrt_core.errors import InvalidDataset
from tunixrt_core.evaluation.sets.setup import EvalSetRef
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation, calls_text
from tunixrt_core.traces.rows import read_rows
from tunixrt_core.traces.scores import is_negative
from tunixrt_core.util.hashing import content_hash


@dataclass(frozen=True, slots=True)
class EvalRow:
    """One prompt to answer. `id` is the hash of its trace, or its id in the eval file; `groups` are its columns
    to break results down by, such as `{"section": "algebra"}`. `conversation` holds the turns around the prompt.
    """

    id: str
    prompt: str
    reference: str
    system: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    conversation: Conversation = NO_CONVERSATION


@dataclass(frozen=True, slots=True)
class EvalSet:
    """The rows to evaluate, and their name in results."""

    ref: EvalSetRef
    rows: Sequence[EvalRow]


def eval_rows(manifest: RunManifest, limit: int | None = None) -> list[EvalRow]:
    """The eval split of the manifest's data file, in order, at most `limit` rows.

    The reference is `reference_answer`, or the trace's own calls or final answer, unless it is a negative example: such
    a row without a reference asks nothing. Raises InvalidDataset when there are none.
    """
    rows: list[EvalRow] = []
    for row in read_rows(Path(manifest.data.path), "eval"):
        if limit is not None and len(rows) >= limit:
            break
        trace = row.trace
        if trace.reference_answer is None and is_negative(row.scores):
            continue
        talk = trace.conversation
        reference = trace.reference_answer or calls_text(talk.calls) or trace.final_answer
        rows.append(
            EvalRow(trace.content_hash, trace.prompt, reference, trace.system, conversation=talk.without_calls())
        )
    if not rows:
        raise InvalidDataset(
            f"{manifest.data.path} holds no rows of the eval split. Build a dataset version with eval_share above 0."
        )
    return rows


def split_set(manifest: RunManifest, limit: int | None = None) -> EvalSet:
    """The eval split as an eval set, named after the dataset version where the manifest has it."""
    rows = eval_rows(manifest, limit)
    data = manifest.dataset
    name = f"{data.name} v{data.version}" if data else Path(manifest.data.path).name
    return EvalSet(EvalSetRef("split", name, rows_hash(rows), len(rows)), rows)


def rows_hash(rows: Sequence[EvalRow]) -> str:
    """The sha256 over all prompts, with their conversations, and references, in order; the grouping does not change
    it.
    """
    return content_hash([[row.id, row.prompt, row.reference, row.system, *_talk(row)] for row in rows])


def _talk(row: EvalRow) -> list[dict[str, Any]]:
    return [row.conversation.to_dict()] if row.conversation != NO_CONVERSATION else []
