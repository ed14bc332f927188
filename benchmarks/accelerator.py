"""Cost of a train step on this machine's accelerator, beside Tunix's own.

    python benchmarks/accelerator.py [--models qwen3-0.6b gemma3-1b] [--methods lora full] [--rows 4] [--length 2048]
                                     [--side-by-side]

Models have real sizes and random bfloat16 weights; rows of the bundled example are packed to `--length`; remat of
each layer. Each line is a process of its own: `ours` is a whole run, `bare` Tunix's PeftTrainer alone with our loss on
the same batches, `tunix` the same with its default loss. With `--side-by-side` (on a GPU that all of them fit on) all
compile at once, and then each does its train steps in turn, alone on the device. Peak memory is that reported by the
device, beside both of our estimates.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.training import Kept  # noqa: E402
from tunixrt_core.export.files import write_export  # noqa: E402
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest, load_manifest  # noqa: E402
from tunixrt_core.traces.examples import example_traces  # noqa: E402
from tunixrt_core.traces.rows import to_row  # noqa: E402
from tunixrt_core.training.trainer import TrainControls  # noqa: E402

GIB = 2**30
CONFIGS: dict[str, dict[str, Any]] = {
    "qwen3-0.6b": {
        "model_type": "qwen3", "vocab_size": 151_936, "hidden_size": 1024, "intermediate_size": 3072,
        "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
        "rms_norm_eps": 1e-6, "rope_theta": 1e6, "tie_word_embeddings": True, "max_position_embeddings": 40_960,
    },
    "gemma3-1b": {
        "model_type": "gemma3_text", "vocab_size": 262_144, "hidden_size": 1152, "intermediate_size": 6912,
        "num_hidden_layers": 26, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256,
        "rms_norm_eps": 1e-6, "rope_theta": 1e6, "rope_local_base_freq": 1e4, "sliding_window": 512,
        "query_pre_attn_scalar": 256, "tie_word_embeddings": True, "max_position_embeddings": 32_768,
    },
    "small": {  # to try this script on a CPU
        "model_type": "qwen3", "vocab_size": 8192, "hidden_size": 128, "intermediate_size": 256,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
        "rms_norm_eps": 1e-6, "rope_theta": 1e6, "tie_word_embeddings": True, "max_position_embeddings": 4096,
    },
}  # fmt: skip
BEFORE = 3  # train steps, with compiling, before a process waits for its turn
SKIPPED = BEFORE + 3  # train steps before the ones whose times count


def write_model(directory: Path, config: dict[str, Any]) -> None:
    """Random weights of this shape, and the tokenizer of the built-in model."""
    import ml_dtypes
    import numpy as np
    from safetensors.numpy import save_file

    from tunixrt_core.tunix_backend.model.configs.reading import architecture_of
    from tunixrt_core.tunix_backend.model.files.expected import expected_tensors
    from tunixrt_core.tunix_backend.model.tiny import write_builtin_model

    tokenizer = write_builtin_model("tiny", directory.parent / "tiny")
    directory.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (directory / name).write_bytes((tokenizer / name).read_bytes())
    (directory / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(0)
    tensors: dict[str, Any] = {
        name: np.ones(shape, ml_dtypes.bfloat16)
        if "norm" in name
        else (0.02 * rng.standard_normal(shape, dtype=np.float32)).astype(ml_dtypes.bfloat16)
        for name, shape in expected_tensors(architecture_of(config)).items()
    }
    save_file(tensors, str(directory / "model.safetensors"))


def write_manifest(folder: Path, model: Path, method: str, rows: int, length: int, steps: int) -> Path:
    shutil.rmtree(folder / f"run-{model.name}-{method}", ignore_errors=True)
    file = folder / "rows.jsonl"
    if not file.exists():
        lines = (json.dumps(to_row(trace, "train")).encode() + b"\n" for trace in example_traces(600))
        write_export(lines, file, format="tunix_sft")
    values = {
        "method": method, "dtype": "bfloat16", "remat": "decoder", "packing": True, "batch_size": rows,
        "max_seq_length": length, "train_steps": steps, "eval_every": 10**6, "checkpoint_every": 10**6,
        "sample_prompts": 0, "learning_rate": 1e-5, "chat": "chatml", "tensorboard": False,
    }  # fmt: skip
    manifest = RunManifest.from_dict(
        build_sft_manifest(file, str(model), folder / f"run-{model.name}-{method}", values)
    )
    path = folder / f"{model.name}-{method}.yaml"
    path.write_text(manifest.to_yaml())
    return path


class Turn:
    """The point where a process of this script waits until it has the device for itself."""

    def __init__(self, file: Path) -> None:
        self.ready, self.go = file.with_suffix(".ready"), file.with_suffix(".go")

    def wait(self) -> None:
        self.ready.touch()
        while not self.go.exists():
            time.sleep(0.02)


def told(found: dict[str, Any]) -> None:
    """Print the result with the device's figures, and end this process: the last checkpoint is not measured."""
    import jax

    device = jax.devices()[0]
    stats = device.memory_stats() or {}
    found |= {"device": device.device_kind, "peak": stats.get("peak_bytes_in_use"), "limit": stats.get("bytes_limit")}
    print(json.dumps(found), flush=True)
    os._exit(0)


