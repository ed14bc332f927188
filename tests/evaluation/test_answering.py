"""Answers are written as they come, kept over a stop and a crash, and scored row by row."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidDataset, InvalidEvaluation
from tunixrt_core.evaluation.answering import evaluate, rescore
from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.evaluation.results.summary import summarise
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.sets.eval_set import EvalSet, eval_rows, split_set
from tunixrt_core.evaluation.sets.setup import EvalRequest, EvalSetRef, EvalSetup
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.trainer import GREEDY, Generation, Generator, Sampling


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    return make_manifest(tmp_path, train_steps=1)


@pytest.fixture
def folder(tmp_path: Path) -> EvalDir:
    return EvalDir(tmp_path / "eval")


def right(manifest: RunManifest) -> Generator:
    """A generator that knows every answer."""
    return FakeBackend().load_generator()(manifest, Path(manifest.data.path), on_phase=lambda phase: None)


def setup_of(eval_set: EvalSet, **changes: Any) -> EvalSetup:
    return EvalSetup(eval_set=eval_set.ref, max_new_tokens=8, **changes)


def answer(manifest: RunManifest, folder: EvalDir, generator: Generator, **changes: Any) -> dict[str, Any]:
    eval_set = split_set(manifest)
    stop = changes.pop("stop", None)
    setup = setup_of(eval_set, **changes)
    return evaluate(generator, manifest, eval_set, setup, ScorerSet(), folder, stop=stop)


def test_the_eval_rows_are_the_eval_split_in_order(manifest: RunManifest) -> None:
    assert [row.prompt for row in eval_rows(manifest)] == ["Task 4:", "Task 5:", "Task 6:"]
    assert len(eval_rows(manifest, limit=2)) == 2


def test_an_empty_eval_split_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="eval_share above 0"):
        split_set(make_manifest(tmp_path, train_steps=1, eval_rows=0))


def test_predictions_are_on_disk_as_each_batch_ends(manifest: RunManifest, folder: EvalDir) -> None:
    eval_set = split_set(manifest)
    on_disk: list[int] = []
    summary = evaluate(
        right(manifest),
        manifest,
        eval_set,
        setup_of(eval_set),
        ScorerSet(),
        folder,
        on_progress=lambda done, total: on_disk.append(len(folder.predictions())),
    )
    assert on_disk == [2, 3]
    assert summary["exact_match"] == 1.0
    assert folder.summary() == summary
    assert [p.answer for p in folder.predictions()] == ["4", "5", "6"]


def test_an_evaluation_under_way_has_no_summary_of_an_older_one(manifest: RunManifest, folder: EvalDir) -> None:
    answer(manifest, folder, right(manifest))
    stop = threading.Event()
    stop.set()
    folder.predictions_file.unlink()
    assert answer(manifest, folder, right(manifest), stop=stop) == {
        "rows": 0,
        "answers": 0,
        "seconds": pytest.approx(0, abs=60),
        "planned": 3,
    }
    assert folder.summary() is None


class Counting:
    """Counts the prompts that reach the generator, and stops after a number of batches."""

    compiles = 1

    def __init__(self, inner: Generator, stop_after: int = 99) -> None:
        self._inner = inner
        self._left = stop_after
        self.answered: list[int] = []

    def close(self) -> None:
        self._inner.close()

    def generate(self, prompts: Any, *, on_batch: Any, stop: Any = None, **asked: Any) -> dict[int, Generation]:
        stop = threading.Event()

        def count(batch: Mapping[int, Generation]) -> None:
            self.answered += batch
            self._left -= 1
            on_batch(batch)
            if not self._left:
                stop.set()

        return self._inner.generate(prompts, on_batch=count, stop=stop, **asked)


def test_a_stopped_evaluation_goes_on_where_it_was_and_comes_to_the_same(
    manifest: RunManifest, folder: EvalDir, tmp_path: Path
) -> None:
    whole = EvalDir(tmp_path / "whole")
    answer(manifest, whole, right(manifest))
    first, second = Counting(right(manifest), stop_after=1), Counting(right(manifest))
    answer(manifest, folder, first)
    with folder.predictions_file.open("ab") as handle:
        handle.write(b'{"id": "torn by a cra')
    answer(manifest, folder, second)
    assert (first.answered, second.answered) == ([0, 1], [2])
    assert folder.predictions() == whole.predictions()
    assert folder.summary() is not None


def test_several_samples_of_a_prompt_are_kept_apart(manifest: RunManifest, folder: EvalDir) -> None:
    summary = answer(manifest, folder, right(manifest), samples=2, sampling=Sampling(temperature=1.0))
    assert [(p.row, p.sample) for p in folder.predictions()] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert (summary["rows"], summary["answers"]) == (3, 6)


def test_other_scorers_score_the_same_answers_without_a_model(manifest: RunManifest, folder: EvalDir) -> None:
    eval_set = split_set(manifest)
    only = ScorerSet(["exact_match"])
    evaluate(right(manifest), manifest, eval_set, setup_of(eval_set), only, folder)
    before = folder.predictions()
    summary = rescore(manifest, ScorerSet(["format_valid"]), folder)
    assert summary["format_valid"] == 1.0
    assert summary["seconds"] == (folder.summary() or {})["seconds"]
    assert [p.output for p in folder.predictions()] == [p.output for p in before]
    assert all(p.scores["format_valid"] == 1.0 for p in folder.predictions())


def test_a_summary_of_nothing_claims_nothing() -> None:
    assert summarise([], {}) == {"rows": 0, "answers": 0}


def test_the_name_of_an_eval_set_does_not_change_what_was_asked() -> None:
    one, two = (EvalSetup(eval_set=EvalSetRef("file", name, "ab", 3), max_new_tokens=8) for name in ("a", "b"))
    assert one.hash == two.hash
    assert EvalSetup.from_dict(one.to_dict()) == one
    others = [
        EvalSetup(eval_set=EvalSetRef("file", "a", "cd", 3), max_new_tokens=8),
        EvalSetup(eval_set=one.eval_set, max_new_tokens=9),
        EvalSetup(eval_set=one.eval_set, max_new_tokens=8, sampling=Sampling(temperature=0.5)),
    ]
    assert len({one.hash, *(other.hash for other in others)}) == 4


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"samples": 0}, "samples is 0"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"samples": 4, "sampling": GREEDY}, "temperature above 0"),
    ],
)
def test_a_request_that_cannot_be_says_why(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidEvaluation, match=says):
        EvalRequest(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1}, {"temperature": float("nan")}, {"top_p": 0}, {"top_p": 1.5}, {"top_k": 0}, {"seed": -1}],
)
def test_sampling_out_of_range_names_the_value(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvaluation, match=next(iter(wrong))):
        Sampling(**wrong)
