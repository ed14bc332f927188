"""Splitting: by visible rules that say how sure they are, and nothing of the text is ever lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.ingest.reasoning.marks.answer import ANSWER
from tunixrt_core.ingest.reasoning.marks.reasoning import REASONING, Pair, find_marks, opener_of
from tunixrt_core.ingest.reasoning.split import split_completion, split_fields, split_reasoning
from tunixrt_core.ingest.reasoning.steps import RULES, Rule, RuleName, Span, divide, rule_named
from tunixrt_core.traces.layout import LINE_END
from tunixrt_core.traces.rendering.styles import ReasoningStyle, reasoning_and_content, render_completion
from tunixrt_core.traces.trace import Trace

_MARKS = [
    *("<think>", "</think>", "<reasoning>", "</reasoning>", "<answer>", "</answer>", "<|channel>thought", "<channel|>"),
    *("<|begin_of_thought|>", "<|end_of_thought|>", "<|begin_of_solution|>", "<|end_of_solution|>"),
    *(
        "\n",
        "\n\n",
        "\r\n",
        " ",
        "\t",
        "1. ",
        "2. ",
        "3) ",
        "Step 1: ",
        "**Step 2:** ",
        "####",
        "\\boxed{",
        "}",
        "{",
        "\\}",
    ),
]
_TEXT = st.lists(st.sampled_from(_MARKS) | st.text(max_size=5), max_size=25).map("".join)
_RULE = st.sampled_from(RULES)


@given(_TEXT, _RULE)
@settings(max_examples=examples(600), deadline=None)
def test_a_split_holds_no_text_of_its_own_and_its_trace_renders_the_reasoning(text: str, name: RuleName) -> None:
    try:
        split = split_completion(text, "completion", Rule(name))
    except InvalidTrace:
        return
    assert all(content.strip() and content == content.rstrip() for content in split.contents)
    assert split.sure in ("high", "medium", "low")
    assert split.why
    if split.final_answer and _fits(text):
        trace = Trace("p", split.steps, split.final_answer, meta={"splitting": split.described}, layout=split.layout)
        reasoning, _ = reasoning_and_content(split.contents, split.final_answer, trace.layout)
        assert reasoning == LINE_END.join(text[slice(*stretch)] for stretch, _ in split.reasoning)


@given(_TEXT, _TEXT, _RULE, st.booleans())
@settings(max_examples=examples(300), deadline=None)
def test_reasoning_that_came_apart_from_its_answer_is_kept_exactly(a: str, b: str, name: RuleName, plain: bool) -> None:
    split = (split_reasoning if plain else split_fields)(a, b, Rule(name))
    if find_marks(a) or opener_of(a) or not split.final_answer:
        return
    reasoning, said = reasoning_and_content(split.contents, split.final_answer, split.layout)
    assert reasoning == a
    if plain:
        assert said.strip() == b.strip()


def _fits(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


@pytest.mark.parametrize(
    ("text", "rule", "sure", "steps", "answer"),
    [
        ("<think>\none\ntwo\n</think>\n\n42", "think/lines", "medium", ["one", "two"], "42"),
        ("<think>\none\n\ntwo\n</think>\n\n42", "think/paragraphs", "high", ["one", "two"], "42"),
        ("<think>1. one\n2. two</think>42", "think/numbered", "high", ["one", "two"], "42"),
        ("Let me see:\n1) one\n2) two\n</think>42", "unopened/numbered", "medium", ["Let me see:", "one", "two"], "42"),
        ("Step 1: one\nStep 2: two\n#### 42", "hashes/numbered", "high", ["one", "two"], "42"),
        ("**Step 1:** one\n\n**Step 2:** two\n#### 42", "hashes/numbered", "high", ["one", "two"], "42"),
        ("one\n\ntwo\nmore\n</think>42", "unopened/paragraphs", "medium", ["one", "two\nmore"], "42"),
        ("Sure. <think>one</think>42", "think/lines", "low", ["Sure.", "one"], "42"),
        ("<reasoning>\none\n</reasoning>\n<answer>42</answer>", "tags/lines", "high", ["one"], "42"),
        (
            "<|begin_of_thought|>\n\none\n\ntwo\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n42\n\n<|end_of_solution|>",
            "thought/paragraphs",
            "high",
            ["one", "two"],
            "42",
        ),
        ("<|channel>thought\none\n<channel|>42", "channel/lines", "high", ["one"], "42"),
        ("one\ntwo\n#### 42", "hashes/lines", "medium", ["one", "two"], "42"),
        (
            "one\n\nso $\\boxed{\\frac{1}{2}}$",
            "boxed/paragraphs",
            "high",
            ["one", "so $\\boxed{\\frac{1}{2}}$"],
            "\\frac{1}{2}",
        ),
        ("$\\boxed{4\\}2}$", "boxed/none", "high", [], "4\\}2"),
        ("<think>one</think>It is $\\boxed{42}$.", "think/lines", "high", ["one", "It is $\\boxed{42}$."], "42"),
        ("<think>one</think>\\boxed{42}", "think/lines", "high", ["one"], "42"),
        ("<think>one</think>So it is.\n#### 42", "think/lines", "high", ["one", "So it is."], "42"),
        ("\\boxed{never closed", "whole/none", "low", [], "\\boxed{never closed"),
        ("just 42", "whole/none", "low", [], "just 42"),
        ("1. one\n3. three\n</think>42", "unopened/lines", "medium", ["1. one", "3. three"], "42"),
        ("3.5 is one\n2. two\n</think>42", "unopened/lines", "medium", ["3.5 is one", "2. two"], "42"),
    ],
)
def test_each_mark_and_each_rule(text: str, rule: str, sure: str, steps: list[str], answer: str) -> None:
    split = split_completion(text, "completion")
    assert (split.rule, split.sure, list(split.contents), split.final_answer) == (rule, sure, steps, answer)


def test_what_a_model_wrote_around_its_boxed_answer_is_a_step_of_its_own_type() -> None:
    split = split_completion("<think>one</think>It is $\\boxed{42}$.", "completion")
    assert [step.type for step in split.steps] == ["reason", "solution"]


@pytest.mark.parametrize("opener", ["<think>", "<reasoning>", "<|begin_of_thought|>", "<|channel>thought"])
def test_reasoning_that_is_never_closed_is_refused(opener: str) -> None:
    with pytest.raises(InvalidTrace, match="does not close it") as caught:
        split_completion(f" {opener}\nand on", "completion")
    assert caught.value.field == "completion"


@pytest.mark.parametrize(
    ("rule", "steps"),
    [
        ("auto", ["1. a\nb", "c"]),
        ("paragraphs", ["1. a\nb", "c"]),
        ("lines", ["1. a\nb", "c"]),  # a list item continues on the line below it
        ("numbered", ["1. a\nb", "c"]),  # there are no two items, so its lines, and unsure of it
        ("none", ["1. a\nb\n\nc"]),
    ],
)
def test_a_rule_can_be_forced(rule: RuleName, steps: list[str]) -> None:
    split = split_completion("<think>1. a\nb\n\nc</think>42", "completion", Rule(rule))
    assert list(split.contents) == steps


def test_a_forced_rule_takes_the_last_piece_of_unmarked_text_as_the_answer() -> None:
    split = split_completion("a\nb\n42", "completion", Rule("lines"))
    assert (split.rule, split.sure, split.contents, split.final_answer) == ("last/lines", "low", ("a", "b"), "42")


def test_an_unknown_rule_is_a_sentence() -> None:
    assert [rule_named(rule).name for rule in RULES] == list(RULES)
    with pytest.raises(UnreadableFile, match="There is no rule 'words'"):
        rule_named("words")


def test_usual_texts_need_no_layout_and_no_more_than_the_rule() -> None:
    for text in (
        "<think>\none\ntwo\n</think>\n\n42",
        "<reasoning>\none\ntwo\n</reasoning>\n<answer>42</answer>",
        "one\ntwo\n#### 42",
    ):
        split = split_completion(text, "f")
        assert (set(split.described), split.layout) == ({"rule", "sure"}, None)


def test_dividing_alters_no_text() -> None:
    text = " a\r\nb \n \nc\r\n\r\nd"
    assert [text[slice(*span)] for span in divide(text, Span(0, len(text))).spans] == ["a\r\nb", "c", "d"]
    assert divide(" \n ", Span(0, 3)).spans == ()


@pytest.mark.parametrize("pair", REASONING, ids=lambda pair: pair.opener)
def test_every_pair_of_the_table_marks_the_reasoning_in_any_case(pair: Pair) -> None:
    for opener, closer in ((pair.opener, pair.closer), (pair.opener.upper(), pair.closer.lower())):
        split = split_completion(f"{opener}\none\n\n  two\n{closer}\n\n42", "f")
        assert (split.contents, split.final_answer) == (("one", "two"), "42")
        contents = list(split.contents)
        thought = "<think>\none\n\n  two\n</think>\n\n42"
        assert render_completion(contents, "42", ReasoningStyle.THINK, split.layout) == thought


@pytest.mark.parametrize("pair", ANSWER, ids=lambda pair: pair.opener)
def test_every_pair_of_the_table_marks_the_answer_behind_the_reasoning(pair: Pair) -> None:
    split = split_completion(f"<think>one</think>\n{pair.opener}\n42\n{pair.closer}", "f")
    assert (split.contents, split.final_answer, split.layout) == (("one",), "42", None)
    said = split_completion(f"<think>one</think>\nSo {pair.opener}42{pair.closer}", "f")
    if pair.anywhere:
        assert (said.contents, said.final_answer) == (("one", "So"), "42")
    else:  # a common word, such as <output> in code
        assert said.final_answer == f"So {pair.opener}42{pair.closer}"


@pytest.mark.parametrize(
    ("text", "steps", "answer"),
    [
        ("<think>\n2 and 2\n</think>\n<answer>\n4\n</answer>", ["2 and 2"], "4"),
        ("<think>x</think><answer>\\boxed{4}</answer>", ["x"], "4"),
        ("<reasoning>x</reasoning>\nSo 4.\n<answer>4</answer>", ["x", "So 4."], "4"),
        ("<reasoning>x</reasoning>4", ["x"], "4"),
        ("<think>x</think>I write <answer> tags: <answer>4</answer>", ["x", "I write <answer> tags:"], "4"),
        ("<think>x</think><answer>4</answer>\nDone.", ["x", "<answer>4</answer>\nDone."], "4"),
        ("2 and 2\nare 4\n<answer>4</answer>", ["2 and 2", "are 4"], "4"),
        ("<start_working_out>x<end_working_out><SOLUTION>4</SOLUTION>", ["x"], "4"),
        ("<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>final<|message|>4<|return|>", ["x"], "4"),
        (
            "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>analysis<|message|>y<|end|>"
            "<|start|>assistant<|channel|>final<|message|>4",
            ["x", "y"],
            "4",
        ),
        ("x\n[/THINK]4", ["x"], "4"),
        ("Let me explain <answer> tags.", [], "Let me explain <answer> tags."),
        ("<response>ok</response>", [], "<response>ok</response>"),
        ("Here is my thought process: it is long.", [], "Here is my thought process: it is long."),
    ],
)
def test_marks_of_other_families(text: str, steps: list[str], answer: str) -> None:
    split = split_completion(text, "f")
    assert (list(split.contents), split.final_answer) == (steps, answer)


def test_a_users_own_pair_comes_before_the_known_ones() -> None:
    rule = rule_named("auto", ("<plan>", "</plan>"))
    split = split_completion("<plan>one\ntwo</plan><think>42</think>", "f", rule)
    assert (split.rule, list(split.contents), split.final_answer) == ("own/lines", ["one", "two"], "<think>42</think>")
    with pytest.raises(InvalidTrace, match="opens <plan> and does not close it"):
        split_completion("<plan>one", "f", rule)
    for tags in (["<plan>"], ["<plan>", "<plan>"], ["<plan>", " "]):
        with pytest.raises(UnreadableFile, match="is no pair of marks"):
            rule_named("auto", tags)
