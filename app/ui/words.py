"""Numbers, times and states in readable form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from tunixrt_core.evaluation.folder import EvalState
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run, RunState, RunStatus

MISSING = "–"

STATE_WORDS: dict[RunStatus, str] = {
    RunStatus.QUEUED: "Queued",
    RunStatus.LOADING: "Loading",
    RunStatus.COMPILING: "Compiling",
    RunStatus.RUNNING: "Running",
    RunStatus.STOPPING: "Stopping",
    RunStatus.SUCCEEDED: "Finished",
    RunStatus.FAILED: "Failed",
    RunStatus.STOPPED: "Stopped",
    RunStatus.INTERRUPTED: "Interrupted",
    RunStatus.BROKEN: "Broken",
}

_PHASE_SENTENCES = {
    "loading": "Loading the model and the rows",
    "compiling": "Compiling the train step: the device waits, this can take a minute or more",
    "training": "Training",
    "evaluating": "Evaluating on the eval split",
    "answering": "Answering the fixed prompts",
    "saving": "Saving a checkpoint",
}


def whole(value: int | None) -> str:
    """`48,212`."""
    return MISSING if value is None else f"{value:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 trace`, `2 traces`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def named(run: Run) -> str:
    """A run by its name and id: `tiny-dial (r-0037)`."""
    return f"{run.name} ({run.id})"


def decimals(value: float | None, digits: int = 3) -> str:
    """Fixed decimals, a dash for a missing value and a word for NaN."""
    if value is None:
        return MISSING
    return f"{value:,.{digits}f}" if math.isfinite(value) else str(value)


def percent(share: float | None) -> str:
    """`47.2%` for 0.472."""
    return MISSING if share is None else f"{100 * share:.1f}%"


def points(difference: float) -> str:
    """A difference of two shares with a true minus sign: `+6.8 points`."""
    return f"{'−' if difference < 0 else '+'}{abs(100 * difference):.1f} points"


def points_between(value: float, low: float, high: float) -> str:
    """A difference of two shares with its interval: `+6.8 points (+1.2 to +12.4)`."""
    ends = (points(end).removesuffix(" points") for end in (low, high))
    return f"{points(value)} ({' to '.join(ends)})"


def p_value(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def rate(value: float | None) -> str:
    """A learning rate: `2e-4`, `1.5e-3`."""
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def size(count: float) -> str:
    """Bytes with a unit: `11.2 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float | None) -> str:
    """`41 s`, `28 min`, `1 h 05 min`."""
    if seconds is None:
        return MISSING
    seconds = max(0, round(seconds))
    if seconds < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(when: datetime | None, zone: tzinfo | None = None) -> str:
    """`21 Nov 2026, 16:40`, in the server's time zone where no other is given."""
    if when is None:
        return MISSING
    return f"{_local(when, zone):%-d %b %Y, %H:%M}"


def day(when: datetime) -> str:
    """`21 Nov, 16:40`, for a table."""
    return f"{_local(when):%-d %b, %H:%M}"


def _local(when: datetime, zone: tzinfo | None = None) -> datetime:
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(zone)


def short_hash(value: str) -> str:
    return f"{value[:8]}…{value[-4:]}" if len(value) > 14 else value


def one_line(text: str, limit: int = 140) -> str:
    """Text for a table cell: white space made single, cut with an ellipsis."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def elapsed(state: RunState, now: float) -> float | None:
    """Training time of a run in seconds, including the time before a resume."""
    if state.started_at is None:
        return None
    return state.earlier_seconds + (state.ended_at or now) - state.started_at


def compile_words(lengths: Sequence[int], compiled: Sequence[int]) -> str:
    """The row length being compiled: `length 2 of 3`, with the length itself if only one is left."""
    left = [length for length in lengths if length not in compiled]
    if len(lengths) < 2 or not left:
        return ""
    named = f" ({left[0]:,} tokens)" if len(left) == 1 else ""
    return f"row length {len(lengths) - len(left) + 1} of {len(lengths)}{named}"


def progress_line(state: RunState, now: float, seconds_left: float | None, compiling: str = "") -> str:
    """State of a run in one line: phase, train step, share, time taken, time left.

    `compiling` names the part being compiled.
    """
    total, done = state.total_train_steps, state.train_step
    steps = f"train step {done:,} of {total:,} · {100 * state.share_done:.0f}%" if total else ""
    parts = [_phase(state), compiling if state.phase == "compiling" and not state.status.over else "", steps]
    if (taken := elapsed(state, now)) is not None:
        parts.append(f"{duration(taken)} elapsed")
    if seconds_left is not None and state.phase == "training" and not state.status.over:
        parts.append(f"about {duration(seconds_left)} left")
    return " · ".join(part for part in parts if part)


def _phase(state: RunState) -> str:
    if state.status is RunStatus.QUEUED:
        return "Waiting for the device"
    if state.status is RunStatus.STOPPING:
        return "Stopping after this train step, then saving a checkpoint"
    if state.status.over:
        return STATE_WORDS[state.status]
    return _PHASE_SENTENCES.get(state.phase, STATE_WORDS[state.status])


def evaluation_line(record: EvalRecord, state: EvalState) -> str:
    """State of an evaluation in one line."""
    who = f"Tuned model, train step {whole(record.train_step)}"
    if record.target == "base":
        who = "Base model, own prompt" if record.prompt == "own" else "Base model"
    if record.status.over:
        return f"{who}: {STATE_WORDS[record.status].lower()}"
    if not state.phase:
        return f"{who}: waiting for the device"
    if state.phase == "compiling":
        done = f"answered {state.done:,} of {state.total:,} prompts, " if state.done else ""
        return f"{who}: {done}compiling: the device waits"
    if state.done or state.phase == "generating":
        return f"{who}: answered {state.done:,} of {state.total:,} prompts"
    return f"{who}: {state.phase}"


def place(path: Path) -> str:
    """A folder with the home directory shortened: `~/.tunixrt`."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) and path != home else str(path)
