"""Several rated answers to a prompt: the best and the worst are a pair, and no rating is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ingest.formats.test_preferences import items, pair_of
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.conversation import Message


def completion(text: str, model: str = "m", ratings: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    aspects = ("helpfulness", "honesty", "instruction_following", "truthfulness")
    annotations = {name: {"Rating": rating, "Rationale": "r"} for name, rating in zip(aspects, ratings, strict=False)}
    return {"model": model, "principle": "honesty", "response": text, "annotations": annotations, **more}


ULTRA = {
    "source": "evol_instruct",
    "instruction": "Who is the cat?",
    "models": ["a", "b", "c"],
    "completions": [
        completion("Rex", "a", ("1", "2"), overall_score=10.0, **{"fine-grained_score": 1.5}),
        completion("Tom", "b", ("5", "5"), overall_score=8.0, **{"fine-grained_score": 5.0}),
        completion("Tim", "c", ("3", "N/A"), overall_score=7.0, **{"fine-grained_score": 3.0}),
    ],
    "correct_answers": ["None"],
}
NECTAR = {
    "prompt": "\n\nHuman: The cat is Tom.\n\nAssistant: Hello.\n\nHuman: Who is the cat?\n\nAssistant: ",
    "answers": [
        {"answer": "Rex", "model": "a", "rank": 3.0},
        {"answer": "Tom", "model": "b", "rank": 1.0},
        {"answer": "Tim", "model": "c", "rank": 2.0},
    ],
    "turns": 2,
    "source": ["sharegpt"],
    "good_natured": True,
}


def test_the_best_and_the_worst_completion_of_ultrafeedback_are_a_pair() -> None:
    better, worse = pair_of(ULTRA)
    for side, (text, model, rating) in ((better, ("Tom", "b", 5.0)), (worse, ("Rex", "a", 1.5))):
        assert (side.trace.prompt, side.trace.final_answer, side.trace.model) == ("Who is the cat?", text, model)
        assert side.trace.source == "evol_instruct"
        about = side.trace.meta["ultrafeedback"]
        assert (about["rated_by"], about["rating"]) == ("fine-grained_score", rating)
        assert about["completion"]["annotations"]["honesty"]["Rationale"] == "r"
        assert side.trace.meta["correct_answers"] == ["None"]
    others = better.trace.meta["ultrafeedback"]["others"]
    assert [one["response"] for one in others] == ["Rex", "Tim"]
    assert "others" not in worse.trace.meta["ultrafeedback"]


def without(measure: str, row: dict[str, Any]) -> dict[str, Any]:
    kept = [{key: value for key, value in one.items() if key != measure} for one in row["completions"]]
    return {**row, "completions": kept}


def test_the_first_measure_that_two_completions_have_decides() -> None:
    means = without("fine-grained_score", ULTRA)
    better, _ = pair_of(means)
    assert better.trace.meta["ultrafeedback"]["rated_by"] == "mean rating"
    assert (better.trace.final_answer, better.trace.meta["ultrafeedback"]["rating"]) == ("Tom", 5.0)
    better, worse = pair_of(without("annotations", means))
    assert better.trace.meta["ultrafeedback"]["rated_by"] == "overall_score"
    assert (better.trace.final_answer, worse.trace.final_answer) == ("Rex", "Tim")


def test_the_first_and_the_last_rank_of_nectar_are_a_pair() -> None:
    better, worse = pair_of(NECTAR)
    assert [(side.trace.final_answer, side.trace.model) for side in (better, worse)] == [("Tom", "b"), ("Rex", "a")]
    assert better.trace.prompt == worse.trace.prompt == "Who is the cat?"
    assert better.trace.conversation.messages == (Message("user", "The cat is Tom."), Message("assistant", "Hello."))
    assert (better.trace.source, better.trace.meta["turns"]) == ("sharegpt", 2)
    about = better.trace.meta["nectar"]
    assert (about["rank"], [one["answer"] for one in about["others"]]) == (1.0, ["Rex", "Tim"])


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (
            {**ULTRA, "completions": [completion("a", ratings=("4",)), completion("b", ratings=("4",))]},
            "completions",
            "rates all answers alike, so none is preferred. Leave the row out",
        ),
        (
            {**ULTRA, "completions": [completion("a", ratings=("4",)), completion("a", ratings=("1",))]},
            "completions[1].response",
            "is the same as completions[0].response, so neither is preferred. Leave the row out",
        ),
        (
            {**ULTRA, "completions": [completion("a", ratings=("4",)), completion("b", ratings=("N/A",))]},
            "completions",
            "holds 0 rated answers, and a pair takes two. Leave the row out",
        ),
        (
            {**ULTRA, "completions": [completion("a"), {**completion("b"), "response": None}]},
            "completions[1]",
            "must be an object with text as `response`, not an object",
        ),
        (
            {**NECTAR, "answers": [{"answer": "a", "rank": "first"}]},
            "answers[0].rank",
            "must be a number, not text. Leave the answer out",
        ),
        (
            {**NECTAR, "answers": [{"answer": "", "rank": 1}, {"answer": "b", "rank": 2}]},
            "answers[0].answer",
            "is empty",
        ),
    ],
)
def test_what_is_no_pair_says_why(row: dict[str, Any], field: str, reason: str) -> None:
    (fault,) = (item for item in items(row) if isinstance(item, RowError))
    assert fault.field == field
    assert fault.reason.startswith(reason)
