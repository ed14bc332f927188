"""The package that the docs show is a package whose scorers work."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.evaluation.scorers.makers import answer_of, install
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.scorers.known import known_scorers
from tunixrt_core.evaluation.scorers.scorer import Score

PAGE = (REPOSITORY / "docs" / "how-to" / "scorer.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    return PAGE.split(f"```{language}\n")[1].split("```")[0]


def test_the_example_of_an_own_scorer_scores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = tomllib.loads(block("toml"))["project"]
    entries = {name: value.partition(":") for name, value in project["entry-points"]["tunixrt.scorers"].items()}
    assert {module for module, _, _ in entries.values()} == {project["name"]}
    functions = {name: function for name, (_, _, function) in entries.items()}
    install(monkeypatch, tmp_path, project["name"], block("python"), **functions)
    with ScorerSet(list(functions)) as scorers:
        (found, empty) = scorers.score([answer_of("Maybe it is! 5!"), answer_of("")])
        assert scorers.versions == {"exact_match": 2, "flexible_match": 2, "exclamations": 1, "hedged": 2}
    assert (found["exclamations"], found["hedged"]) == (Score(2.0), Score(0.25))
    assert empty["hedged"] == Score(None, "empty")
    assert [one.name for one in known_scorers() if one.package == "politeness"] == ["exclamations", "hedged"]
