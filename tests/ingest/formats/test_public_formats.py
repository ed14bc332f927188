"""The public data sets: what becomes a trace, what a score, and that nothing of a row is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ingest.formats.test_formats import contents, convert, meta, read, scores
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.verdicts import judged
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.styles import ReasoningStyle, reasoning_and_content, render_completion
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

THOUGHT = "<think>\none\n\ntwo\n</think>\n\nIt is $\\boxed{42}$."


def trace_of(item: object) -> Trace:
    assert isinstance(item, Trace | ScoredTrace)
    return item.trace if isinstance(item, ScoredTrace) else item


def written(trace: Trace) -> tuple[str, str]:
    """Reasoning and answer as they were written."""
    return reasoning_and_content(contents(trace), trace.final_answer, trace.layout)


def types(trace: Trace) -> list[str]:
    return [step.type for step in trace.steps]


def test_messages_take_the_last_exchange_and_hold_the_turns_around_it() -> None:
    call = {"id": 1, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [
        {"role": "developer", "content": "S"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "a", "tool_calls": [call], "refusal": "r"},
        {"role": "user", "content": [{"type": "text", "text": "se"}, {"type": "text", "text": "cond"}], "name": "me"},
        {"role": "tool", "content": "7"},
        {"role": "assistant", "content": "42", "thinking": "one\ntwo"},
        {"role": "user", "content": "thanks"},
    ]
    trace = convert("messages", {"messages": turns, "source": "x", "tools": [1]}, "label")
    assert (trace.system, trace.prompt, contents(trace), trace.final_answer) == ("S", "second", ["one", "two"], "42")
    assert trace.source == "x"
    assert trace.conversation == Conversation(
        messages=(Message("user", "first"), Message("assistant", "a", calls=(Call("f", {}, "1"),))),
        turns=(Message("tool", "7"),),
    )
    assert meta(trace) == {
        "tools": [1],
        "later": [turns[6]],
        "message_keys": {
            "prompt": {"name": "me", "content": turns[3]["content"]},
            "messages[1]": {"refusal": "r"},
        },
    }


@pytest.mark.parametrize("key", ["reasoning_content", "thinking", "reasoning"])
def test_reasoning_may_stand_in_a_field_of_its_own(key: str) -> None:
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "42", key: "one\ntwo\n"}]
    trace = convert("messages", {"messages": turns})
    assert (contents(trace), trace.final_answer) == (["one", "two"], "42")
    assert written(trace) == ("one\ntwo\n", "42")


@pytest.mark.parametrize(
    ("turns", "field"),
    [
        ([{"role": "user", "content": "q"}], "messages"),
        ([{"role": "assistant", "content": "a"}], "messages"),
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": None}], "messages[1]"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}], "messages[0].content[0]"),
        ([{"role": "user", "content": 1}], "messages[0]"),
        ([{"content": "q"}], "messages[0]"),
        ([1], "messages[0]"),
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>x"}], "messages[1].content"),
    ],
)
def test_messages_that_hold_no_exchange_are_named(turns: list[Any], field: str) -> None:
    with pytest.raises(InvalidTrace) as caught:
        convert("messages", {"messages": turns})
    assert caught.value.field == field


def test_prompt_completion_takes_more_turns_and_a_label() -> None:
    row = {
        "prompt": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ],
        "completion": [{"role": "assistant", "content": "42"}],
        "label": True,
    }
    (item,) = read("prompt_completion", row)
    assert scores(item) == {("label", None): 1.0}
    assert trace_of(item).conversation == Conversation((Message("user", "a"), Message("assistant", "b")))
    assert meta(trace_of(item)) == {}


def test_sharegpt_and_openthoughts_rows() -> None:
    said = [{"from": "human", "value": "q"}, {"from": "gpt", "value": THOUGHT}]
    row = {"conversations": said, "system": "S", "question": "q", "source": "math", "id": 3}
    trace = convert("sharegpt", row)
    assert (trace.system, trace.prompt, trace.final_answer, trace.source) == ("S", "q", "42", "math")
    assert contents(trace) == ["one", "two", "It is $\\boxed{42}$."]
    assert types(trace) == ["reason", "reason", "solution"]
    assert meta(trace) == {"id": 3}
    assert written(trace) == ("one\n\ntwo", "It is $\\boxed{42}$.")


def test_alpaca_puts_the_input_behind_the_instruction() -> None:
    trace = convert("alpaca", {"instruction": "Add.", "input": "1 and 2", "output": "one\n#### 3", "system": "S"})
    assert trace.prompt == "Add.\n\n1 and 2"
    assert trace.prompt[trace.meta["input_from"] :] == "1 and 2"
    assert convert("alpaca", {"instruction": "Add.", "input": "", "output": "3"}).prompt == "Add."
    with pytest.raises(InvalidTrace, match="input: must be text"):
        convert("alpaca", {"instruction": "Add.", "input": 3, "output": "3"})


def test_socratic_gsm8k_asks_and_tells_in_turn_and_comes_back_exactly() -> None:
    answer = "How many in May? ** Half: <<48/2=24>>24.\nHow many in all? ** <<48+24=72>>72\n#### 72"
    trace = convert("gsm8k", {"question": "q", "answer": answer, "id": 7})
    assert contents(trace) == ["How many in May?", "Half: 24.", "How many in all?", "72"]
    assert types(trace) == ["question", "reason"] * 2
    assert trace.layout == Layout(("", " ** ", "\n", " ** ", ""))
    assert trace.meta["id"] == 7


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        ("<<1=1>>\nx\n#### 1", "\nx\n#### 1"),
        (" a  **b\r\n#### 1", " a  **b\n#### 1"),
        ("a ** b\n\nc\n#### 2 ", "a ** b\n\nc\n#### 2"),
        ("#### ####\n#### 3", "#### ####\n#### 3"),
        ("x <<y\n>> #### 4", "x <<y\n>> \n#### 4"),
    ],
)
def test_any_gsm8k_answer_is_rendered_as_it_stands_but_for_its_calculator_marks(answer: str, plain: str) -> None:
    trace = convert("gsm8k", {"question": "q", "answer": answer})
    assert render_completion(contents(trace), trace.final_answer, ReasoningStyle.PLAIN, trace.layout) == plain


def test_openr1_gives_a_trace_a_generation_and_its_flags_as_scores() -> None:
    row = {
        "problem": "p",
        "answer": "42",
        "source": "olympiads",
        "uuid": "u",
        "generations": [THOUGHT, "<think>cut off", THOUGHT.replace("42", "41")],
        "correctness_math_verify": [True, False, False],
        "correctness_llama": None,
        "is_reasoning_complete": [True, False, None],
        "finish_reasons": ["stop", "length", "stop"],
        "messages": [{"role": "user", "content": "p"}, {"role": "assistant", "content": THOUGHT}],
    }
    first, cut, last = read("openr1_math", row)
    assert scores(first) == {("correct", None): 1.0, ("reasoning_complete", None): 1.0}
    assert scores(last) == {("correct", None): 0.0}
    assert isinstance(cut, InvalidTrace)
    assert cut.field == "generations[1]"
    assert (trace_of(last).final_answer, trace_of(last).reference_answer) == ("41", "42")
    assert meta(trace_of(first)) == {"uuid": "u", "messages_of": 0, "generation": 0, "finish_reason": "stop"}
    other = row | {"messages": [{"role": "user", "content": "something else"}]}
    assert meta(trace_of(read("openr1_math", other)[0]))["messages"] == other["messages"]
    with pytest.raises(InvalidTrace, match="generations"):
        read("openr1_math", row | {"generations": []})


def test_s1k_has_one_trace_and_s1k_1_1_two_that_are_graded() -> None:
    trace = convert("s1k", {"question": "q", "solution": "s", "thinking_trajectories": ["one\ntwo"], "attempt": "42"})
    assert (contents(trace), trace.final_answer, trace.reference_answer) == (["one", "two"], "42", "s")
    row = {
        "question": "q",
        "solution": "s",
        "metadata": "{}",
        "gemini_thinking_trajectory": "g",
        "gemini_attempt": "41",
        "gemini_grade": "No",
        "gemini_grade_reason": "wrong",
        "deepseek_thinking_trajectory": "d",
        "deepseek_attempt": "42",
        "deepseek_grade": "unclear",
    }
    gemini, deepseek = read("s1k", row)
    assert scores(gemini) == {("correct", None): 0.0}
    assert isinstance(gemini, ScoredTrace)
    assert gemini.scores[0].note == "wrong"
    assert (gemini.trace.model, trace_of(deepseek).model) == ("gemini", "deepseek")
    assert meta(trace_of(deepseek)) == {"metadata": "{}", "grade": "unclear"}  # no verdict, but not lost
    broken, fine = read("s1k", {key: value for key, value in row.items() if key != "gemini_attempt"})
    assert isinstance(broken, InvalidTrace)
    assert trace_of(fine).model == "deepseek"


def test_openmathreasoning_keeps_its_pass_rate_as_text_and_as_a_score() -> None:
    row = {"problem": "p", "generated_solution": THOUGHT, "expected_answer": "42", "generation_model": "R1"}
    (item,) = read("openmathreasoning", row | {"pass_rate_72b_tir": "0.50"})
    assert scores(item) == {("pass_rate", None): 0.5}
    assert meta(trace_of(item)) == {"pass_rate_72b_tir": "0.50"}
    (plain,) = read("openmathreasoning", row | {"pass_rate_72b_tir": "n/a"})
    assert isinstance(plain, Trace)
    assert (plain.model, plain.reference_answer, meta(plain)) == ("R1", "42", {"pass_rate_72b_tir": "n/a"})


def test_openthoughts_metadata_rows() -> None:
    row = {"problem": "p", "deepseek_reasoning": "one\n\ntwo", "deepseek_solution": "It is 42.", "domain": "math"}
    trace = convert("openthoughts", row)
    assert (contents(trace), trace.final_answer, trace.model) == (["one", "two"], "It is 42.", "deepseek")
    assert written(trace) == ("one\n\ntwo", "It is 42.")


def prm_row(**label: Any) -> dict[str, Any]:
    good = {"text": "one", "rating": 1, "flagged": False}
    bad = {"text": "wrong", "rating": -1, "flagged": None}
    steps = [
        {"completions": [bad, good], "human_completion": None, "chosen_completion": 1},
        {"completions": [], "human_completion": {"text": "by hand", "rating": None}, "chosen_completion": None},
        {"completions": [bad], "human_completion": None, "chosen_completion": None},
    ]
    question = {"problem": "p", "ground_truth_answer": "42", "pre_generated_answer": "41", "pre_generated_steps": ["x"]}
    return {"labeler": "l", "question": question, "label": {"steps": steps, "finish_reason": "found_error", **label}}


def test_prm800k_ratings_are_human_scores_of_steps_and_what_was_not_chosen_is_kept() -> None:
    (item,) = read("prm800k", prm_row())
    trace = trace_of(item)
    assert contents(trace) == ["one", "by hand", "wrong"]
    assert scores(item) == {("rating", 0): 1.0, ("rating", 2): -1.0}
    assert isinstance(item, ScoredTrace)
    assert {score.kind for score in item.scores} == {"human"}
    assert (trace.final_answer, trace.reference_answer) == ("41", "42")
    assert trace.meta["labeler"] == "l"
    assert trace.meta["question"] == {"pre_generated_steps": ["x"]}
    assert trace.meta["label"]["finish_reason"] == "found_error"
    assert trace.meta["label"]["steps"][0]["completions"] == [
        {"text": "wrong", "rating": -1, "flagged": None},
        {"rating": 1, "flagged": False},  # the chosen one: its text is the step
    ]


def test_prm800k_takes_the_answer_of_the_last_step_or_says_that_there_is_none() -> None:
    row = prm_row()
    row["question"]["pre_generated_answer"] = None
    with pytest.raises(InvalidTrace, match=r"question\.pre_generated_answer"):
        convert("prm800k", row)
    row["label"]["steps"][2]["completions"][0]["text"] = "So:\n\n# Answer\n\n40"
    assert convert("prm800k", row).final_answer == "40"
    row["label"]["steps"][0]["chosen_completion"] = 9
    with pytest.raises(InvalidTrace, match=r"label\.steps\[0\]\.completions"):
        convert("prm800k", row)


@pytest.mark.parametrize(
    ("last", "answer", "certain"),
    [
        ("# Answer\n\n42", "42", True),
        ("so the answer is: 42", "42", True),
        ("$\\boxed{42}$", "42", True),
        ("x 42", "x 42", False),
    ],
)
def test_stepwise_labels_are_scores_and_the_last_step_gives_the_answer(last: str, answer: str, certain: bool) -> None:
    (item,) = read("stepwise", {"prompt": "p", "completions": ["one", last], "labels": [True, 0.5]})
    assert scores(item) == {("label", 0): 1.0, ("label", 1): 0.5}
    assert contents(trace_of(item)) == ["one", last]
    assert trace_of(item).final_answer == answer
    assert trace_of(item).meta == ({} if certain else {"answer_is_last_step": True})
    for labels, field in (([True], "labels"), ([True, "x"], "labels[1]")):
        with pytest.raises(InvalidTrace) as caught:
            read("stepwise", {"prompt": "p", "completions": ["one", last], "labels": labels})
        assert caught.value.field == field


def test_preference_gives_a_better_and_a_worse_trace() -> None:
    better, worse = read("preference", {"prompt": "p", "chosen": THOUGHT, "rejected": "41", "margin": 2})
    assert (scores(better), scores(worse)) == ({("preferred", None): 1.0}, {("preferred", None): 0.0})
    assert (trace_of(better).final_answer, trace_of(worse).final_answer) == ("42", "41")
    sides = {
        side: [{"role": "user", "content": "p"}, {"role": "assistant", "content": text}]
        for side, text in (("chosen", "42"), ("rejected", "<think>x"))
    }
    fine, broken = read("preference", sides)
    assert trace_of(fine).prompt == "p"
    assert isinstance(broken, InvalidTrace)
    assert broken.field == "rejected[1].content"


def test_grpo_rows_hold_the_answer_to_reach() -> None:
    trace = convert("grpo", {"prompts": "<bos>q", "question": "q", "answer": "42"})
    assert (trace.prompt, trace.final_answer, trace.reference_answer) == ("q", "42", "42")
    assert trace.meta == {"prompts": "<bos>q"}


def test_atif_keeps_the_order_of_thoughts_words_calls_and_observations() -> None:
    call = {"tool_call_id": "c", "function_name": "f", "arguments": {"x": 1}, "extra": {"n": 1}}
    row = {
        "schema_version": "ATIF-v1.4",
        "session_id": "s",
        "agent": {"name": "a", "version": "1", "model_name": "m"},
        "steps": [
            {"step_id": 1, "source": "system", "message": "S"},
            {"step_id": 2, "source": "user", "message": "q"},
            {
                "step_id": 3,
                "source": "agent",
                "message": "I look.",
                "reasoning_content": "hm",
                "tool_calls": [call],
                "observation": {"results": [{"source_call_id": "c", "content": "7"}, {"content": None}]},
                "metrics": {"t": 1},
            },
            {"step_id": 4, "source": "user", "message": "go on"},
            {"step_id": 5, "source": "agent", "message": "42", "reasoning_content": "ah"},
            {"step_id": 6, "source": "agent", "message": "", "metrics": {"t": 2}},
        ],
        "final_metrics": {"n": 5},
    }
    trace = convert("atif", row)
    assert (trace.system, trace.prompt, trace.final_answer, trace.model) == ("S", "go on", "42", "m")
    assert (contents(trace), types(trace)) == (["ah"], ["reason"])
    assert trace.conversation.messages == (
        Message("user", "q"),
        Message("assistant", "I look.", "hm", (Call("f", {"x": 1}, "c"),)),
        Message("tool", "7", call_id="c", name="f"),
        Message("tool"),
    )
    kept = trace.meta["atif"]
    assert (kept["session_id"], kept["final_metrics"], kept["agent"]["name"]) == ("s", {"n": 5}, "a")
    assert kept["steps"][2] == {
        "step_id": 3,
        "source": "agent",
        "metrics": {"t": 1},
        "tool_calls": [{"extra": {"n": 1}}],
    }
    row["steps"][3]["step_id"] = 9  # type: ignore[index]
    with pytest.raises(InvalidTrace, match=r"steps\[3\]\.step_id: must be 4"):
        convert("atif", row)
    with pytest.raises(InvalidTrace, match="a message of the user and, after it, one of the agent"):
        convert("atif", row | {"steps": [{"source": "user", "message": "q"}]})


def test_what_stands_under_a_key_of_ours_is_kept_beside_it() -> None:
    trace = convert("question_answer", {"question": "q", "answer": "a", "splitting": "theirs"})
    assert trace.meta["splitting"] == "theirs"
    assert trace.meta["splitting_"] == {"rule": "whole/none", "sure": "low"}


def test_a_source_with_its_target_is_a_question_not_the_name_of_the_data() -> None:
    row = {"source": "Premise. Is it so?", "target": "yes", "rationale": "It is\nsaid.", "task": "snli", "type": "CoT"}
    found = convert("question_answer", row, source="cot-collection")
    assert (found.prompt, found.final_answer, written(found)[0]) == ("Premise. Is it so?", "yes", "It is\nsaid.")
    assert (found.source, meta(found)) == ("cot-collection", {"task": "snli", "type": "CoT"})


def test_responses_that_say_who_wrote_them_are_a_trace_each() -> None:
    responses = [
        {"response_model": "a", "response": "<think>one\n\ntwo</think>42"},
        {"response_model": "b", "response": "42", "n": 1},
    ]
    found = read("question_answer", {"question": "q", "reference_answer": "42", "responses": responses})
    first, second = map(trace_of, found)
    assert (first.model, contents(first), first.reference_answer) == ("a", ["one", "two"], "42")
    assert (second.model, second.final_answer, second.meta["n"]) == ("b", "42", 1)


def test_a_task_that_was_not_resolved_is_wrong() -> None:
    turns = [{"role": "user", "content": "Fix it"}, {"role": "assistant", "content": "Done."}]
    (found,) = judged(read("messages", {"messages": turns, "resolved": False}), "messages")
    assert scores(found) == {("correct", None): 0.0}
