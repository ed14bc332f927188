"""A report asks the device for nothing new: a request would wait for the train step under way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.conftest import KeptReports, make_manifest, train

pytestmark = pytest.mark.tunix


def test_a_train_step_is_reported_without_a_computation_on_the_device(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jax

    from tunixrt_core.tunix_backend.train.progress import RunHooks

    report, reported = RunHooks.on_train_step_end, []

    def guarded(self: Any, train_ctx: Any, train_step: int, train_loss: float) -> None:
        with jax.transfer_guard_host_to_device("disallow"):  # what is computed from a number on the host goes there
            report(self, train_ctx, train_step, train_loss)
        reported.append(train_step)

    monkeypatch.setattr(RunHooks, "on_train_step_end", guarded)
    reports = KeptReports()
    train(make_manifest(tmp_path, train_steps=3), models_dir, reports)
    assert reported == [1, 2, 3] == list(reports.of("train"))
