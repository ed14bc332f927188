"""The README of an exported model holds what the run knows, and nothing of the machine that it ran on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.makers import write_evaluation
from tunixrt_core.evaluation.reports.model_card import model_card
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.rows import to_row
from tunixrt_core.training.model_export import ExportCheck, ExportLayout, ExportReport


@pytest.fixture
def manifest(tmp_path: Path) -> RunManifest:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(to_row(trace, "train")) + "\n" for trace in example_traces(4)))
    return RunManifest.from_dict(build_sft_manifest(rows, "tiny", tmp_path / "run", {"method": "lora", "lora_rank": 4}))


@pytest.fixture
def folder(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    return run


def report(tmp_path: Path, layout: ExportLayout = ExportLayout.MERGED) -> ExportReport:
    checks = (ExportCheck("tunix", 2.5e-6, 1e-4, 1.0),)
    unchecked = {"transformers": "torch not installed"}
    return ExportReport(tmp_path / "model", layout, 20, "float32", 1, 4096, 8, 311, checks, unchecked)


def test_a_card_of_a_run_without_anything_says_so(manifest: RunManifest, folder: RunDir, tmp_path: Path) -> None:
    card = model_card(manifest, folder, report(tmp_path))
    assert "This run was not evaluated." in card
    assert f"`{manifest.data.sha256}`" in card
    assert "LoRA, rank 4, alpha 32, merged" in card
    assert "| tunix | 2.5e-06 | 0.0001 | 100.0% |" in card
    assert "| transformers | not checked: torch not installed | | |" in card
    assert f"| Manifest | `{manifest.content_hash}` |" in card
    assert "loss" not in card
    assert str(tmp_path) not in card


def test_losses_are_those_of_the_checkpoint_and_evaluations_come_with_their_interval(
    manifest: RunManifest, folder: RunDir, tmp_path: Path
) -> None:
    records = [
        {"kind": "train", "train_step": 20, "loss": 1.5},
        {"kind": "train", "train_step": 21, "loss": 0.5},
        {"kind": "eval", "train_step": 10, "loss": 2.0},
        {"kind": "change", "train_step": 12, "changes": {"optimizer.b1": [0.9, 0.8], "tokenizer.path": [None, "/a/b"]}},
        {"kind": "change", "train_step": 21, "changes": {"seed": [0, 1]}},
    ]
    folder.metrics_file.write_text("".join(json.dumps(record) + "\n" for record in records))
    summary = {"rows": 8, "exact_match": 0.75, "exact_match_low": 0.4, "exact_match_high": 0.93}
    write_evaluation(folder, "tuned", summary)
    card = model_card(manifest, folder, report(tmp_path))
    assert "| Train loss | 1.5000 |" in card
    assert "| Eval loss | 2.0000 |" in card
    assert "| Changed after train step 12 | optimizer.b1 0.9 to 0.8, tokenizer.path None to b |" in card
    assert "seed" not in card  # it came after the checkpoint
    assert "| tuned | 8 | 0.750 (0.400 to 0.930) |" in card


def test_a_base_in_its_own_prompt_is_a_row_that_was_not_asked_for_the_format(
    manifest: RunManifest, folder: RunDir, tmp_path: Path
) -> None:
    scores = {"exact_match_low": 0.0, "exact_match_high": 0.4}
    write_evaluation(folder, "base", {"rows": 8, "exact_match": 0.0, "flexible_match": 0.125, **scores})
    write_evaluation(folder, "base", {"rows": 8, "exact_match": 0.0, "flexible_match": 0.5, **scores}, prompt="own")
    write_evaluation(folder, "tuned", {"rows": 8, "exact_match": 0.75, "flexible_match": 0.75, **scores})
    lines = model_card(manifest, folder, report(tmp_path)).splitlines()
    rows = [line for line in lines if line.startswith(("| base |", "| base, own prompt |", "| tuned |"))]
    assert rows == [
        "| base | 8 | 0.000 (0.000 to 0.400) | 0.125 |",
        "| base, own prompt | 8 | not asked for | 0.500 |",
        "| tuned | 8 | 0.750 (0.000 to 0.400) | 0.750 |",
    ]


@pytest.mark.parametrize(
    ("reference", "shown", "on_the_hub"),
    [
        ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("Qwen/Qwen3-0.6B@main", "Qwen/Qwen3-0.6B@main", "Qwen/Qwen3-0.6B"),
        ("/home/me/models/mine", "mine", None),
        ("./mine", "mine", None),
        ("tiny", "tiny", None),
    ],
)
def test_a_base_model_in_a_directory_is_named_without_its_path(
    manifest: RunManifest, folder: RunDir, tmp_path: Path, reference: str, shown: str, on_the_hub: str | None
) -> None:
    model = manifest.model.model_copy(update={"id": reference})
    card = model_card(manifest.model_copy(update={"model": model}), folder, report(tmp_path))
    assert f"| Base model | `{shown}` |" in card
    assert (f"base_model: {on_the_hub}\n" in card) is (on_the_hub is not None)


def test_a_card_names_dataset_and_system_prompt_in_one_line_each(
    manifest: RunManifest, folder: RunDir, tmp_path: Path
) -> None:
    data = manifest.to_dict() | {"dataset": {"name": "mine", "version": 2, "content_hash": "c" * 64}}
    data["rendering"]["system"] = "Think |\nfirst."
    data["name"] = "two\nlines"
    card = model_card(RunManifest.from_dict(data), folder, report(tmp_path))
    assert f"| Dataset | mine v2, `{'c' * 64}` |" in card
    assert "| System prompt | Think \\| first. |" in card
    assert "\n# two lines\n" in card


def test_the_card_of_a_lora_alone_is_one_of_peft(manifest: RunManifest, folder: RunDir, tmp_path: Path) -> None:
    card = model_card(manifest, folder, report(tmp_path, ExportLayout.PEFT))
    assert "library_name: peft\n" in card
    assert "LoRA, rank 4, alpha 32, alone, in PEFT layout" in card
