"""A sign of trouble is told once, with its numbers and one thing to try; a healthy run is left in peace."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.manifest.manifest import HYPERPARAMETERS, RunManifest
from tunixrt_core.runs.metrics import Alert, CompileMetric, EvalMetric, Metric, TrainMetric
from tunixrt_core.training.recording.alerts import Watch


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    made = make_manifest(tmp_path, train_steps=1000).to_dict()
    made["optimizer"] |= {"learning_rate": 2e-4, "max_grad_norm": 1.0}
    return RunManifest.from_dict(made)


def watch(manifest: RunManifest, **sections: Mapping[str, Any]) -> Watch:
    data = manifest.to_dict()
    for name, values in sections.items():
        data[name] |= values
    made = Watch(RunManifest.from_dict(data))
    made.plan(1000)
    return made


def train(step: int, loss: float = 2.0, **more: Any) -> TrainMetric:
    return TrainMetric(train_step=step, loss=loss, **{"grad_norm": 0.5, **more})


def evaluation(step: int, loss: float) -> EvalMetric:
    return EvalMetric(train_step=step, loss=loss)


def see(watch: Watch, records: Iterable[Metric]) -> list[Alert]:
    return [alert for record in records for alert in watch.see(record)]


def falling(steps: int, seed: int = 0) -> list[TrainMetric]:
    """A run as it should be: noisy, slower and slower, with the pace of a busy machine."""
    noise = random.Random(seed)
    return [
        train(
            step,
            loss=(0.3 + 2.5 * math.exp(-step / 300)) * noise.uniform(0.85, 1.2),
            grad_norm=noise.lognormvariate(-1, 0.4),
            tokens_per_second=noise.uniform(8000, 10_000),
            step_seconds=0.5,
            input_wait_seconds=noise.uniform(0, 0.05),
        )
        for step in range(1, steps + 1)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_run_raises_no_alert(manifest: RunManifest, seed: int) -> None:
    made = watch(manifest)
    for record in falling(900, seed):
        assert made.see(record) == []
        if record.train_step % 100 == 0:
            assert made.see(evaluation(record.train_step, 0.35 + 2.5 * math.exp(-record.train_step / 300))) == []


def test_a_loss_spike_is_told_against_the_median_with_half_the_rate_to_try(manifest: RunManifest) -> None:
    made = watch(manifest)
    see(made, [train(step, 2.1) for step in range(1, 212)])
    (alert,) = made.see(train(212, 8.31))
    assert (alert.alert, alert.train_step) == ("loss_spike", 212)
    assert alert.evidence == "loss 8.31 at train step 212, median of the last 50 is 2.10"
    assert alert.change == {"learning_rate": 1e-4}


def test_the_high_loss_of_the_first_train_steps_is_no_spike(manifest: RunManifest) -> None:
    assert see(watch(manifest), [train(1, 3.0), train(2, 40.0), train(3, 2.9)]) == []


def test_a_spike_early_in_a_run_without_warm_up_asks_for_a_warm_up(manifest: RunManifest) -> None:
    made = watch(manifest, schedule={"warmup_share": 0.0})
    see(made, [train(step) for step in range(1, 40)])
    assert made.see(train(40, 9.0))[0].change == {"warmup_share": 0.1}


def test_a_spike_that_stays_is_told_once_and_again_only_after_quiet(manifest: RunManifest) -> None:
    made = watch(manifest)
    losses = [2.0] * 60 + [9.0] * 10 + [2.0] * 100 + [9.0]
    alerts = see(made, (train(step, loss) for step, loss in enumerate(losses, start=1)))
    assert [(alert.alert, alert.train_step) for alert in alerts] == [("loss_spike", 61), ("loss_spike", 171)]


@pytest.mark.parametrize("record", [train(5, math.nan), train(5, grad_norm=math.inf), evaluation(5, math.nan)])
def test_what_is_not_a_number_is_told_at_once_and_once(manifest: RunManifest, record: Metric) -> None:
    made = watch(manifest)
    (alert,) = made.see(record)
    assert alert.alert == "nan"
    assert "at train step 5" in alert.evidence
    assert made.see(record) == []


def test_a_gradient_that_explodes_is_to_be_clipped_where_it_is_not(manifest: RunManifest) -> None:
    steps = [train(step, grad_norm=0.4 + step % 3 / 10) for step in range(1, 60)] + [train(60, grad_norm=80.0)]
    clipped, free = see(watch(manifest), steps), see(watch(manifest, optimizer={"max_grad_norm": None}), steps)
    assert [a.alert for a in clipped + free] == ["gradient_explosion"] * 2
    assert clipped[0].change == {"learning_rate": 1e-4}
    assert free[0].change == {"max_grad_norm": 1.0}
    assert free[0].evidence.endswith("median of the last 50 is 0.5; gradients are not clipped")


def test_a_loss_that_stands_still_for_long_is_a_plateau(manifest: RunManifest) -> None:
    (alert,) = see(watch(manifest), [train(step, 2.0) for step in range(1, 500)])
    assert (alert.alert, alert.train_step) == ("plateau", 200)
    assert alert.evidence == "mean train loss 2.000 over the last 100 train steps, 2.000 before them"
    assert alert.change == {"early_stopping": 3}


def test_a_loss_that_stands_still_because_all_is_learned_is_none(manifest: RunManifest) -> None:
    assert see(watch(manifest), [train(step, 0.01) for step in range(1, 500)]) == []


def test_evaluations_without_a_lower_one_are_a_plateau_too(manifest: RunManifest) -> None:
    made = watch(manifest, cadence={"early_stopping": 10})
    alerts = see(made, [evaluation(step, 1.5 if step == 100 else 1.51) for step in range(100, 700, 100)])
    assert [(a.alert, a.train_step) for a in alerts] == [("plateau", 500)]
    assert alerts[0].change == {"train_steps": 500}


def test_an_eval_loss_that_rises_while_the_train_loss_falls_is_overfitting(manifest: RunManifest) -> None:
    made = watch(manifest)
    alerts = []
    for k, loss in enumerate((1.0, 0.8, 0.85, 0.95, 1.1), start=1):
        alerts += see(made, [train(step, 1.2 - step / 500) for step in range(100 * k - 99, 100 * k + 1)])
        alerts += see(made, [evaluation(100 * k, loss)])
    assert [(a.alert, a.train_step) for a in alerts] == [("overfitting", 400)]
    assert alerts[0].evidence.startswith("eval loss 0.950 at train step 400, 0.800 at 200, while the train loss fell")
    assert alerts[0].change == {"train_steps": 200}


def test_a_device_that_waits_for_rows_is_told_with_its_share(manifest: RunManifest) -> None:
    slow = [train(step, step_seconds=1.0, input_wait_seconds=0.4) for step in range(1, 60)]
    (alert,) = see(watch(manifest), slow)
    assert (alert.alert, alert.train_step) == ("stalled_input", 20)
    assert "waited 40% of the last 20 train steps for rows (0.4 s of 1 s per train step)" in alert.evidence


def test_train_steps_that_become_slow_are_told_with_both_speeds(manifest: RunManifest) -> None:
    speeds = [9000.0] * 60 + [3000.0] * 60
    alerts = see(watch(manifest), (train(i, tokens_per_second=speed) for i, speed in enumerate(speeds, start=1)))
    assert [(a.alert, a.train_step) for a in alerts] == [("slow_steps", 80)]
    assert "3,000 trained tokens/s" in alerts[0].evidence
    assert "it was 9,000" in alerts[0].evidence


def test_a_shape_that_is_compiled_twice_is_told_and_one_that_is_expected_is_not(manifest: RunManifest) -> None:
    made = watch(manifest, batch={"length_buckets": 4})
    record = CompileMetric(train_step=40, length=512, seconds=31.0)
    assert made.see(record) == []
    (alert,) = made.see(msgspec.structs.replace(record, expected=False))
    assert alert.evidence == "rows of 512 tokens were compiled again after train step 40, which took 31.0 s"
    assert alert.change == {"length_buckets": 1}


def test_a_disk_that_cannot_hold_the_next_checkpoints_is_told_until_it_can(manifest: RunManifest) -> None:
    made = watch(manifest)
    assert made.disk(10, free=10**12, needed=10**9) == []
    (alert,) = made.disk(20, free=10**9, needed=3 * 10**9)
    assert alert.evidence == "1.00 GB are free for checkpoints, and the next ones need 3.00 GB"
    assert alert.change == {"keep_checkpoints": 1}
    assert made.disk(30, free=10**9, needed=3 * 10**9) == []
    assert made.disk(40, free=10**12, needed=10**9) == []
    assert len(made.disk(50, free=10**9, needed=3 * 10**9)) == 1


def test_a_change_is_of_hyperparameters_that_a_clone_takes(manifest: RunManifest) -> None:
    made = watch(manifest)
    alerts = see(made, [train(step) for step in range(1, 60)] + [train(60, 9.0, grad_norm=90.0)])
    assert len(alerts) == 2
    for alert in alerts:
        assert isinstance(alert.change, Mapping)
        assert set(alert.change) <= set(HYPERPARAMETERS)


def guessing(loss: float, steps: int) -> list[Metric]:
    return [evaluation(0, loss), *(train(step, loss) for step in range(1, steps + 1)), evaluation(steps, loss)]


@pytest.mark.parametrize("steps", [3, 10])
def test_a_loss_that_stays_where_a_guess_has_it_is_named_in_a_short_run_too(manifest: RunManifest, steps: int) -> None:
    made = watch(manifest)
    made.plan(steps, vocab_size=512)
    (alert,) = see(made, guessing(math.log(512), steps))
    assert alert.alert == "uniform_guess"
    assert "6.238, that of a uniform guess" in alert.evidence
    assert "weights" in str(alert.change)


def test_a_fresh_model_that_learns_is_not_taken_for_a_guess(manifest: RunManifest) -> None:
    made = watch(manifest)
    made.plan(1000, vocab_size=512)
    moves = [evaluation(0, math.log(512)), *(train(i, math.log(512) - 0.002 * i) for i in range(1, 40))]
    assert see(made, [*moves, evaluation(40, 6.1)]) == []


def test_a_number_missing_before_anything_was_trained_is_not_blamed_on_the_learning_rate(manifest: RunManifest) -> None:
    for record in (evaluation(0, math.nan), train(1, math.nan)):
        (alert,) = watch(manifest).see(record)
        assert str(alert.change).startswith("Nothing was trained yet")
