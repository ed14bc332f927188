"""The operations in order, through the real store and the real queue."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import orjson
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.fakes import FakeBackend
from tests.helpers.homes import empty_home
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import Busy, Conflict, InvalidDataset, NotFound, OutputError, TunixMissing, UnreadableFile
from tunixrt_core.evaluation.execution import execute_evaluation
from tunixrt_core.evaluation.planning import plan_evaluation
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.pipeline import Pipeline, open_pipeline
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunState, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.store import open_store
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.tunix_backend.availability import is_tunix_available

GSM8K = REPOSITORY.parent / "shared" / "data" / "gsm8k_train.jsonl"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return empty_home(tmp_path / "rt")


def open_with(settings: Settings, backend: FakeBackend) -> Pipeline:
    store = open_store(settings.database_url)
    pipeline = Pipeline(settings, store, JobManager(store.runs, backend))
    pipeline.registry.recover()
    return pipeline


@pytest.fixture
def rt(settings: Settings) -> Iterator[Pipeline]:
    with open_with(settings, FakeBackend()) as pipeline:
        yield pipeline


def manifest_of(rt: Pipeline, train_steps: int = 5, **options: str) -> RunManifest:
    rt.traces.ingest_examples(40)
    rt.datasets.build(DatasetSpec("mine"))
    return rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": train_steps}, **options)


def test_an_import_adds_up_and_a_second_one_adds_nothing(rt: Pipeline) -> None:
    body = b'{"question": "2+2?", "answer": "two and two\\n#### 4"}\n{"question": 5}\nnot json\n'
    first = rt.traces.ingest(BytesIO(body), name="upload.jsonl")
    assert (first.read, first.inserted, first.duplicate, first.rejected) == (3, 1, 0, 2)
    assert [error.line for error in first.errors] == [2, 3]
    second = rt.traces.ingest(BytesIO(body), name="upload.jsonl")
    assert (second.read, second.inserted, second.duplicate, second.rejected) == (3, 0, 1, 2)


@pytest.mark.skipif(not GSM8K.exists(), reason="GSM8K is missing")
def test_gsm8k_comes_in_whole_and_only_once(rt: Pipeline) -> None:
    first, second = rt.traces.ingest(GSM8K), rt.traces.ingest(GSM8K)
    assert (first.read, first.inserted, first.rejected, first.format) == (7473, 7473, 0, "gsm8k")
    assert (second.duplicate, second.inserted) == (7473, 0)
    page = rt.traces.page(TraceQuery(text="Natalia clips"))
    trace = page.items[0].trace
    assert trace.final_answer == trace.reference_answer == "72"
    assert [step.content for step in trace.steps] == [
        "Natalia sold 48/2 = 24 clips in May.",
        "Natalia sold 48+24 = 72 clips altogether in April and May.",
    ]


def test_a_file_that_cannot_be_read_stores_nothing(rt: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        rt.traces.ingest(BytesIO(b""), name="empty.jsonl")
    with pytest.raises(UnreadableFile):
        rt.traces.ingest(tmp_path / "none.jsonl")
    assert rt.traces.count() == 0


def test_the_same_selection_twice_is_the_same_version(rt: Pipeline) -> None:
    rt.traces.ingest_examples(40)
    first = rt.datasets.build(DatasetSpec("mine"))
    assert rt.datasets.build(DatasetSpec("mine")) == first
    rt.traces.add_many([Trace("new", (), "1")])
    second = rt.datasets.build(DatasetSpec("mine"))
    assert (second.version, second.parent) == (2, 1)
    assert [v.version for v in rt.datasets.versions("mine")] == [2, 1]


def test_a_dataset_of_nothing_is_refused(rt: Pipeline) -> None:
    with pytest.raises(InvalidDataset):
        rt.datasets.build(DatasetSpec("mine"))


def test_the_same_version_gives_the_same_bytes_in_a_rebuilt_database(rt: Pipeline, tmp_path: Path) -> None:
    rt.traces.ingest_examples(40)
    rt.datasets.build(DatasetSpec("mine"))
    first = rt.exports.write("mine")
    again = rt.exports.write("mine", path=tmp_path / "again.jsonl")
    other = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "other")})
    with open_with(other, FakeBackend()) as rebuilt:
        rebuilt.traces.ingest_examples(40)
        rebuilt.datasets.build(DatasetSpec("mine"))
        assert rebuilt.exports.write("mine").sha256 == first.sha256 == again.sha256


def test_an_export_leaves_a_deleted_trace_out_and_its_sidecar_names_it(rt: Pipeline) -> None:
    rt.traces.ingest_examples(40)
    rt.datasets.build(DatasetSpec("mine"))
    gone = rt.traces.page(limit=1).items[0].id
    rt.traces.delete(gone)
    info = rt.exports.write("mine")
    assert info.rows == 39
    assert orjson.loads(info.meta_path.read_bytes())["dataset"]["deleted_rows"] == [gone]


@pytest.mark.parametrize("format", ["tunix_sft", "trace", "prompt_completion"])
def test_every_export_holds_every_row(rt: Pipeline, format: str) -> None:
    rt.traces.ingest_examples(40)
    version = rt.datasets.build(DatasetSpec("mine"))
    assert rt.exports.write("mine", format=format).rows == version.rows == len(list(rt.exports.lines("mine")))


@pytest.mark.parametrize("format", ["tunix_sft", "trace", "prompt_completion", "grpo"])
def test_the_files_of_the_sides_hold_each_row_once(rt: Pipeline, format: str) -> None:
    rt.traces.ingest_examples(40)
    version = rt.datasets.build(DatasetSpec("mine"))
    infos = rt.exports.write_split_files("mine", format=format)
    assert [info.path.name for info in infos.values()] == ["train.jsonl", "eval.jsonl"]
    assert {info.path.parent.name for info in infos.values()} == {
        "mine-v1" if format == "tunix_sft" else f"mine-v1.{format}"
    }
    lines = [line for info in infos.values() for line in info.path.read_bytes().splitlines(keepends=True)]
    assert sorted(lines) == sorted(rt.exports.lines("mine", format=format))
    assert infos["train"].rows == version.train_rows
    assert orjson.loads(infos["eval"].meta_path.read_bytes())["split"] == "eval"


def test_a_side_without_a_row_has_no_file_and_loses_the_one_of_before(rt: Pipeline, tmp_path: Path) -> None:
    rt.traces.add_many([Trace(f"q{n}", (), "1", reference_answer="1") for n in range(20)])
    rt.traces.add_many([Trace("q1", (), "2", reference_answer="1")])
    rt.datasets.build(DatasetSpec("mine", eval_share=0.5))
    side = next(split for trace, split in rt.datasets.rows("mine") if trace.prompt == "q1")
    other = tmp_path / f"{'eval' if side == 'train' else 'train'}.jsonl"
    other.write_text("old")
    infos = rt.exports.write_split_files("mine", format="preference", folder=tmp_path, card=True)
    assert list(infos) == [side]
    assert not other.exists()
    assert f'"{side}": "{side}.jsonl"' in (tmp_path / "README.md").read_text()
    with pytest.raises(InvalidDataset, match="needs a score on every step"):
        rt.exports.write_split_files("mine", format="stepwise", folder=tmp_path)


@pytest.mark.parametrize("file_type", ["jsonl", "parquet"])
def test_a_version_with_a_system_text_on_one_side_has_prompts_of_one_kind(rt: Pipeline, file_type: str) -> None:
    told = Trace("told", (Step(0, "s"),), "1", {"system": 1}, "Be brief.")
    rt.traces.add_many([told, *(Trace(f"q{n}", (Step(0, "s"),), "1") for n in range(20))])
    rt.datasets.build(DatasetSpec("mine", eval_share=0.5))
    infos = rt.exports.write_split_files("mine", format="prompt_completion", file_type=file_type)
    assert len(infos) == 2
    rows = [orjson.loads(line) for line in rt.exports.lines("mine", format="prompt_completion")]
    assert {type(row["prompt"]) for row in rows} == {list}
    rt.traces.delete(told.content_hash)
    rows = [orjson.loads(line) for line in rt.exports.lines("mine", format="prompt_completion")]
    assert {type(row["prompt"]) for row in rows} == {str}


def test_an_unknown_export_format_is_refused(rt: Pipeline) -> None:
    rt.traces.ingest_examples(40)
    rt.datasets.build(DatasetSpec("mine"))
    with pytest.raises(InvalidDataset, match="csv"):
        rt.exports.lines("mine", format="csv")


def test_a_manifest_names_its_dataset_version_and_a_folder_of_its_own(rt: Pipeline) -> None:
    manifest = manifest_of(rt)
    assert manifest.dataset is not None
    assert (manifest.dataset.name, manifest.dataset.version) == ("mine", 1)
    assert manifest.output_dir == str(rt.settings.runs_dir / "r-0001")
    assert manifest.data.train_rows + manifest.data.eval_rows == 40


def test_a_run_goes_from_queued_to_succeeded_and_can_be_evaluated(rt: Pipeline) -> None:
    run = rt.runs.start(manifest_of(rt))
    assert run.status is RunStatus.QUEUED
    assert rt.queue.wait(60)
    assert rt.runs.get(run.id).status is RunStatus.SUCCEEDED
    assert rt.runs.state(run.id).train_step == 5
    records, cursor = rt.runs.metrics(run.id)
    assert len(records) == 6
    assert rt.runs.metrics(run.id, cursor) == ([], cursor)
    rt.evaluations.start(run.id)
    assert rt.queue.wait(60)
    assert {e.target: e.metrics["exact_match"] for e in rt.evaluations.records(run.id)} == {"base": 0.0, "tuned": 1.0}
    comparison = rt.evaluations.comparison(run.id)
    assert comparison is not None
    assert comparison.fixed == comparison.rows > 0
    evaluated = {e.target: e.id for e in rt.evaluations.records(run.id)}
    assert len(rt.evaluations.get(evaluated["tuned"]).predictions) == comparison.rows


def test_starting_twice_with_one_request_id_starts_one_run(rt: Pipeline) -> None:
    manifest = manifest_of(rt)
    first = rt.runs.start(manifest, request_id="click")
    second = rt.runs.start(manifest, request_id="click")
    assert first.id == second.id
    assert rt.queue.wait(60)
    assert len(rt.runs.page().items) == 1


def test_a_folder_that_holds_a_run_is_not_used_again(rt: Pipeline) -> None:
    manifest = manifest_of(rt, output_dir="mine")
    rt.runs.start(manifest)
    with pytest.raises(Conflict, match="already holds a run"):
        rt.runs.start(manifest)


def test_where_a_numbered_folder_is_taken_by_now_the_next_one_is(rt: Pipeline) -> None:
    manifest = manifest_of(rt)
    first, second = rt.runs.start(manifest), rt.runs.start(manifest)
    assert (first.id, second.id) == ("r-0001", "r-0002")
    assert second.manifest["output_dir"] == second.directory != first.directory
    assert rt.queue.wait(60)


def test_an_output_directory_that_cannot_be_written_is_refused_and_no_run_is_listed(rt: Pipeline) -> None:
    rt.settings.runs_dir.mkdir(exist_ok=True)
    (rt.settings.runs_dir / "file").touch()
    manifest = manifest_of(rt, output_dir=str(rt.settings.runs_dir / "file" / "run"))
    with pytest.raises(OutputError):
        rt.runs.start(manifest)
    assert rt.runs.page().items == ()


def test_a_stopped_run_can_be_resumed(settings: Settings) -> None:
    backend = FakeBackend(step_seconds=0.01)
    with open_with(settings, backend) as rt:
        run = rt.runs.start(manifest_of(rt, train_steps=500))
        while not rt.runs.metrics(run.id)[0]:
            pass
        rt.runs.stop(run.id)
        assert rt.queue.wait(60)
        assert rt.runs.get(run.id).status is RunStatus.STOPPED
        with pytest.raises(Conflict, match="nothing to stop"):
            rt.runs.stop(run.id)
        backend.step_seconds = 0.0
        rt.runs.resume(run.id)
        assert rt.queue.wait(60)
        assert rt.runs.get(run.id).status is RunStatus.SUCCEEDED
        with pytest.raises(Conflict):
            rt.runs.resume(run.id)


def test_a_run_that_is_not_over_is_not_evaluated(settings: Settings) -> None:
    with open_with(settings, FakeBackend(step_seconds=0.01)) as rt:
        run = rt.runs.start(manifest_of(rt, train_steps=10_000))
        with pytest.raises(Busy, match="when it is over"):
            rt.evaluations.start(run.id)


def test_what_a_dead_process_left_behind_is_interrupted_at_the_next_start(settings: Settings) -> None:
    with open_with(settings, FakeBackend()) as rt:
        run = rt.runs.start(manifest_of(rt))
        assert rt.queue.wait(60)
        folder = rt.runs.folder(run.id)
    state = folder.state()
    folder.write_state(RunState(RunStatus.RUNNING, train_step=state.train_step, owner="999999999:1:gone"))
    with open_with(settings, FakeBackend()) as rt:
        found = rt.runs.get(run.id)
        assert found.status is RunStatus.INTERRUPTED
        assert "Resume" in found.message
        assert len(rt.runs.metrics(run.id)[0]) == 6, "its curve is still there"
        rt.runs.resume(run.id)
        assert rt.queue.wait(60)
        assert rt.runs.get(run.id).status is RunStatus.SUCCEEDED


def test_a_lost_database_is_rebuilt_from_the_run_folders(settings: Settings) -> None:
    with open_with(settings, FakeBackend()) as rt:
        run = rt.runs.start(manifest_of(rt))
        assert rt.queue.wait(60)
        plan = plan_evaluation(rt_manifest(rt, run.id), rt.runs.folder(run.id), "tuned", EvalRequest())
        execute_evaluation(plan, FakeBackend())
    for path in settings.home.glob("tunixrt.db*"):
        path.unlink()
    with open_with(settings, FakeBackend()) as rt:
        found = rt.runs.get(run.id)
        assert (found.status, found.name) == (RunStatus.SUCCEEDED, run.name)
        assert str(found.dataset) == "mine v1"
        assert [(e.target, e.metrics["exact_match"]) for e in rt.evaluations.records(run.id)] == [("tuned", 1.0)]


def rt_manifest(rt: Pipeline, run_id: str) -> RunManifest:
    return RunManifest.from_dict(rt.runs.get(run_id).manifest)


def test_a_run_folder_that_is_no_run_is_left_alone(settings: Settings) -> None:
    RunDir(settings.runs_dir / "r-0009").create()
    with open_with(settings, FakeBackend()) as rt:
        assert rt.runs.page().items == ()
        # but its name is taken
        assert manifest_of(rt).output_dir.endswith("r-0010")


def test_unknown_names_are_not_found(rt: Pipeline) -> None:
    with pytest.raises(NotFound):
        rt.runs.get("r-9999")
    with pytest.raises(NotFound):
        rt.datasets.get("none")
    with pytest.raises(NotFound):
        rt.traces.get("0" * 64)
    with pytest.raises(NotFound):
        rt.evaluations.get("r-9999-base")
    with pytest.raises(NotFound):
        rt.manifests.build(model_id="tiny")


def test_a_comparison_needs_both_sides(rt: Pipeline) -> None:
    run = rt.runs.start(manifest_of(rt))
    assert rt.queue.wait(60)
    assert rt.evaluations.comparison(run.id) is None
    rt.evaluations.start(run.id, ["base"], EvalRequest(own_prompt=False))
    assert rt.queue.wait(60)
    assert rt.evaluations.comparison(run.id) is None
    assert [e.status for e in rt.evaluations.records(run.id)] == [RunStatus.SUCCEEDED]


@pytest.mark.skipif(is_tunix_available(), reason="says what happens where Tunix is not installed")
def test_without_tunix_everything_up_to_the_manifest_works_and_a_start_says_what_is_missing(settings: Settings) -> None:
    with open_pipeline(settings) as rt:
        manifest = manifest_of(rt)
        assert not rt.home.tunix_status().available
        with pytest.raises(TunixMissing, match="pip install"):
            rt.runs.start(manifest)
        assert rt.runs.page().items == ()


def test_the_state_of_tunix_is_known_without_importing_it(rt: Pipeline) -> None:
    status = rt.home.tunix_status()
    assert status.available is is_tunix_available()
    assert (status.version is not None) is status.available
    assert "pip install" in status.to_dict()["install"]


def one_trained_and_one_running(rt: Pipeline, backend: FakeBackend) -> tuple[Run, Run]:
    first = rt.runs.start(manifest_of(rt))
    assert rt.queue.wait(60)
    backend.step_seconds = 0.05
    return first, rt.runs.start(rt.manifests.build("mine", model_id="tiny", hyperparams={"train_steps": 500}))


def test_an_evaluation_that_is_under_way_is_not_queued_again(settings: Settings) -> None:
    backend = FakeBackend()
    with open_with(settings, backend) as rt:
        first, second = one_trained_and_one_running(rt, backend)
        queued = rt.evaluations.start(first.id)
        assert rt.evaluations.start(first.id) == queued
        assert len(rt.jobs.queue().waiting) == 3
        rt.runs.stop(second.id)
        assert rt.queue.wait(60)
        assert {e.status for e in rt.evaluations.records(first.id)} == {RunStatus.SUCCEEDED}


def test_stopping_a_run_stops_its_evaluations_too(settings: Settings) -> None:
    backend = FakeBackend()
    with open_with(settings, backend) as rt:
        first, second = one_trained_and_one_running(rt, backend)
        rt.evaluations.start(first.id)
        rt.runs.stop(first.id)
        assert {e.status for e in rt.evaluations.records(first.id)} == {RunStatus.STOPPED}
        rt.runs.stop(second.id)


def test_a_file_that_a_manifest_names_stays_as_it_is_when_a_trace_of_its_version_is_deleted(rt: Pipeline) -> None:
    rt.traces.ingest_examples(20)
    rt.datasets.build("d")
    before = rt.manifests.build("d", model_id="tiny")
    held = Path(before.data.path).read_bytes()
    rt.traces.delete(rt.traces.page(limit=1).items[0].id)
    after = rt.manifests.build("d", model_id="tiny")
    assert Path(before.data.path).read_bytes() == held
    assert Path(after.data.path).name == f"{after.data.sha256[:12]}-{Path(before.data.path).name}"
    assert rt.manifests.build("d", model_id="tiny").data.path == after.data.path
