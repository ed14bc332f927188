"""What a run was trained on is found in an eval set: the same prompts, and long stretches of them with their places."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.conversations import talk
from tunixrt_core.evaluation.sets.eval_set import EvalRow, EvalSet
from tunixrt_core.evaluation.sets.file import file_set
from tunixrt_core.evaluation.sets.leaks import MOST_OWNERS, Leaks, find_leaks
from tunixrt_core.evaluation.sets.setup import EvalSetRef
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest
from tunixrt_core.traces.conversation import Conversation, Message
from tunixrt_core.traces.rows import Split, to_row
from tunixrt_core.traces.trace import Step, Trace

SAMPLE = REPOSITORY / "../shared/data/gsm8k_train.jsonl"
FARM = "A farmer keeps forty two sheep in a barn with seven doors and twelve windows; how many legs are there?"


def trace(prompt: str, *steps: str) -> Trace:
    return Trace(prompt, tuple(Step(i, text) for i, text in enumerate(steps or ("so",))), "1")


def manifest_of(tmp_path: Path, rows: list[tuple[Trace, Split]]) -> RunManifest:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"".join(orjson.dumps(to_row(one, split)) + b"\n" for one, split in rows))
    return RunManifest.from_dict(build_sft_manifest(path, "tiny", tmp_path / "run", {"train_steps": 1}))


def asking(*prompts: str) -> EvalSet:
    rows = [EvalRow(f"r{i}", prompt, "1") for i, prompt in enumerate(prompts)]
    return EvalSet(EvalSetRef("file", "f", "ab" * 32, len(rows)), rows)


def test_the_same_prompt_is_found_however_it_is_written(tmp_path: Path) -> None:
    rows: list[tuple[Trace, Split]] = [(trace("one PLUS  one?", f"step {i}"), "train") for i in range(2)]
    found = find_leaks(asking("One plus one?", "two?"), manifest_of(tmp_path, [*rows, (trace("two?"), "eval")]))
    (leak,) = found.findings
    assert (leak.row_id, leak.kind, leak.trace, leak.train_rows) == ("r0", "exact", rows[0][0].content_hash, 2)
    assert (found.exact, found.overlap, found.train_rows, found.share) == (1, 0, 2, 0.5)


def test_a_stretch_of_a_message_before_the_prompt_is_found(tmp_path: Path) -> None:
    messages = (Message("user", f"First: {FARM}"), Message("assistant", "Many."))
    row = EvalRow("r0", "And more?", "1", conversation=Conversation(messages))
    asked = EvalSet(EvalSetRef("file", "f", "ab" * 32, 1), [row])
    (leak,) = find_leaks(asked, manifest_of(tmp_path, [(trace(f"Recall. {FARM}"), "train")])).findings
    assert (leak.kind, leak.prompt_field, leak.field) == ("overlap", "messages[0].content", "prompt")
    assert messages[0].content[leak.prompt_start : leak.prompt_end] == FARM.removesuffix("?")


def test_a_stretch_is_found_with_its_place_on_both_sides(tmp_path: Path) -> None:
    planted = trace("other", "first", f"Recall: {FARM.upper()} Good.")
    nearer = trace(f"Hello. {FARM.removesuffix(' how many legs are there?')}")
    found = find_leaks(asking(f"Well: {FARM}"), manifest_of(tmp_path, [(nearer, "train"), (planted, "train")]))
    (leak,) = found.findings
    assert (leak.kind, leak.trace, leak.field, leak.words, leak.train_rows) == (
        "overlap",
        planted.content_hash,
        "steps[1]",
        20,
        2,
    )
    assert planted.steps[1].content[leak.start : leak.end] == FARM.upper().removesuffix("?")
    assert f"Well: {FARM}"[leak.prompt_start : leak.prompt_end] == FARM.removesuffix("?")


def test_a_stretch_must_be_in_one_piece_and_long_enough(tmp_path: Path) -> None:
    broken = trace("A farmer keeps forty two sheep in a barn, yes, with seven doors and twelve windows; how many")
    assert find_leaks(asking(FARM), manifest_of(tmp_path, [(broken, "train")])).findings == ()
    (leak,) = find_leaks(asking(FARM), manifest_of(tmp_path, [(broken, "train")]), ngram=8).findings
    assert leak.words == 9


def test_an_instruction_above_every_question_is_no_leak(tmp_path: Path) -> None:
    order = "Solve the task below step by step and put the final answer alone in the last line."
    many = asking(*(f"{order} Task {i}." for i in range(MOST_OWNERS + 1)), f"{order} {FARM}")
    found = find_leaks(many, manifest_of(tmp_path, [(trace(f"{order} {FARM} Really."), "train")]))
    assert [leak.row_id for leak in found.findings] == [f"r{MOST_OWNERS + 1}"]
    assert found.common > 0


def test_leaks_come_back_from_their_json_and_progress_reaches_the_end(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    manifest = manifest_of(tmp_path, [(trace(FARM), "train"), (trace("x"), "train")])
    found = find_leaks(asking(FARM, "y"), manifest, lambda done, total: told.append((done, total)))
    assert Leaks.from_dict(orjson.loads(orjson.dumps(found.to_dict()))) == found
    assert found.to_dict()["share"] == 0.5
    assert found.data_sha256 == manifest.data.sha256
    assert told[-1] == (2, 2)


@pytest.mark.slow
@pytest.mark.skipif(not SAMPLE.exists(), reason="the GSM8K file is not here")
def test_gsm8k_is_compared_in_seconds(tmp_path: Path) -> None:
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    evals = tmp_path / "evals.jsonl"
    evals.write_bytes(b"".join(lines[:1319]))
    read = [one for one in read_traces(SAMPLE, name="gsm8k") if isinstance(one, Trace)]
    manifest = manifest_of(tmp_path, [(one, "train") for one in read[1300:]])
    asked = file_set(evals)
    began = time.perf_counter()
    found = find_leaks(asked, manifest)
    assert time.perf_counter() - began < 60
    exact = {leak.row_id for leak in found.findings if leak.kind == "exact"}
    assert {row.id for row in asked.rows[1300:]} <= exact
    assert found.train_rows == len(read) - 1300


def test_the_same_prompt_behind_other_messages_is_another(tmp_path: Path) -> None:
    one, other = talk(1), talk(2, prompt="And 1 and 2?")
    row = EvalRow("r", one.prompt, "3", conversation=one.conversation)
    found = find_leaks(EvalSet(EvalSetRef("file", "f", "ab" * 32, 1), [row]), manifest_of(tmp_path, [(other, "train")]))
    assert found.findings == ()
    (leak,) = find_leaks(
        EvalSet(EvalSetRef("file", "f", "ab" * 32, 1), [row]), manifest_of(tmp_path, [(one, "train")])
    ).findings
    assert leak.kind == "exact"