class Ours(Kept):
    """Waits for its turn in a whole run of ours, and measures the train steps after it."""

    def __init__(self, turn: Turn, steps: int) -> None:
        super().__init__()
        self._turn, self._steps, self._began = turn, steps, time.perf_counter()

    def phase(self, phase: str) -> None:
        print(f"{phase} after {time.perf_counter() - self._began:.0f} s", file=sys.stderr, flush=True)

    def record(self, record: Any) -> None:
        super().record(record)
        if record.kind == "train" and record.train_step == BEFORE:
            self._turn.wait()
        if record.kind == "train" and record.train_step == self._steps - 1:
            self._tell()

    def _tell(self) -> None:
        counted = self.train(SKIPPED)
        compiled = [r.seconds for r in self.records if r.kind == "compile"]
        told(
            {
                "seconds": statistics.median(r.step_seconds for r in counted),
                "tokens": statistics.fmean(r.tokens for r in counted),
                "mfu": None if counted[0].mfu is None else statistics.median(r.mfu for r in counted),
                "waited": sum(r.input_wait_seconds for r in counted),
                "compiled": sum(compiled),
                "losses": [round(r.loss, 4) for r in self.train(0)][:4],
            }
        )


def ours(manifest: RunManifest, folder: Path, turn: Turn) -> None:
    from tunixrt_core.tunix_backend.train.sft import TunixTrainer

    run = Path(manifest.output_dir)
    run.mkdir(parents=True)
    kept = Ours(turn, manifest.duration.train_steps or 0)
    TunixTrainer(folder).train(manifest, run, observer=kept, controls=TrainControls())


def bare(manifest: RunManifest, folder: Path, turn: Turn, *, default_loss: bool) -> None:
    """PeftTrainer with only our batches, and with our loss unless the default one is measured."""
    from tunix.sft.peft_trainer import PeftTrainer, TrainingConfig

    from benchmarks.loss_memory import tunix_inputs
    from tunixrt_core.tunix_backend.data.batches import train_batches
    from tunixrt_core.tunix_backend.data.rows import load_data
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh
    from tunixrt_core.tunix_backend.train.sft import loss_function
    from tunixrt_core.tunix_backend.train.step.loss import model_batch
    from tunixrt_core.tunix_backend.train.step.optimizer import make_optimizer, make_schedule

    steps = manifest.duration.train_steps or 1
    data = load_data(manifest, folder)
    length = manifest.max_seq_length
    batches = train_batches(data.train.rows, manifest.batch, max_length=length, seed=0, pad_id=data.pad_id)
    fed = [model_batch(batches.batch(k), batches.trained_tokens(k, 1)) for k in range(steps)]
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    times: list[float] = []

    def in_turn() -> Iterator[Any]:
        for k, batch in enumerate(fed):
            if k == BEFORE:
                turn.wait()
            times.append(time.perf_counter())
            yield batch

    with mesh:
        loaded = load_model(manifest, folder, mesh)
        loss = loss_function(manifest, loaded, data)
        optimizer = make_optimizer(manifest, make_schedule(manifest, steps))
        trainer = PeftTrainer(loaded.model, optimizer, TrainingConfig(eval_every_n_steps=10**6))
        if default_loss:
            trainer.with_gen_model_input_fn(tunix_inputs)
        else:
            trainer.with_loss_fn(loss.mean, has_aux=True).with_gen_model_input_fn(loss.inputs)
        trainer.train(in_turn())
    told({"seconds": statistics.median(b - a for a, b in pairwise(times[SKIPPED:]))})


def estimates(manifest: RunManifest, folder: Path) -> None:
    from tunixrt_core.tunix_backend.memory.count import estimate_manifest, measure

    began = time.perf_counter()
    found = {"closed": estimate_manifest(manifest, folder)[0].total, "counted": measure(manifest, folder).total}
    print(json.dumps({**found, "wall": time.perf_counter() - began}))


def child(what: str, file: Path, turn: Turn) -> None:
    """One measurement in this process; its result is the last line."""
    manifest, folder = load_manifest(file), file.parent
    if what == "estimates":
        estimates(manifest, folder)
    elif what == "ours":
        ours(manifest, folder, turn)
    else:
        bare(manifest, folder, turn, default_loss=what == "tunix")


