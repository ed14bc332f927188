"""What a kill and other processes cannot break: an import is there whole or not at all, and writers wait their turn."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import examples
from tunixrt_core.errors import Stopped
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.traces.trace import Step, Trace

REPOSITORY = Path(__file__).parents[2]

# Forks importers, one after the other, and kills each. Forks, because starting Python takes longer than the test.
_KILLED = """
import os, random, signal, sys, time
import tunixrt_core.store.sql.pools, tunixrt_core.store.traces.traces  # loaded before the forks, which live shortly
from tunixrt_core.store.store import open_store
from tunixrt_core.traces.trace import Step, Trace

def imports(number, told):
    store = open_store(sys.argv[1])
    for part in range(10**9):
        source = f"{number}-{part}"
        steps = (Step(0, "word " * 40),)
        store.traces.insert(Trace(f"prompt {source} {n}", steps, "1", source=source) for n in range(300))
        os.write(told, f"{source}\\n".encode())

rng = random.Random(50)
told = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in range(int(sys.argv[3])):
    child = os.fork()
    if child == 0:
        imports(number, told)
    time.sleep(rng.uniform(0.02, 0.4))
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
"""

_WRITES = """
import sys
from tunixrt_core.store.store import open_store
from tunixrt_core.traces.trace import Trace

store = open_store(sys.argv[1])
for n in range(300):
    store.traces.insert([Trace(f"{sys.argv[2]} {n}", (), "1", source="same")])
"""


def test_a_word_that_an_import_shall_end_is_heard_within_one_write(store: Store) -> None:
    beats: list[int] = []
    many = [Trace(f"p{n}", (Step(0, " ".join(f"w{n}x{k}" for k in range(50))),), "1") for n in range(500)]
    assert store.traces.insert(many, beat=lambda: beats.append(1)).inserted == 500
    # one batch, and so one write of rows and one of their words; a server is asked before the commit alone
    assert len(beats) >= (10 if store._database.dialect.plans else 1)


def test_an_import_that_is_ended_when_all_is_read_leaves_nothing(store: Store) -> None:
    read: list[str] = []

    def new() -> Iterator[Trace]:
        for n in range(1_200):
            yield Trace(f"p{n}", (Step(0, f"word w{n}"),), "1")
        read.append("all")

    def beat() -> None:
        if read:
            read.append("asked")
            raise Stopped("It was stopped.")

    with pytest.raises(Stopped):
        store.traces.insert(new(), beat=beat)
    assert read in (["all", "asked"], ["all", "asked", "asked"]), (
        "it ends with the first word, asked again to be beating"
    )
    assert store.traces.count(TraceQuery()) == 0
    assert store.check().problems == ()
    assert store.traces.insert([Trace("p1", (), "1")]).inserted == 1
    assert [t.trace.prompt for t in store.traces.page(TraceQuery(text="p1")).items] == ["p1"]
    assert not store.traces.page(TraceQuery(text="word")).items


@pytest.mark.slow
def test_kill_9_at_random_moments_leaves_every_import_whole_or_absent(url: str, tmp_path: Path) -> None:
    open_store(url).close()
    told = tmp_path / "told"
    kills = [sys.executable, "-c", _KILLED, url, str(told), str(examples(50))]
    subprocess.run(kills, cwd=REPOSITORY, check=True, timeout=120)
    with open_store(url) as store:
        sources = dict(store.traces.sources())
        assert set(sources.values()) == {300}
        assert set(told.read_text().split()) <= set(sources)  # what was told to be on the disk is there
        assert store.traces.count(TraceQuery(source=next(iter(sources)), text="word")) == 300
        assert store.check().problems == ()


@pytest.mark.slow
def test_four_processes_write_1200_transactions_and_none_fails(any_url: str) -> None:
    open_store(any_url).close()
    writers = [subprocess.Popen([sys.executable, "-c", _WRITES, any_url, str(who)], cwd=REPOSITORY) for who in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    with open_store(any_url) as store:
        assert store.traces.count(TraceQuery(source="same")) == 1_200
        assert store.check().problems == ()


def test_a_sound_file_is_left_after_a_process_that_never_closed_it(url: str) -> None:
    script = _WRITES.replace("range(300)", "range(3)") + "import os; os._exit(0)"
    subprocess.run([sys.executable, "-c", script, url, "x"], cwd=REPOSITORY, check=True)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
