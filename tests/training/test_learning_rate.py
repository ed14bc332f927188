"""The learning rate of a run that is extended: stretched, kept or started again, and said before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.manifest import RunManifest, change_manifest
from tunixrt_core.manifest.variants import make_variant
from tunixrt_core.training.learning_rate import (
    CHOICES,
    ScheduleChoice,
    learning_rate,
    rate_change,
    with_schedule,
)


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    made = make_manifest(tmp_path, train_steps=20)
    return change_manifest(made, {"learning_rate": 0.1, "schedule": "cosine", "warmup_share": 0.1, "final_share": 0.1})


def rates(manifest: RunManifest, total: int) -> list[float]:
    return [learning_rate(manifest, total, done) for done in range(total)]


def extended(manifest: RunManifest, total: int, done: int, planned: int, choice: ScheduleChoice) -> RunManifest:
    return with_schedule(change_manifest(manifest, {"train_steps": total}), done, planned, choice)


def test_keep_holds_the_last_rate_and_restart_begins_the_schedule_again(manifest: RunManifest) -> None:
    before = rates(manifest, 20)
    kept = rates(extended(manifest, 40, 20, 20, "keep"), 40)
    assert kept == [*before, *[before[-1]] * 20]
    again = rates(extended(manifest, 40, 20, 20, "restart"), 40)
    assert again == pytest.approx([*before, *before])
    stretched = extended(manifest, 40, 20, 20, "stretch")
    assert rates(stretched, 40) == rates(change_manifest(manifest, {"train_steps": 40}), 40)


def test_a_run_stopped_half_way_and_extended_twice_keeps_what_it_did_before(manifest: RunManifest) -> None:
    before = rates(manifest, 20)
    once = extended(manifest, 30, 10, 20, "keep")
    twice = extended(once, 50, 30, 30, "restart")
    found = rates(twice, 50)
    assert found[:30] == [*before[:10], *[before[9]] * 20]
    assert found[30:] == pytest.approx(before)
    assert [each.after for each in twice.schedule.extensions] == [10, 30]
    assert extended(twice, 60, 50, 50, "stretch").schedule.extensions == ()


def test_what_happens_is_said_before_with_the_choices(manifest: RunManifest) -> None:
    after = extended(manifest, 40, 20, 20, "stretch")
    change = rate_change(manifest, after, done=20, planned=20, total=40)
    assert change is not None
    assert (change.schedule, change.before) == ("stretch", pytest.approx(0.01))
    assert change.after == change.choices["stretch"] == pytest.approx(learning_rate(after, 40, 20))
    assert change.choices["keep"] == pytest.approx(0.01)
    assert change.choices["restart"] == pytest.approx(0.1 / 3)
    assert change.words.startswith("The learning rate is 0.01 in train step 20 and 0.06")
    assert "keep: 0.01, the last rate to the end" in change.words
    assert rate_change(manifest, after, done=0, planned=20, total=40) is None
    for choice in CHOICES:
        chosen = rate_change(manifest, extended(manifest, 40, 20, 20, choice), done=20, planned=20, total=40)
        assert chosen is not None
        assert (chosen.schedule, chosen.after) == (choice, change.choices[choice])


def test_a_manifest_holds_its_extensions_and_one_without_them_is_as_before(manifest: RunManifest) -> None:
    assert "extensions" not in manifest.to_dict()["schedule"]
    longer = extended(manifest, 40, 20, 20, "keep")
    assert RunManifest.from_text(longer.to_yaml()) == longer
    assert longer.to_dict()["schedule"]["extensions"] == [{"after": 20, "total": 20, "then": "keep"}]
    assert make_variant(longer, {}, "x").manifest.schedule.extensions == ()
    wrong = longer.to_dict()
    wrong["schedule"]["extensions"] *= 2
    with pytest.raises(InvalidManifest, match="in the order of after"):
        RunManifest.from_dict(wrong)
