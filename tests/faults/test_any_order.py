"""Any order of operations over one home, with kills: what was frozen, finished or stored is as it was, and answers."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from starlette.testclient import TestClient

from app import state
from app.api.application import build_api
from tests.helpers.machines.home_operations import SLOW, do, open_home_with
from tests.helpers.machines.killed import KilledOperations
from tunixrt_core.errors import Conflict, InvalidDataset, NotFound
from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.runs.metrics import TrainMetric
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.traces.examples import example_traces

Words = dict[str, Any]
MANY = 200  # homes of the long test
KILLED = ("import", "delete", "build", "export", "start", "clone", "resume", "evaluate", "export_model")
Numbers = st.integers(0, 10**6)


@dataclass
class Known:
    """What must hold of a home: everything that an operation was told to have done."""

    traces: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    versions: dict[tuple[str, int], tuple[str, tuple[str, ...]]] = field(default_factory=dict)  # hash, rows
    files: dict[Path, str] = field(default_factory=dict)  # sha256
    runs: dict[str, tuple[RunStatus, int]] = field(default_factory=dict)  # status, train steps
    evaluations: dict[str, str] = field(default_factory=dict)  # hash of its answers
    exported: dict[str, tuple[Path, str]] = field(default_factory=dict)  # run -> folder, hash of it
    requests: dict[str, str] = field(default_factory=dict)  # request id -> run


def sha256_of(path: Path) -> str:
    """The hash of a file, or of the names and files in a folder."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    found = [(str(each.relative_to(path)), sha256_of(each)) for each in sorted(path.rglob("*")) if each.is_file()]
    return hashlib.sha256(orjson.dumps(found)).hexdigest()


