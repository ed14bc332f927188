"""Export traces as JSONL: streamed, atomic, and the same bytes for the same traces on every machine."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from tunixrt_core.errors import InvalidDataset, OutputError
from tunixrt_core.render import ReasoningStyle, render_completion
from tunixrt_core.rows import Split, to_row
from tunixrt_core.runs import write_json
from tunixrt_core.traces import Trace

SplitOf = Callable[[Trace], Split | None]


class Exporter(Protocol):
    """Traces -> JSONL lines in the order given, each with its `\\n`. `split_of` says where a trace stands."""

    def __call__(self, traces: Iterable[Trace], *, split_of: SplitOf | None = None) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class ExportInfo:
    """A written export. `sha256` is of the file's bytes; the sidecar stands at `meta_path`."""

    path: Path
    rows: int
    sha256: str
    bytes: int

    @property
    def meta_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.meta.json")


def export_tunix_sft_jsonl(traces: Iterable[Trace], *, split_of: SplitOf | None = None) -> Iterator[bytes]:
    """`{"prompt", "trace_steps", "final_answer", "metadata"}`; the metadata rebuilds the trace exactly."""
    for trace in traces:
        yield _line(to_row(trace, split_of(trace) if split_of else None))


def export_trace_jsonl(traces: Iterable[Trace], *, split_of: SplitOf | None = None) -> Iterator[bytes]:
    """The traces themselves, as canonical JSON: each line's sha256 (without its end) is the trace's hash.

    A trace holds no split, so `split_of` is not asked.
    """
    for trace in traces:
        yield trace.canonical + b"\n"


def export_prompt_completion_jsonl(
    traces: Iterable[Trace],
    *,
    split_of: SplitOf | None = None,
    style: ReasoningStyle = ReasoningStyle.TAGS,
) -> Iterator[bytes]:
    """`{"prompt", "completion"}` as TRL reads it: raw text without control tokens; chat messages with a system text."""
    for trace in traces:
        completion = render_completion([step.content for step in trace.steps], trace.final_answer, style)
        row: dict[str, Any] = {"prompt": trace.prompt, "completion": completion}
        if trace.system is not None:
            turns = [{"role": "system", "content": trace.system}, {"role": "user", "content": trace.prompt}]
            row = {"prompt": turns, "completion": [{"role": "assistant", "content": completion}]}
        if split_of and (split := split_of(trace)):
            row["split"] = split
        yield _line(row)


EXPORT_FORMATS: dict[str, Exporter] = {
    "tunix_sft": export_tunix_sft_jsonl,
    "trace": export_trace_jsonl,
    "prompt_completion": export_prompt_completion_jsonl,
}


def exporter_named(name: str) -> Exporter:
    """The exporter of a format. Raises InvalidDataset, listing the known ones."""
    if name not in EXPORT_FORMATS:
        raise InvalidDataset(f"There is no export format {name!r}. Use one of: {', '.join(EXPORT_FORMATS)}.")
    return EXPORT_FORMATS[name]


def write_export(
    lines: Iterable[bytes], path: Path, *, format: str = "tunix_sft", dataset: Mapping[str, Any] | None = None
) -> ExportInfo:
    """Write the lines beside `path`, fsync and rename, then the sidecar `<file>.meta.json`. Neither holds a time.

    `dataset` (name, version, content hash) goes into the sidecar. A file that stood there is replaced only by a
    whole one. Raises OutputError where the directory cannot be written; an error of `lines` leaves nothing behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            rows, size, sha256 = _write(lines, temporary)
            # the old sidecar must never stand beside the new file
            path.with_name(f"{path.name}.meta.json").unlink(missing_ok=True)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        info = ExportInfo(path, rows, sha256, size)
        meta = {"format": format, "rows": rows, "sha256": sha256, "bytes": size}
        write_json(info.meta_path, meta | ({"dataset": dict(dataset)} if dataset is not None else {}))
        return info
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}). Choose another place, or mend its permissions."
        ) from None


def _write(lines: Iterable[bytes], path: Path) -> tuple[int, int, str]:
    digest, rows, size = hashlib.sha256(), 0, 0
    with path.open("wb", buffering=1 << 20) as handle:
        for line in lines:
            handle.write(line)
            digest.update(line)
            rows += 1
            size += len(line)
        handle.flush()
        os.fsync(handle.fileno())
    return rows, size, digest.hexdigest()


def _line(row: Mapping[str, Any]) -> bytes:
    return orjson.dumps(row) + b"\n"
