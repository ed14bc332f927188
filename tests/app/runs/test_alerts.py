"""Of many alerts, the newest of each kind is shown."""

from __future__ import annotations

import inspect
import re

from app.runs.alerts import TITLES, newest_of_each
from tunixrt_core.runs.metrics import Alert
from tunixrt_core.training.recording import alerts


def test_the_newest_of_each_kind_comes_first() -> None:
    told = [Alert(alert=kind, train_step=step) for kind, step in (("nan", 1), ("plateau", 5), ("nan", 9))]
    assert [(each.alert, each.train_step) for each in newest_of_each(told)] == [("nan", 9), ("plateau", 5)]


def test_every_alert_that_is_raised_has_a_title() -> None:
    raised = set(re.findall(r'_alert\(\s*"(\w+)"', inspect.getsource(alerts)))
    assert raised == set(TITLES)
