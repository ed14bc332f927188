"""The bound of a step is the time of the resource that it needs longest, and a report says what follows from it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from tunixrt_core.training.ahead.costs import SliceReport, StepCost, roofline
from tunixrt_core.training.ahead.slices import find_slice

GB = 1_000_000_000


def cost(**changed: Any) -> StepCost:
    """A train step of 8,192 tokens on each of four v6e chips."""
    known = StepCost(
        "train",
        tokens=8192,
        weights=GB,
        temporary=5 * GB,
        flops=9.18e12,  # 10 ms
        model_flops=4 * 4.59e12,
        hbm=1.64e10,  # 10 ms
        links={"all-gather": 1e9, "all-reduce": 1e9},  # 10 ms over two links of 100 GB/s
    )
    return replace(known, **changed)


def report(*steps: StepCost, **changed: Any) -> SliceReport:
    known = SliceReport(
        slice="v6e-4", topology="v6e:2x2", chips=4, hosts=1, devices=4, mesh=(4, 1), rows=4, row_length=2048,
        limit=32 * GB, layers=28, steps=steps or (cost(),), train_steps=1000,
    )  # fmt: skip
    return replace(known, **changed)


@pytest.mark.parametrize(
    ("changed", "limit", "seconds"),
    [
        ({"flops": 2 * 9.18e12}, "arithmetic", 0.02),
        ({"hbm": 2 * 1.64e10}, "memory", 0.02),
        ({"links": {"all-gather": 4e9}}, "links", 0.02),
    ],
)
def test_the_longest_of_the_three_limits_the_step(changed: dict[str, Any], limit: str, seconds: float) -> None:
    found = roofline(cost(**changed), find_slice("v6e-4"))
    assert found.limit == limit
    assert found.seconds == pytest.approx(seconds)


def test_the_bound_is_a_share_of_the_whole_slice_and_without_links_it_is_higher() -> None:
    bound = report(cost(links={"all-gather": 4e9})).bound("train")
    assert bound is not None
    assert bound.tokens_per_second == pytest.approx(8192 / 0.02)
    assert bound.utilisation == pytest.approx(0.25)
    assert bound.utilisation_without_links == pytest.approx(0.5)


def test_two_devices_of_a_chip_share_its_peaks() -> None:
    one = roofline(cost(), find_slice("7x-8"))
    assert one.arithmetic == pytest.approx(9.18e12 * 2 / 2307e12)
    assert one.memory == pytest.approx(1.64e10 * 2 / 7.38e12)


def test_one_line_says_whether_it_fits_and_how_fast_it_can_be() -> None:
    assert report().sentence == "On v6e-4: fits, 19% of 32 GB, at most 810,000 tokens/s"
    large = report(cost(temporary=40 * GB))
    assert large.sentence.startswith("On v6e-4: does not fit, 128% of 32 GB")


def test_a_refused_step_does_not_fit_and_has_no_bound() -> None:
    found = report(cost(refused="Used 40G of 31G hbm", flops=0.0))
    assert not found.fits
    assert found.bound("train") is None
    assert found.chip_hours is None


def test_devices_that_the_mesh_leaves_idle_are_told() -> None:
    assert report().unused == 0
    assert report(slice="v6e-8", devices=8, chips=8).unused == 4


def test_chip_hours_count_every_batch_of_a_train_step_on_every_chip() -> None:
    assert report(accumulation=2).chip_hours == pytest.approx(4 * 1000 * 2 * 0.01 / 3600)


def test_a_report_survives_the_disk() -> None:
    found = report(cost(), cost(kind="evaluation"))
    assert SliceReport.from_dict(json.loads(json.dumps(asdict(found)))) == found
    assert json.loads(json.dumps(found.to_dict()))["steps"][0]["bound"]["limit"] in ("arithmetic", "memory", "links")
