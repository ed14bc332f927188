"""Rows of formats with one trace per row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tunixrt_core.export.entries import Entry, ExportOptions
from tunixrt_core.ingest.reasoning.turns import Turn, read_turns
from tunixrt_core.traces.layout import layout_data
from tunixrt_core.traces.metadata import rendered_metadata
from tunixrt_core.traces.rendering.row import render_prompt
from tunixrt_core.traces.rendering.styles import reasoning_and_content, render_completion
from tunixrt_core.traces.rows import json_text, metadata_of, row_of
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.util.hashing import canonical_json

EARLIER = "earlier"  # the turns before the prompt, in the `meta` of a trace

Data = Mapping[str, Any]
Scores = Sequence[GivenScore]
Shape = Callable[[Entry, Data, ExportOptions, Scores], dict[str, Any] | None]


def tunix_sft(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any]:
    row = row_of(data, entry.hash, entry.split)
    if scores:
        row["metadata"]["scores"] = [score.to_dict() for score in scores]
    return row


def prompt_completion(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any]:
    contents = [step["content"] for step in data["steps"]]
    completion = render_completion(contents, data["final_answer"], options.style, layout_data(data))
    row: dict[str, Any] = {"prompt": data["prompt"], "completion": completion}
    if options.turns == "messages":
        row = {"prompt": asked(data), "completion": [{"role": "assistant", "content": completion}]}
    return with_rest(row, entry, rendered_metadata(data, entry.hash, contents, style=options.style, scores=scores))


def messages(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any]:
    contents, answer, layout = [step["content"] for step in data["steps"]], data["final_answer"], layout_data(data)
    if options.reasoning == "content":
        said = {"role": "assistant", "content": render_completion(contents, answer, options.style, layout)}
        metadata = rendered_metadata(data, entry.hash, contents, style=options.style, scores=scores)
    else:
        reasoning, content = reasoning_and_content(contents, answer, layout)
        said = {"role": "assistant", "reasoning_content": reasoning, "content": content}
        metadata = rendered_metadata(data, entry.hash, contents, scores=scores)
    return with_rest({"messages": [*asked(data), said]}, entry, metadata)


def stepwise(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any] | None:
    """None where a step has no score, or there is no step."""
    labels = step_labels(len(data["steps"]), scores)
    if labels is None:
        return None
    metadata = metadata_of(data, entry.hash) | {"final_answer": data["final_answer"]}
    metadata["scores"] = [score.to_dict() for score in scores if score.step is not None]
    completions = [step["content"] for step in data["steps"]]
    return with_rest({"prompt": data["prompt"], "completions": completions, "labels": labels}, entry, metadata)


def grpo(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any]:
    prompts = question = data["prompt"]
    if options.chat is not None:
        prompts = render_prompt(question, options.chat, options.style, system=data.get("system"))
    metadata = metadata_of(data, entry.hash)
    metadata["trace_steps"] = [step["content"] for step in data["steps"]]
    metadata["final_answer"] = data["final_answer"]
    if scores:
        metadata["scores"] = [score.to_dict() for score in scores]
    answer = data.get("reference_answer")
    row = {"prompts": prompts, "question": question, "answer": data["final_answer"] if answer is None else answer}
    return with_rest(row, entry, metadata)


def asked(data: Data) -> list[dict[str, str]]:
    """System and user turn."""
    user = {"role": "user", "content": data["prompt"]}
    system = data.get("system")
    return [user] if system is None else [{"role": "system", "content": system}, user]


def asked_in_all(data: Data) -> list[dict[str, Any]]:
    """The same with the turns before the prompt, each with its role and text and what else it holds."""
    *system, user = asked(data)
    return [*system, *map(_plain, read_turns(data["meta"].get(EARLIER, []), f"meta.{EARLIER}")), user]


def _plain(turn: Turn) -> dict[str, Any]:
    return {"role": turn.role, "content": turn.text, **turn.more}


def context_of(data: Data) -> str:
    """What a trace answers, as one text to compare by: the prompt, the system text and the turns before."""
    return canonical_json([data["prompt"], data.get("system"), data["meta"].get(EARLIER)]).decode()


def with_rest(row: dict[str, Any], entry: Entry, metadata: dict[str, Any]) -> dict[str, Any]:
    if entry.split is not None:
        row["split"] = entry.split
    row["metadata"] = json_text(metadata)
    return row


def step_labels(steps: int, scores: Scores) -> list[bool] | None:
    """Whether each step is right: its score is above 0, as a rating of 1 or a flag is. A human's score counts before
    the automatic ones; among several the mean. None where a step has none.
    """
    found: dict[int, list[GivenScore]] = {}
    for score in scores:
        if score.step is not None:
            found.setdefault(score.step, []).append(score)
    if not steps or any(step not in found for step in range(steps)):
        return None
    return [mean_score(found[step]) > 0 for step in range(steps)]


def mean_score(scores: Scores) -> float:
    """The mean of the human scores; without any, of all."""
    counted = [score.value for score in scores if score.kind == "human"] or [score.value for score in scores]
    return sum(sorted(counted)) / len(counted)  # sorted: the sum must not depend on the order of the store