@dataclass
class Job:
    """One measurement in a process of its own, which writes into files: an unread pipe would fill up."""

    model: str
    method: str
    what: str
    manifest: Path

    @property
    def name(self) -> str:
        return f"{self.model}-{self.method}-{self.what}"

    @property
    def turn(self) -> Turn:
        return Turn(self.manifest.parent / f"{self.name}.turn")

    def start(self, *, shares: bool) -> None:
        for file in (self.turn.ready, self.turn.go):
            file.unlink(missing_ok=True)
        environ = {**os.environ, **({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} if shares else {})}
        command = [
            sys.executable,
            __file__,
            "--child",
            self.what,
            "--manifest",
            str(self.manifest),
            "--turn",
            self.name,
        ]
        self.out, self.err = ((self.manifest.parent / f"{self.name}.{end}") for end in ("out", "err"))
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, cwd=ROOT, env=environ)

    @property
    def settled(self) -> bool:
        return self.turn.ready.exists() or self.process.poll() is not None

    def result(self, seconds: float) -> dict[str, Any]:
        self.turn.go.touch()
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        last = self.out.read_text().strip().splitlines()[-1:]
        if not last:
            return {"failed": " | ".join(self.err.read_text().strip().splitlines()[-3:])[-700:]}
        found: dict[str, Any] = json.loads(last[0])
        return found


def line(job: Job, found: dict[str, Any], first: dict[str, Any]) -> str:
    """A result as text; `first` is our result."""
    if "failed" in found:
        return f"{job.name:28} failed: {found['failed']}"
    if job.what == "estimates":
        closed, counted = found["closed"], found["counted"]
        text = f"{job.name:28} closed form {closed / GIB:.2f} GiB, compiled for the CPU {counted / GIB:.2f} GiB"
        if first.get("peak"):
            text += f": {closed / first['peak']:.2f} and {counted / first['peak']:.2f} x the peak of ours"
        return text
    tokens = found.get("tokens") or first.get("tokens", 0)
    peak = f"{found['peak'] / GIB:.2f} GiB" if found["peak"] else "unknown"
    text = f"{job.name:28} {found['seconds'] * 1e3:8.1f} ms  {tokens / found['seconds']:9,.0f} tokens/s  peak {peak}"
    if found.get("mfu"):
        text += f"  MFU {found['mfu']:.1%}"
    if "compiled" in found:
        text += f"  compiled in {found['compiled']:.1f} s"
    if found is not first and "seconds" in first:
        text += f"  ours takes {first['seconds'] / found['seconds']:.3f} x its time"
        text += f", {first['peak'] / found['peak']:.3f} x its memory" if found["peak"] and first["peak"] else ""
    return text


def in_turns(jobs: list[Job], seconds: float) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Start all at once, end those that have not compiled in time, and then give each the device alone."""
    for job in jobs:
        job.start(shares=True)
    end = time.monotonic() + seconds
    timed = [job for job in jobs if job.what != "estimates"]  # those compile for the CPU, and may continue meanwhile
    while time.monotonic() < end and not all(job.settled for job in timed):
        time.sleep(0.2)
    late = [job for job in timed if not job.settled]
    for job in late:
        yield job, job.result(0)
    for job in sorted(jobs, key=lambda job: job.what == "estimates"):
        if job not in late:
            yield job, job.result(60)


def one_by_one(jobs: list[Job], seconds: float) -> Iterator[tuple[Job, dict[str, Any]]]:
    for job in jobs:
        job.start(shares=False)
        yield job, job.result(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["qwen3-0.6b", "gemma3-1b"], choices=list(CONFIGS))
    parser.add_argument("--methods", nargs="+", default=["lora", "full"])
    parser.add_argument("--what", nargs="+", default=["ours", "bare", "tunix", "estimates"])
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--timeout", type=float, default=600, help="time limit for compiling, in seconds")
    parser.add_argument("--side-by-side", action="store_true", help="compile all at once; they must fit together")
    parser.add_argument("--folder", type=Path, help="folder of the models; a temporary one by default")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--manifest", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, asked.manifest, Turn(asked.manifest.parent / f"{asked.turn}.turn"))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        jobs = []
        for model in asked.models:
            if not (folder / model).exists():
                write_model(folder / model, CONFIGS[model])
            for method in asked.methods:
                manifest = write_manifest(folder, folder / model, method, asked.rows, asked.length, asked.steps)
                jobs += [Job(model, method, what, manifest) for what in asked.what]
        run = in_turns if asked.side_by_side else one_by_one
        ran: dict[tuple[str, str], dict[str, Any]] = {}
        for job, found in run(jobs, asked.timeout):
            first = ran.setdefault((job.model, job.method), found)
            print(f"{line(job, found, first)}\n  {json.dumps(found)}", flush=True)


if __name__ == "__main__":
    main()
