"""A real home behind the pages, runs in every state, and AppTest on the dashboard's own entry script."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from app import state
from tests.conftest import REPOSITORY
from tests.helpers.homes import fake_home
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import Alert, CheckpointMetric, EvalMetric, TrainMetric
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.training.recording.recorder import RunRecorder


@pytest.fixture(autouse=True, scope="session")
def _scanned_once() -> Iterator[None]:
    """AppTest looks through all installed packages for components each time, which a server does once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@contextmanager
def opened(home: Path) -> Iterator[Pipeline]:
    """A pipeline on this home. Real but for the trainer, so that runs of every kind take no time."""
    with fake_home(home) as pipeline:
        yield pipeline


@contextmanager
def shown(pipeline: Pipeline) -> Iterator[Pipeline]:
    """While inside, the pages see this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.ui.background.PATIENCE", 20)  # AppTest does not look again, as a browser does
        state.set_pipeline(pipeline)
        yield pipeline
        state.set_pipeline(None)


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    """The pipeline that the pages see, on a home of the test's own."""
    with opened(tmp_path / "home") as pipeline, shown(pipeline):
        yield pipeline


@pytest.fixture
def filled(rt: Pipeline) -> Pipeline:
    """With example traces and a dataset version of them."""
    fill(rt)
    return rt


def fill(rt: Pipeline) -> None:
    rt.traces.ingest_examples(60)
    rt.datasets.build(DatasetSpec("examples"))


def open_page(file: str, **query: str | list[str]) -> AppTest:
    """A page as a browser would see it, with what its address says. Fails where the page fell into its boundary."""
    app = AppTest.from_file(str(REPOSITORY / "app" / "main.py"), default_timeout=30).run()
    app.switch_page(f"../pages/{file}")
    for name, value in query.items():
        app.query_params[name] = value
    if file == "run.py":
        app.session_state["more-run"] = True  # the menu with the other actions is open
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, [error.value for error in app.exception]
    assert not any(error.value.startswith("This page failed") for error in app.error), app.code[-1].value
    return app


def press(app: AppTest, key: str) -> AppTest:
    """Click a button and look at the page that follows."""
    app.button(key=key).click()
    return checked(app.run())


def keys(app: AppTest) -> set[str]:
    """The keys of all buttons on the page."""
    return {str(button.key) for button in app.button}


def words(app: AppTest) -> str:
    """All text on the page, blocks of HTML included."""
    parts = [*app.title, *app.markdown, *app.caption, *app.html, *app.error, *app.code, *app.metric]
    return "\n".join(str(part.value) for part in parts)


def make_run(
    rt: Pipeline,
    status: RunStatus,
    *,
    train_steps: int = 30,
    message: str = "",
    dropped: int = 0,
    alert_at: int | None = None,
) -> Run:
    """A run in this state, as its folder tells it: records of loss, rate, norm and speed, an eval, a log."""
    manifest = rt.manifests.build("examples", 1, model_id="tiny", hyperparams={"train_steps": 40})
    folder = RunDir(Path(manifest.output_dir))
    folder.create()
    folder.manifest_file.write_text(manifest.to_yaml(), encoding="utf-8")
    folder.write_queued()
    if status is RunStatus.BROKEN:
        folder.state_file.write_bytes(b"{")
    elif status is not RunStatus.QUEUED:
        _write(folder, status, train_steps, message, dropped, alert_at)
    rt.registry.recover()
    return rt.runs.get(folder.path.name)


ALERT = Alert(
    train_step=20,
    alert="loss_spike",
    evidence="loss 8.31 at train step 20, median of the last 50 is 2.10",
    change={"learning_rate": 1e-4},
)


def _write(
    folder: RunDir, status: RunStatus, train_steps: int, message: str, dropped: int, alert_at: int | None
) -> None:
    recorder = RunRecorder(folder)
    recorder.phase("loading")
    recorder.log("Reads the rows.")
    if status is not RunStatus.LOADING:
        recorder.plan({"total_train_steps": 40, "train_rows": 54, "dropped_rows": dropped, "device": "1 x CPU"})
        recorder.phase("compiling")
    if status not in (RunStatus.LOADING, RunStatus.COMPILING):
        recorder.phase("training")
        for step in range(1, train_steps + 1):
            recorder.record(
                TrainMetric(
                    train_step=step,
                    loss=3 * math.exp(-step / 10),
                    learning_rate=2e-3,
                    grad_norm=0.5,
                    tokens_per_second=9000.0,
                    perplexity=1.5,
                    trained_tokens=4096,
                    padding_share=0.125,
                    step_seconds=0.5,
                    input_wait_seconds=0.05,
                    memory_bytes=11_200_000_000,
                    peak_memory_bytes=12_400_000_000,
                    parts={"prompt": 5.0, "format": 0.1, "step 1": 2.0, "step 2": 1.0, "answer": 0.5},
                    types={"compute": 1.5},
                )
            )
            if step == alert_at:
                recorder.record(ALERT)
        recorder.record(CheckpointMetric(train_step=train_steps, reason="best", seconds=0.1))
        recorder.record(EvalMetric(train_step=train_steps, loss=0.4))
    if status is RunStatus.STOPPING:
        recorder.stopping()
    elif status is RunStatus.INTERRUPTED:
        folder.write_state(replace(recorder.state, owner="1:0:gone"))
    elif status.over:
        recorder.finish(status, message=message, train_step=train_steps)
    recorder.close()


def evaluate(rt: Pipeline, run: Run) -> None:
    """Base wrong, tuned right, through the real queue and the real scorers."""
    rt.evaluations.start(run.id)
    assert rt.queue.wait(30)
