"""Values of the manifest form, its manifest and its plan."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app.state import get_pipeline
from app.ui.background import computed
from app.ui.boundary import escape_markdown
from app.ui.words import duration, percent, plural
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import TunixRTError, UnreadableFile
from tunixrt_core.manifest.manifest import RunManifest, make_manifest
from tunixrt_core.manifest.sections import DataSection
from tunixrt_core.training.estimates.pace import Pace
from tunixrt_core.training.preflight.report import Totals
from tunixrt_core.util.files.disks import require_answer
from tunixrt_core.util.hashing import file_sha256
from tunixrt_core.util.tasks import Progress, Task, Tasks


@dataclass(frozen=True, slots=True)
class ManifestChoice:
    """The values of the form, enough to make a manifest."""

    dataset: DatasetVersion
    model_id: str
    output_dir: str | None
    hyperparams: Mapping[str, Any]

    def manifest(self, data: DataSection) -> RunManifest:
        """The manifest of these values. Raises InvalidManifest naming the key of an invalid value."""
        folder = self.output_dir or get_pipeline().manifests.next_run_dir()
        return make_manifest(data, self.model_id, folder, self.hyperparams, dataset=self.dataset.ref)


_hashed: dict[str, tuple[tuple[int, int, int], str]] = {}  # by path: size, time and inode when it was hashed
_tasks: Tasks[DataSection] = Tasks("manifest data", at_once=1, keep=16)


def manifest_data(dataset: DatasetVersion) -> DataSection | None:
    """The data section of a manifest. Raises the error that ended the writing of its rows.

    While rows are written: None, with a line that says so; the page reruns at the end.
    """
    rt = get_pipeline()

    def write(on_progress: Progress, stop: threading.Event) -> DataSection:
        found = rt.manifests.data(dataset.name, dataset.version)
        _hashed[found.path] = _mark(Path(found.path)), found.sha256
        return found

    def show(task: Task[DataSection]) -> None:
        rows = plural(dataset.rows, "row")
        st.caption(escape_markdown(f"Writing {dataset.label} as JSONL ({rows}) …"))

    key = (str(rt.settings.home), dataset.name, dataset.version, rt.datasets.content_now(dataset))
    try:
        data = computed(_tasks, key, write, show)
    except TunixRTError:
        _tasks.forget(key)  # a full disk may have room at the next attempt
        raise
    if data is not None and not _is_there(data):
        _tasks.forget(key)
        st.rerun()
    return data


def _is_there(data: DataSection) -> bool:
    """Whether the file is the one whose hash was taken; one with another time, size or inode is hashed again."""
    path, known = Path(data.path), _hashed.get(data.path)
    try:
        require_answer(path)
        mark = _mark(path)
        if known is None or known[0] != mark:
            known = _hashed[data.path] = mark, file_sha256(path)
    except (OSError, UnreadableFile):
        return False
    return known[1] == data.sha256


def _mark(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def plan_lines(manifest: RunManifest, totals: Totals | None = None, pace: Pace | None = None) -> list[tuple[str, str]]:
    """The plan of a manifest: from its numbers and, once the rows were read, from their `totals`."""
    steps = totals.train_steps if totals else manifest.total_train_steps(manifest.data.train_rows)
    cadence = manifest.cadence
    lines = [
        ("Rows", f"{manifest.data.train_rows:,} train, {manifest.data.eval_rows:,} eval"),
        ("Train steps", _steps_words(manifest, totals)),
    ]
    if totals:
        share = f"{totals.trained_tokens:,} trained of {totals.tokens:,}"
        lines.append(("Tokens", f"{share} per epoch, {percent(totals.padding_share)} padding"))
    evaluate = f"every {plural(cadence.eval_every, 'train step')}" if manifest.data.eval_rows else "no eval rows"
    save = f"every {plural(cadence.checkpoint_every, 'train step')}, keep {cadence.keep_checkpoints} and the best"
    return [
        *lines,
        ("Evaluate", evaluate),
        ("Save", save),
        ("Expected time", time_words(pace, steps)),
        ("Output", manifest.output_dir),
    ]


def plan_sentence(manifest: RunManifest, totals: Totals | None = None, pace: Pace | None = None) -> str:
    """The plan in one line: `tiny on additions v1 · 35 train steps · about 5 min`."""
    steps = totals.train_steps if totals else manifest.total_train_steps(manifest.data.train_rows)
    data = f" on {manifest.dataset.name} v{manifest.dataset.version}" if manifest.dataset else ""
    parts = [f"{manifest.model.id}{data}", plural(steps, "train step")]
    if pace is not None:
        parts.append(f"about {duration(pace.seconds(steps))}")
    return " · ".join(parts)


def time_words(pace: Pace | None, train_steps: int) -> str:
    """`about 54 min, as fast as r-0141`."""
    if pace is None:
        return "unknown: no run of this kind has trained here"
    return f"about {duration(pace.seconds(train_steps))}, as fast as {pace.run_id}"


def _steps_words(manifest: RunManifest, totals: Totals | None) -> str:
    if totals:
        return f"{totals.train_steps:,}, {totals.epochs:.3g} epochs"
    steps = manifest.total_train_steps(manifest.data.train_rows)
    rows = manifest.batch.size * manifest.batch.gradient_accumulation
    if manifest.batch.packing:  # the number of rows per packed row is known after tokenising
        return f"{steps:,}, packed" if manifest.duration.train_steps else f"fewer than {steps:,}, as rows are packed"
    return f"{steps:,} of {plural(rows, 'row')} each, {steps * rows / manifest.data.train_rows:.1f} epochs"
