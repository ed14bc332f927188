"""Format valid: the structure of the style, whole, in order and once; the word says what is wrong with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.scorers.makers import answer_of
from tunixrt_core.evaluation.scorers.scorer import Score
from tunixrt_core.evaluation.scorers.structure import format_valid
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion

TAGS, THINK, NUMBERED, PLAIN, ANSWER = ReasoningStyle
LINE = st.text(st.characters(codec="ascii", exclude_characters="<#.|\n\r"), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip()) and not text.startswith("Answer:")
)
GOOD = {
    TAGS: "<reasoning>\na\n</reasoning>\n<answer>5</answer>",
    THINK: "<think>\na\n</think>\n\n5",
    PLAIN: "a\n#### 5",
    NUMBERED: "1. a\n2. b\n\nAnswer: 5",
    ANSWER: "5",
}


@pytest.mark.parametrize("style", list(ReasoningStyle))
@given(st.lists(LINE, max_size=4), LINE)
def test_everything_that_is_trained_on_is_valid(style: ReasoningStyle, steps: list[str], answer: str) -> None:
    assert format_valid(answer_of(render_completion(steps, answer, style), style=style)) == Score(1.0)


@pytest.mark.parametrize("style", list(ReasoningStyle))
def test_the_bundled_example_is_valid(style: ReasoningStyle) -> None:
    for trace in example_traces(20):
        text = render_completion([step.content for step in trace.steps], trace.final_answer, style)
        assert format_valid(answer_of(text, style=style)) == Score(1.0)


@pytest.mark.parametrize(("style", "text"), list(GOOD.items()))
def test_white_space_at_the_end_does_no_harm(style: ReasoningStyle, text: str) -> None:
    assert format_valid(answer_of(text + " \n\n", style=style)) == Score(1.0)


@pytest.mark.parametrize("style", list(ReasoningStyle))
def test_nothing_is_no_answer(style: ReasoningStyle) -> None:
    assert format_valid(answer_of("", style=style)) == Score(0.0, "no reasoning" if style is THINK else "no answer")


@pytest.mark.parametrize(
    ("style", "output", "word"),
    [
        (TAGS, "5", "no answer"),
        (TAGS, "<reasoning>a</reasoning>", "no answer"),
        (TAGS, "<reasoning>a</reasoning><answer> </answer>", "no answer"),
        (TAGS, "<answer>5</answer>", "no reasoning"),
        (TAGS, "<reasoning>a", "not closed"),
        (TAGS, "<reasoning>a</reasoning><answer>5", "not closed"),
        (TAGS, "<reasoning>a<answer>5</answer>", "not closed"),
        (TAGS, "a</reasoning><answer>5</answer>", "not opened"),
        (TAGS, "<answer>5</answer><reasoning>a</reasoning>", "out of order"),
        (TAGS, "<reasoning>a<answer>5</answer></reasoning>", "out of order"),
        (TAGS, GOOD[TAGS] + "<answer>6</answer>", "twice"),
        (TAGS, GOOD[TAGS] * 2, "twice"),
        (TAGS, GOOD[TAGS] + " so it is", "text after"),
        (TAGS, "Sure! " + GOOD[TAGS], "text before"),
        (TAGS, "<reasoning>a</reasoning> hence <answer>5</answer>", "text between"),
        (THINK, "5", "no reasoning"),
        (THINK, "<think>\na", "not closed"),
        (THINK, "a\n</think>\n\n5", "not opened"),
        (THINK, "</think><think>5", "out of order"),
        (THINK, "<think>a</think><think>b</think>5", "twice"),
        (THINK, "<think>a</think>\n\n", "no answer"),
        (THINK, "Well. <think>a</think>5", "text before"),
        (PLAIN, "a\n5", "no answer"),
        (PLAIN, "a #### 5", "no answer"),
        (PLAIN, "a\n####", "no answer"),
        (PLAIN, "a\n#### 5\n#### 6", "twice"),
        (PLAIN, "a\n#### 5\nb", "text after"),
        (NUMBERED, "1. a\n2. b", "no answer"),
        (NUMBERED, "1. a\n\nAnswer: ", "no answer"),
        (NUMBERED, "1. a\nAnswer: 5\nAnswer: 6", "twice"),
        (NUMBERED, "2. b\n1. a\n\nAnswer: 5", "out of order"),
        (NUMBERED, "1. a\n1. a\n\nAnswer: 5", "out of order"),
        (NUMBERED, "1. a\n\nAnswer: 5\n2. b", "out of order"),
        (NUMBERED, "a\nb\n\nAnswer: 5", "no reasoning"),
        (NUMBERED, "Sure:\n1. a\n\nAnswer: 5", "text before"),
        (ANSWER, "  \n", "no answer"),
    ],
)
def test_the_word_says_what_is_wrong(style: ReasoningStyle, output: str, word: str) -> None:
    assert format_valid(answer_of(output, style=style)) == Score(0.0, word)


def test_gemmas_thought_channel_is_a_think_block() -> None:
    assert format_valid(answer_of("<|channel>thought\na\n<channel|>5", style=THINK)) == Score(1.0)


@given(st.sampled_from(list(ReasoningStyle)), st.text(max_size=60))
def test_a_valid_structure_always_has_an_answer_to_read(style: ReasoningStyle, noise: str) -> None:
    for output in (noise, noise + GOOD[style], GOOD[style] + noise):
        answer = answer_of(output, style=style)
        if format_valid(answer).value:
            assert answer.parsed.answer
