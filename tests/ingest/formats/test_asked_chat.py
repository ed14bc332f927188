"""Messages that wait for an answer, which is in a column of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ingest.formats.test_formats import convert
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.detect import detect_format
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 2?"}]
DOLPHIN: dict[str, Any] = {"messages": ASKED, "reasoning": "Two\n\n  and two.", "answer": "It is 4.", "model": "r1"}


def test_reasoning_and_answer_beside_the_messages_are_the_assistants_turn() -> None:
    assert detect_format([DOLPHIN]).format == "asked_chat"
    found = convert("asked_chat", DOLPHIN)
    assert (found.system, found.prompt, found.final_answer) == ("Be brief.", "What is 2 + 2?", "It is 4.")
    assert (found.reference_answer, found.model) == (None, "r1")
    text = render(found, ReasoningStyle.THINK, ChatFormat.QWEN3).text
    assert "Two\n\n  and two." in text
    assert text.index("Two") < text.index("It is 4.")


@pytest.mark.parametrize("chat", ["messages", "conversations", "prompt"])
def test_an_answer_to_reach_is_the_reference_too(chat: str) -> None:
    row = {chat: ASKED[1:], "ground_truth": "4", "dataset": "gsm8k"}
    assert detect_format([row]).format == "asked_chat"
    found = convert("asked_chat", row)
    assert (found.prompt, found.final_answer, found.reference_answer) == ("What is 2 + 2?", "4", "4")
    assert found.meta["dataset"] == "gsm8k"


def test_a_row_of_verl_has_its_answer_in_the_rule_of_its_reward() -> None:
    row = {
        "data_source": "openai/gsm8k",
        "prompt": ASKED,
        "reward_model": {"style": "rule", "ground_truth": 4},
        "extra_info": {"split": "train"},
    }
    found = convert("asked_chat", row)
    assert (found.final_answer, found.reference_answer) == ("4", "4")
    assert found.meta["reward_model"] == {"style": "rule"}
    assert found.meta["extra_info"] == {"split": "train"}


def test_earlier_turns_of_the_assistant_leave_the_row_to_the_format_of_messages() -> None:
    row = {"messages": [*ASKED, {"role": "assistant", "content": "4"}], "answer": "5"}
    assert detect_format([row]).format == "messages"
    assert detect_format([{"messages": ASKED}]).format == "messages"


def test_a_fault_is_named_as_the_file_names_it() -> None:
    with pytest.raises(InvalidTrace) as raised:
        convert("asked_chat", {"prompt": ASKED[1:], "response": "<think>a", "id": 3})
    assert raised.value.field == "response"
