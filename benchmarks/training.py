"""Speed of packing, our training loop, a warm compile cache and a stop.

    python benchmarks/training.py packing --data gsm8k_train.jsonl [--method lora] [--rows 256]
    python benchmarks/training.py overhead --data gsm8k_train.jsonl
    python benchmarks/training.py cache --data gsm8k_train.jsonl
    python benchmarks/training.py stop --data gsm8k_train.jsonl

Each prints its figures and the ratio to its peer, measured in the same run. The model has 5.3 M parameters (4 layers
of 256, vocabulary of 8,192 with a tokenizer trained on the data), float32.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tunixrt_core.export.files import write_export  # noqa: E402
from tunixrt_core.ingest.reader import read_traces  # noqa: E402
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest  # noqa: E402
from tunixrt_core.traces.rows import to_row  # noqa: E402
from tunixrt_core.traces.trace import Trace  # noqa: E402
from tunixrt_core.training.trainer import NoObserver, TrainControls  # noqa: E402

VOCAB, LAYERS, DIM, HIDDEN, HEADS, KV_HEADS, HEAD_DIM = 8192, 4, 256, 1024, 4, 2, 64


class Kept(NoObserver):
    """Keeps the records and their times."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.times: list[float] = []

    def record(self, record: Any) -> None:
        self.records.append(record)
        self.times.append(time.perf_counter())

    def train(self, skip: int) -> list[dict[str, Any]]:
        return [r for r in self.records if r.kind == "train"][skip:]


def traces(data: Path, rows: int) -> Iterator[Trace]:
    with data.open("rb") as handle:
        reader = read_traces(handle, name=data.name)
        for count, item in enumerate(reader):
            if count == rows:
                return
            if isinstance(item, Trace):
                yield item


def write_model(directory: Path, texts: Iterator[str]) -> None:
    """A random Qwen 3 and a byte-level BPE tokenizer trained on the texts."""
    import numpy as np
    from safetensors.numpy import save_file
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    directory.mkdir(parents=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=[AddedToken(t, special=True) for t in special], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(directory / "tokenizer.json"))
    names = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(names))
    config = {
        "model_type": "qwen3", "vocab_size": VOCAB, "hidden_size": DIM, "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "tie_word_embeddings": True,
    }  # fmt: skip
    (directory / "config.json").write_text(json.dumps(config))
    rng = np.random.RandomState(0)

    def normal(*shape: int) -> Any:
        return (rng.standard_normal(shape) * 0.02).astype(np.float32)

    tensors = {"model.embed_tokens.weight": normal(VOCAB, DIM), "model.norm.weight": np.ones(DIM, np.float32)}
    for i in range(LAYERS):
        layer = f"model.layers.{i}"
        for name, shape in {
            "self_attn.q_proj": (HEADS * HEAD_DIM, DIM), "self_attn.k_proj": (KV_HEADS * HEAD_DIM, DIM),
            "self_attn.v_proj": (KV_HEADS * HEAD_DIM, DIM), "self_attn.o_proj": (DIM, HEADS * HEAD_DIM),
            "mlp.gate_proj": (HIDDEN, DIM), "mlp.up_proj": (HIDDEN, DIM), "mlp.down_proj": (DIM, HIDDEN),
        }.items():  # fmt: skip
            tensors[f"{layer}.{name}.weight"] = normal(*shape)
        for name in ("self_attn.q_norm", "self_attn.k_norm"):
            tensors[f"{layer}.{name}.weight"] = np.ones(HEAD_DIM, np.float32)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{layer}.{name}.weight"] = np.ones(DIM, np.float32)
    save_file(tensors, str(directory / "model.safetensors"))


