"""A home with thousands of runs, written at once: rows and folders as trainings leave them."""

from __future__ import annotations

import copy
import math
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import insert

from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest
from tunixrt_core.runs.annotations import Annotations
from tunixrt_core.runs.figures import changed_at, settings_of
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import CheckpointMetric, EvalMetric, Known, TrainMetric, to_line
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.store.sql.tables import evals, runs
from tunixrt_core.store.store import open_store

MODELS = ("google/gemma-3-1b-it", "Qwen/Qwen3-0.6B", "meta-llama/Llama-3.2-1B", "HuggingFaceTB/SmolLM2-135M", "tiny")
DATASETS = (("gsm8k", 3), ("gsm8k", 4), ("dial", 1), ("proofs", 2))
TAGS = ("baseline", "sweep", "long traces", "paper")
ENDS = (*["succeeded"] * 7, "failed", "stopped", "interrupted")
TRAIN_STEPS = 200


def many_runs(home: Path, count: int, *, with_curves: int = 40) -> None:
    """Write `count` runs into a home; the newest `with_curves` have metrics. The same numbers give the same runs."""
    chance = random.Random(7)
    home.mkdir(parents=True, exist_ok=True)
    manifest = _manifest(home)
    text = manifest.to_yaml()
    rows, scored = [], []
    for number in range(1, count + 1):
        row, score = _run(home, number, manifest, text, chance, curves=number > count - with_curves)
        rows.append(row)
        scored += [score] if score else []
    with open_store(Settings.from_env({"TUNIXRT_HOME": str(home)}).database_url) as store:
        with store._database.write() as connection:
            connection.execute(insert(runs), rows)
            connection.execute(insert(evals), scored)


def _manifest(home: Path) -> RunManifest:
    data = home / "data.jsonl"
    data.write_text('{"prompt": "2 + 2?", "trace_steps": ["4"], "final_answer": "4", "metadata": {"split": "train"}}\n')
    return RunManifest.from_dict(build_sft_manifest(data, "tiny", home / "run", {"train_steps": TRAIN_STEPS}))


def _run(
    home: Path, number: int, manifest: RunManifest, text: str, chance: random.Random, *, curves: bool
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    name, version = chance.choice(DATASETS)
    rate = chance.choice((1e-4, 2e-4, 5e-4, 1e-3))
    told = copy.deepcopy(manifest.to_dict())
    told["model"]["id"] = model = chance.choice(MODELS)
    told["method"] = method = chance.choice(("lora", "lora", "qlora", "full"))
    told["optimizer"]["learning_rate"] = rate
    told["lora"]["rank"] = chance.choice((8, 16, 32))
    told["name"] = f"{model.rpartition('/')[2].lower()}-{name}-{method}-{number}"
    folder = RunDir(home / "runs" / f"r-{number:04d}")
    folder.path.mkdir(parents=True)
    told["output_dir"] = str(folder.path)
    folder.manifest_file.write_text(_filled(text, told))
    began = datetime.now(UTC) - timedelta(minutes=10 * (10_000 - number))
    status = RunStatus(chance.choice(ENDS))
    seconds, floor = chance.uniform(60, 9000), chance.uniform(0.4, 1.2)
    state = RunState(
        status=status,
        message="The loss became NaN." if status is RunStatus.FAILED else "",
        train_step=TRAIN_STEPS,
        total_train_steps=TRAIN_STEPS,
        started_at=began.timestamp(),
        ended_at=began.timestamp() + seconds,
    )
    folder.state_file.write_bytes(msgspec.json.encode(state.to_dict()))
    records = list(_records(floor, seconds, chance)) if curves else []
    if records:
        folder.metrics_file.write_bytes(b"".join(map(to_line, records)))
    # those that a look at the folder finds
    trained = [one.loss for one in records if isinstance(one, TrainMetric)] or [floor]
    evaluated = [one.loss for one in records if isinstance(one, EvalMetric)] or [floor + 0.2]
    figures = {
        **{"train_step": TRAIN_STEPS, "total_train_steps": TRAIN_STEPS, "seconds": round(seconds, 1)},
        **{"train_loss": trained[-1], "eval_loss": evaluated[-1], "best_eval_loss": min(evaluated)},
        **{"trained_tokens": TRAIN_STEPS * 4096, "as_of": changed_at(str(folder.path))},
    }
    said = Annotations(
        tuple(chance.sample(TAGS, chance.choice((0, 0, 1, 2)))),
        "Worth a second look." if number % 50 == 0 else "",
        archived=number % 40 == 20,
    )
    if said != Annotations():
        folder.annotations_file.write_bytes(msgspec.json.encode(said))
    row = {
        "id": folder.path.name,
        "name": told["name"],
        "status": status.value,
        "manifest": told,
        "directory": str(folder.path),
        "dataset_name": name,
        "dataset_version": version,
        "dataset_hash": "0" * 64,
        "message": state.message,
        "created_at": began,
        **state.times(),
        **said.fields(),
        "figures": {**settings_of(told), **figures},
        "revision": number,
    }
    scored = {
        "id": f"e-{number}",
        "run_id": row["id"],
        "target": "tuned",
        "status": "succeeded",
        "directory": str(folder.evals / "tuned"),
        "metrics": {"exact_match": round(chance.uniform(0.1, 0.9), 3)},
        "message": "",
        "created_at": began,
        "ended_at": began,
        "setup": {},
    }
    return row, scored if status is RunStatus.SUCCEEDED else None


def _filled(text: str, told: dict[str, Any]) -> str:
    """The YAML of a manifest: written thousands of times, it would take ten times as long as all the rest."""
    lines = {
        "  id: tiny": f"  id: {told['model']['id']}",
        "method: full": f"method: {told['method']}",
        "  rank: 16": f"  rank: {told['lora']['rank']}",
        "  learning_rate: 0.003": f"  learning_rate: {told['optimizer']['learning_rate']}",
        "name: run": f"name: {told['name']}",
    }
    for before, now in lines.items():
        assert f"\n{before}\n" in text, before
        text = text.replace(f"\n{before}\n", f"\n{now}\n", 1)
    return re.sub(r"\noutput_dir: .*", f"\noutput_dir: {told['output_dir']}", text)


def _records(floor: float, seconds: float, chance: random.Random) -> Iterator[Known]:
    for step in range(1, TRAIN_STEPS + 1):
        loss = floor + 2.5 * math.exp(-step / 30) + chance.gauss(0, 0.05)
        yield TrainMetric(
            train_step=step,
            loss=loss,
            learning_rate=1e-3 * (1 - step / TRAIN_STEPS),
            grad_norm=abs(chance.gauss(0.6, 0.15)),
            trained_tokens=4096,
            tokens_per_second=9000 + chance.gauss(0, 200),
            time=seconds * step / TRAIN_STEPS,
        )
        if step % 40 == 0:
            yield EvalMetric(train_step=step, loss=loss + 0.2, time=seconds * step / TRAIN_STEPS)
            yield CheckpointMetric(train_step=step, reason="cadence")
