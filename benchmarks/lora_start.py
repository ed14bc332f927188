"""Application of LoRA at the start of a training, beside qwix's own, which runs a pass operation by operation.

    python benchmarks/lora_start.py [--model tiny] [--method lora|qlora] [--times 3]

Each is measured in a new process without compiled programs: seconds of the clock and of the CPU, and compilations. The
model is a built-in one or a folder; loading it is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest  # noqa: E402
from tunixrt_core.traces.rows import to_row  # noqa: E402
from tunixrt_core.traces.trace import Step, Trace  # noqa: E402

WAYS = ("qwix", "here")


def apply(way: str, manifest: RunManifest, models: Path) -> dict[str, Any]:
    """Apply LoRA in this process; what it took."""
    import jax
    from flax import nnx

    from tunixrt_core.manifest.sections import Method
    from tunixrt_core.tunix_backend.model.lora.applied import adapt_model, add_lora
    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh

    compiled: list[float] = []

    def count(event: str, seconds: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(seconds)

    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        base = load_model(manifest.model_copy(update={"method": Method.FULL}), models, mesh)
        jax.block_until_ready(nnx.state(base.model))
        jax.monitoring.register_event_duration_secs_listener(count)
        clock, cpu = time.perf_counter(), time.process_time()
        asked = (base.model, base.architecture, manifest.lora, manifest.method, manifest.seed)
        model = adapt_model(*asked) if way == "qwix" else add_lora(*asked, mesh)
        jax.block_until_ready(nnx.state(model))
    took = {"clock": time.perf_counter() - clock, "cpu": time.process_time() - cpu}
    return {**took, "compilations": len(compiled)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--method", default="lora", choices=["lora", "qlora"])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)  # in the new processes
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if chosen.way:
        manifest = RunManifest.from_text((chosen.folder / "manifest.yaml").read_text())
        print(json.dumps(apply(chosen.way, manifest, chosen.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        row = to_row(Trace("1 + 1?", (Step(0, "so"),), "2"), "train")  # no value depends on it
        (folder / "rows.jsonl").write_text(json.dumps(row))
        values = {"method": chosen.method, **({"tile_size": 16} if chosen.method == "qlora" else {})}
        manifest = RunManifest.from_dict(
            build_sft_manifest(folder / "rows.jsonl", chosen.model, folder / "run", values)
        )
        (folder / "manifest.yaml").write_text(manifest.to_yaml())
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        again = [sys.executable, __file__, "--folder", name]
        for _ in range(chosen.times):
            for way in WAYS:
                done = subprocess.run([*again, "--way", way], capture_output=True, text=True, check=True)
                found[way].append(json.loads(done.stdout.splitlines()[-1]))
    for what in ("compilations", "cpu", "clock"):
        qwix, here = (statistics.median(each[what] for each in found[way]) for way in WAYS)
        print(f"{what}: qwix {qwix:.2f}, here {here:.2f}, {here / qwix:.2f} x (medians of {chosen.times})")


if __name__ == "__main__":
    main()