class Bench:
    """A folder with the model and the rows."""

    def __init__(self, folder: Path, data: Path, rows: int) -> None:
        self.folder = folder
        chosen = list(traces(data, rows))
        # so that few rows are padded to 512 too, like all rows
        chosen[-1] = max(traces(data, 7473), key=lambda t: len(t.prompt) + sum(len(s.content) for s in t.steps))
        texts = (f"{t.prompt}\n{' '.join(s.content for s in t.steps)}\n{t.final_answer}" for t in traces(data, 7473))
        write_model(folder / "model", texts)
        self.rows = folder / "rows.jsonl"
        lines = (json.dumps(to_row(trace, "train")).encode() + b"\n" for trace in chosen)
        write_export(lines, self.rows, format="tunix_sft")

    def manifest(self, name: str, **hyper: Any) -> RunManifest:
        values = {
            "max_seq_length": 512, "batch_size": 8, "eval_every": 10**6, "checkpoint_every": 10**6, "epochs": 1,
            "chat": "chatml", "packing": False, **hyper,
        }  # fmt: skip
        folder = self.folder / name
        return RunManifest.from_dict(build_sft_manifest(self.rows, str(self.folder / "model"), folder, values))

    def train(self, manifest: RunManifest, controls: TrainControls | None = None, kept: Kept | None = None) -> Kept:
        from tunixrt_core.tunix_backend.train.sft import TunixTrainer

        kept = kept or Kept()
        folder = Path(manifest.output_dir)
        folder.mkdir(parents=True)
        TunixTrainer(self.folder).train(manifest, folder, observer=kept, controls=controls or TrainControls())
        return kept


def packing(bench: Bench, method: str) -> None:
    """Real (not padding) tokens per second: every row padded to 512, in length buckets, and packed to 512."""
    print(f"{'':22}  real tokens/s  trained/s  padding  train steps")
    speed = {}
    for name, hyper in (
        ("padded to 512", {}),
        ("4 length buckets", {"length_buckets": 4}),
        ("packed to 512", {"packing": True}),
    ):
        kept = bench.train(bench.manifest(f"{method}-{name}", method=method, learning_rate=1e-4, **hyper))
        records = kept.train(1)  # their time does not include compiling
        seconds = sum(r.step_seconds for r in records)
        speed[name] = sum(r.tokens for r in records) / seconds
        trained = sum(r.trained_tokens for r in records) / seconds
        share = statistics.fmean(r.padding_share for r in records)
        print(f"{name:22}  {speed[name]:13,.0f}  {trained:9,.0f}  {share:7.1%}  {len(kept.train(0)):11}")
    print(f"packed / padded, {method}: {speed['packed to 512'] / speed['padded to 512']:.2f} x (bar: 2.6 x)")


def padding(bench: Bench) -> None:
    """The share of padding of all rows, packed."""
    from tunixrt_core.tunix_backend.data.packing import packed_epoch
    from tunixrt_core.tunix_backend.data.rows import load_data

    lengths = [len(row) for row in load_data(bench.manifest("padding"), bench.folder).train.rows]
    for length, bar in ((512, 0.03), (1024, 0.02), (2048, None)):
        began = time.perf_counter()
        bins = packed_epoch(lengths, length, 0, 0)
        took = time.perf_counter() - began
        share = 1 - sum(lengths) / (len(bins) * length)
        print(f"{len(lengths):,} rows packed to {length:5}: {share:.2%} padding in {took * 1e3:.0f} ms (bar: {bar})")


def noting_times(batches: list[Any], times: list[float]) -> Iterator[Any]:
    for batch in batches:
        times.append(time.perf_counter())
        yield batch


def overhead(bench: Bench) -> None:
    """Our whole run (feeding, parts of the loss, records) against PeftTrainer alone with the same loss and batches."""
    from tunix.sft.peft_trainer import PeftTrainer, TrainingConfig

    from tunixrt_core.tunix_backend.data.batches import train_batches
    from tunixrt_core.tunix_backend.data.rows import load_data
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh
    from tunixrt_core.tunix_backend.train.sft import loss_function
    from tunixrt_core.tunix_backend.train.step.loss import model_batch
    from tunixrt_core.tunix_backend.train.step.optimizer import make_optimizer, make_schedule

    steps, ratios = 14, []
    for repeat in range(6):
        manifest = bench.manifest(
            f"overhead-{repeat}", method="lora", batch_size=2, packing=True, train_steps=steps, epochs=None
        )

        def run_ours(manifest: RunManifest = manifest) -> float:
            return statistics.median(r.step_seconds for r in bench.train(manifest).train(3))

        data = load_data(manifest, bench.folder)
        batches = train_batches(data.train.rows, manifest.batch, max_length=512, seed=0, pad_id=data.pad_id)
        fed = [model_batch(batches.batch(k), batches.trained_tokens(k, 1)) for k in range(steps)]

        def run_bare(manifest: RunManifest = manifest, fed: list[Any] = fed, data: Any = data) -> float:
            mesh = make_mesh(manifest.mesh, manifest.batch.size)
            with mesh:
                loaded = load_model(manifest, bench.folder, mesh)
                loss = loss_function(manifest, loaded, data)
                optimizer = make_optimizer(manifest, make_schedule(manifest, steps))
                trainer = PeftTrainer(loaded.model, optimizer, TrainingConfig(eval_every_n_steps=10**6))
                trainer.with_loss_fn(loss.mean, has_aux=True).with_gen_model_input_fn(loss.inputs)
                times: list[float] = []
                trainer.train(noting_times(fed, times))
            return statistics.median(b - a for a, b in pairwise(times[3:]))

        # in turns, with alternating order: the machine drifts
        a, b = (run_ours(), run_bare()) if repeat % 2 else (run_bare(), run_ours())[::-1]
        ratios.append(a / b)
        print(f"train step: ours {a * 1e3:.1f} ms, PeftTrainer alone {b * 1e3:.1f} ms")
    print(f"ours / alone, median of {len(ratios)}: {statistics.median(ratios):.3f} x (bar: 1.01 x)")


