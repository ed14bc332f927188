"""Which parts of a completion get a curve, and in what order."""

from __future__ import annotations

from app.runs.charts import shown_parts
from app.ui.charts.curves import Curves
from tunixrt_core.runs.metrics import TrainMetric


def test_the_prompt_is_not_trained_and_of_many_steps_the_first_have_a_curve() -> None:
    parts = {"prompt": 5.0, "answer": 1.0, "format": 0.1, **{f"step {k}": 1.0 for k in (10, 2, 1, 3, 4, 5, 6, 7)}}
    curves = Curves()
    curves.extend([TrainMetric(train_step=1, loss=1.0, parts=parts)], cursor=1)
    assert shown_parts(curves) == ["format", "step 1", "step 2", "step 3", "step 4", "step 5", "step 6", "answer"]
