"""Rows of the Berkeley leaderboard: calls as text, or the values that are right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ingest.formats.test_formats import convert
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.conversation import Call, Message

AREA = {
    "name": "geometry.area",
    "description": "Area of a triangle.",
    "parameters": {"type": "dict", "properties": {"base": {"type": "integer"}}, "required": ["base"]},
}
ROW: dict[str, Any] = {
    "id": "parallel_0",
    "question": [[{"role": "system", "content": "Be short."}, {"role": "user", "content": "Which areas?"}]],
    "function": [AREA],
    "ground_truth": ["geometry.area(base=10, unit='cm')", "geometry.area(base=3)"],
    "execution_result_type": ["exact_match"],
}
CALLS = (
    Call("geometry.area", '{"base": 10, "unit": "cm"}'),
    Call("geometry.area", '{"base": 3}'),
)


def test_the_calls_are_the_answer_and_the_functions_the_tools() -> None:
    found = convert("bfcl", ROW)
    assert (found.system, found.prompt, found.conversation.calls) == ("Be short.", "Which areas?", CALLS)
    assert [tool["function"]["name"] for tool in found.conversation.tool_values] == ["geometry.area"]
    assert (found.meta["id"], found.meta["execution_result_type"]) == ("parallel_0", ["exact_match"])
    assert "ground_truth" not in found.meta


def test_of_several_values_that_are_right_the_first_is_taken_and_all_are_kept() -> None:
    truth = [
        {"geometry.area": {"base": [10, 10.0], "unit": ["cm", ""], "round": ["", True]}},
        {"geometry.area": {"base": [3]}},
    ]
    found = convert("bfcl", {**ROW, "ground_truth": truth})
    assert found.conversation.calls == CALLS
    assert found.meta["ground_truth"] == truth


@pytest.mark.parametrize("question", ["Which areas?", [{"role": "user", "content": "Which areas?"}]])
def test_a_question_may_be_text_or_messages_and_a_function_alone(question: Any) -> None:
    found = convert("bfcl", {**ROW, "question": question, "function": AREA})
    assert (found.prompt, found.conversation.calls) == ("Which areas?", CALLS)
    assert len(found.conversation.tools) == 1


def test_what_comes_before_the_question_is_the_conversation() -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}, *ROW["question"][0][1:]]
    found = convert("bfcl", {**ROW, "question": [talk]})
    assert found.conversation.messages == (Message("user", "Hi"), Message("assistant", "Hello."))


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"ground_truth": None}, "ground_truth", "is missing: it is in a file of its own, `possible_answer`"),
        ({"ground_truth": []}, "ground_truth", "holds no call"),
        ({"ground_truth": ["area(10)"]}, "ground_truth[0]", "is no call such as f(a=1)"),
        ({"ground_truth": [["area(base=1)"]]}, "ground_truth[0]", "must be a call as text"),
        ({"ground_truth": [{"area": {"base": 5}}]}, "ground_truth[0].area.base", "must be a list of the values"),
        (
            {"ground_truth": [{"area": {"shape": [{"base": [1, 2]}]}}]},
            "ground_truth[0].area.shape",
            "holds objects whose own values are lists",
        ),
        ({"question": [*ROW["question"], *ROW["question"]]}, "question", "holds 2 turns, between which"),
    ],
)
def test_what_cannot_be_mapped_says_how_to_convert_it(change: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidTrace) as error:
        convert("bfcl", {**ROW, **change})
    assert error.value.field == field
    assert error.value.reason.startswith(reason)