class AnyOrder(RuleBasedStateMachine):
    """The operations on one home. One that is killed is done again by the next process, and then holds as any other."""

    backend = "fake"
    longest = 6  # train steps
    empty: Path  # a home with its database, which takes longer to make than to copy
    killed: KilledOperations
    application: FastAPI

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.home = shutil.copytree(self.empty, self.folder / "home")
        self.known = Known()
        self.rt = open_home_with(self.home, self.backend, SLOW)
        self.count = 0

    def teardown(self) -> None:
        try:
            self.check_addresses()
            assert self.rt.store.check().problems == ()
        finally:
            self.rt.close()
            shutil.rmtree(self.folder)

    # --- operations -------------------------------------------------------------------------------------------------

    @initialize(n=st.integers(8, 12))
    def begin(self, n: int) -> None:
        self.do("import", {"n": n, "seed": 0})
        self.do("build", {"name": "a"})
        self.do("start", {**self._version(0), "steps": 3, "request": self._request()})

    @rule(n=st.integers(1, 12), seed=st.integers(0, 2))
    def import_traces(self, n: int, seed: int) -> None:
        self.do("import", {"n": n, "seed": seed})

    @precondition(lambda self: len(self.known.traces) > 6)
    @rule(numbers=st.lists(Numbers, min_size=1, max_size=3))
    def delete(self, numbers: list[int]) -> None:
        self.do("delete", {"hashes": self._chosen(numbers)})

    @precondition(lambda self: self.known.traces)
    @rule(name=st.sampled_from("ab"))
    def build(self, name: str) -> None:
        self.do("build", {"name": name})

    @rule(number=Numbers)
    def export(self, number: int) -> None:
        self.do("export", self._version(number))

    @rule(number=Numbers, steps=st.integers(1, 6))
    def start(self, number: int, steps: int) -> None:
        self.do("start", {**self._version(number), "steps": min(steps, self.longest), "request": self._request()})

    @rule(number=Numbers)
    def stop(self, number: int) -> None:
        self.do("stop", {**self._version(number), "request": self._request()})

    @precondition(lambda self: self.known.runs)
    @rule(number=Numbers)
    def clone(self, number: int) -> None:
        self.do("clone", {"run": self._run(number, done=True), "request": self._request()})

    @precondition(lambda self: self.known.runs)
    @rule(number=Numbers, more=st.integers(1, 4))
    def resume(self, number: int, more: int) -> None:
        run = self._run(number)
        self.do("resume", {"run": run, "steps": self.known.runs[run][1] + more})

    @precondition(lambda self: self.known.runs)
    @rule(number=Numbers)
    def evaluate(self, number: int) -> None:
        self.do("evaluate", {"run": self._run(number)})

    @precondition(lambda self: self.known.runs)
    @rule(number=Numbers)
    def export_model(self, number: int) -> None:
        self.do("export_model", {"run": self._run(number)})

    # --- what is refused, and restarts ------------------------------------------------------------------------------

    @precondition(lambda self: self.known.runs)
    @rule(number=Numbers)
    def refuse_a_resume(self, number: int) -> None:
        run = self._run(number)
        before = sha256_of(Path(self.rt.runs.get(run).directory))
        with pytest.raises(Conflict):
            self.rt.runs.resume(run, train_steps=self.known.runs[run][1])
        assert sha256_of(Path(self.rt.runs.get(run).directory)) == before

    @rule()
    def restart(self) -> None:
        self.rt.close()
        self.rt = open_home_with(self.home, self.backend, SLOW)

    # --- kills ------------------------------------------------------------------------------------------------------

    @rule(
        operation=st.sampled_from(KILLED),
        number=Numbers,
        at=st.integers(1, 40),
        later_ms=st.sampled_from([0, 0, 0, 1, 5]),
    )
    def kill(self, operation: str, number: int, at: int, later_ms: int) -> None:
        words = self._words(operation, number)
        if words is None:
            return
        before = self._counted()
        self.rt.close()
        self.killed.run(self.home, operation, words, at=at, later_ms=later_ms)
        self.rt = open_home_with(self.home, self.backend, SLOW)
        assert self.rt.queue.wait(120)
        self._check_whole_or_absent(operation, words, before)
        self.do(operation, words)

    def _words(self, operation: str, number: int) -> Words | None:
        """Words for an operation; None where there is nothing to do it to."""
        if operation in ("clone", "resume", "evaluate", "export_model") and not self.known.runs:
            return None
        match operation:
            case "import":
                return {"n": 1 + number % 12, "seed": 3}
            case "delete":
                return {"hashes": self._chosen([number])} if len(self.known.traces) > 6 else None
            case "build":
                return {"name": "ab"[number % 2]}
            case "export":
                return self._version(number)
            case "start":
                return {**self._version(number), "steps": 1 + number % self.longest, "request": self._request()}
            case "clone":
                return {"run": self._run(number, done=True), "request": self._request()}
            case "resume":
                run = self._run(number)
                return {"run": run, "steps": self.known.runs[run][1] + 1 + number % 3}
        return {"run": self._run(number)}

    def _counted(self) -> tuple[int, int]:
        return int(self.rt.traces.count()), len(self.rt.datasets.versions())

    def _check_whole_or_absent(self, operation: str, words: Words, before: tuple[int, int]) -> None:
        """After a kill: all traces of an import or none, and a version with all of its rows or none."""
        traces, versions = self._counted()
        new = (
            {each.content_hash for each in example_traces(words["n"], words["seed"])}
            if operation == "import"
            else set()
        )
        if operation == "delete":
            assert before[0] - traces in range(len(words["hashes"]) + 1)
            gone = {each for each in words["hashes"] if not self._is_there(each)}
            self.known.traces -= gone
            self.known.deleted |= gone
            words["hashes"] = [each for each in words["hashes"] if each not in gone]
        else:
            assert traces - before[0] in (0, len(new - self.known.traces))
            self.known.traces |= new if traces != before[0] else set()
            self.known.deleted -= self.known.traces
        assert versions - before[1] in (0, 1) if operation == "build" else versions == before[1]
        for version in self.rt.datasets.versions():
            assert len(list(self.rt.store.datasets.rows(version.name, version.version))) == version.rows
        if run := words.get("run"):
            found = self.rt.runs.get(run)
            if operation == "resume" and found.status is not self.known.runs[run][0]:
                assert found.status in (RunStatus.INTERRUPTED, RunStatus.SUCCEEDED)

    def _is_there(self, trace: str) -> bool:
        try:
            return self.rt.traces.get(trace).id == trace
        except NotFound:
            return False

    # --- choices ----------------------------------------------------------------------------------------------------

    def _chosen(self, numbers: list[int]) -> list[str]:
        traces = sorted(self.known.traces)
        return sorted({traces[number % len(traces)] for number in numbers})

    def _version(self, number: int) -> Words:
        versions = sorted(self.known.versions)
        name, version = versions[number % len(versions)]
        return {"name": name, "version": version}

    def _run(self, number: int, done: bool = False) -> str:
        """Any run; with `done` one that is not as long as those that are stopped."""
        short = [run for run, (status, _) in self.known.runs.items() if status is RunStatus.SUCCEEDED]
        runs = sorted(short if done and short else self.known.runs)
        return runs[number % len(runs)]

    def _request(self) -> str:
        self.count += 1
        return f"request-{self.count}"

    # --- what an operation must have done ----------------------------------------------------------------------------

    def do(self, operation: str, words: Words) -> None:
        if operation in ("start", "stop", "clone") and self._is_long(operation, words):
            return
        try:
            done = do(self.rt, operation, **words)
        except InvalidDataset:
            assert operation in ("build", "export", "start", "stop"), "only a version may have too few rows"
            return
        getattr(self, f"_after_{operation}")(words, done)

    def _is_long(self, operation: str, words: Words) -> bool:
        """A clone of a run that was stopped would train for minutes."""
        return operation == "clone" and self.known.runs[words["run"]][0] is not RunStatus.SUCCEEDED

    def _after_import(self, words: Words, done: None) -> None:
        self.known.traces |= {each.content_hash for each in example_traces(words["n"], words["seed"])}
        self.known.deleted -= self.known.traces

    def _after_delete(self, words: Words, done: None) -> None:
        self.known.traces -= set(words["hashes"])
        self.known.deleted |= set(words["hashes"])

    def _after_build(self, words: Words, done: None) -> None:
        for version in self.rt.datasets.versions(words["name"]):
            rows = tuple(row.hash for row in self.rt.store.datasets.rows(version.name, version.version))
            found = (version.content_hash, rows)
            assert self.known.versions.setdefault((version.name, version.version), found) == found

    def _after_export(self, words: Words, done: Path) -> None:
        self.known.files[done] = sha256_of(done)

    def _after_start(self, words: Words, done: Any) -> None:
        run = self.rt.runs.get(done.id)
        assert run.id not in self.known.runs, "a request starts a run of its own"
        assert run.status is RunStatus.SUCCEEDED, run.message
        assert self.known.requests.setdefault(words["request"], run.id) == run.id
        self._after_training(run.id)

    _after_clone = _after_start

    def _after_stop(self, words: Words, done: Any) -> None:
        assert done.status is RunStatus.STOPPED, done.message
        self.known.requests[words["request"]] = done.id
        self._after_training(done.id)

    def _after_training(self, run: str) -> None:
        found = self.rt.runs.get(run)
        self.known.runs[run] = (found.status, self.rt.runs.state(run).train_step)
        path = Path(found.manifest["data"]["path"])
        assert self.known.files.setdefault(path, sha256_of(path)) == sha256_of(path)

    def _after_resume(self, words: Words, done: Any) -> None:
        assert done.status is RunStatus.SUCCEEDED, done.message
        assert self.rt.runs.state(done.id).train_step == words["steps"]
        self._after_training(done.id)

    def _after_evaluate(self, words: Words, done: list[str]) -> None:
        for name in done:
            record = self.rt.evaluations.get(name).record
            assert record.status is RunStatus.SUCCEEDED, record.message
            self.known.evaluations.setdefault(name, self._answers(name))

    def _answers(self, name: str) -> str:
        view = self.rt.evaluations.get(name)
        rows = [(each.row, each.sample) for each in view.predictions]
        assert len(rows) == len(set(rows)) == view.state.total, "each row is answered once"
        return sha256_of(EvalDir.of(view.record).predictions_file)

    def _after_export_model(self, words: Words, done: Path) -> None:
        (found,) = self.rt.model_exports.of_run(words["run"])
        assert found.folder == done
        self.known.exported.setdefault(words["run"], (done, sha256_of(done)))

    # --- what holds after every operation ---------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        rt, known = self.rt, self.known
        assert rt.traces.count(TraceQuery(source="example")) == len(known.traces)
        assert all(rt.traces.get(each).id == each for each in known.traces)
        assert not any(self._is_there(each) for each in known.deleted)
        listed = {(each.name, each.version): each.content_hash for each in rt.datasets.versions()}
        assert listed == {key: content_hash for key, (content_hash, _) in known.versions.items()}
        for key, (_, rows) in known.versions.items():
            there = [trace.content_hash for trace, _ in rt.datasets.rows(*key)]
            assert there == [each for each in rows if each not in known.deleted]
        missing = {(each.name, each.version): each.rows for each in rt.datasets.missing()}
        gone = {key: sum(each in known.deleted for each in rows) for key, (_, rows) in known.versions.items()}
        assert missing == {key: number for key, number in gone.items() if number}

    @invariant()
    def what_was_frozen_and_finished_stays(self) -> None:
        rt, known = self.rt, self.known
        assert {path: sha256_of(path) for path in known.files} == known.files
        listed = {run.id: run for run in rt.runs.page(limit=200).items}
        assert set(listed) == set(known.runs), "every run is listed once"
        for name, (status, steps) in known.runs.items():
            assert (listed[name].status, rt.runs.state(name).train_step) == (status, steps)
            done = [each.train_step for each in rt.runs.metrics(name)[0] if isinstance(each, TrainMetric)]
            assert done == list(range(1, steps + 1)), "each train step is recorded once"
            check_data_unchanged(rt.runs.manifest(name).data)
            assert not rt.runs.problems(name)
        for request, run in known.requests.items():
            found = rt.runs.by_request(request)
            assert found is not None
            assert found.id == run
        for name, answers in known.evaluations.items():
            assert rt.evaluations.get(name).record.status is RunStatus.SUCCEEDED
            assert self._answers(name) == answers
        assert {run: (path, sha256_of(path)) for run, (path, _) in known.exported.items()} == known.exported

    def check_addresses(self) -> None:
        """Every address of the API answers as it should, and a repair leaves nothing behind."""
        known = self.known
        wanted = {f"/traces/{each}": 200 for each in known.traces} | {f"/traces/{each}": 404 for each in known.deleted}
        wanted |= {f"/datasets/{name}/{version}": 200 for name, version in known.versions}
        wanted |= {
            f"/runs/{run}{part}": 200 for run in known.runs for part in ("", "/metrics", "/evaluations", "/exports")
        }
        wanted |= {f"/evaluations/{name}": 200 for name in known.evaluations}
        state.set_pipeline(self.rt)
        try:
            with TestClient(self.application) as api:
                assert {address: api.get(address).status_code for address in wanted} == wanted
        finally:
            state.set_pipeline(None)
        assert all(each.done for each in self.rt.home.repair())
        assert self.rt.home.look_through() == []
        assert not [path for path in self.home.rglob("*.tmp") if "checkpoints" not in path.parts]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    AnyOrder.application = build_api(1)
    AnyOrder.empty = tmp_path_factory.mktemp("empty") / "home"
    open_home_with(AnyOrder.empty, "fake").close()
    with KilledOperations("fake") as AnyOrder.killed:
        yield