_FIRST_STEP = """
import sys, time, pathlib
sys.path.insert(0, {root!r})
from benchmarks.training import Bench, Kept
from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.training.trainer import TrainControls
from tunixrt_core.tunix_backend.backend import TunixBackend
manifest = load_manifest(pathlib.Path({manifest!r}))
kept = Kept()
trainer = TunixBackend(pathlib.Path({models!r}), pathlib.Path({cache!r})).trainer()
trainer.train(manifest, pathlib.Path({out!r}), observer=kept, controls=TrainControls())
print([r.seconds for r in kept.records if r.kind == "compile"][0])
"""


def cache(bench: Bench) -> None:
    """The first train step (tracing, compiling, running), each in a new process, with a cold and a warm cache."""
    manifest = bench.manifest("cache", method="lora", packing=True, train_steps=1, epochs=None)
    file = bench.folder / "manifest.yaml"
    file.write_text(manifest.to_yaml())
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    for repeat in range(3):
        for name in seconds:
            code = _FIRST_STEP.format(
                root=str(ROOT), manifest=str(file), models=str(bench.folder),
                cache=str(bench.folder / f"compiled-{repeat}"), out=str(bench.folder / f"cache-{repeat}-{name}"),
            )  # fmt: skip
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
            if done.returncode:
                raise SystemExit(done.stderr[-3000:])
            seconds[name].append(float(done.stdout.splitlines()[-1]))
    cold, warm = (statistics.median(seconds[name]) for name in ("cold", "warm"))
    print(f"first train step: cold {cold:.2f} s, warm {warm:.2f} s (medians of 3)")
    print(f"warm / cold: {warm / cold:.2f} x (bar: 0.5 x)")


def stop(bench: Bench) -> None:
    """Seconds from the stop request to the end of the run, with the checkpoint written."""
    found = []
    for repeat in range(3):
        controls = TrainControls()
        asked: list[float] = []

        class Asks(Kept):
            def record(self, record: Any, controls: TrainControls = controls, asked: list[float] = asked) -> None:
                super().record(record)
                if record.kind == "train" and record.train_step == 5:
                    timer = threading.Timer(0.15, lambda: (asked.append(time.perf_counter()), controls.stop.set()))
                    timer.start()

        kept = Asks()
        bench.train(
            bench.manifest(f"stop-{repeat}", method="lora", batch_size=1, packing=True, epochs=9), controls, kept
        )
        found.append(time.perf_counter() - asked[0])
        step = statistics.median(r.step_seconds for r in kept.train(2))
    print(f"stop to end, s: {', '.join(f'{x:.2f}' for x in found)}; a train step takes {step:.2f} s (bar: 1 s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["packing", "padding", "overhead", "cache", "stop"])
    parser.add_argument("--data", type=Path, required=True, help="GSM8K's train.jsonl")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--method", default="lora", choices=["lora", "full"])
    chosen = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), chosen.data, 7473 if chosen.what == "padding" else chosen.rows)
        run = {"padding": padding, "overhead": overhead, "cache": cache, "stop": stop}
        if chosen.what == "packing":
            packing(bench, chosen.method)
        else:
            run[chosen.what](bench)


if __name__ == "__main__":
    main()
