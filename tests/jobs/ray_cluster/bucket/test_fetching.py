"""A worker finds all that a job reads under paths of its own, and its texts come home with the paths of the home."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from tests.helpers.bucket_pair import Pair, make_checkpoint
from tests.helpers.machines.s3_server import needs_fsspec
from tunixrt_core.errors import JobFailed
from tunixrt_core.jobs.ray_cluster.bucket.fetching import LocalJob, fetch
from tunixrt_core.jobs.ray_cluster.bucket.scope import Scope
from tunixrt_core.jobs.ray_cluster.bucket.sending import send
from tunixrt_core.jobs.spec import JobSpec
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.models import model_directory
from tunixrt_core.runs.folder import RunDir

pytestmark = needs_fsspec


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def make_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text('{"of": "the model"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "pytorch_model.bin").write_bytes(b"the same weights in a form that nothing reads")
    return folder


def with_manifest(spec: JobSpec, **changes: object) -> JobSpec:
    return replace(spec, body={**spec.body, "manifest": {**spec.body["manifest"], **changes}})


def fetched(pair: Pair, spec: JobSpec, name: str = "worker") -> LocalJob:
    start = send(pair.bucket, spec, pair.root / "home" / "models")
    return fetch(pair.bucket, spec, start, pair.root / "cache", pair.root / name)


def test_a_job_reads_its_data_and_writes_its_run_in_folders_of_the_worker(pair: Pair) -> None:
    make_checkpoint(pair.home.checkpoints / "2")
    job = fetched(pair, pair.spec)
    manifest = RunManifest.from_dict(job.spec.body["manifest"])
    assert Path(manifest.data.path).read_bytes() == Path(pair.manifest.data.path).read_bytes()
    assert Path(manifest.data.path).is_relative_to(pair.root / "worker")
    assert job.scope == Scope("train", pair.root / "worker" / "runs" / "r-0001", ".")
    assert RunDir(job.scope.folder).checkpoint_steps() == [2]
    assert job.models_dir == pair.root / "cache" / "models", "where it may download one"


def test_a_model_is_found_by_its_name_or_by_its_path_and_fetched_once(pair: Pair) -> None:
    models = pair.root / "home" / "models"
    named, elsewhere = make_model(models / "org" / "small"), make_model(pair.root / "mine")
    job = fetched(pair, with_manifest(pair.spec, model={"id": "org/small"}))
    found = model_directory("org/small", job.models_dir)
    assert found is not None
    assert (found / "model.safetensors").read_bytes() == (named / "model.safetensors").read_bytes()
    assert not (found / "pytorch_model.bin").exists()
    changed = with_manifest(pair.spec, model={"id": str(elsewhere)}, tokenizer={"path": str(named)})
    job = fetched(pair, changed, "second")
    manifest = RunManifest.from_dict(job.spec.body["manifest"])
    assert Path(manifest.model.id).is_relative_to(pair.root / "cache")
    assert Path(manifest.model.id).name == "mine", "its public name"
    assert (Path(manifest.tokenizer.path or "") / "tokenizer.json").is_file()
    moved = pair.bucket.moved
    fetched(pair, changed, "third")
    assert pair.bucket.moved - moved < 20_000
    assert job.words.text(f"{manifest.model.id} is damaged") == f"{elsewhere} is damaged"


def test_texts_come_home_with_paths_and_the_hash_of_the_home(pair: Pair) -> None:
    job = fetched(pair, pair.spec)
    here = RunManifest.from_dict(job.spec.body["manifest"])
    words, local, home = job.words, str(job.scope.folder), str(pair.home.path)
    assert words.outward("manifest.yaml", here.to_yaml().encode()) == pair.manifest.to_yaml().encode()
    told = orjson.dumps({"path": f"{local}/export/model", "hash": here.content_hash})
    assert orjson.loads(words.outward("export.json", told)) == {
        "path": f"{home}/export/model",
        "hash": pair.manifest.content_hash,
    }
    assert words.outward("weights.safetensors", local.encode()) == local.encode(), "weights are no text"
    assert words.news({"phase": f"reads {here.data.path}"}) == {"phase": f"reads {pair.manifest.data.path}"}


def test_a_checkpoint_has_the_manifest_of_this_worker_and_at_home_that_of_the_home(pair: Pair) -> None:
    make_checkpoint(pair.home.checkpoints / "2")
    metadata = pair.home.checkpoints / "2" / "_CHECKPOINT_METADATA"
    metadata.write_bytes(orjson.dumps({"custom_metadata": {"manifest": pair.manifest.to_dict()}}))
    job = fetched(pair, pair.spec)
    found = (job.scope.folder / "checkpoints" / "2" / "_CHECKPOINT_METADATA").read_bytes()
    assert orjson.loads(found)["custom_metadata"]["manifest"] == job.spec.body["manifest"]
    assert job.words.outward("_CHECKPOINT_METADATA", found) == metadata.read_bytes()


def test_an_evaluation_gets_the_checkpoint_that_it_is_about_and_its_eval_file(pair: Pair) -> None:
    for step in (2, 4):
        make_checkpoint(pair.home.checkpoints / str(step))
    questions = pair.root / "questions.jsonl"
    questions.write_text("{}\n")
    body = {
        "manifest": pair.manifest.to_dict(),
        "folder": str(pair.home.evals / "tuned-2-ab"),
        "target": "tuned",
        "request": {"checkpoint": "2", "eval_file": str(questions)},
    }
    (pair.home.evals / "tuned-2-ab").mkdir(parents=True)
    (pair.home.evals / "tuned-2-ab" / "predictions.jsonl").write_text("{}\n")
    spec = JobSpec("e-1", "r-0001", "evaluate", body, 1)
    job = fetched(pair, spec)
    assert RunDir(job.scope.folder).checkpoint_steps() == [2]
    assert Path(job.spec.body["request"]["eval_file"]).read_text() == "{}\n"
    assert (job.scope.work_folder / "predictions.jsonl").read_text() == "{}\n"
    assert list(job.scope.light()) == ["evals/tuned-2-ab/predictions.jsonl"]
    base = replace(spec, body={**body, "target": "base"})
    assert RunDir(fetched(pair, base, "base").scope.folder).checkpoint_steps() == []


def test_a_data_file_that_is_missing_is_left_to_the_job_to_say(pair: Pair) -> None:
    Path(pair.manifest.data.path).unlink()
    job = fetched(pair, pair.spec)
    assert job.spec.body["manifest"]["data"]["path"] == pair.manifest.data.path


def test_what_was_deleted_from_the_bucket_meanwhile_is_said(pair: Pair) -> None:
    make_checkpoint(pair.home.checkpoints / "2")
    start = send(pair.bucket, pair.spec, pair.root / "home" / "models")
    pair.bucket.delete([start.folders["checkpoints/2"].key])
    with pytest.raises(JobFailed, match="was deleted from file://"):
        fetch(pair.bucket, pair.spec, start, pair.root / "cache", pair.root / "worker")
