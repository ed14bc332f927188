"""The final answer: what it says, then math-verify for formulas, whose accidents cost one answer each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.evaluation.scorers.makers import TAGS, answer_of, said
from tests.helpers.conversations import CALL
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.scorers.final import MATH, exact_match, final_answer, flexible_match
from tunixrt_core.evaluation.scorers.scorer import Answer, ProcessKind, Question, Score
from tunixrt_core.traces.answers.pool import VerifyPool
from tunixrt_core.traces.conversation import Call, calls_text
from tunixrt_core.traces.rendering.families.llama import LLAMA
from tunixrt_core.traces.rendering.families.qwen import HERMES
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion
from tunixrt_core.traces.rendering.tool_forms import ToolForm, written_calls
from tunixrt_core.util.processes.identity import process_alive

PLUG = "tests.datasets.gates.plugs:misbehave"


def plugged(kind: ProcessKind) -> VerifyPool:
    assert kind == MATH
    return VerifyPool(target=PLUG, workers=2, seconds=1.0, megabytes=256)


def final_scores(*given: str, reference: str = "x") -> list[Score]:
    with ScorerSet(["final_answer"], open_pool=plugged) as scorers:
        return [found["final_answer"] for found in scorers.score([said(one, reference) for one in given])]


@pytest.mark.parametrize(
    ("given", "value"), [("5", 1.0), ("5.00", 1.0), ("6", 0.0), ("10/2", 1.0), ("five", 1.0), (r"\sqrt{25}", 0.0)]
)
def test_exact_match_is_what_can_be_told_without_a_process(given: str, value: float) -> None:
    assert exact_match(said(given)) == Score(value)


def test_no_answer_is_never_right() -> None:
    assert exact_match(answer_of("5")) == Score(0.0)
    assert final_answer(answer_of("5")) == Score(0.0, "unparsable")


@pytest.mark.parametrize(
    ("output", "score"),
    [
        ("<reasoning>\n2+3\n</reasoning>\n<answer>5</answer>", Score(1.0, "style")),
        ("2 + 3 = 5, so \\boxed{5}", Score(1.0, "boxed")),
        ("First 2 + 3.\n#### 5", Score(1.0, "hashes")),
        ("We add them. The answer is: 5.", Score(1.0, "said")),
        ("We add 2 and 3 and get 5", Score(1.0, "number")),
        ("The answer is 6, not 5.", Score(0.0, "said")),
        ("I cannot say.", Score(0.0, "no answer")),
        ("<think>\nMaybe 5", Score(0.0, "no answer")),
    ],
)
def test_a_right_answer_counts_in_whatever_form_it_was_written(output: str, score: Score) -> None:
    assert flexible_match(answer_of(output)) == score


def test_the_last_number_of_an_output_that_was_cut_off_is_no_answer() -> None:
    cut = Answer("p", "2 + 3 = 5", "5", ReasoningStyle.TAGS, 7, hit_limit=True)
    assert flexible_match(cut) == Score(0.0, "no answer")
    assert flexible_match(replace(cut, hit_limit=False)) == Score(1.0, "number")


@pytest.mark.parametrize(
    ("given", "score"),
    [
        ("5", Score(1.0, "correct")),
        ("10/2", Score(1.0, "correct")),
        ("$5.00", Score(1.0, "correct")),
        ("6", Score(0.0, "wrong")),
    ],
)
def test_what_text_and_numbers_can_tell_asks_no_process(given: str, score: Score) -> None:
    assert final_answer(said(given)) == score


def test_what_they_cannot_tell_is_a_question_for_math_verify() -> None:
    found = final_answer(said(r"\sqrt{8}", r"2\sqrt{2}"))
    assert isinstance(found, Question)
    assert (found.kind, found.given, found.wanted) == (MATH, r"\sqrt{8}", r"2\sqrt{2}")


def test_math_verify_judges_for_real() -> None:
    pairs = [(r"\frac{\sqrt{8}}{2}", r"\sqrt{2}"), (r"\sqrt{3}", r"\sqrt{2}"), ("it depends", r"\sqrt{2}")]
    with ScorerSet(["final_answer"]) as scorers:
        found = scorers.score([said(given, reference) for given, reference in pairs])
    assert [one["final_answer"] for one in found] == [
        Score(1.0, "correct"),
        Score(0.0, "wrong"),
        Score(0.0, "unparsable"),
    ]
    assert [one["exact_match"].value for one in found] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("accident", "word"), [("loop", "timeout"), ("sleep", "timeout"), ("raise", "crash"), ("die", "crash")]
)
def test_an_accident_costs_one_answer_and_has_no_value(accident: str, word: str) -> None:
    right = Score(1.0, "correct")
    assert final_scores(r"\fine", rf"\{accident}", r"\fine", r"\fine") == [right, Score(None, word), right, right]


def test_swallowing_memory_costs_one_answer() -> None:
    def roomy(kind: ProcessKind) -> VerifyPool:
        return VerifyPool(target=PLUG, workers=1, seconds=60, megabytes=256)

    with ScorerSet(["final_answer"], open_pool=roomy) as scorers:
        found = [one["final_answer"] for one in scorers.score([said(given, "x") for given in (r"\eat", r"\fine")])]
    assert found == [Score(None, "memory"), Score(1.0, "correct")]


def test_processes_start_with_the_first_question_and_end_with_the_block() -> None:
    opened: list[VerifyPool] = []

    def noted(kind: ProcessKind) -> VerifyPool:
        opened.append(plugged(kind))
        return opened[-1]

    with ScorerSet(["final_answer"], open_pool=noted) as scorers:
        scorers.score([said("5"), said("6")])
        assert opened == []
        scorers.score([said(r"\fine", "x")])
        scorers.score([said(r"\fine", "x")])
        assert len(opened) == 1
        number = opened[0].submit("who", "").result().split()[1]
    assert not process_alive(f"{number}::")


@pytest.mark.parametrize("style", list(ReasoningStyle))
@pytest.mark.parametrize("form", [HERMES, LLAMA])
def test_a_call_is_right_as_the_family_writes_it_in_every_style(style: ReasoningStyle, form: ToolForm) -> None:
    call = Call("weather", {"days": 2, "city": "Köln"})
    given, reference = written_calls(form, [call], ""), calls_text([CALL])
    assert exact_match(said(given, reference, "I must look.", style=style)) == Score(1.0)
    wrong = written_calls(form, [Call("weather", {"city": "Bonn"})], "")
    assert final_answer(said(wrong, reference, "I must look.", style=style)) == Score(0.0, "wrong")


def test_a_call_behind_a_text_is_the_answer_where_a_call_is_expected() -> None:
    output = render_completion(["so"], "Let me see.", TAGS) + written_calls(HERMES, [CALL], "x")
    assert exact_match(answer_of(output, calls_text([CALL]))) == Score(1.0)
    assert exact_match(answer_of(output, "Let me see.")) == Score(1.0)


def test_a_call_out_of_format_is_right_in_any_form_only() -> None:
    answer = answer_of("I must look.\n" + written_calls(HERMES, [CALL], ""), calls_text([CALL]))
    assert (exact_match(answer), final_answer(answer)) == (Score(0.0), Score(0.0, "unparsable"))
    assert flexible_match(answer) == Score(1.0, "calls")
