"""The formats for other programs: what their rows hold, and that each row brings its trace back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.export.test_export import TRACES, talking
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.traces.chat_messages import ChatParts
from tunixrt_core.traces.conversation import Call, Conversation, Message, calls_text
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.scores import GivenScore, ScoredTrace
from tunixrt_core.traces.trace import Step, Trace

RIGHT = Trace("2+3?", (Step(0, "2 and 3"), Step(1, "is 5")), "5", source="t", reference_answer="5")
WRONG = Trace("2+3?", (Step(0, "guess"),), "6", source="t", reference_answer="5")
ASKED = Trace("4+4?", (Step(0, "double"),), "8", system="Be brief.")

PARTS = ChatParts(system=True, conversation=True, keys=True)
LOOK = Call("weather", {"city": "Köln", "days": 2}, "c1")
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
TALKED = Trace(
    "And 3+3?",
    (Step(0, "add"),),
    "6",
    system="Be brief.",
    reference_answer="6",
    conversation=Conversation(
        messages=(Message("user", "What is 2+2?"), Message("assistant", "4", reasoning="2 and 2", train=False))
    ),
)
CALLED = Trace(
    "Which weather?",
    (Step(0, "It says sun."),),
    "21",
    reference_answer="21",
    conversation=Conversation(
        turns=(
            Message("assistant", "", reasoning="I must look.", calls=(LOOK,)),
            Message("tool", '{"sun": true}', call_id="c1", name="weather"),
        ),
        tools=(TOOL,),
    ),
)
CALLS = Trace(
    "Which weather?", (Step(0, "Look."),), calls_text([LOOK]), conversation=Conversation(tools=(TOOL,), calls=(LOOK,))
)


def rows(format: str, traces: Iterable[Trace], **more: Any) -> list[dict[str, Any]]:
    return [row_of(line) for line in EXPORT_FORMATS[format](traces, **more)]


def row_of(line: bytes) -> dict[str, Any]:
    """The row of a line, with what its metadata says."""
    row: dict[str, Any] = orjson.loads(line)
    return row | {"metadata": orjson.loads(row["metadata"])}


def rated(value: float, step: int | None = None, **more: Any) -> GivenScore:
    return GivenScore(name="rating", value=value, step=step, scorer="s", version="1", **more)


class Scores(dict[str, Sequence[GivenScore]]):
    """Scores by the hash of a trace; none where there are none."""

    def __call__(self, trace_hash: str) -> Sequence[GivenScore]:
        return self.get(trace_hash, ())


def read_again(format: str, lines: Iterable[bytes]) -> tuple[list[Trace], Scores]:
    """The traces of an export and the scores that they carry, as an import finds them."""
    found, scores = [], Scores()
    for item in read_traces(BytesIO(b"".join(lines)), name="back.jsonl", format=format):
        assert isinstance(item, Trace | ScoredTrace), item
        trace = item if isinstance(item, Trace) else item.trace
        found.append(trace)
        scores[trace.content_hash] = () if isinstance(item, Trace) else item.scores
    return found, scores


OPTIONS = st.builds(
    ExportOptions,
    st.sampled_from(list(ReasoningStyle)),
    st.sampled_from(["auto", "text", "messages"]),
    st.sampled_from(["content", "field"]),
    st.none() | st.sampled_from(list(ChatFormat)),
)


@pytest.mark.parametrize("format", ["prompt_completion", "messages", "stepwise", "grpo", "preference"])
@given(traces=st.lists(TRACES | talking(), min_size=1, max_size=4), options=OPTIONS, seed=st.integers(0, 9))
def test_export_ingest_export_is_a_fixed_point(
    format: str, traces: list[Trace], options: ExportOptions, seed: int
) -> None:
    with_steps = [trace for trace in traces if trace.steps]
    # a twin of each with another answer, so that there are pairs; an answer within a step cannot be another
    twins = [replace(t, final_answer=f"{t.final_answer}!", layout=None) for t in with_steps]
    whole = {trace.content_hash: trace for trace in [*with_steps, *twins]}
    scores = Scores()
    for number, trace in enumerate(whole.values()):
        steps = [rated((number + i + seed) % 3 - 1, i) for i in range(len(trace.steps))]
        scores[trace.content_hash] = [*steps, rated(float(number))]
    left_out: list[str] = []
    try:
        first = list(
            EXPORT_FORMATS[format](
                whole.values(), options=options, scores_of=scores, on_left_out=lambda told, why: left_out.append(told)
            )
        )
    except InvalidDataset:
        first = []
    if not first:
        return  # no trace can be a row
    back, known = read_again(format, first)
    assert {trace.content_hash for trace in back} == whole.keys() - set(left_out)
    if options.turns == "auto":  # as it was decided for all traces
        told = [value for name, value in row_of(first[0]).items() if name in ("prompt", "prompts")]
        options = replace(options, turns="text" if told and isinstance(told[0], str) else "messages")
    assert list(EXPORT_FORMATS[format](back, options=options, scores_of=known)) == first


@pytest.mark.parametrize("format", sorted(EXPORT_FORMATS.keys() - {"stepwise"}))
def test_the_format_of_an_exported_row_is_found_out_and_gives_its_trace_back(format: str) -> None:
    traces = [CALLED] if format == "grpo" else [CALLED, replace(CALLED, final_answer="22")]
    lines = EXPORT_FORMATS[format](traces, options=ExportOptions(turns="messages"))
    assert CALLED in read_again("auto", lines)[0]


def test_messages_are_the_whole_conversation_in_openai_s_form() -> None:
    called, talked, calls = rows("messages", [CALLED, TALKED, CALLS], options=ExportOptions(ReasoningStyle.THINK))
    call = {"type": "function", "function": {"name": "weather", "arguments": '{"city": "Köln", "days": 2}'}}
    assert called["messages"] == [
        {"role": "user", "content": "Which weather?"},
        {"role": "assistant", "reasoning_content": "I must look.", "content": "", "tool_calls": [{"id": "c1"} | call]},
        {"role": "tool", "content": '{"sun": true}', "tool_call_id": "c1", "name": "weather"},
        {"role": "assistant", "content": "<think>\nIt says sun.\n</think>\n\n21"},
    ]
    assert orjson.loads(called["tools"]) == [TOOL]
    assert talked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 2+2?"},
        {"role": "assistant", "reasoning_content": "2 and 2", "content": "4", "train": False},
        {"role": "user", "content": "And 3+3?"},
        {"role": "assistant", "content": "<think>\nadd\n</think>\n\n6"},
    ]
    assert "tools" not in talked
    assert calls["messages"][-1] == {
        "role": "assistant",
        "content": "<think>\nLook.\n</think>\n\n",
        "tool_calls": [{"id": "c1"} | call],
    }


def test_a_message_that_was_edited_is_read_as_it_is_now() -> None:
    (line,) = EXPORT_FORMATS["messages"]([TALKED])
    edited = line.replace(b"What is 2+2?", b"What is 2+1?")
    assert edited != line
    (back,), _ = read_again("messages", [edited])
    assert back != TALKED
    assert b"2+1" in back.canonical


def test_prompts_of_messages_hold_all_before_the_final_turn() -> None:
    (row,) = rows("prompt_completion", [CALLED])
    (whole,) = rows("messages", [CALLED])
    assert [*row["prompt"], *row["completion"]] == whole["messages"]
    assert len(row["completion"]) == 1
    assert row["tools"] == whole["tools"]


def test_prompts_of_text_leave_conversations_out_and_say_so() -> None:
    told: list[tuple[str, str]] = []
    text = ExportOptions(turns="text")
    for format in ("prompt_completion", "grpo"):
        told.clear()
        found = rows(format, [TALKED, RIGHT], options=text, on_left_out=lambda *why: told.append(why))
        assert len(found) == 1
        assert told == [(TALKED.content_hash, "with a conversation, which a prompt of text cannot hold")]
        with pytest.raises(InvalidDataset, match=r"\(1 with a conversation, which a prompt of text cannot hold\)"):
            rows(format, [TALKED], options=text)


def test_pairs_answer_one_conversation() -> None:
    wrong = replace(TALKED, final_answer="7")
    other = replace(wrong, conversation=Conversation(messages=(Message("user", "What is 1+1?"),)))
    (row,) = rows("preference", [TALKED, wrong, other])
    assert [turn["content"] for turn in row["prompt"]] == ["Be brief.", "What is 2+2?", "4", "And 3+3?"]
    assert [len(row[side]) for side in ("chosen", "rejected")] == [1, 1]
    with pytest.raises(InvalidDataset, match="2 without another trace to make a pair with"):
        rows("preference", [TALKED, other])


def test_a_pair_shares_the_turns_with_which_both_sides_begin() -> None:
    asked, result = CALLED.conversation.turns
    turns = (asked, msgspec.structs.replace(result, content="none"))
    wrong = replace(CALLED, final_answer="22", conversation=Conversation(turns=turns, tools=(TOOL,)))
    (row,) = rows("preference", [CALLED, wrong])
    assert [turn["role"] for turn in row["prompt"]] == ["user", "assistant"]
    assert [[turn["role"] for turn in row[side]] for side in ("chosen", "rejected")] == [["tool", "assistant"]] * 2


def test_the_prompts_of_grpo_show_the_conversation() -> None:
    (row,) = rows("grpo", [CALLED])
    assert [turn["role"] for turn in row["prompts"]] == ["user", "assistant", "tool"]
    (row,) = rows("grpo", [CALLED], options=ExportOptions(chat=ChatFormat.QWEN25))
    assert "<tool_response>" in row["prompts"]
    with pytest.raises(InvalidDataset, match=r"1 with tools.*chat format gemma3 has no form for"):
        rows("grpo", [CALLED], options=ExportOptions(chat=ChatFormat.GEMMA3))


def test_messages_hold_the_reasoning_in_the_content_or_in_a_field_of_its_own() -> None:
    (inside,) = rows("messages", [ASKED], split_of=lambda trace: "eval")
    assert inside["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "4+4?"},
        {"role": "assistant", "content": "<reasoning>\ndouble\n</reasoning>\n<answer>8</answer>"},
    ]
    assert inside["split"] == "eval"
    (apart,) = rows("messages", [RIGHT], options=ExportOptions(reasoning="field"))
    assert apart["messages"][-1] == {"role": "assistant", "reasoning_content": "2 and 3\nis 5", "content": "5"}
    assert "split" not in apart


def test_a_step_is_right_where_its_score_is_above_nought() -> None:
    scores = Scores({RIGHT.content_hash: [rated(1, 0), rated(0, 1), rated(9)]})
    (row,) = rows("stepwise", [RIGHT], scores_of=scores)
    assert (row["prompt"], row["completions"], row["labels"]) == ("2+3?", ["2 and 3", "is 5"], [True, False])
    assert [score["step"] for score in row["metadata"]["scores"]] == [0, 1]


def test_a_human_outweighs_every_automatic_score_of_a_step() -> None:
    seen = [rated(1, 0), rated(1, 0), rated(-1, 0, kind="human"), rated(1, 1)]
    (row,) = rows("stepwise", [RIGHT], scores_of=Scores({RIGHT.content_hash: seen}))
    assert row["labels"] == [False, True]


def test_a_trace_with_an_unscored_step_is_no_stepwise_row() -> None:
    scores = Scores({RIGHT.content_hash: [rated(1, 0)], WRONG.content_hash: [rated(0, 0)]})
    assert [row["labels"] for row in rows("stepwise", [RIGHT, WRONG], scores_of=scores)] == [[False]]
    with pytest.raises(InvalidDataset, match="needs a score on every step"):
        rows("stepwise", [RIGHT], scores_of=scores)


def test_a_right_answer_is_chosen_and_a_wrong_one_rejected() -> None:
    text = ExportOptions(turns="text")
    (row,) = rows("preference", [WRONG, RIGHT, ASKED], split_of=lambda trace: "train", options=text)
    assert row["prompt"] == "2+3?"
    assert row["chosen"] == "<reasoning>\n2 and 3\nis 5\n</reasoning>\n<answer>5</answer>"
    assert row["rejected"] == "<reasoning>\nguess\n</reasoning>\n<answer>6</answer>"
    assert row["split"] == "train"
    assert {side: row["metadata"][side]["trace_id"] for side in ("chosen", "rejected")} == {
        "chosen": RIGHT.content_hash,
        "rejected": WRONG.content_hash,
    }


def test_without_right_and_wrong_the_higher_score_is_chosen() -> None:
    traces = [Trace("2+3?", (Step(0, f"way {i}"),), "5", reference_answer="5") for i in range(5)]
    scores = Scores({trace.content_hash: [rated(float(i))] for i, trace in enumerate(traces[:4])})
    pairs = rows("preference", traces, scores_of=scores, options=ExportOptions(ReasoningStyle.PLAIN))
    # the best with the worst; no trace is in two pairs
    assert [(row["chosen"], row["rejected"]) for row in pairs] == [
        ("way 3\n#### 5", "way 0\n#### 5"),
        ("way 2\n#### 5", "way 1\n#### 5"),
    ]
    level = Scores({trace.content_hash: [rated(1.0)] for trace in traces})
    with pytest.raises(InvalidDataset, match="two traces of one prompt"):
        rows("preference", traces, scores_of=level)


def test_a_pair_is_of_one_prompt_one_system_text_and_one_side_of_the_split() -> None:
    told = Trace("2+3?", WRONG.steps, "6", reference_answer="5", system="Guess.")
    spaced = Trace("2+3? ", WRONG.steps, "6", reference_answer="5")  # the same group, another text
    with pytest.raises(InvalidDataset):
        rows("preference", [RIGHT, told, spaced])
    sides: dict[str, Split] = {RIGHT.content_hash: "train", WRONG.content_hash: "eval"}
    with pytest.raises(InvalidDataset):
        rows("preference", [RIGHT, WRONG], split_of=lambda trace: sides[trace.content_hash])


def test_pairs_do_not_depend_on_the_order_that_traces_come_in() -> None:
    traces = [Trace("2+3?", (Step(0, f"way {i}"),), str(4 + i % 2), reference_answer="5") for i in range(6)]
    assert rows("preference", traces) == rows("preference", traces[::-1])


def test_a_grpo_row_is_a_prompt_and_the_answer_that_is_expected() -> None:
    row, other = rows("grpo", [WRONG, RIGHT, ASKED])
    if row["question"] != "2+3?":
        row, other = other, row
    assert {key: row[key] for key in ("prompts", "question", "answer")} == {
        "prompts": "2+3?",
        "question": "2+3?",
        "answer": "5",
    }
    assert other["answer"] == "8", "without a reference the trace's own answer is expected"


def test_the_prompts_of_grpo_can_be_in_a_chat_format() -> None:
    (row,) = rows("grpo", [ASKED], options=ExportOptions(chat=ChatFormat.GEMMA3))
    assert row["prompts"] == "<bos><start_of_turn>user\nBe brief.\n\n4+4?<end_of_turn>\n<start_of_turn>model\n"
    assert row["question"] == "4+4?"


def test_prompt_and_completion_are_text_or_turns_as_asked() -> None:
    (turns,) = rows("prompt_completion", [RIGHT], options=ExportOptions(turns="messages"))
    assert turns["prompt"] == [{"role": "user", "content": "2+3?"}]
    (text,) = rows("prompt_completion", [ASKED], options=ExportOptions(turns="text"))
    assert text["prompt"] == "4+4?"
    assert text["metadata"]["system"] == "Be brief."


@pytest.mark.parametrize("format", ["prompt_completion", "preference"])
def test_by_default_all_rows_are_turns_where_one_has_a_system_text(format: str) -> None:
    told = [Trace("4+4?", (Step(0, way),), way, system="Be brief.", reference_answer="8") for way in ("8", "9")]
    assert all(isinstance(row["prompt"], list) for row in rows(format, [RIGHT, WRONG, *told]))
    assert all(isinstance(row["prompt"], str) for row in rows(format, [RIGHT, WRONG]))


@pytest.mark.parametrize("name", ["style", "turns", "reasoning", "chat"])
def test_an_option_that_is_not_there_names_the_ones_that_are(name: str) -> None:
    with pytest.raises(InvalidDataset, match=f"{name}: 'odd' is not one of"):
        ExportOptions.of(**{name: "odd"})
