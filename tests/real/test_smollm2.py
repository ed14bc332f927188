"""A small model that people use goes the whole way, from the preflight to the export, with nothing made for it."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.tunix_backend.conftest import make_manifest, write_rows
from tests.tunix_backend.helpers.exports import export
from tunixrt_core.evaluation.execution import execute_evaluation
from tunixrt_core.evaluation.planning import plan_evaluation
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.comparison import compare
from tunixrt_core.evaluation.sets.eval_set import EvalRow
from tunixrt_core.evaluation.sets.own_prompt import INSTRUCTION, own_prompts
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.evaluation_record import PromptForm
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.training.execution import execute_training
from tunixrt_core.training.model_export import ExportLayout
from tunixrt_core.tunix_backend.backend import TunixBackend

pytestmark = [pytest.mark.tunix, pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(3600)]

HERE = Path(__file__).parent
# rows of GSM8K's own train file take the place of those beside this file
GSM8K_VARIABLE = "TEST_GSM8K"
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"  # of the model's own template
EVAL_ROWS = 6
TRAIN_STEPS = 10


@dataclass(frozen=True)
class Trained:
    """A run that has ended, the losses of its eval rows by train step, and what it found before."""

    manifest: RunManifest
    folder: RunDir
    backend: TunixBackend
    losses: dict[int, float]
    findings: dict[str, str]

    def answers(self, target: Any, prompt: PromptForm = "run") -> tuple[list[Prediction], dict[str, Any]]:
        """Greedy answers to easy questions, and their scores."""
        request = EvalRequest(eval_file=HERE / "easy_questions.jsonl", max_new_tokens=48)
        plan = plan_evaluation(self.manifest, self.folder, target, request, prompt=prompt)
        summary = execute_evaluation(plan, self.backend)
        return plan.folder.predictions(), summary


def word_problems() -> list[str]:
    """24 rows in the form of GSM8K."""
    given = os.environ.get(GSM8K_VARIABLE)
    lines = Path(given or HERE / "word_problems.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if len(line) < 400][:24]


@pytest.fixture(scope="module")
def trained(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("smollm2")
    source = folder / "problems.jsonl"
    source.write_text("\n".join(word_problems()), encoding="utf-8")
    traces = list(read_traces(source, name=source.name))
    rows = write_rows(folder / "rows.jsonl", traces[:-EVAL_ROWS], traces[-EVAL_ROWS:])
    manifest = make_manifest(
        folder,
        model=str(smollm2),
        rows=rows,
        method="lora",
        reasoning="plain",
        system=SYSTEM,
        remat="decoder",
        learning_rate=5e-4,
        train_steps=TRAIN_STEPS,
        eval_every=TRAIN_STEPS,
        checkpoint_every=TRAIN_STEPS,
        batch_size=4,
        packing=False,
        max_seq_length=160,
    )
    run, backend = RunDir(Path(manifest.output_dir)), TunixBackend(folder / "models")
    run.create()
    run.write_manifest(manifest.to_yaml())
    state = execute_training(manifest, run, backend, stop=threading.Event())
    assert state.status is RunStatus.SUCCEEDED, state.message
    records = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    losses = {each["train_step"]: each["loss"] for each in records if each["kind"] == "eval"}
    found = json.loads((run.path / "preflight.json").read_text())["findings"]
    return Trained(manifest, run, backend, losses, {each["code"]: each["message"] for each in found})


def test_its_chat_format_is_recognised_and_the_preflight_finds_nothing(trained: Trained) -> None:
    """Its beginning-of-sequence token is that of every turn, and padding is the end of a turn."""
    assert trained.manifest.rendering.chat is ChatFormat.CHATML
    assert trained.findings.keys() <= {"memory"}, trained.findings


def test_it_knows_the_text_before_it_is_trained_and_better_after(trained: Trained) -> None:
    """A tensor in the wrong place or order costs several nats; a guess among 49,152 tokens is 10.8."""
    assert 0.9 < trained.losses[0] < 2.2
    assert trained.losses[TRAIN_STEPS] < trained.losses[0] - 0.1


def test_the_base_answers_in_english_and_is_right_more_often_than_in_format(trained: Trained) -> None:
    answers, summary = trained.answers("base")
    words = {word.strip(".,!?:").casefold() for each in answers for word in each.output.split()}
    assert len(words & {"the", "is", "to", "of", "and", "we", "how", "answer", "are", "in"}) >= 4
    assert summary["flexible_match"] > summary["exact_match"]


def test_the_base_in_its_own_prompt_divides_the_gain(trained: Trained) -> None:
    """Its own template is written as it is, without the format of the run, and the parts of the gain add up."""
    asked = own_prompts(trained.backend, trained.manifest, [EvalRow("r", "What is 2 + 3?", "5")])
    assert not asked.plain
    assert asked.texts == [
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"
        f"<|im_start|>user\nWhat is 2 + 3?\n\n{INSTRUCTION}<|im_end|>\n<|im_start|>assistant\n"
    ]
    (base, in_format), (own, in_any_form), (tuned, _) = (
        trained.answers("base"),
        trained.answers("base", "own"),
        trained.answers("tuned"),
    )
    assert in_any_form["flexible_match"] > in_format["exact_match"]
    found = compare(base, tuned, own=own)
    assert found.own_gain is not None
    assert found.format_gain is not None
    parts = found.own_gain.gain.value + found.own_gain.prompt + found.format_gain.format
    assert parts == pytest.approx(found.format_gain.strict.value)


def test_the_tuned_model_has_learned_the_format(trained: Trained) -> None:
    base, tuned = (trained.answers(target)[1] for target in ("base", "tuned"))
    assert tuned["format_valid"] > base["format_valid"]


@pytest.mark.parametrize("layout", list(ExportLayout))
def test_an_export_says_what_the_tuned_model_says(trained: Trained, tmp_path: Path, layout: ExportLayout) -> None:
    report = export(trained.manifest, tmp_path / "models", tmp_path / "out", layout=layout)
    assert report.train_step == TRAIN_STEPS
    assert report.checks[0].agreement > 0.95


def test_transformers_reads_the_export_with_the_same_logits(trained: Trained, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra `reference` is not installed")
    report = export(trained.manifest, tmp_path / "models", tmp_path / "out", transformers=True)
    assert {check.by for check in report.checks} == {"tunix", "transformers"}
    assert all(check.agreement > 0.95 for check in report.checks)
