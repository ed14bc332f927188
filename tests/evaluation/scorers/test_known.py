"""Every scorer can be listed and asked for by name; what cannot be is a sentence."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.scorers.known import known_scorers

PAGE = (REPOSITORY / "docs" / "reference" / "evaluation.md").read_text(encoding="utf-8")


def test_every_scorer_has_a_name_of_its_own_and_says_what_it_is() -> None:
    known = known_scorers()
    assert len({scorer.usage for scorer in known}) == len(known)
    assert all(scorer.about and "\n" not in scorer.about and scorer.version > 0 for scorer in known)


def test_without_names_all_that_need_no_setting_are_taken() -> None:
    wanted = tuple(scorer.name for scorer in known_scorers() if not scorer.setting and not scorer.package)
    assert ScorerSet().names == wanted


def test_names_can_be_asked_for_again() -> None:
    asked = ["contains=a=b", "length", "regex=^5$", "length"]
    names = ScorerSet(asked).names
    assert names == ("exact_match", "flexible_match", "contains=a=b", "length", "regex=^5$")
    assert ScorerSet(names).names == names


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("exact", r"There is no scorer 'exact'. Choose one of exact_match, .*contains=TEXT"),
        ("", "There is no scorer ''"),
        ("contains", "needs a setting. Write contains=TEXT"),
        ("regex=", "needs a setting. Write regex=PATTERN"),
        ("length=5", "length takes no setting"),
    ],
)
def test_a_name_that_cannot_be_asked_for_says_what_can(name: str, sentence: str) -> None:
    with pytest.raises(InvalidEvaluation, match=sentence):
        ScorerSet([name])


def test_the_docs_have_every_scorer_with_version_and_unit() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:3] == "| `"]
    better = {True: "high", False: "low", None: ""}
    listed = {re.sub("`", "", row[0]): row[1:4] for row in rows if len(row) == 5}
    assert listed == {
        scorer.usage: [str(scorer.version), scorer.unit, better[scorer.higher_is_better]]
        for scorer in known_scorers()
        if not scorer.package
    }
