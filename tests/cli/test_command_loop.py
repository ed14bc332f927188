"""The whole loop through the command alone: train, be killed, resume, evaluate, export, on another machine too."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from tests.helpers.command import COMPILES_QUICKLY, tunixrt, tunixrt_process
from tests.helpers.machines import forked
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import ChangeMetric, TrainMetric
from tunixrt_core.runs.record import RunStatus

pytestmark = pytest.mark.tunix


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loop") / "home"
    assert tunixrt("ingest", "--examples", home=path).returncode == 0
    assert tunixrt("dataset", "build", "mine", home=path).returncode == 0
    return path


def write_manifest(home: Path, path: Path, **values: object) -> None:
    """No prompts are answered during training, unless `values` say so: the sampler takes longest to compile."""
    values = {"sample_prompts": 0, **values}
    settings = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    model = ("--model", "tiny-micro", "--output-dir", path.parent / "run", "-o", path)
    done = tunixrt("manifest", "--dataset", "mine", *model, *settings, home=home)
    assert done.returncode == 0, done.stderr


def reaches(process: ForkServerProcess, folder: RunDir, train_step: int) -> None:
    """Wait until the run of this process has trained so far."""
    deadline = time.monotonic() + 240
    while not any(r.kind == "train" and r.train_step >= train_step for r in folder.metrics()[0]):
        assert process.exitcode is None, folder.log_tail()
        assert time.monotonic() < deadline, f"the run does not get to train step {train_step}"
        time.sleep(0.02)


def test_a_killed_run_is_interrupted_keeps_its_curve_and_resumes_without_a_gap(home: Path, tmp_path: Path) -> None:
    manifest, folder = tmp_path / "m.yaml", RunDir(tmp_path / "run")
    write_manifest(home, manifest, train_steps=60, checkpoint_every=10, eval_every=30, batch_size=8, sample_prompts=4)
    process = forked.start(forked.tunixrt_train, manifest, log=tmp_path / "log", TUNIXRT_HOME=str(home))
    reaches(process, folder, 15)
    process.kill()
    assert forked.end(process, within=10) == -signal.SIGKILL

    reached = max(r.train_step for r in folder.metrics()[0])
    assert folder.state().status is RunStatus.INTERRUPTED
    assert folder.result() is None
    refused = tunixrt("train", manifest, home=home)
    assert (refused.returncode, "--resume" in refused.stderr) == (1, True)

    resumed = tunixrt("train", manifest, "--resume", home=home)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.startswith("Continues after train step 10 of 60.\n")
    for shown_before in ("train step 0: compiled", "train step 10: checkpoint saved"):
        assert shown_before not in resumed.stderr
    assert "after train step" in folder.log_tail()
    steps = [r.train_step for r in folder.metrics()[0] if r.kind == "train"]
    assert steps == list(range(1, 61)), f"killed at {reached}"
    result = folder.result()
    assert result is not None
    assert result["status"] == "succeeded"

    evaluated = tunixrt("evaluate", folder.path, "--limit", 8, home=home)
    assert evaluated.returncode == 0, evaluated.stderr
    assert "McNemar" in evaluated.stdout
    assert "Over the base in its own prompt:" in evaluated.stdout
    assert len(list(folder.evals.glob("tuned-*/summary.json"))) == 1
    again = json.loads(tunixrt("evaluate", folder.path, "--limit", 8, "--json", home=home).stdout)
    asked = [(each["target"], each["prompt"]) for each in again["evaluations"]]
    assert asked == [("base", "run"), ("tuned", "run"), ("base", "own")]
    assert (again["complete"], again["comparison"]["rows"], again["comparison"]["own_gain"]["rows"]) == (True, 8, 8)
    alone = json.loads(tunixrt("evaluate", folder.path, "--limit", 8, "--no-own-prompt", "--json", home=home).stdout)
    assert (len(alone["evaluations"]), alone["comparison"]["own_gain"]) == (2, None)

    exported = tunixrt("export-model", folder.path, "--no-check-with-transformers", home=home)
    assert exported.returncode == 0, exported.stderr
    assert "Checked by tunix on 8 prompts" in exported.stdout
    assert "agrees in 100.0%" in exported.stdout
    assert "Not checked by transformers: not requested." in exported.stdout
    model = folder.path / "export" / "model"
    card = (model / "README.md").read_text()
    assert "| Train steps | 60, 8 rows each |" in card
    assert "| tuned | 8 |" in card
    assert str(folder.path) not in card + (model / "export.json").read_text()
    repeated = tunixrt("export-model", folder.path, home=home)
    assert (repeated.returncode, "already exists" in repeated.stderr) == (1, True)


def test_an_extension_says_what_the_learning_rate_does_and_follows_the_choice(home: Path, tmp_path: Path) -> None:
    manifest, folder = tmp_path / "m.yaml", RunDir(tmp_path / "run")
    write_manifest(home, manifest, train_steps=3, batch_size=4, schedule="cosine", warmup_share=0)
    assert tunixrt("train", manifest, home=home).returncode == 0
    resume = ("runs", "resume", folder.path, "--train-steps", 6)
    assert tunixrt(*resume, "--schedule", "kept", home=home).returncode != 0
    kept = tunixrt(*resume, "--schedule", "keep", home=home)
    assert kept.returncode == 0, kept.stderr
    said = " ".join(kept.stderr.split())
    assert "in train step 3 and" in said
    assert "Other choices: stretch:" in said
    rates = [record.learning_rate for record in folder.metrics()[0] if isinstance(record, TrainMetric)]
    assert (len(rates), rates[3:]) == (6, [rates[2]] * 3)
    (change,) = (record for record in folder.metrics()[0] if isinstance(record, ChangeMetric))
    assert "schedule.extensions" in change.changes


def test_a_resume_that_the_trainer_refuses_leaves_the_finished_run_as_it_was(home: Path, tmp_path: Path) -> None:
    manifest, folder = tmp_path / "m.yaml", RunDir(tmp_path / "run")
    write_manifest(home, manifest, train_steps=2, batch_size=4)
    assert tunixrt("train", manifest, home=home).returncode == 0
    kept = ("manifest.yaml", "result.json", "preflight.json", "metrics.jsonl", "best.json", "base.json")
    before = {name: (folder.path / name).read_bytes() for name in kept}
    state = folder.state()
    changed = tmp_path / "changed.yaml"
    write_manifest(home, changed, train_steps=6, batch_size=2)
    refused = tunixrt("train", changed, "--resume", home=home)
    assert refused.returncode == 1
    assert "the run is as it was (succeeded): The run cannot resume: seed, batch or max_seq_length" in refused.stderr
    assert {name: (folder.path / name).read_bytes() for name in kept} == before
    assert folder.state() == replace(state, refused=folder.state().refused, attempt=state.attempt + 1)
    shown = tunixrt("runs", "show", folder.path, home=home)
    assert "changed nothing: The run cannot resume" in " ".join(shown.stdout.split())
    assert tunixrt("evaluate", folder.path, "--limit", 2, home=home).returncode == 0


def test_manifest_and_jsonl_are_enough_on_another_machine(home: Path, tmp_path: Path) -> None:
    export = tmp_path / "elsewhere" / "mine.jsonl"
    export.parent.mkdir()
    assert tunixrt("export", "mine", "-o", export, home=home).returncode == 0
    made = tunixrt(
        *("manifest", "--data", export, "--model", "tiny-micro", "--output-dir", tmp_path / "elsewhere" / "run"),
        *("--set", "train_steps=2", "--set", "sample_prompts=0", "-o", export.with_name("m.yaml")),
        home=home,
    )
    assert made.returncode == 0, made.stderr
    moved = tmp_path / "there"
    export.parent.rename(moved)
    other_home = tmp_path / "other-home"
    train = ("train", moved / "m.yaml", "--output-dir", moved / "run")
    done = tunixrt_process(*train, home=other_home, **COMPILES_QUICKLY)
    assert done.returncode == 0, done.stderr
    assert RunDir(moved / "run").state().status is RunStatus.SUCCEEDED
    assert not (other_home / "tunixrt.db").exists()


def test_a_model_that_is_not_there_ends_the_run_with_a_sentence(home: Path, tmp_path: Path) -> None:
    write_manifest(home, tmp_path / "m.yaml", train_steps=2)
    text = (tmp_path / "m.yaml").read_text().replace("id: tiny-micro", "id: org/not-here")
    (tmp_path / "m.yaml").write_text(text)
    done = tunixrt("train", tmp_path / "m.yaml", home=home)
    assert done.returncode == 1
    assert "org/not-here is not on this machine" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_directory_that_cannot_be_written_is_named(home: Path, tmp_path: Path) -> None:
    write_manifest(home, tmp_path / "m.yaml", train_steps=2)
    (tmp_path / "file").touch()
    done = tunixrt("train", tmp_path / "m.yaml", "--output-dir", tmp_path / "file" / "run", home=home)
    assert (done.returncode, "cannot be written" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr


def test_sigterm_keeps_a_checkpoint_says_so_and_has_an_exit_code_of_its_own(home: Path, tmp_path: Path) -> None:
    manifest, folder = tmp_path / "m.yaml", RunDir(tmp_path / "run")
    write_manifest(home, manifest, train_steps=100_000, checkpoint_every=100_000, batch_size=8)
    process = forked.start(forked.tunixrt_train, manifest, log=tmp_path / "log", TUNIXRT_HOME=str(home))
    reaches(process, folder, 1)
    busy = tunixrt("evaluate", folder.path, home=home)
    assert (busy.returncode, f"held by process {process.pid}, which trains run" in busy.stderr) == (75, True)
    assert tunixrt("runs", "save", folder.path, home=home).returncode == 0
    deadline = time.monotonic() + 60
    while not any(r.kind == "checkpoint" and r.reason == "asked" for r in folder.metrics()[0]):
        assert time.monotonic() < deadline, "the requested checkpoint is not saved"
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGTERM)
    assert forked.end(process, within=60) == 143
    printed = (tmp_path / "log").read_text()
    state = folder.state()
    assert (state.status, state.message) == (
        RunStatus.STOPPED,
        "Stopped by SIGTERM; resume continues from the checkpoint.",
    )
    assert f"stopped at train step {state.train_step:,} of 100,000" in printed
    assert "Train loss" in printed
    assert (folder.checkpoints / str(state.train_step)).is_dir()

    longer = tunixrt("runs", "resume", folder.path, "--train-steps", state.train_step + 2, home=home)
    assert longer.returncode == 0, longer.stderr
    done = folder.state()
    assert (done.status, done.train_step) == (RunStatus.SUCCEEDED, state.train_step + 2)
    assert f"train_steps: {done.train_step}" in folder.manifest_file.read_text()
