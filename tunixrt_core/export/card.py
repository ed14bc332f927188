"""Dataset card of an export: contents, recipe and how to load it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tunixrt_core.errors import OutputError
from tunixrt_core.export.files import ExportInfo, FileType
from tunixrt_core.export.formats import exporter_named
from tunixrt_core.export.parquet import Columns
from tunixrt_core.traces.rows import OPTIONAL_FIELDS, Split
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.files.space import cannot_write

_MARK = "<!-- dataset card by Tunix RT -->"


@dataclass(frozen=True, slots=True)
class CardInfo:
    """What a card says. `name` is that of the dataset version, `about` the card of the version itself, as Markdown;
    `columns` are those of the rows under the options, `split` the only side that was exported, where it is one side.
    `left_out` counts the traces that give no row of the format by the reason, `deleted` those that are gone.
    """

    name: str
    about: str
    format: str
    columns: Columns
    file_type: FileType = FileType.JSONL
    options: Mapping[str, Any] = field(default_factory=dict)
    split: Split | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class CardFile:
    """A file that the card is about: its name, the side of the split where each has a file, and what was written."""

    name: str
    split: Split | None = None
    export: ExportInfo | None = None


def card_path(path: Path, *, alone: bool) -> Path:
    """`README.md`, where the export has a folder of its own to be uploaded from; else the file's name before it."""
    return path.with_name("README.md" if alone else f"{path.name}.README.md")


def export_card(info: CardInfo, files: Sequence[CardFile]) -> str:
    """The card as Markdown, with the head that the Hugging Face hub reads. It holds no time.

    Without exports it says nothing of rows, bytes and hash of the files.
    """
    title = "## File" if len(files) == 1 else "## Files"
    lines = [*_head(info.name, files), info.about.rstrip(), "", title, "", *_about(info), ""]
    lines += _table(_facts(info, files))
    lines += ["## How to load it", "", *_loading(info, files), ""]
    return "\n".join(lines)


def write_card(info: CardInfo, files: Sequence[CardFile], path: Path) -> Path:
    """Write the card. Raises OutputError rather than replace a README.md of another's writing."""
    try:
        if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
            raise OutputError(f"{path} already exists and is no dataset card. Export into another folder.")
        write_atomic(path, export_card(info, files).encode())
    except OSError as error:
        raise cannot_write(path, error, "Choose another place.") from None
    return path


def _head(name: str, files: Sequence[CardFile]) -> Iterator[str]:
    yield from ("---", f"pretty_name: {name}", "tags:", "- reasoning", "- tunix-rt")
    yield from ("configs:", "- config_name: default", "  data_files:")
    for file in files:
        if file.split is None:
            yield f'  - "{file.name}"'
        else:
            yield from (f"  - split: {file.split}", f'    path: "{file.name}"')
    yield from ("---", "", _MARK, "")


def _about(info: CardInfo) -> Iterator[str]:
    title = exporter_named(info.format).title
    yield f"Reasoning traces as {title.lower()} (`{info.format}`), exported by Tunix RT. The same dataset version"
    yield "always gives the same bytes: `sha256sum` of the file must print the hash below."


def _facts(info: CardInfo, files: Sequence[CardFile]) -> Iterator[tuple[str, Any]]:
    for file in files:
        of = f" of {file.split}" if file.split else ""
        yield f"file{of}", file.name
        if file.export is not None:
            yield f"rows{of}", file.export.rows
            yield f"bytes{of}", file.export.bytes
            yield f"sha256{of}", file.export.sha256
    yield "format", info.format
    if info.split:
        yield "split", info.split
    yield from info.options.items()
    for reason, traces in info.left_out.items():
        yield f"traces left out: {reason}", traces
    if info.deleted:
        yield "traces deleted since the version was made", info.deleted


def _table(cells: Iterator[tuple[str, Any]]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in cells), ""]


def _cell(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    return f"`{escaped}`" if escaped and "`" not in escaped else escaped


def _loading(info: CardInfo, files: Sequence[CardFile]) -> Iterator[str]:
    kind = "parquet" if info.file_type is FileType.PARQUET else "json"
    given = ""
    if kind == "json":
        # without them the types are guessed from the first rows, which may have no value in a column
        given = ", features=features"
        yield from ("```python", "from datasets import Features, Value, load_dataset", "", "features = Features({")
        yield from (f'    "{name}": {_FEATURES[kind]},' for name, kind in info.columns)
        yield "})"
    else:
        yield from ("```python", "from datasets import load_dataset", "")
    if files[0].split is None:
        yield f'rows = load_dataset("{kind}", data_files="{files[0].name}", split="train"{given})'
        if info.split is None and ("split", "text") in info.columns:
            yield 'train = rows.filter(lambda row: row["split"] == "train")'
    else:
        named = ", ".join(f'"{file.split}": "{file.name}"' for file in files)
        yield f'data = load_dataset("{kind}", data_files={{{named}}}{given})'
    yield from ("```", "", "Or back into Tunix RT, where `metadata` rebuilds every trace as it was:", "", "```sh")
    yield from (f"tunixrt ingest {file.name}" for file in files)
    yield "```"


_TURN = '"role": Value("string"), "content": Value("string")'
_CALL = (
    '"id": Value("string"), "type": Value("string"), '
    '"function": {"name": Value("string"), "arguments": Value("string")}'
)
_LAYOUT = (
    '"between": [Value("string")], "solution": Value("int64"), "answer_at": Value("int64"), '
    '"before_answer": Value("string"), "after_answer": Value("string")'
)
_FEATURES = {
    "text": 'Value("string")',
    "json": 'Value("string")',
    "texts": '[Value("string")]',
    "bools": '[Value("bool")]',
    "turns": f"[{{{_TURN}}}]",
    "thinking": f'[{{{_TURN}, "reasoning_content": Value("string")}}]',
    "calls": f'[{{{_TURN}, "reasoning_content": Value("string"), "tool_calls": [{{{_CALL}}}], '
    '"tool_call_id": Value("string"), "name": Value("string"), "train": Value("bool")}]',
    "steps": '[{"content": Value("string"), "i": Value("int64"), "type": Value("string")}]',
    "export_metadata": "{"
    + ", ".join(
        f'"{name}": Value("string")' for name in ("trace_id", "split", *OPTIONAL_FIELDS, "meta", "conversation")
    )
    + f', "step_types": [Value("string")], "layout": {{{_LAYOUT}}}}}',
}
"""Of each kind of column in JSONL, as `datasets` writes its type."""
