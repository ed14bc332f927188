"""The diagnostics bundle says what is wrong and holds no secret, wherever one was planted."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.helpers.homes import fake_home
from tests.helpers.makers import write_evaluation
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.home.diagnostics import RUN_LOG_LINES, diagnostics, file_name
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import Alert, SampleAnswer, TrainMetric
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.training.recording.recorder import RunRecorder
from tunixrt_core.util.files.atomic import write_json

SECRETS = {
    "token": "a-token-that-was-kept-4711",
    "password": "p@ss:w0rd-of-the-database",
    "hf": "hf_QwErTyUiOpAsDfGhJkLzXcVbNm",
    "wandb": "89abcdef0123456789abcdef0123456789abcdef",
    "bearer": "bearer-value-in-a-log-line",
    "key": "plain-key-of-a-service",
    "proxy": "proxy-password",
}
TEXTS = {
    "prompt": "The marmalade lighthouse counts nine otters",
    "step": "nine otters and a lighthouse keeper make ten",
    "answer": "ten marmalade otters",
    "output": "I believe that the lighthouse holds eleven",
    "system": "You are the keeper of a marmalade lighthouse",
}
PASSWORD_IN_A_URL = "p%40ss%3Aw0rd-of-the-database"
ENVIRON = {
    "HF_TOKEN": SECRETS["hf"],
    "WANDB_API_KEY": SECRETS["wandb"],
    "SERVICE_KEY": SECRETS["key"],
    "HTTPS_PROXY": f"http://me:{SECRETS['proxy']}@proxy:3128",
    "TUNIXRT_DATABASE_URL": f"postgresql://me:{PASSWORD_IN_A_URL}@nowhere.invalid:1/rt",
    "TUNIXRT_TOKEN": SECRETS["token"],
    "XLA_FLAGS": "--xla_dump_to=/tmp/x",
    "JAX_PLATFORMS": "cpu",
    "EDITOR": "the-editor",
}
LEAKS = "\n".join(
    (
        f"Authorization: Bearer {SECRETS['bearer']}",
        f"using {SECRETS['hf']} of the hub, {SECRETS['wandb']} of wandb, {SECRETS['key']}",
        f"GET /?token={SECRETS['token']} 200",
        f"connecting to postgresql://me:{PASSWORD_IN_A_URL}@db/rt as {SECRETS['password']} by {SECRETS['proxy']}",
        f"sqlalchemy.exc.IntegrityError [parameters: ('{TEXTS['prompt']}', '{TEXTS['step']}')]",
        f"ValueError: cannot read '{TEXTS['prompt']}. {TEXTS['step']}. {TEXTS['output']}'",
    )
)


@pytest.fixture
def rt(tmp_path: Path) -> Pipeline:
    return fake_home(tmp_path / "home")


@pytest.fixture
def run(rt: Pipeline) -> RunDir:
    """A run with secrets in its log and state, and texts in traces, answers, predictions and its manifest."""
    rt.store.traces.insert([Trace(TEXTS["prompt"], (Step(0, TEXTS["step"]),), TEXTS["answer"])])
    rt.traces.ingest_examples(20)
    rt.datasets.build(DatasetSpec("examples"))
    made = rt.manifests.build("examples", model_id="tiny").to_dict()
    made["rendering"]["system"] = TEXTS["system"]
    manifest = RunManifest.from_dict(made)
    folder = RunDir(Path(manifest.output_dir))
    folder.create()
    folder.manifest_file.write_text(manifest.to_yaml(), encoding="utf-8")
    write_json(folder.env_file, {"python": "3.11", "HF_TOKEN": SECRETS["hf"]})
    recorder = RunRecorder(folder)
    recorder.phase("loading")
    recorder.plan({"total_train_steps": 40, "device": "CPU"})
    recorder.log("first line of the log")
    for line in LEAKS.splitlines():
        recorder.log(line)
    recorder.record(TrainMetric(train_step=1, loss=2.0))
    recorder.record(Alert(train_step=1, alert="loss_spike", evidence="loss 8.31", change="wait"))
    recorder.record(SampleAnswer(train_step=1, id="a", output=TEXTS["output"]))
    recorder.finish(RunStatus.FAILED, message=f"The hub refused {SECRETS['hf']} (Bearer {SECRETS['bearer']}).")
    recorder.close()
    write_evaluation(folder, "tuned", {"rows": 1, "exact_match": 1.0})
    rt.registry.recover()
    return folder


def read(pieces: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(pieces)) as bundle:
        assert bundle.testzip() is None
        return {name.partition("/")[2]: bundle.read(name).decode() for name in bundle.namelist()}


def bundle(settings: Settings, environ: Mapping[str, str] = ENVIRON) -> dict[str, str]:
    return read(b"".join(diagnostics(settings, environ)))


def test_no_secret_and_no_text_of_traces_or_models_is_in_it(rt: Pipeline, run: RunDir) -> None:
    home = rt.settings.home
    (home / "token").write_text(SECRETS["token"], encoding="ascii")
    rt.settings.server_log.parent.mkdir()
    rt.settings.server_log.write_text(f"the server began\n{LEAKS}\n", encoding="utf-8")
    settings = Settings.from_env({**ENVIRON, "TUNIXRT_HOME": str(home)})
    pieces = b"".join(diagnostics(settings, ENVIRON))
    files = read(pieces)
    everything = "\n".join([*files, *files.values()])
    planted = {**SECRETS, **TEXTS, "in a url": PASSWORD_IN_A_URL, "its half": "w0rd-of-the-database"}
    assert [name for name, secret in planted.items() if secret in everything] == []
    assert not any(secret.encode() in pieces for secret in planted.values())
    # the files that held them are there, with what was around them
    assert "the server began" in files["server.log"]
    assert "first line of the log" in files["runs/r-0001/train.log"]
    assert "The hub refused (removed)" in files["runs/r-0001/state.json"]
    assert "system: (removed), 44 characters" in files["runs/r-0001/manifest.yaml"]


def test_it_tells_what_helps(rt: Pipeline, run: RunDir) -> None:
    rt.home.check_store()
    files = bundle(rt.settings)
    assert json.loads(files["versions.json"])["packages"]["SQLAlchemy"]
    assert json.loads(files["environment.json"]) == {
        "JAX_PLATFORMS": "cpu",
        "TUNIXRT_DATABASE_URL": "postgresql://(removed)@nowhere.invalid:1/rt",
        "TUNIXRT_TOKEN": "(removed)",
        "XLA_FLAGS": "--xla_dump_to=/tmp/x",
    }
    assert json.loads(files["settings.json"])["token"] == "not set"
    assert "Database: sqlite, 21 traces" in files["doctor.txt"]
    assert json.loads(files["database.json"])["problems"] == []
    assert json.loads(files["disk.json"])["bytes"]["runs"] > 0
    assert json.loads(files["queue.json"]) == {"holder": None, "waiting": []}
    assert json.loads(files["runs/r-0001/alerts.jsonl"])["alert"] == "loss_spike"
    assert json.loads(files["runs/r-0001/state.json"])["alerts"] == {"loss_spike": 1}
    assert "learning_rate" in files["runs/r-0001/manifest.yaml"]
    assert "last 200 log lines" in files["README.txt"]


def test_it_works_where_the_database_cannot_be_opened(rt: Pipeline, run: RunDir) -> None:
    rt.close()
    (rt.settings.home / "tunixrt.db").write_bytes(b"this is not a database" * 500)
    files = bundle(rt.settings)
    assert "bad  Database: " in files["doctor.txt"]
    assert "runs/r-0001/state.json" in files


def test_an_empty_home_has_one_too(tmp_path: Path) -> None:
    files = bundle(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "new")}), {})
    assert files["server.log"] == ""
    assert "never" in json.loads(files["database.json"])["checked"]


def test_only_the_end_of_a_log_and_the_newest_runs_are_in_it(rt: Pipeline) -> None:
    for number in range(7):
        folder = RunDir(rt.settings.runs_dir / f"r-{number:04d}")
        folder.create()
        write_json(folder.state_file, {"status": "succeeded"})
        folder.log_file.write_text("".join(f"line {n}\n" for n in range(1_000)), encoding="utf-8")
    files = bundle(rt.settings)
    assert sorted(name for name in files if name.endswith("train.log")) == [
        f"runs/r-{number:04d}/train.log" for number in range(2, 7)
    ]
    assert len(files["runs/r-0006/train.log"].splitlines()) == RUN_LOG_LINES


def test_it_comes_piece_by_piece(rt: Pipeline, run: RunDir) -> None:
    pieces = list(diagnostics(rt.settings, ENVIRON))
    assert len(pieces) > 10
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 2


def test_its_name_says_when_it_was_made() -> None:
    assert file_name(datetime(2026, 11, 21, 16, 40, tzinfo=UTC)) == "tunixrt-diagnostics-20261121T164000Z.zip"
