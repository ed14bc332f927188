"""Which parts of a completion get a curve, in what order, and what is marked on the loss."""

from __future__ import annotations

from app.runs.charts import loss_chart, shown_parts
from app.ui.charts.charts import View
from app.ui.charts.curves import Curves
from tunixrt_core.runs.metrics import ChangeMetric, TrainMetric


def test_the_prompt_is_not_trained_and_of_many_steps_the_first_have_a_curve() -> None:
    parts = {"prompt": 5.0, "answer": 1.0, "format": 0.1, **{f"step {k}": 1.0 for k in (10, 2, 1, 3, 4, 5, 6, 7)}}
    curves = Curves()
    curves.extend([TrainMetric(train_step=1, loss=1.0, parts=parts)], cursor=1)
    assert shown_parts(curves) == ["format", "step 1", "step 2", "step 3", "step 4", "step 5", "step 6", "answer"]


def test_a_resume_with_another_manifest_is_marked_where_it_happened() -> None:
    curves = Curves()
    records = [TrainMetric(train_step=step, loss=1.0 / step) for step in (1, 2, 3, 4)]
    curves.extend([*records, ChangeMetric(train_step=2, changes={"seed": (0, 1)})], cursor=1)
    (mark,) = (mark for mark in loss_chart(curves, 4, View(smoothing=0.0)).marks if mark.name == "Manifest changed")
    assert (list(mark.steps), list(mark.values)) == ([2], [0.5])
