"""Curves for the charts: which parts have one, and what is marked on the axis."""

from __future__ import annotations

from app.runs.figures.series import shown_parts
from app.ui.charts.curves import Curves
from tunixrt_core.runs.metrics import Alert, ChangeMetric, CheckpointMetric, CompileMetric, TrainMetric


def test_the_prompt_is_not_trained_and_of_many_steps_the_first_have_a_curve() -> None:
    parts = ["prompt", "answer", "format", *(f"step {k}" for k in (10, 2, 1, 3, 4, 5, 6, 7))]
    assert shown_parts(parts) == ["format", "step 1", "step 2", "step 3", "step 4", "step 5", "step 6", "answer"]


def test_checkpoints_alerts_resumes_and_changed_settings_are_events_in_their_order() -> None:
    curves = Curves()
    records = [
        CompileMetric(train_step=0, length=512, seconds=9.0),
        TrainMetric(train_step=1, loss=1.0),
        CheckpointMetric(train_step=1, reason="best"),
        ChangeMetric(train_step=1, changes={"seed": (0, 1)}),
        CompileMetric(train_step=1, length=512, seconds=9.0),
        CompileMetric(train_step=1, length=64, seconds=9.0),
        TrainMetric(train_step=2, loss=1.0),
        Alert(train_step=2, alert="loss_spike", evidence="it is 8.31"),
    ]
    curves.extend(records, cursor=1)
    assert [(event.train_step, event.kind, event.words) for event in curves.events] == [
        (1, "best", "Checkpoint (best)"),
        (1, "change", "Resumed with seed 0 to 1"),
        (1, "resume", "Resumed"),
        (2, "alert", "Loss spike: it is 8.31"),
    ]
