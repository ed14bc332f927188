"""A home of the first version opens with everything in it; that of a later version is refused, and left as it is.

`tests/data/first-home.tar.xz` was filled by the code of the first version (7d236940) in /srv/tunixrt: traces of a
file, the examples, a dataset version, its export, four train steps of LoRA, an evaluation of three rows. Its
`models` folder is left out, as the tiny model is made again, and the release of the kernel in `env.json` is replaced.
"""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.command import tunixrt
from tunixrt_core.pipeline.pipeline import open_home
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.util.hashing import file_sha256

FIRST = REPOSITORY / "tests" / "data" / "first-home.tar.xz"
EXPORT = "20293eaaa70027d0231337667e310237fa1e55f586d4739424b03ed32dca3e5f"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with tarfile.open(FIRST) as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path / "tunixrt"


def test_the_data_of_the_first_version_are_all_there(home: Path) -> None:
    with open_home(home) as rt:
        assert dict(rt.traces.sources()) == {"example": 600, "by-hand": 2}
        found = rt.traces.page(TraceQuery(text="clips")).items
        assert sorted(item.trace.final_answer for item in found) == ["12", "7"]
        assert rt.store.check().problems == ()
        (version,) = rt.datasets.versions()
        assert (version.name, version.train_rows, version.eval_rows) == ("dial", 34, 6)
        assert len(list(rt.datasets.rows("dial"))) == 40
        assert file_sha256(home / "datasets" / "dial-v1.jsonl") == EXPORT
        rebuilt = rt.datasets.build(rt.datasets.rebuild_spec("dial"))
        assert rebuilt.version == version.version, "the same traces and the same spec are the same version"


def test_the_run_of_the_first_version_is_there_with_its_evaluations(home: Path) -> None:
    with open_home(home) as rt:
        (run,) = rt.runs.page().items
        assert (run.id, run.name, run.status) == ("r-0001", "dial-of-the-first-version", RunStatus.SUCCEEDED)
        steps = [record.train_step for record in rt.runs.metrics(run.id)[0] if record.kind == "train"]
        assert steps == [1, 2, 3, 4]
        assert rt.runs.folder(run.id).checkpoint_steps() == [4]
        assert Path(rt.runs.manifest(run.id).data.path) == home / "datasets" / "dial-v1.jsonl"
        records = {record.target: record for record in rt.evaluations.records(run.id)}
        assert {target: record.train_step for target, record in records.items()} == {"base": None, "tuned": 4}
        for record in records.values():
            assert (record.status, record.metrics["exact_match"]) == (RunStatus.SUCCEEDED, 0.0)
            answers = rt.evaluations.get(record.id).predictions
            assert [(each.row, each.tokens) for each in answers] == [(0, 96), (1, 96), (2, 96)]
        compared = rt.evaluations.comparison(run.id)
        assert compared is not None
        assert (compared.rows, compared.neither) == (3, 3)
    with open_home(home) as rt:  # what was brought up to date is read as it is now
        assert {record.target: record for record in rt.evaluations.records(run.id)} == records


def test_an_evaluation_of_the_first_version_is_scored_by_the_scorers_of_now(home: Path) -> None:
    with open_home(home) as rt:
        rt.evaluations.records("r-0001")
        rt.evaluations.score_again("r-0001-tuned")
        assert rt.queue.wait(60)
        metrics = rt.evaluations.get("r-0001-tuned").record.metrics
    assert metrics["scorers"]["exact_match"] > 1


@pytest.mark.tunix
@pytest.mark.slow
def test_the_run_of_the_first_version_trains_on_and_is_evaluated(home: Path) -> None:
    listed = tunixrt("runs", "list", home=home)  # opens the home, which writes its new place into the manifest
    assert "succeeded" in listed.stdout, listed.stderr
    resumed = tunixrt("runs", "resume", "r-0001", "--train-steps", 6, home=home)
    assert resumed.returncode == 0, resumed.stderr
    assert "succeeded at train step 6 of 6" in resumed.stdout
    evaluated = tunixrt("evaluate", "r-0001", "--limit", 2, "--target", "tuned", home=home)
    assert evaluated.returncode == 0, evaluated.stderr


def test_a_home_of_a_later_version_is_refused_with_what_to_do_and_left_as_it_is(home: Path, tmp_path: Path) -> None:
    backup = tmp_path / "before.db"
    assert tunixrt("db", "backup", backup, home=home).returncode == 0
    with closing(sqlite3.connect(home / "tunixrt.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = file_sha256(home / "tunixrt.db")
    refused = tunixrt("runs", "list", home=home)
    assert refused.returncode == 1
    assert "written by a newer Tunix RT (schema 9999" in refused.stderr
    assert "tunixrt db restore FILE --force" in refused.stderr
    assert file_sha256(home / "tunixrt.db") == before

    restored = tunixrt("db", "restore", backup, "--force", home=home)
    assert restored.returncode == 0, restored.stderr
    listed = tunixrt("runs", "list", home=home)
    assert "dial-of-the-first-version" in listed.stdout, listed.stderr
