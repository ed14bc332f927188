"""A user's own scorers: found in installed packages, and what goes wrong in them costs one score."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.scorers.makers import answer_of, install
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.scorers.known import known_scorers
from tunixrt_core.evaluation.scorers.scorer import Score

CODE = '''
import sys
from tunixrt_core.scorers import Score, Scorer

def shout(answer):
    """Whether it is written in capitals.

    More of it.
    """
    return answer.output.isupper()

def pick(answer):
    if answer.output == "raise":
        raise ValueError("no such luck " * 30)
    if answer.output == "exit":
        sys.exit("bye")
    return {"nan": float("nan"), "text": "much", "none": None, "lost": Score(None, "lost")}.get(answer.output, 0.5)

shares = Scorer("anything", 3, "a share of it", lambda answer: len(answer.output), "share", False)
number = 5
'''


def scored(name: str, *outputs: str) -> list[Score]:
    with ScorerSet([name]) as scorers:
        return [found[name] for found in scorers.score([answer_of(output) for output in outputs])]


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {name: name for name in ("shout", "pick", "shares", "number", "absent")}
    install(monkeypatch, tmp_path / "site", "capitals", CODE, **names, exact_match="shout", rows="shout")


def test_a_function_of_an_answer_is_a_scorer() -> None:
    assert scored("shout", "AH", "ah") == [Score(1.0), Score(0.0)]
    with ScorerSet(["shout"]) as scorers:
        assert scorers.versions == {"exact_match": 2, "flexible_match": 2, "shout": 1}


def test_own_scorers_run_only_where_they_are_asked_for() -> None:
    assert "shout" not in ScorerSet().names


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("exit", "error: SystemExit: bye"),
        ("nan", "error: it returned nan, which is not a number"),
        ("text", "error: it returned str, not a number or a Score"),
        ("none", "error: it returned NoneType, not a number or a Score"),
    ],
)
def test_what_is_no_score_costs_one(output: str, error: str) -> None:
    assert scored("pick", "a", output, "b") == [Score(0.5), Score(None, error), Score(0.5)]


def test_an_error_is_short_and_its_traceback_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    first, second = scored("pick", "raise", "raise")
    assert first == second
    assert first.verdict.startswith("error: ValueError: no such luck")
    assert len(first.verdict) == 100
    assert [record.message for record in caplog.records] == ["the scorer pick failed"]


def test_a_score_that_could_not_be_told_is_kept_as_it_is() -> None:
    assert scored("pick", "lost") == [Score(None, "lost")]


def test_a_scorer_says_its_version_and_unit_itself_and_is_held_to_it() -> None:
    assert scored("shares", "", "a", "ab") == [
        Score(0.0),
        Score(1.0),
        Score(None, "error: it returned 2, but a share is from 0 to 1"),
    ]
    with ScorerSet(["shares"]) as scorers:
        assert scorers.versions["shares"] == 3


@pytest.mark.parametrize(
    ("name", "reason"), [("number", "neither a function nor a Scorer"), ("absent", "AttributeError"), ("rows", "taken")]
)
def test_what_cannot_be_used_is_listed_with_why_and_refused(name: str, reason: str) -> None:
    (listed,) = (known for known in known_scorers() if known.name == name)
    assert reason in listed.problem
    with pytest.raises(InvalidEvaluation, match=f"{name!r} of capitals cannot be used.*{reason}"):
        ScorerSet([name])


def test_a_name_of_tunix_rt_stays_what_it_is() -> None:
    with ScorerSet(["exact_match"]) as scorers:
        (found,) = scorers.score([answer_of("AH")])
        assert found["exact_match"] == Score(0.0)
    listed = {known.name: known.problem for known in known_scorers()}
    assert len(listed) == len(known_scorers())
    assert not listed["exact_match"]
    assert "taken" in listed["exact_match (capitals)"]


def test_a_scorer_is_listed_with_its_first_line_and_its_package() -> None:
    (listed,) = (known for known in known_scorers() if known.name == "shout")
    assert (listed.about, listed.package, listed.unit) == ("Whether it is written in capitals.", "capitals", "number")


def test_a_name_that_two_packages_offer_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path / "other", "louder", CODE, shout="shout")
    with pytest.raises(InvalidEvaluation, match="capitals and louder"):
        ScorerSet(["shout"])
