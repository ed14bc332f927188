"""Files that other programs wrote are read whole: text, reasoning, calls, results, tools and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

EXPORTS = Path(__file__).parents[2] / "data" / "exports"
ANSWER = "It is **513**.\n\n    indented = True\n\nEnd."
THOUGHT = "27 * 20 is 540.\n\n540 - 27 is 513."
LOOK = "Let me look.\n\nFirst the tool."


def traces_of(name: str) -> list[Trace]:
    reader = read_traces(EXPORTS / name, name=name)
    items = list(reader)
    assert not [item for item in items if isinstance(item, RowError)]
    return [item.trace if isinstance(item, ScoredTrace) else item for item in items if not isinstance(item, RowError)]


def said(trace: Trace) -> str:
    """Reasoning and answer as they are trained."""
    contents = [step.content for step in trace.steps]
    return render_completion(contents, trace.final_answer, ReasoningStyle.THINK, trace.layout)


def thinking(text: str, answer: str) -> str:
    return f"<think>\n{text}\n</think>\n\n{answer}"


def used(trace: Trace) -> list[tuple[str, Any]]:
    """What was called, and what came back, between prompt and answer."""
    return [(turn.role, turn.calls[0].value if turn.calls else turn.content) for turn in trace.conversation.turns]


def tool_names(trace: Trace) -> list[str]:
    return [tool["function"]["name"] for tool in trace.conversation.tool_values]


@pytest.mark.parametrize("name", ["openllmetry.jsonl", "openinference.jsonl"])
def test_spans_of_a_call_with_reasoning_a_tool_and_its_result(name: str) -> None:
    plain, calling, answered, items = traces_of(name)
    assert (plain.system, plain.prompt, plain.model) == ("Be short.\n\nAlways.", "What is 27 * 19?", "tiny-1")
    assert said(plain) == said(answered) == thinking(THOUGHT, ANSWER)
    assert (calling.final_answer, calling.conversation.calls[0].value) == (LOOK, {"city": "Rome"})
    assert used(answered) == [("assistant", {"city": "Rome"}), ("tool", "sun, 31")]
    assert tool_names(answered) == tool_names(items) == ["weather"]
    assert said(items) == thinking("I think.\n\nThen act.", "It is sunny.\n\n    code")
    assert used(items) == [("assistant", {"city": "Rome"}), ("tool", "sun")]


@pytest.mark.parametrize("name", ["otel-logs.jsonl", "otel-logs.json"])
def test_log_records_of_one_message_each_are_put_together_by_their_span(name: str) -> None:
    plain, calling, answered = traces_of(name)
    assert (plain.system, plain.prompt, plain.final_answer) == ("Be short.\n\nAlways.", "What is 27 * 19?", ANSWER)
    assert [call.name for call in calling.conversation.calls] == ["weather"]
    call, result = answered.conversation.turns
    assert (call.calls[0].id, result.call_id, result.content) == ("call_1", "call_1", "sun, 31")


def test_a_log_of_inspect_packed_with_zstandard() -> None:
    few, redacted, called = traces_of("inspect.eval")
    assert (few.system, few.prompt, few.final_answer) == ("Be short.", "Weather in Oslo?", "rain")
    assert [turn.train for turn in few.conversation.messages if turn.role == "assistant"] == [False]  # of the input
    assert (redacted.final_answer, redacted.steps) == ("B", ())
    assert said(called) == thinking("The tool says sun.\n\nSo it is warm.", "It is sunny.\n\n    code")
    assert called.conversation.turns[0].content == "Let me look.\n\n    First."
    assert {name for one in (few, redacted, called) for name in tool_names(one)} == {"weather"}
    assert called.reference_answer == "sunny"


def test_rollouts_of_verifiers_with_one_that_failed() -> None:
    first, second = traces_of("verifiers.jsonl")  # the failed one holds no message
    for rollout in (first, second):
        assert said(rollout) == thinking(THOUGHT, ANSWER)
        assert (rollout.reference_answer, tool_names(rollout)) == ("513", ["multiply"])
        assert rollout.conversation.turns[0].train is True


@pytest.mark.parametrize("name", ["langfuse-spans.jsonl", "openai-agents.jsonl"])
def test_calls_of_a_model_among_other_spans(name: str) -> None:
    calling, answered = traces_of(name)
    assert calling.conversation.calls[0].value == {"city": "Rome"}
    assert (answered.prompt, answered.system, answered.final_answer) == ("Weather in Rome?", "Be short.", ANSWER)
    assert used(answered) == [("assistant", {"city": "Rome"}), ("tool", "sun")]


def test_the_items_of_a_run_are_one_conversation() -> None:
    (trace,) = traces_of("openai-items.json")
    call, result = trace.conversation.turns
    assert (call.reasoning, call.calls[0].id, result.call_id) == ("I think.\n\nThen act.", "call_1", "call_1")
    assert said(trace) == thinking("I think.\n\nThen act.", "It is sunny.\n\n    code")


def test_a_trajectory_of_harbor() -> None:
    (trace,) = traces_of("harbor.json")
    assert (trace.system, trace.prompt) == ("Be careful.\n\nAlways.", "List the files.\n\n    now")
    assert said(trace) == thinking("Done.\n\nSo say.", "There is a.txt.\n\n    code")
    assert used(trace) == [("assistant", {"command": "ls"}), ("tool", "a.txt\n")]
