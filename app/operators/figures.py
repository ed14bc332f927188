"""Figures of the home and of this process, as metrics."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from functools import cache

from app.operators.exposition import Family, Sample, gauge
from tunixrt_core import __version__
from tunixrt_core.pipeline.namespaces.watch import Figures, Training
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.util.processes.identity import resident_bytes


def families(found: Figures) -> Iterator[Family]:
    """Queue, runs, device and disk of a home, and this process."""
    yield gauge("tunixrt_info", "Version of Tunix RT.", 1, version=__version__)
    runs = [Sample(found.runs.get(status, 0), {"status": status}) for status in RunStatus]
    yield Family("tunixrt_runs", "gauge", "Runs of this home by status.", runs)
    yield gauge("tunixrt_queue_waiting", "Jobs that wait for the accelerator.", found.waiting)
    yield from _device(found)
    if found.training:
        yield from _training(found.training)
    yield gauge("tunixrt_disk_free_bytes", "Free space on the disk of the home.", found.disk_free_bytes)
    yield from _process()


def _device(found: Figures) -> Iterator[Family]:
    holding = found.holding
    holder = holding.holder
    held = {"job": holder.kind, "run": holder.run} if holder else {}
    yield gauge(
        "tunixrt_device_busy", "1 while a job holds the accelerator, which it names.", int(bool(holder)), **held
    )
    left = holding.seconds_left
    yield gauge("tunixrt_job_left_seconds", "Estimated time left of the job that holds the accelerator.", left)
    if device := holding.device_memory:
        yield gauge("tunixrt_device_memory_bytes", "Memory in use on the accelerator.", device.in_use)
        yield gauge("tunixrt_device_memory_peak_bytes", "Peak of the memory in use on the accelerator.", device.peak)
    if memory := holding.memory:
        parts = (("job" if holder else "server", memory.process), ("others", memory.others), ("free", memory.free))
        samples = [Sample(value, {"of": name}) for name, value in parts]
        yield Family("tunixrt_machine_memory_bytes", "gauge", "Memory of this machine.", samples)


def _training(now: Training) -> Iterator[Family]:
    run = now.run
    yield gauge("tunixrt_train_step", "Train steps done of the run that trains.", now.train_step, run=run)
    yield gauge("tunixrt_train_steps_planned", "Train steps that it plans.", now.total_train_steps, run=run)
    yield gauge("tunixrt_train_loss", "Loss of its last train step, nats per token.", now.loss, run=run)
    yield gauge("tunixrt_eval_loss", "Its last eval loss, nats per token.", now.eval_loss, run=run)
    yield gauge("tunixrt_tokens_per_second", "Trained tokens per second.", now.tokens_per_second, run=run)


def _process() -> Iterator[Family]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime
    yield Family("process_cpu_seconds_total", "counter", "CPU time of the server.", [Sample(seconds)])
    yield gauge("process_resident_memory_bytes", "Memory of the server.", resident_bytes(os.getpid()))
    yield gauge("process_start_time_seconds", "Start of the server, Unix time.", _started())


@cache
def _started() -> float | None:
    """From the start time of /proc, which is in clock ticks since the boot; None where the system has none."""
    try:
        with open("/proc/self/stat", encoding="utf-8") as stat, open("/proc/stat", encoding="utf-8") as system:
            ticks = int(stat.read().rpartition(")")[2].split()[19])
            boot = next(int(line.split()[1]) for line in system if line.startswith("btime"))
    except (OSError, StopIteration, ValueError):
        return None
    return boot + ticks / os.sysconf("SC_CLK_TCK")
