"""Builds in the background: progress, result, cancel, and what a bug leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tunixrt_core.datasets.building import Progress
from tunixrt_core.datasets.selection import DatasetRow
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetVersion, freeze
from tunixrt_core.errors import Cancelled, InvalidDataset, NotFound
from tunixrt_core.jobs.builds import Builds


@pytest.fixture
def builds() -> Iterator[Builds]:
    made = Builds()
    yield made
    made.close()


def version() -> DatasetVersion:
    rows = [DatasetRow("a" * 64, "train")]
    return freeze(DatasetSpec("d"), rows, version=3, parent=2, created_at=datetime(2026, 1, 1, tzinfo=UTC))


def until_cancelled(on_progress: Progress, stop: threading.Event) -> DatasetVersion:
    on_progress("screening", 250, 1_000)
    assert stop.wait(30)
    raise Cancelled("The build of d was cancelled. Nothing of it was kept.")


def test_a_build_that_succeeds_has_its_version(builds: Builds) -> None:
    build = builds.start("d", lambda on_progress, stop: version())
    over = builds.wait(build.id, 10)
    assert (over.status, over.version, over.message, over.over) == ("succeeded", 3, "", True)


def test_a_build_under_way_says_how_far_it_is_and_ends_when_cancelled(builds: Builds) -> None:
    build = builds.start("d", until_cancelled)
    while builds.get(build.id).done == 0:
        assert not builds.get(build.id).over
    now = builds.get(build.id)
    assert (now.phase, now.done, now.total) == ("screening", 250, 1_000)
    builds.cancel(build.id)
    assert builds.wait(build.id, 10).status == "cancelled"
    assert builds.cancel(build.id).status == "cancelled"


def test_a_mistake_is_its_sentence(builds: Builds) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> DatasetVersion:
        raise InvalidDataset("No trace matches.")

    assert builds.wait(builds.start("d", work).id, 10).message == "No trace matches."


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_leaves_no_build_that_seems_to_run(builds: Builds) -> None:
    def work(on_progress: Progress, stop: threading.Event) -> DatasetVersion:
        raise ZeroDivisionError

    over = builds.wait(builds.start("d", work).id, 10)
    assert (over.status, "log" in over.message) == ("failed", True)


def test_builds_are_listed_newest_first_and_old_ones_are_forgotten(builds: Builds) -> None:
    ids = []
    for _ in range(60):
        ids.append(builds.start("d", lambda on_progress, stop: version()).id)
        builds.wait(ids[-1], 10)
    assert [build.id for build in builds.all()] == ids[::-1][:51]
    with pytest.raises(NotFound, match="no build 'b-0001'"):
        builds.get(ids[0])


def test_close_cancels_what_runs() -> None:
    made = Builds()
    build = made.start("d", until_cancelled)
    made.close()
    assert made.get(build.id).status == "cancelled"


def test_the_same_that_is_under_way_is_given_back(builds: Builds) -> None:
    first = builds.start("d", until_cancelled, asked="this")
    assert builds.start("d", until_cancelled, asked="this").id == first.id
    assert builds.start("d", until_cancelled, asked="that").id != first.id
    assert builds.start("d", until_cancelled).id != first.id
    builds.cancel(first.id)
    assert builds.start("d", until_cancelled, asked="this").id != first.id, "the first is being cancelled"
