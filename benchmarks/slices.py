"""Bounds of published models on TPU slices, from their compiled train steps.

    python benchmarks/slices.py [--only NAME]

Needs the extra `aot`; no TPU, no weights, no network. Each step is compiled for a slice up to its schedule, which takes
one to five minutes of one core. The peer is the chip: memory is a share of its HBM, and the
bound on MFU is the share of its published peak that memory traffic and arithmetic allow; links are told beside it.
All rows are packed to 2,048 tokens unless a line says otherwise, in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tunixrt_core.jobs.slices import SliceReports
from tunixrt_core.manifest.manifest import manifest_without_data
from tunixrt_core.training.ahead.costs import SliceReport

_QWEN_3 = {
    **{"model_type": "qwen3", "head_dim": 128, "num_key_value_heads": 8, "vocab_size": 151_936, "rms_norm_eps": 1e-6},
    **{"rope_theta": 1e6, "hidden_act": "silu", "attention_bias": False, "tie_word_embeddings": True},
}
_ROPE = {"high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192}
_LLAMA_3 = {
    **{"model_type": "llama", "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128_256},
    **{"rms_norm_eps": 1e-5, "rope_theta": 500_000.0, "hidden_act": "silu"},
}
_GEMMA_3 = {
    **{"model_type": "gemma3_text", "head_dim": 256, "vocab_size": 262_144, "rms_norm_eps": 1e-6, "rope_theta": 1e6},
    **{"rope_local_base_freq": 10_000.0, "sliding_window": 512, "sliding_window_pattern": 6},
    **{"query_pre_attn_scalar": 256, "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True},
}


def _sizes(layers: int, hidden: int, intermediate: int, **more: Any) -> dict[str, Any]:
    return {"num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": intermediate, **more}


MODELS: dict[str, dict[str, Any]] = {
    "Qwen3-0.6B": {**_QWEN_3, **_sizes(28, 1024, 3072, num_attention_heads=16)},
    "Qwen3-4B": {**_QWEN_3, **_sizes(36, 2560, 9728, num_attention_heads=32)},
    "Llama-3.2-1B": {
        **{**_LLAMA_3, **_sizes(16, 2048, 8192), "head_dim": 64, "tie_word_embeddings": True},
        "rope_scaling": {**_ROPE, "factor": 32.0, "rope_type": "llama3"},
    },
    "Llama-3.1-8B": {
        **{**_LLAMA_3, **_sizes(32, 4096, 14_336), "tie_word_embeddings": False},
        "rope_scaling": {**_ROPE, "factor": 8.0, "rope_type": "llama3"},
    },
    "gemma-3-1b": {**_GEMMA_3, **_sizes(26, 1152, 6912, num_attention_heads=4, num_key_value_heads=1)},
}


class Case(NamedTuple):
    model: str
    slice: str
    hyper: dict[str, Any]


CASES = (
    Case("Qwen3-0.6B", "v6e-4", {"method": "lora"}),
    Case("Qwen3-0.6B", "v6e-4", {"method": "lora", "remat": "block"}),
    Case("Qwen3-0.6B", "v6e-4", {"method": "lora", "remat": "decoder"}),
    Case("Qwen3-0.6B", "v6e-4", {"method": "lora", "max_seq_length": 8192}),
    Case("gemma-3-1b", "v5e-1", {"method": "lora"}),
    Case("gemma-3-1b", "v6e-1", {"method": "lora"}),
    Case("gemma-3-1b", "v5e-4", {"method": "full"}),
    Case("gemma-3-1b", "v6e-4", {"method": "full"}),
    Case("Llama-3.2-1B", "v5e-1", {"method": "lora"}),
    Case("Llama-3.1-8B", "v5e-8", {"method": "lora", "batch_size": 8}),
    Case("Llama-3.1-8B", "v6e-4", {"method": "lora"}),
    Case("Qwen3-4B", "v6e-4", {"method": "full"}),
    Case("Qwen3-4B", "v6e-8", {"method": "full", "batch_size": 8}),
)
_COMMON: dict[str, Any] = {"packing": True, "dtype": "bfloat16", "max_seq_length": 2048, "batch_size": 4}


def reports(only: str, folder: Path) -> Iterator[tuple[Case, SliceReport]]:
    """The train step of each case, compiled. Raises CompilerMissing without libtpu."""
    slices = SliceReports(folder / "models", folder / "slices")
    for case in CASES:
        if only not in f"{case.model} {case.slice} {case.hyper}":
            continue
        model = folder / case.model
        model.mkdir(exist_ok=True)
        (model / "config.json").write_text(json.dumps(MODELS[case.model]))
        manifest = manifest_without_data(str(model), {**_COMMON, **case.hyper})
        yield case, slices.report(manifest, case.slice, ("train",), progress=lambda *_: None, stop=threading.Event())


def line(case: Case, report: SliceReport) -> str:
    step, bound = report.steps[0], report.bound("train")
    named = " ".join(f"{key}={value}" for key, value in case.hyper.items())
    if bound is None:
        return f"| {case.model}, {named} | {case.slice} | does not fit: {step.refused} |"
    return (
        f"| {case.model}, {named} | {case.slice} | {step.temporary / 1e9:.2f} GB | {report.used:.0%} of "
        f"{report.limit / 1e9:.0f} GB | {step.hbm / 1e9:.1f} GB | {sum(step.links.values()) / 1e9:.2f} GB | "
        f"{bound.utilisation_without_links:.0%} | {bound.utilisation:.0%} | {report.seconds:.0f} s |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of a case, such as a model's name")
    only = parser.parse_args().only
    columns = ("model", "slice", "temporary", "memory", "HBM traffic", "received", "MFU, links hidden", "MFU", "took")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    with tempfile.TemporaryDirectory() as folder:
        for case, report in reports(only, Path(folder)):
            print(line(case, report), flush=True)


if __name__ == "__main__":
    main()
