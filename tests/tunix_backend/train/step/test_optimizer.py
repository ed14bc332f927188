"""The learning rate over the train steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tunix_backend.conftest import make_manifest

pytestmark = pytest.mark.tunix


def rates(folder: Path, total: int, **hyper: object) -> list[float]:
    from tunixrt_core.tunix_backend.train.step.optimizer import make_schedule

    schedule = make_schedule(make_manifest(folder, learning_rate=0.1, **hyper), total)
    return [float(schedule(done)) for done in range(total)]


def test_the_rate_rises_to_its_peak_then_falls_to_its_share(tmp_path: Path) -> None:
    found = rates(tmp_path, 11, schedule="cosine", warmup_share=0.4, final_share=0.1)
    assert found[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert found[4:] == sorted(found[4:], reverse=True)
    assert found[-1] == pytest.approx(0.01)


def test_a_linear_schedule_falls_by_equal_parts(tmp_path: Path) -> None:
    found = rates(tmp_path, 5, schedule="linear", warmup_share=0.0, final_share=0.0)
    assert found == pytest.approx([0.1, 0.075, 0.05, 0.025, 0.0])


def test_a_constant_schedule_stays_after_its_warm_up(tmp_path: Path) -> None:
    assert rates(tmp_path, 4, schedule="constant", warmup_share=0.5) == pytest.approx([0.1 / 3, 0.2 / 3, 0.1, 0.1])


def test_a_single_train_step_is_made_at_the_full_rate(tmp_path: Path) -> None:
    assert rates(tmp_path, 1, schedule="cosine", warmup_share=0.9) == pytest.approx([0.1])


@pytest.mark.parametrize("kind", ["cosine", "linear", "constant"])
def test_the_reported_rate_is_that_of_the_train_step_and_asks_nothing_of_the_device(tmp_path: Path, kind: str) -> None:
    import jax
    import jax.numpy as jnp

    from tunixrt_core.tunix_backend.train.step.optimizer import make_schedule

    schedule = make_schedule(make_manifest(tmp_path, schedule=kind, warmup_share=0.3, final_share=0.1), 10)
    used = [float(schedule(jnp.int32(done))) for done in range(10)]
    with jax.transfer_guard_host_to_device("disallow"):
        reported = [float(schedule(done)) for done in range(10)]
    assert reported == pytest.approx(used, rel=1e-5)
