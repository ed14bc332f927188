"""Rows of formats with one trace per row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tunixrt_core.export.entries import Entry, ExportOptions
from tunixrt_core.traces.chat_messages import before_answer, final_turn, is_conversation, said_beside_calls
from tunixrt_core.traces.conversation import conversation_of
from tunixrt_core.traces.layout import layout_data
from tunixrt_core.traces.metadata import rendered_metadata
from tunixrt_core.traces.rendering.context import unfit
from tunixrt_core.traces.rendering.row import render_prompt
from tunixrt_core.traces.rendering.styles import reasoning_and_content, render_completion
from tunixrt_core.traces.rows import json_text, metadata_of, row_of
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.util.hashing import canonical_json

Data = Mapping[str, Any]
Scores = Sequence[GivenScore]


class LeftOut(NamedTuple):
    """Why a trace gives no row, in words that follow a number of traces."""

    reason: str


Shape = Callable[[Entry, Data, ExportOptions, Scores], dict[str, Any] | LeftOut]
NO_TEXT = LeftOut("with a conversation, which a prompt of text cannot hold")
UNRATED = LeftOut("without a score on every step")


def tunix_sft(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any]:
    row = row_of(data, entry.hash, entry.split)
    if scores:
        row["metadata"]["scores"] = [score.to_dict() for score in scores]
    return row


def prompt_completion(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any] | LeftOut:
    if options.turns != "messages" and is_conversation(data):
        return NO_TEXT
    contents = [step["content"] for step in data["steps"]]
    completion = render_completion(contents, said_beside_calls(data), options.style, layout_data(data))
    row: dict[str, Any] = {"prompt": data["prompt"], "completion": completion}
    if options.turns == "messages":
        row = with_tools({"prompt": before_answer(data), "completion": [final_turn(completion, data)]}, data)
    return with_rest(row, entry, rendered_metadata(data, entry.hash, contents, style=options.style, scores=scores))


def messages(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any]:
    contents, answer, layout = [step["content"] for step in data["steps"]], said_beside_calls(data), layout_data(data)
    if options.reasoning == "content":
        said = final_turn(render_completion(contents, answer, options.style, layout), data)
        metadata = rendered_metadata(data, entry.hash, contents, style=options.style, scores=scores)
    else:
        reasoning, content = reasoning_and_content(contents, answer, layout)
        said = final_turn(content, data, reasoning)
        metadata = rendered_metadata(data, entry.hash, contents, scores=scores)
    return with_rest(with_tools({"messages": [*before_answer(data), said]}, data), entry, metadata)


def stepwise(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any] | LeftOut:
    labels = step_labels(len(data["steps"]), scores)
    if labels is None:
        return UNRATED
    if is_conversation(data):
        return NO_TEXT
    metadata = metadata_of(data, entry.hash) | {"final_answer": data["final_answer"]}
    metadata["scores"] = [score.to_dict() for score in scores if score.step is not None]
    completions = [step["content"] for step in data["steps"]]
    return with_rest({"prompt": data["prompt"], "completions": completions, "labels": labels}, entry, metadata)


def grpo(entry: Entry, data: Data, options: ExportOptions, scores: Scores) -> dict[str, Any] | LeftOut:
    prompts = _grpo_prompts(data, options)
    if isinstance(prompts, LeftOut):
        return prompts
    metadata = metadata_of(data, entry.hash)
    metadata["trace_steps"] = [step["content"] for step in data["steps"]]
    metadata["final_answer"] = data["final_answer"]
    if scores:
        metadata["scores"] = [score.to_dict() for score in scores]
    known = data.get("reference_answer")
    answer = data["final_answer"] if known is None else known
    return with_rest({"prompts": prompts, "question": data["prompt"], "answer": answer}, entry, metadata)


def _grpo_prompts(data: Data, options: ExportOptions) -> str | list[dict[str, Any]] | LeftOut:
    if options.chat is not None:
        talk = conversation_of(data)
        if reason := unfit(talk, options.chat):
            return LeftOut(f"with {reason}, which the chat format {options.chat} has no form for")
        return render_prompt(data["prompt"], options.chat, options.style, system=data.get("system"), conversation=talk)
    if options.turns == "messages":
        return before_answer(data)
    return NO_TEXT if is_conversation(data) else data["prompt"]


def with_tools(row: dict[str, Any], data: Data) -> dict[str, Any]:
    """The row with the column `tools`: JSON text, because definitions have other keys in each row."""
    if "tools" in data:
        row["tools"] = f"[{', '.join(data['tools'])}]"
    return row


def context_of(data: Data, *names: str) -> str:
    """What a trace answers, as one text to compare by: the prompt, the system text and these parts of its
    conversation.
    """
    talk = {name: data[name] for name in names if name in data}
    return canonical_json([data["prompt"], data.get("system"), talk]).decode()


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
