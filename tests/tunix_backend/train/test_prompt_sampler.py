"""Fixed prompts are answered at each evaluation with the weights of then, and the training is none the wiser."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import LONG
from tests.tunix_backend.conftest import KeptReports, make_manifest, train, write_rows
from tests.tunix_backend.helpers.families import write_checkpoint
from tunixrt_core.evaluation.answering import prompt_of
from tunixrt_core.evaluation.sets.eval_set import eval_rows
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import SampleAnswer, SamplesMetric
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.trace import Trace
from tunixrt_core.training.recording.recorder import RunRecorder
from tunixrt_core.training.trainer import TrainControls

if TYPE_CHECKING:
    from tunixrt_core.tunix_backend.train.prompt_sampler import PromptSampler

pytestmark = pytest.mark.tunix

MEASURED = ("loss", "grad_norm", "parts")


def asking(folder: Path, prompts: int, **hyper: Any) -> RunManifest:
    return make_manifest(folder, sample_prompts=prompts, sample_tokens=24, **hyper)


def losses(reports: KeptReports) -> list[tuple[Any, ...]]:
    records = [r for r in reports.records if r.kind in ("train", "eval")]
    return [(r.kind, r.train_step, *(getattr(r, key, None) for key in MEASURED)) for r in records]


def samples(reports: KeptReports) -> dict[int, SamplesMetric]:
    return {r.train_step: r for r in reports.records if isinstance(r, SamplesMetric)}


def answers(reports: KeptReports, train_step: int) -> list[SampleAnswer]:
    return [answer for answer in reports.answers if answer.train_step == train_step]


@pytest.mark.parametrize(
    "hyper",
    [
        pytest.param({"method": "full"}, marks=LONG, id="full"),
        pytest.param({"method": "lora", "lora_rank": 4, "gradient_accumulation": 2}, id="lora"),
    ],
)
def test_answering_changes_no_bit_of_the_training_and_compiles_no_train_step_again(
    tmp_path: Path, models_dir: Path, hyper: dict[str, Any]
) -> None:
    without, asked = KeptReports(), KeptReports()
    train(asking(tmp_path / "without", 0, **hyper), models_dir, without)
    train(asking(tmp_path / "asked", 4, **hyper), models_dir, asked)
    assert losses(asked) == losses(without)
    assert not samples(without)
    assert list(samples(asked)) == [0, 4, 8]
    assert [record.compiles for record in samples(asked).values()] == [1, 1, 1]
    assert len([r for r in asked.records if r.kind == "compile"]) == 1
    assert {"answering", "evaluating", "training"} <= set(asked.phases)


def test_the_time_of_answering_does_not_count_as_training(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunixrt_core.tunix_backend.train.prompt_sampler import PromptSampler

    answer = PromptSampler.run

    def slow(self: Any, train_step: int, stop: threading.Event) -> Any:
        time.sleep(1.5)
        return answer(self, train_step, stop)

    monkeypatch.setattr(PromptSampler, "run", slow)
    reports = KeptReports()
    train(asking(tmp_path, 4), models_dir, reports)
    assert all(record.seconds > 1.5 for record in samples(reports).values())
    steps = reports.of("train", "step_seconds")
    assert max(steps[step] for step in (4, 5, 8)) < 1.5


def test_the_answers_are_those_of_the_weights_of_then(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.generate.completions import TunixGenerator

    cadence = {"eval_every": 30, "checkpoint_every": 30, "keep_checkpoints": 10}
    manifest = asking(tmp_path, 3, method="full", learning_rate=0.02, train_steps=60, **cadence)
    reports = KeptReports()
    train(manifest, models_dir, reports)
    folder = RunDir(tmp_path / "run")
    prompts = [prompt_of(manifest, row) for row in eval_rows(manifest, 3)]
    seen = set()
    for step, where in ((0, None), (30, folder.checkpoint("30")), (60, folder.checkpoints)):
        told = TunixGenerator.load(manifest, where, models_dir=models_dir).generate(prompts, max_new_tokens=24)
        assert [answer.output for answer in answers(reports, step)] == [told[i].text for i in range(3)]
        seen.add(told[0].text)
    assert len(seen) == 3


def test_a_record_counts_what_its_answers_say(tmp_path: Path, models_dir: Path) -> None:
    traces = list(example_traces(5))
    rows = write_rows(tmp_path / "rows.jsonl", traces[:4], traces[:4])  # asks what it was trained on
    hyper: dict[str, Any] = {"batch_size": 4, "learning_rate": 0.02, "eval_every": 250, "checkpoint_every": 1000}
    manifest = make_manifest(
        tmp_path, rows=rows, train_steps=250, sample_prompts=4, sample_tokens=64, method="full", **hyper
    )
    reports = KeptReports()
    train(manifest, models_dir, reports)
    before, after = samples(reports)[0], samples(reports)[250]
    assert (before.exact_match, before.hit_limit, before.mean_tokens) == (0.0, 1.0, 64.0)
    assert (after.exact_match, after.flexible_match, after.format_valid) == (1.0, 1.0, 1.0)
    assert (after.hit_limit, after.rows) == (0.0, 4)
    assert after.mean_tokens == sum(answer.tokens for answer in answers(reports, 250)) / 4
    assert before.repetition >= 0
    first = answers(reports, 250)[0]
    assert (first.train_step, first.id, first.prompt) == (250, traces[0].content_hash, traces[0].prompt)
    assert first.answer == first.reference == traces[0].final_answer
    assert first.scores.keys() == {"exact_match", "flexible_match", "format_valid", "repetition"}


@LONG  # test_resume.py asks the same of a run that is killed
def test_a_resumed_run_has_the_answers_of_one_that_was_not_stopped(tmp_path: Path, models_dir: Path) -> None:
    def run(manifest: RunManifest, stop_at: int | None = None) -> RunDir:
        folder, controls = RunDir(Path(manifest.output_dir)), TrainControls()
        folder.create()
        recorder = RunRecorder(folder)
        reports = KeptReports(on_train_step=lambda step: controls.stop.set() if step == stop_at else None)
        both = _Both(recorder, reports)
        from tunixrt_core.tunix_backend.train.sft import TunixTrainer

        TunixTrainer(models_dir).train(manifest, folder.path, observer=both, controls=controls)
        recorder.close()
        return folder

    whole = run(asking(tmp_path / "whole", 2, train_steps=10))
    stopped = asking(tmp_path / "stopped", 2, train_steps=10)
    for stop_at in (3, 4, None):
        folder = run(stopped, stop_at)
    assert folder.samples()[0] == whole.samples()[0]
    assert [(r.train_step, r.id) for r in folder.samples()[0]] == [
        (step, row.id) for step in (0, 4, 8, 10) for row in eval_rows(stopped, 2)
    ]
    counted = [[r.train_step for r in f.metrics()[0] if r.kind == "samples"] for f in (whole, folder)]
    assert counted == [[0, 4, 8, 10]] * 2


class _Both:
    """Tells the recorder and keeps what a test wants to act on."""

    def __init__(self, recorder: RunRecorder, reports: KeptReports) -> None:
        self._all = (recorder, reports)

    def __getattr__(self, name: str) -> Any:
        def tell(given: Any) -> None:
            for each in self._all:
                getattr(each, name)(given)

        return tell


def sampler_of(manifest: RunManifest, models_dir: Path, told: list[str]) -> PromptSampler | None:
    from tunixrt_core.tunix_backend.data.rows import load_tokenizer
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh
    from tunixrt_core.tunix_backend.train.prompt_sampler import make_sampler

    mesh = make_mesh(manifest.mesh, 8)
    with mesh:
        loaded = load_model(manifest, models_dir, mesh)
    return make_sampler(manifest, loaded, load_tokenizer(manifest, models_dir), log=told.append)


def test_a_stop_while_it_answers_leaves_no_record_behind(tmp_path: Path, models_dir: Path) -> None:
    sampler = sampler_of(asking(tmp_path, 4), models_dir, [])
    assert sampler is not None
    stop = threading.Event()
    stop.set()
    assert sampler.run(0, stop) is None


def test_what_cannot_be_answered_is_said(tmp_path: Path, models_dir: Path) -> None:
    write_checkpoint(tmp_path / "model", "gemma2", sliding_window=16)
    told: list[str] = []
    assert sampler_of(asking(tmp_path, 4, model=str(tmp_path / "model"), chat="chatml"), models_dir, told) is None
    assert sampler_of(asking(tmp_path, 4, chat="gemma"), models_dir, told) is None
    assert sampler_of(asking(tmp_path, 4, max_seq_length=8), models_dir, told) is None
    assert [line.partition(":")[0] for line in told] == ["No prompts are answered during training"] * 3
    assert "window of 16" in told[0]
    assert "<end_of_turn>" in told[1]
    assert "longer than max_seq_length" in told[2]


def test_prompts_longer_than_a_row_may_be_are_not_asked(tmp_path: Path, models_dir: Path) -> None:
    traces = [*example_traces(12), Trace("7 " * 300, (), "1")]
    rows = write_rows(tmp_path / "rows.jsonl", traces[:8], [traces[-1], *traces[8:12]])
    reports = KeptReports()
    train(asking(tmp_path, 4, rows=rows, max_seq_length=192, train_steps=1), models_dir, reports)
    assert samples(reports)[0].rows == 3
