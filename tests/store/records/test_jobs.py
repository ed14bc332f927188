"""The shared queue: each job has one owner, and another one once that is dead."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import pytest
from sqlalchemy import create_engine

from tests.conftest import REPOSITORY
from tests.store.conftest import empty_server, needs_server
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.util import owners

ME, OTHER = owners.this_owner(), "pid:1:2:another-boot:another-machine"
DEAD = ME.replace(f":{owners.local_pid(ME)}:", ":999999:", 1)


def test_a_job_is_claimed_once_and_forgotten_by_its_owner_alone(store: Store) -> None:
    store.jobs.add("r-0001", "home", "spec")
    assert store.jobs.waiting("home") == {"r-0001": "spec"}
    assert store.jobs.waiting("another home") == {}
    assert not store.jobs.claim("r-0001", OTHER, "what it was to do before another server took it")
    assert store.jobs.claim("r-0001", OTHER, "spec")
    assert store.jobs.claim("r-0001", OTHER, "spec"), "by who has it already"
    assert not store.jobs.claim("r-0001", ME, "spec")
    assert not store.jobs.claim("none", ME, "spec")
    assert store.jobs.waiting("home") == {}
    store.jobs.end("r-0001", ME)
    assert store.jobs.known("home") == {"r-0001"}
    store.jobs.end("r-0001", OTHER)
    assert store.jobs.known("home") == set()


def test_jobs_are_taken_in_their_order_and_within_a_home(store: Store) -> None:
    for name in ("r-0002", "r-0001"):
        store.jobs.add(name, "home", f"spec of {name}")
        time.sleep(0.01)
    store.jobs.add("r-0003", "another home", "spec")
    taken = [store.jobs.take("home", ME) for _ in range(3)]
    assert [job and (job.id, job.spec, job.losses, job.lost) for job in taken] == [
        ("r-0002", "spec of r-0002", 0, None),
        ("r-0001", "spec of r-0001", 0, None),
        None,
    ]


def test_the_job_of_a_dead_process_is_taken_at_once_and_counted(store: Store) -> None:
    store.jobs.add("r-0001", "home", "spec")
    assert store.jobs.claim("r-0001", DEAD, "spec")
    taken = store.jobs.take("home", ME)
    assert taken is not None
    assert (taken.losses, taken.lost) == (1, DEAD)
    store.jobs.let_wait("r-0001", OTHER, "not theirs")
    assert store.jobs.waiting("home") == {}
    store.jobs.let_wait("r-0001", ME, "another spec")
    assert store.jobs.waiting("home") == {"r-0001": "another spec"}


def test_jobs_that_wait_are_put_into_another_order(store: Store) -> None:
    for name in ("r-0001", "r-0002", "r-0003", "r-0004"):
        store.jobs.add(name, "home", "spec")
        time.sleep(0.01)
    assert store.jobs.claim("r-0003", ME, "spec")
    store.jobs.arrange(["r-0004", "none", "r-0003", "r-0001"])
    assert list(store.jobs.waiting("home")) == ["r-0004", "r-0002", "r-0001"]


def test_another_machine_is_dead_a_minute_after_its_last_sign(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.jobs.add("r-0001", "home", "spec")
    assert store.jobs.claim("r-0001", OTHER, "spec")
    monkeypatch.setattr(owners, "LOST_SECONDS", 0.4)
    for _ in range(3):
        time.sleep(0.2)
        store.jobs.beat(OTHER)
        assert store.jobs.take("home", ME) is None
    time.sleep(0.5)
    assert store.jobs.take("home", ME) is not None


def test_a_job_is_left_as_it_was(store: Store) -> None:
    for name in ("r-0001", "r-0002"):
        store.jobs.add(name, "home", "spec")
    assert store.jobs.claim("r-0001", DEAD, "spec")
    for number in (1, 2):
        taken = store.jobs.take("home", ME, but={f"r-000{3 - number}"})
        assert taken is not None
        store.jobs.give_back(taken)
    assert list(store.jobs.waiting("home")) == ["r-0002"]
    again = store.jobs.take("home", ME, but={"r-0002"})
    assert again is not None
    assert (again.lost, again.losses) == (DEAD, 1), "what was returned is not counted"


def takers(url: str, count: int) -> Sequence[subprocess.Popen[str]]:
    work = (
        "import sys; from tunixrt_core.store.store import open_store; from tunixrt_core.util.owners import this_owner\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    while (job := store.jobs.take('home', this_owner())) is not None:\n"
        "        print(job.id, flush=True)\n"
        "        store.jobs.end(job.id, this_owner())\n"
        "        sys.stdin.readline()\n"  # ends at once after the first job, with the pipe
    )
    command = [sys.executable, "-c", work, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": REPOSITORY}
    return [subprocess.Popen(command, **pipes) for _ in range(count)]  # type: ignore[call-overload]


def test_two_processes_take_200_jobs_each_once(any_url: str) -> None:
    with open_store(any_url) as store:
        for number in range(200):
            store.jobs.add(f"r-{number:04}", "home", "spec")
    both = takers(any_url, 2)
    # a process that starts late on a busy machine would find nothing: each has one job before they take the rest
    first = [one.stdout.readline().strip() for one in both if one.stdout]
    found = [one.communicate(timeout=60)[0].split() for one in both]
    assert sorted(first + found[0] + found[1]) == [f"r-{number:04}" for number in range(200)]


@needs_server
def test_postgresql_a_row_that_is_looked_at_is_left_to_who_looks() -> None:
    url = empty_server()
    with open_store(url) as store:
        for name in ("r-0001", "r-0002"):
            store.jobs.add(name, "home", "spec")
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        with engine.begin() as looking:
            looking.exec_driver_sql("SELECT * FROM jobs WHERE id = 'r-0001' FOR UPDATE")
            taken = store.jobs.take("home", ME)
            assert taken is not None
            assert taken.id == "r-0002"
            assert store.jobs.take("home", ME) is None
        engine.dispose()
        assert store.jobs.take("home", ME) is not None


@needs_server
def test_postgresql_a_sign_of_life_waits_for_no_import_of_its_process() -> None:
    with open_store(empty_server()) as store:
        store.jobs.add("r-0001", "home", "spec")
        with store.jobs._db.write():
            began = time.monotonic()
            assert store.jobs.claim("r-0001", ME, "spec")
            store.jobs.beat(ME)
            assert time.monotonic() - began < 5
