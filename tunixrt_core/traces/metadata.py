"""Metadata of rendered rows, from which the exact trace is rebuilt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.chat_messages import read_exported
from tunixrt_core.traces.conversation import calls_text, conversation_of
from tunixrt_core.traces.layout import layout_of
from tunixrt_core.traces.rendering.parse import ParsedCompletion, parse_rendered
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import from_row, metadata_of
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Trace


def rendered_metadata(
    data: Mapping[str, Any],
    trace_id: str,
    contents: Sequence[str],
    *,
    style: ReasoningStyle | None = None,
    scores: Sequence[GivenScore] = (),
) -> dict[str, Any]:
    """The metadata of a row whose completion holds the steps `contents` and the answer in a style; None: joined by
    line ends. The messages of the row hold the conversation.

    `step_chars`, the number of characters of each step, is enough to undo the rendering, with the layout where the
    trace has one, and the answer where that is part of a step. Where the completion holds the answer alone,
    `trace_steps` are kept as they are.
    """
    metadata = metadata_of(data, trace_id)
    metadata.pop("conversation", None)
    if style is not None:
        metadata["style"] = style
    if style is ReasoningStyle.ANSWER:
        metadata["trace_steps"] = contents
    else:
        metadata["step_chars"] = list(map(len, contents))
        if style in (None, ReasoningStyle.THINK) and "answer_at" in data.get("layout", ()):
            metadata["final_answer"] = data["final_answer"]
    if scores:
        metadata["scores"] = [score.to_dict() for score in scores]
    return metadata


def rebuild_completion(prompt: str, completion: str, metadata: Mapping[str, Any]) -> Trace | None:
    """The trace that a rendered row was made of; None where the row does not hold it unchanged.

    None too where the text was edited, or the metadata is another program's: then split the text.
    """
    try:
        style = ReasoningStyle(metadata.get("style", ""))
    except ValueError:
        return None
    parsed = _parsed(completion, style, metadata)
    return None if parsed is None else _checked(prompt, _steps(metadata, parsed), parsed.answer, metadata)


def rebuild_reasoning(prompt: str, reasoning: str, answer: str, metadata: Mapping[str, Any]) -> Trace | None:
    """The same where the row has separate fields for reasoning and answer, as in `reasoning_content`."""
    # the think style is that text between two tags, with the answer behind it
    thought = f"<think>\n{reasoning}\n</think>\n\n"
    parsed = _parsed(thought + answer, ReasoningStyle.THINK, metadata)
    if parsed is None or parsed.answer is None:
        return None
    return _checked(prompt, parsed.steps, parsed.answer, metadata)


def rebuild_messages(messages: Any, tools: Any, metadata: Mapping[str, Any]) -> Trace | None:
    """The same where the row holds all messages, from the system text to the final turn, with the definitions of tools
    as a list or its JSON text.
    """
    if not isinstance(messages, list):
        return None
    try:
        found = read_exported(messages, tools, system=metadata.get("system") is not None)
    except InvalidTrace:
        return None
    known = {**metadata, "conversation": found.conversation} if found.conversation else metadata
    if found.reasoning is not None and "style" not in metadata:
        return rebuild_reasoning(found.prompt, found.reasoning, found.content, known)
    return rebuild_completion(found.prompt, found.content, known)


def rebuild_steps(
    prompt: str, metadata: Mapping[str, Any], *, steps: Sequence[str] | None = None, answer: str | None = None
) -> Trace | None:
    """The same where the row holds the steps themselves; what it does not hold is in the metadata."""
    found = metadata.get("trace_steps") if steps is None else steps
    said = metadata.get("final_answer") if answer is None else answer
    return _checked(prompt, found, said, metadata) if isinstance(found, list | tuple) else None


_ROW_ONLY = ("style", "step_chars", "trace_steps", "final_answer", "scores")


def _parsed(completion: str, style: ReasoningStyle, metadata: Mapping[str, Any]) -> ParsedCompletion | None:
    answer = metadata.get("final_answer")
    try:
        layout = layout_of(metadata.get("layout"))
    except InvalidTrace:
        return None
    return parse_rendered(completion, style, _lengths(metadata), layout, answer if isinstance(answer, str) else None)


def _checked(prompt: str, steps: Sequence[str], answer: str | None, metadata: Mapping[str, Any]) -> Trace | None:
    rest = {key: value for key, value in metadata.items() if key not in _ROW_ONLY}
    try:
        talk = metadata.get("conversation")
        if answer == "" and isinstance(talk, Mapping):  # the final turn says nothing beside its calls
            answer = calls_text(conversation_of(talk).calls)
        row = {"prompt": prompt, "trace_steps": list(steps), "final_answer": answer, "metadata": rest}
        trace = from_row(row).trace
    except InvalidTrace:
        return None
    return trace if trace.content_hash == metadata.get("trace_id") else None


def _steps(metadata: Mapping[str, Any], parsed: ParsedCompletion) -> Sequence[str]:
    steps = metadata.get("trace_steps", parsed.steps)
    return steps if isinstance(steps, list | tuple) else ()


def _lengths(metadata: Mapping[str, Any]) -> list[int]:
    found = metadata.get("step_chars", [])
    if not isinstance(found, list) or not all(isinstance(length, int) and length >= 0 for length in found):
        return []
    return found
