"""Cost of a long run's metrics: writing, following on a page, cutting at a resume.

python benchmarks/metrics_io.py --train-steps 50000
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import orjson

from app.runs.figures.series import Wanted, series_of
from app.ui.charts.curves import Curves
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import TrainMetric, to_line
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.training.recording.alerts import Watch
from tunixrt_core.training.recording.recorder import RunRecorder

STEPS_OF_A_TRACE = 8
NEW = 10  # train steps between two reads of a page
SHOWN = (
    *("loss", "eval_loss", "samples", "parts", "grad_norm", "learning_rate", "tokens_per_second", "waiting"),
    *("memory_bytes", "peak_memory_bytes"),
)
LIMITS = {"write": 0.2, "read": 20.0}  # milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train-steps", type=int, default=50_000)
    train_steps = parser.parse_args().train_steps
    with tempfile.TemporaryDirectory() as folder:
        manifest = make_manifest(Path(folder), train_steps)
        run = RunDir(Path(folder) / "run")
        run.create()
        measured = {
            "write": write(run, manifest, train_steps),
            "read": read_on(run, train_steps),
            "draw": draw(run),
            "raw": raw_append(run, train_steps),
            "read all": milliseconds(lambda: run.metrics()),
            "resume": resume(run, manifest, train_steps),
        }
        size = run.metrics_file.stat().st_size
    print(f"{train_steps:,} train steps, {size / 1e6:.1f} MB of metrics")
    print(f"write      {measured['write']:.3f} ms per train step, alerts checked, state written twice per second")
    print(f"  beside   {measured['raw']:.3f} ms to append the same lines and flush each")
    print(
        f"draw       {measured['draw']:.0f} ms CPU to smooth and thin every curve of the page, once when it is opened"
    )
    print(f"read on    {measured['read']:.2f} ms for {NEW} new train steps at the end, into the curves of a page")
    print(f"read all   {measured['read all']:.0f} ms, once when a page is opened")
    print(f"resume     {measured['resume']:.0f} ms to cut the last half, once")
    for name, limit in LIMITS.items():
        assert measured[name] <= limit, f"{name}: {measured[name]:.3f} ms is more than {limit} ms"


def make_manifest(folder: Path, train_steps: int) -> RunManifest:
    data = folder / "data.jsonl"
    row = {"prompt": "2 + 2?", "trace_steps": ["2 and 2 is 4"], "final_answer": "4", "metadata": {"split": "train"}}
    data.write_bytes(orjson.dumps(row) + b"\n")
    return RunManifest.from_dict(build_sft_manifest(data, "tiny", folder / "run", {"train_steps": train_steps}))


def records(first: int, last: int) -> Iterator[TrainMetric]:
    """Records as large as those of a real run, with the loss of every part."""
    for step in range(first, last + 1):
        loss = 2.0 + (step * 7919 % 100) / 500 - step / 1e5
        yield TrainMetric(
            train_step=step,
            loss=loss,
            perplexity=7.4,
            learning_rate=2e-4,
            grad_norm=0.5 + (step * 104_729 % 100) / 300,
            epoch=step / 1000,
            trained_tokens=4096,
            tokens=7000,
            padding_share=0.12,
            tokens_per_second=9000.0 + step % 100,
            step_seconds=0.45,
            input_wait_seconds=0.01,
            memory_bytes=11_200_000_000,
            peak_memory_bytes=12_400_000_000,
            parts={"format": 0.01, "answer": 0.4, **{f"step {k}": loss for k in range(1, STEPS_OF_A_TRACE + 1)}},
            types={"think": loss, "compute": loss},
        )


def write(run: RunDir, manifest: RunManifest, train_steps: int) -> float:
    """Milliseconds per train step."""
    recorder = RunRecorder(run, watch=Watch(manifest))
    recorder.plan({"total_train_steps": train_steps, "restored_train_step": 0})
    made = list(records(1, train_steps))
    began = time.perf_counter()
    for record in made:
        recorder.record(record)
    taken = time.perf_counter() - began
    recorder.close()
    return 1000 * taken / train_steps


def read_on(run: RunDir, train_steps: int) -> float:
    """Median milliseconds of reading the new records, after the whole run was read."""
    curves = Curves()
    curves.extend(*run.metrics())
    times = []
    for look in range(20):
        with run.metrics_file.open("ab") as file:
            first = train_steps + 1 + look * NEW
            for record in records(first, first + NEW - 1):
                file.write(to_line(msgspec.structs.replace(record, time=1.0)))
        times.append(milliseconds(lambda: curves.extend(*run.metrics(curves.cursor))))
    assert len(curves.train) == train_steps + 20 * NEW
    return statistics.median(times)


def draw(run: RunDir) -> float:
    """CPU milliseconds to smooth and thin the curves of a run's page, after the file was read."""
    row = Run(run.path.name, "", RunStatus.SUCCEEDED, {}, str(run.path), datetime.now(UTC))
    wanted = Wanted(SHOWN, smoothing=0.6, tiles=True)
    series_of(row, "", wanted)
    began = time.process_time()
    for _ in range(3):
        series_of(row, "", wanted)
    return 1000 * (time.process_time() - began) / 3


def raw_append(run: RunDir, train_steps: int) -> float:
    """Milliseconds per line of writing the recorder's lines without the recorder."""
    lines = run.metrics_file.read_bytes().splitlines(keepends=True)[:train_steps]
    with run.path.joinpath("raw").open("ab") as file:
        began = time.perf_counter()
        for line in lines:
            file.write(line)
            file.flush()
        return 1000 * (time.perf_counter() - began) / len(lines)


def resume(run: RunDir, manifest: RunManifest, train_steps: int) -> float:
    recorder = RunRecorder(run, watch=Watch(manifest))
    taken = milliseconds(
        lambda: recorder.plan({"total_train_steps": train_steps, "restored_train_step": train_steps // 2})
    )
    recorder.close()
    return taken


def milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
