"""The next step is always the nearest one to a tuned and evaluated model."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.overview.next_step import next_step
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run, RunStatus

NOW = datetime(2026, 11, 23, tzinfo=UTC)
VERSION = DatasetVersion("dial", 2, DatasetSpec("dial"), "0" * 64, 54, 6, None, NOW)


def run(status: RunStatus, number: int = 1) -> Run:
    return Run(f"r-{number:04d}", "tiny", status, {}, f"/runs/{number}", NOW)


def tuned(number: int = 1) -> EvalRecord:
    return EvalRecord(f"r-{number:04d}-tuned", f"r-{number:04d}", "tuned", RunStatus.SUCCEEDED, "/evals", NOW)


@pytest.mark.parametrize(
    ("traces", "versions", "runs", "evals", "tunix", "page"),
    [
        (0, [], [], [], True, "import"),
        (9, [], [], [], True, "datasets"),
        (9, [VERSION], [], [], False, "tunix"),
        (9, [VERSION], [], [], True, "new-run"),
        (9, [VERSION], [run(RunStatus.RUNNING)], [], True, "run"),
        (9, [VERSION], [run(RunStatus.SUCCEEDED)], [], True, "evaluations"),
        (9, [VERSION], [run(RunStatus.SUCCEEDED)], [tuned()], True, "evaluations"),
        (9, [VERSION], [run(RunStatus.FAILED)], [], True, "run"),
    ],
)
def test_each_home_leads_one_step_further(
    traces: int, versions: list[DatasetVersion], runs: list[Run], evals: list[EvalRecord], tunix: bool, page: str
) -> None:
    assert next_step(traces, versions, runs, evals, tunix=tunix).page == page


def test_an_active_run_comes_before_one_that_waits_for_its_evaluation() -> None:
    runs = [run(RunStatus.RUNNING, 2), run(RunStatus.SUCCEEDED, 1)]
    step = next_step(9, [VERSION], runs, [], tunix=True)
    assert (step.button, step.query) == ("Watch r-0002", {"run": "r-0002"})


def test_the_address_names_the_newest_dataset_version() -> None:
    assert next_step(9, [VERSION], [], [], tunix=True).query == {"dataset": "dial:2"}
