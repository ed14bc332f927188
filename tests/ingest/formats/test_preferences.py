"""Preference rows of every shape, verdicts in any column, and what an import makes of them."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest

from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.conversation import Call, Message
from tunixrt_core.traces.scores import GivenScore, ScoredTrace, is_negative
from tunixrt_core.traces.trace import Trace


def items(*rows: dict[str, Any]) -> list[Trace | ScoredTrace | RowError]:
    data = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    return list(read_traces(io.BytesIO(data), name="f"))


def pair_of(row: dict[str, Any]) -> tuple[ScoredTrace, ScoredTrace]:
    better, worse = items(row)
    assert isinstance(better, ScoredTrace)
    assert isinstance(worse, ScoredTrace)
    assert preferred(better) == (1.0, worse.trace.content_hash)
    assert preferred(worse) == (0.0, better.trace.content_hash)
    return better, worse


def preferred(item: ScoredTrace) -> tuple[float, str | None]:
    (score,) = (score for score in item.scores if score.name == "preferred")
    return score.value, score.against


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


CHAT = [user("The cat is Tom."), said("Hello, Tom."), user("Who is the cat?")]
EARLIER = (Message("user", "The cat is Tom."), Message("assistant", "Hello, Tom."))
SHAPES: dict[str, dict[str, Any]] = {
    "text": {"prompt": "Who is the cat?", "chosen": "Tom", "rejected": "Rex"},
    "conversational": {"prompt": CHAT, "chosen": [said("Tom")], "rejected": [said("Rex")]},
    "implicit": {"chosen": [*CHAT, said("Tom")], "rejected": [*CHAT, said("Rex")]},
    "implicit, prompt told again": {
        "prompt": "Who is the cat?",
        "chosen": [*CHAT, said("Tom")],
        "rejected": [*CHAT, said("Rex")],
    },
    "transcripts": {
        side: f"\n\nHuman: The cat is Tom.\n\nAssistant: Hello, Tom.\n\nHuman: Who is the cat?\n\nAssistant: {name}"
        for side, name in (("chosen", "Tom"), ("rejected", "Rex"))
    },
    "transcripts in lines": {
        side: f"Human: The cat is Tom.\nAssistant: Hello, Tom.\nHuman: Who is the cat?\nAssistant: {name}"
        for side, name in (("chosen", "Tom"), ("rejected", "Rex"))
    },
    "transcript as the prompt": {
        "prompt": "\n\nHuman: The cat is Tom.\n\nAssistant: Hello, Tom.\n\nHuman: Who is the cat?\n\nAssistant:",
        "chosen": " Tom",
        "rejected": " Rex",
    },
    "llama-factory": {
        "conversations": [
            {"from": "human", "value": "The cat is Tom."},
            {"from": "gpt", "value": "Hello, Tom."},
            {"from": "human", "value": "Who is the cat?"},
        ],
        "chosen": {"from": "gpt", "value": "Tom"},
        "rejected": {"from": "gpt", "value": "Rex"},
    },
    "messages beside objects": {"messages": CHAT, "chosen": said("Tom"), "rejected": said("Rex")},
    "alpaca": {"instruction": "Who is the cat?", "input": "", "chosen": "Tom", "rejected": "Rex"},
    "alpaca with a history": {
        "instruction": "Who is the cat?",
        "history": [["The cat is Tom.", "Hello, Tom."]],
        "chosen": "Tom",
        "rejected": "Rex",
    },
    "orca": {"system": "", "question": "Who is the cat?", "chosen": "Tom", "rejected": "Rex"},
    "openai": {
        "input": {"messages": CHAT},
        "preferred_output": [said("Tom")],
        "non_preferred_output": [said("Rex")],
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pair_of_any_shape_is_one_prompt_with_a_better_and_a_worse_answer(shape: str) -> None:
    better, worse = pair_of(SHAPES[shape])
    assert (better.trace.final_answer, worse.trace.final_answer) == ("Tom", "Rex")
    assert better.trace.prompt == worse.trace.prompt == "Who is the cat?"
    assert better.trace.system is None
    for side in (better, worse):
        assert side.trace.conversation.messages == (() if shape in ("text", "alpaca", "orca") else EARLIER)
        assert set(side.trace.meta) <= {"splitting"}
    assert (is_negative(better.scores), is_negative(worse.scores)) == (False, True)


def test_what_is_beside_a_pair_is_kept_once() -> None:
    orca, _ = pair_of({"system": "Be brief.", "question": "q", "chosen": "a", "rejected": "b", "margin": 2})
    assert (orca.trace.system, orca.trace.meta["margin"]) == ("Be brief.", 2)
    alpaca, _ = pair_of({"instruction": "Add.", "input": "2 and 3", "chosen": "5", "rejected": "6"})
    assert (alpaca.trace.prompt, alpaca.trace.meta["input_from"]) == ("Add.\n\n2 and 3", 6)
    tools = {"input": {"messages": [user("q")], "tools": [{"name": "f"}]}}
    openai, _ = pair_of({**tools, "preferred_output": [said("a")], "non_preferred_output": [said("b")]})
    assert openai.trace.conversation.tool_values == [{"type": "function", "function": {"name": "f"}}]
    assert set(openai.trace.meta) == {"splitting"}
    other, _ = pair_of({"prompt": "Another name for it", **SHAPES["implicit"]})
    assert other.trace.meta["prompt"] == "Another name for it"
    thought, _ = pair_of({"prompt": "q", "chosen": "<think>\nFirst.\n</think>\n\n5", "rejected": "6"})
    assert [step.content for step in thought.trace.steps] == ["First."]


def test_a_call_before_the_answer_of_a_side_is_a_turn_of_that_side() -> None:
    call = {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {}}}]}
    result = {"role": "tool", "name": "f", "content": "ok"}
    turns = (Message("assistant", calls=(Call("f"),)), Message("tool", "ok", name="f"))
    better, worse = pair_of({"prompt": [user("q")], "chosen": [call, result, said("Done.")], "rejected": [said("No.")]})
    assert (better.trace.conversation.turns, worse.trace.conversation.turns) == (turns, ())
    (plain,) = items({"prompt": [user("q")], "completion": [call, result, said("Done.")]})
    assert isinstance(plain, Trace)
    assert (plain.final_answer, plain.conversation.turns) == ("Done.", turns)
    (asked,) = items({"prompt": [user("q"), call, result], "completion": [said("Done.")]})
    assert asked == plain


def test_text_with_a_name_in_it_is_no_transcript() -> None:
    better, _ = pair_of({"prompt": "Human: is that a word?", "chosen": "User: yes, a noun", "rejected": "no"})
    assert (better.trace.prompt, better.trace.final_answer) == ("Human: is that a word?", "User: yes, a noun")


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({"prompt": "q", "chosen": "a", "rejected": "a"}, "rejected", "is the same as chosen"),
        ({"chosen": "a", "rejected": "b"}, "prompt", "is missing"),
        (
            {"chosen": [user("p"), said("a")], "rejected": [user("q"), said("b")]},
            "rejected",
            "answers another prompt than chosen",
        ),
        ({"chosen": [user("p"), said("a")], "rejected": "b"}, "rejected", "must both hold the prompt"),
        (
            {"prompt": [user("p"), said("a")], "chosen": "b", "rejected": "c"},
            "prompt",
            "must end with a turn of the user",
        ),
        ({"prompt": "q", "chosen": [said("a"), user("b")], "rejected": "c"}, "rejected", "must both hold the prompt"),
        ({"instruction": "q", "history": [["a"]], "chosen": "b", "rejected": "c"}, "history", "pairs of texts"),
    ],
)
def test_a_row_that_is_no_pair_is_refused_whole(row: dict[str, Any], field: str, reason: str) -> None:
    (error,) = items(row)
    assert isinstance(error, RowError)
    assert error.field == field
    assert reason in error.reason


def test_a_side_that_cannot_be_read_leaves_the_other_one_without_a_pair() -> None:
    better, error = items({"prompt": "q", "chosen": "a", "rejected": ""})
    assert isinstance(better, ScoredTrace)
    assert preferred(better) == (1.0, None)
    assert isinstance(error, RowError)
    assert error.field == "rejected"


# --- verdicts --------------------------------------------------------------------------------------------------------

ASKED = {"prompt": "2+2?", "completion": "5"}
TALKED = {"messages": [user("2+2?"), said("5")]}
SHARED = {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "5"}]}
TOLD = {"instruction": "2+2?", "output": "5"}
ANSWERED = {"question": "2+2?", "answer": "5"}
OWN = {"prompt": "2+2?", "steps": [], "final_answer": "5"}


@pytest.mark.parametrize(
    ("row", "score"),
    [
        ({**ASKED, "label": False}, ("label", 0.0, "trl")),
        ({**ASKED, "label": "False"}, ("label", 0.0, "trl")),
        ({**ASKED, "label": 0}, ("label", 0.0, "trl")),
        ({**TALKED, "label": False}, ("label", 0.0, "trl")),
        ({**TALKED, "label": "rejected"}, ("label", 0.0, "trl")),
        ({**SHARED, "kto_tag": False}, ("label", 0.0, "kto_tag")),
        ({**TOLD, "kto_tag": "false"}, ("label", 0.0, "kto_tag")),
        ({**ANSWERED, "label": False}, ("label", 0.0, "trl")),
        ({**TALKED, "weight": 0}, ("weight", 0.0, "weight")),
        ({**TOLD, "loss_weight": 0.0}, ("weight", 0.0, "loss_weight")),
        ({**ANSWERED, "weight": "0"}, ("weight", 0.0, "weight")),
        ({**ANSWERED, "is_correct": False}, ("correct", 0.0, "is_correct")),
        ({**ANSWERED, "verdict": "Incorrect"}, ("correct", 0.0, "verdict")),
        ({**TALKED, "passed": 0}, ("correct", 0.0, "passed")),
        ({"messages": [user("q"), {**said("a"), "weight": 0}]}, ("weight", 0.0, "message weight")),
        ({"messages": [user("q"), {**said("a"), "train": False}]}, ("weight", 0.0, "message train")),
        ({**OWN, "meta": {"label": False}}, ("label", 0.0, "trl")),
    ],
)
def test_a_row_that_its_file_speaks_against_is_a_negative_example(
    row: dict[str, Any], score: tuple[str, float, str]
) -> None:
    (item,) = items(row)
    assert isinstance(item, ScoredTrace)
    assert [(one.name, one.value, one.scorer) for one in item.scores] == [score]
    assert is_negative(item.scores)


@pytest.mark.parametrize(
    "row",
    [
        {**TALKED, "label": True},
        {**TOLD, "weight": 0.5},
        {**ANSWERED, "correct": 0},  # the place of the right choice
        {**ANSWERED, "correct": "no"},  # the right answer
        {**ANSWERED, "label": -1},  # of ProcessBench: no step is wrong
        {**ANSWERED, "label": 0},
        {**TALKED, "weight": "heavy"},
        {"messages": [{**user("q"), "weight": 0}, said("a")]},
        {"prompt": "q", "completions": ["a"], "labels": [False]},
    ],
)
def test_other_values_say_nothing_against_a_trace(row: dict[str, Any]) -> None:
    (item,) = items(row)
    assert not is_negative(item.scores if isinstance(item, ScoredTrace) else ())


def test_a_verdict_stays_in_meta_so_that_a_stored_trace_gets_it_when_its_file_is_read_again() -> None:
    (item,) = items({**TALKED, "label": False, "weight": 0.5})
    assert isinstance(item, ScoredTrace)
    assert (item.trace.meta["label"], item.trace.meta["weight"]) == (False, 0.5)
    assert {score.name: score.value for score in item.scores} == {"label": 0.0, "weight": 0.5}


def test_a_verdict_of_a_format_is_not_told_twice() -> None:
    (item,) = items({**ASKED, "label": True})
    assert isinstance(item, ScoredTrace)
    assert item.scores == (GivenScore(name="label", value=1.0, scorer="trl", version="given"),)