class RealOrder(AnyOrder):
    """The same with trainings, evaluations and exports by Tunix, of few train steps."""

    backend = "tunix"
    longest = 3


@pytest.fixture(scope="module")
def really_ready(ready: None) -> Iterator[None]:
    RealOrder.application, RealOrder.empty = AnyOrder.application, AnyOrder.empty
    with KilledOperations("tunix") as RealOrder.killed:
        yield


_HOW = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}


@pytest.mark.slow
@pytest.mark.usefixtures("ready")
def test_any_order_of_operations_and_kills_loses_nothing_and_does_nothing_twice() -> None:
    run_state_machine_as_test(AnyOrder, settings=settings(max_examples=6, stateful_step_count=14, **_HOW))


@pytest.mark.search
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("ready")
def test_hundreds_of_orders_of_operations_and_kills_lose_nothing_and_do_nothing_twice() -> None:
    run_state_machine_as_test(AnyOrder, settings=settings(max_examples=MANY, stateful_step_count=30, **_HOW))


@pytest.mark.tunix
@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("really_ready")
@pytest.mark.parametrize(
    ("homes", "operations"),
    [pytest.param(1, 6, marks=pytest.mark.long), pytest.param(20, 10, marks=pytest.mark.search)],
)
def test_orders_of_real_trainings_and_kills_lose_nothing(homes: int, operations: int) -> None:
    run_state_machine_as_test(RealOrder, settings=settings(max_examples=homes, stateful_step_count=operations, **_HOW))
