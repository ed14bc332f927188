"""The figures of a run are those of its records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.helpers.makers import write_evaluation
from tunixrt_core.errors import NotFound
from tunixrt_core.evaluation.reports.run_summary import summarise
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus


def run(tmp_path: Path, *records: dict[str, Any]) -> RunDir:
    folder = RunDir(tmp_path)
    folder.write_state(RunState(RunStatus.SUCCEEDED, train_step=3, total_train_steps=3))
    folder.metrics_file.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return folder


def train(step: int, **more: Any) -> dict[str, Any]:
    return {"kind": "train", "train_step": step, "loss": 3.0 / step, "time": float(step), **more}


def test_losses_tokens_and_times_are_summed_up(tmp_path: Path) -> None:
    speeds = {1: 10.0, 2: 900.0, 3: 1000.0}
    records = [
        train(
            step,
            trained_tokens=100,
            tokens_per_second=speed,
            step_seconds=0.5,
            input_wait_seconds=0.1,
            padding_share=0.1 * step,
            peak_memory_bytes=step * 1000,
        )
        for step, speed in speeds.items()
    ]
    found = summarise(run(tmp_path, *records))
    assert (found.train_loss, found.seconds, found.trained_tokens) == (1.0, 3.0, 300)
    assert (found.tokens_per_second, found.step_seconds, found.peak_memory_bytes) == (900.0, 0.5, 3000)
    assert found.input_wait_share == pytest.approx(0.2)
    assert found.padding_share == pytest.approx(0.2)


def test_the_best_evaluation_is_the_lowest_one_and_the_parts_are_of_the_last(tmp_path: Path) -> None:
    evals = [
        {"kind": "eval", "train_step": step, "loss": loss, "parts": {"answer": loss / 2}, "time": 9.0}
        for step, loss in ((1, 2.0), (2, 1.0), (3, 1.5))
    ]
    found = summarise(
        run(tmp_path, *evals, {"kind": "alert", "train_step": 3}, {"kind": "checkpoint", "train_step": 3})
    )
    assert (found.best_eval_loss, found.best_train_step, found.eval_loss) == (1.0, 2, 1.5)
    assert found.parts == {"answer": 0.75}
    assert (found.alerts, found.checkpoints) == (1, 1)


def test_an_evaluation_that_was_not_a_number_is_not_the_best(tmp_path: Path) -> None:
    found = summarise(run(tmp_path, {"kind": "eval", "train_step": 1, "loss": None, "time": 1.0}))
    assert found.best_eval_loss is found.eval_loss is None


def test_parts_stand_as_they_stand_in_a_completion(tmp_path: Path) -> None:
    parts = {"prompt": 5.0, "answer": 1.0, "step 10": 2.0, "step 2": 2.0, "format": 0.1}
    found = summarise(run(tmp_path, train(1, parts=parts)))
    assert list(found.parts) == ["format", "step 2", "step 10", "answer", "prompt"]


def test_a_run_that_wrote_nothing_has_no_figures(tmp_path: Path) -> None:
    found = summarise(run(tmp_path))
    assert found.train_loss is found.seconds is found.trained_tokens is found.padding_share is None
    assert found.parts == found.exact_match == {}


def test_exact_match_is_that_of_the_evaluations(tmp_path: Path) -> None:
    folder = run(tmp_path)
    write_evaluation(folder, "tuned", {"rows": 4, "exact_match": 0.75})
    assert summarise(folder).exact_match == {"tuned": 0.75}


def test_a_base_in_its_own_prompt_has_right_answers_in_any_form_alone(tmp_path: Path) -> None:
    folder = run(tmp_path)
    for target, prompt, share in (("base", "run", 0.25), ("base", "own", 0.5), ("tuned", "run", 0.75)):
        scores = {"exact_match": 0.0, "exact_match_low": 0.0, "flexible_match": share}
        write_evaluation(folder, target, {"rows": 4, **scores}, prompt=prompt)  # type: ignore[arg-type]
    found = summarise(folder)
    assert found.flexible_match == {"base": 0.25, "base_own": 0.5, "tuned": 0.75}
    assert set(found.exact_match) == set(found.exact_match_of) == {"base", "tuned"}


def test_where_there_is_no_run_there_is_no_summary(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        summarise(RunDir(tmp_path))
