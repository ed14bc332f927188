"""Rows of a Tunix SFT JSONL file, to and from traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import orjson

from tunixrt_core.errors import InvalidTrace, UnreadableFile
from tunixrt_core.traces.conversation import FIELDS
from tunixrt_core.traces.scores import GivenScore, scores_in
from tunixrt_core.traces.trace import DEFAULT_STEP_TYPE, Trace

Split = Literal["train", "eval"]
SPLITS: tuple[Split, ...] = get_args(Split)

OPTIONAL_FIELDS = ("source", "model", "system", "reference_answer")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file: a trace, its side of the split, and the scores of the row."""

    trace: Trace
    split: Split
    scores: tuple[GivenScore, ...] = ()


def to_row(trace: Trace, split: Split | None = None) -> dict[str, Any]:
    """`{"prompt", "trace_steps", "final_answer", "metadata"}`. The metadata holds what rebuilds the trace exactly."""
    return row_of(trace.to_dict(), trace.content_hash, split)


def row_of(data: Mapping[str, Any], trace_id: str, split: Split | None = None) -> dict[str, Any]:
    """The same from the JSON form of a trace, as the store keeps it, and its hash."""
    metadata = metadata_of(data, trace_id, split)
    for name in ("meta", "conversation"):
        if name in metadata:
            metadata[name] = json_text(metadata[name])
    return {
        "prompt": data["prompt"],
        "trace_steps": [step["content"] for step in data["steps"]],
        "final_answer": data["final_answer"],
        "metadata": metadata,
    }


def json_text(value: Any) -> str:
    """JSON as text, for what has other keys and types from row to row: a reader of tables wants one type a column."""
    return orjson.dumps(value).decode()


def metadata_of(data: Mapping[str, Any], trace_id: str, split: Split | None = None) -> dict[str, Any]:
    """What a row carries of a trace beside prompt, steps and answer: its hash, and whatever of the rest is set."""
    metadata: dict[str, Any] = {"trace_id": trace_id}
    if split is not None:
        metadata["split"] = split
    for name in OPTIONAL_FIELDS:
        if (value := data.get(name)) is not None:
            metadata[name] = value
    for step in data["steps"]:
        if step["type"] != DEFAULT_STEP_TYPE:
            metadata["step_types"] = [step["type"] for step in data["steps"]]
            break
    if layout := data.get("layout"):
        metadata["layout"] = layout
    if talk := {name: data[name] for name in FIELDS if name in data}:
        metadata["conversation"] = talk
    if data["meta"]:
        metadata["meta"] = data["meta"]
    return metadata


def from_row(data: Mapping[str, Any]) -> Row:
    """The trace and split of a row. Raises InvalidTrace naming the field.

    Metadata that `to_row` does not write is kept under the trace's `meta`, so that foreign rows keep everything.
    """
    for name in ("prompt", "trace_steps", "final_answer"):
        if name not in data:
            raise InvalidTrace(name, "is missing")
    metadata = read_metadata(data.get("metadata"))
    split = metadata.get("split") or "train"
    if split not in SPLITS:
        raise InvalidTrace("metadata.split", f"is {split!r}, not train or eval")
    trace = Trace.from_dict(
        {
            "prompt": data["prompt"],
            "steps": _steps(data["trace_steps"], metadata.get("step_types")),
            "final_answer": data["final_answer"],
            "meta": _meta(metadata),
            "layout": metadata["layout"] if _has_layout(metadata) else None,
            **(_object("metadata.conversation", metadata["conversation"]) if _has_conversation(metadata) else {}),
            **{name: metadata.get(name) for name in OPTIONAL_FIELDS},
        }
    )
    return Row(trace, split, _scores(metadata))


def read_metadata(value: Any) -> Mapping[str, Any]:
    """The metadata of a row: an object, or, as Parquet files hold it, its JSON text. Raises InvalidTrace."""
    return _object("metadata", value)


def read_rows(path: Path, split: Split | None = None) -> Iterator[Row]:
    """The rows of a Tunix SFT file in order, of one split where given.

    Raises UnreadableFile naming file and line for a line that is not a row.
    """
    for number, line in numbered_lines(path):
        try:
            row = parse_row(line)
        except InvalidTrace as error:
            raise UnreadableFile(f"{path}, line {number}: {error}") from None
        if split is None or row.split == split:
            yield row


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not blank, each with its number from 1."""
    with path.open("rb") as handle:
        yield from ((number, line) for number, line in enumerate(handle, 1) if line.strip())


def parse_row(line: bytes) -> Row:
    """One line as a row. Raises InvalidTrace for one that is none."""
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidTrace("row", f"is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise InvalidTrace("row", "must be a JSON object")
    return from_row(data)


def _steps(contents: Any, types: Any) -> list[Any]:
    if not isinstance(contents, list):
        raise InvalidTrace("trace_steps", "must be a list of steps")
    if types is None:
        return contents
    if not isinstance(types, list) or len(types) != len(contents):
        raise InvalidTrace("metadata.step_types", "must name one type a step")
    return [{"content": content, "type": kind} for content, kind in zip(contents, types, strict=True)]


def _has_layout(metadata: Mapping[str, Any]) -> bool:
    """Whether `layout` is that of a trace, and not a key of another program."""
    return "trace_id" in metadata and isinstance(metadata.get("layout"), Mapping)


def _has_conversation(metadata: Mapping[str, Any]) -> bool:
    return "trace_id" in metadata and bool(metadata.get("conversation"))


def _scores(metadata: Mapping[str, Any]) -> tuple[GivenScore, ...]:
    """Of an exported row; what another program writes under that name is kept in `meta`."""
    return scores_in(metadata) if _carries_scores(metadata) else ()


def _carries_scores(metadata: Mapping[str, Any]) -> bool:
    return "trace_id" in metadata and isinstance(metadata.get("scores"), list)


def _meta(metadata: Mapping[str, Any]) -> dict[str, Any]:
    known = {"trace_id", "split", "step_types", "meta", *OPTIONAL_FIELDS}
    known |= {"layout"} if _has_layout(metadata) else set()
    known |= {"conversation"} if _has_conversation(metadata) else set()
    known |= {"scores"} if _carries_scores(metadata) else set()
    extra = {key: value for key, value in metadata.items() if key not in known}
    return {**extra, **_object("metadata.meta", metadata.get("meta"))}


def _object(name: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise InvalidTrace(name, f"is text that is not JSON ({error})") from None
    if not isinstance(value or {}, Mapping):
        raise InvalidTrace(name, "must be an object")
    return value or {}
