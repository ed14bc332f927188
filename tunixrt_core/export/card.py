"""The dataset card that stands beside an export: what it is, how it was made, how to load it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tunixrt_core.errors import OutputError
from tunixrt_core.export.files import ExportInfo, FileType
from tunixrt_core.export.formats import exporter_named

_MARK = "<!-- dataset card by Tunix RT -->"


@dataclass(frozen=True, slots=True)
class CardInfo:
    """What a card says. `name` is that of the dataset version, `about` the card of the version itself, as Markdown;
    `left_out` counts traces that are no row of the format, `deleted` those that are gone.
    """

    name: str
    about: str
    format: str
    file_type: FileType = FileType.JSONL
    options: Mapping[str, Any] = field(default_factory=dict)
    left_out: int = 0
    deleted: int = 0


def card_path(path: Path, *, alone: bool) -> Path:
    """`README.md`, where the export has a folder of its own to be uploaded from; else the file's name before it."""
    return path.with_name("README.md" if alone else f"{path.name}.README.md")


def export_card(info: CardInfo, file_name: str, export: ExportInfo | None = None) -> str:
    """The card as Markdown, with the head that the Hugging Face hub reads. It holds no time.

    Without an export it says nothing of rows, bytes and hash of the file.
    """
    lines = [*_head(info.name, file_name), info.about.rstrip(), "", "## File", "", *_about(info), ""]
    lines += _table(_file(info, file_name, export))
    lines += ["## How to load it", "", *_loading(info, file_name), ""]
    return "\n".join(lines)


def write_card(info: CardInfo, export: ExportInfo, *, alone: bool) -> Path:
    """Write the card beside the export. Raises OutputError rather than replace a README.md of another's writing."""
    path = card_path(export.path, alone=alone)
    try:
        if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
            raise OutputError(f"{path} is there already and is no dataset card. Export into another folder.")
        path.write_text(export_card(info, export.path.name, export), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}). Choose another place.") from None
    return path


def _head(name: str, file_name: str) -> Iterator[str]:
    yield from ("---", f"pretty_name: {name}", "tags:", "- reasoning", "- tunix-rt")
    yield from ("configs:", "- config_name: default", "  data_files:", f'  - "{file_name}"', "---", "", _MARK, "")


def _about(info: CardInfo) -> Iterator[str]:
    title = exporter_named(info.format).title
    yield f"Reasoning traces as {title.lower()} (`{info.format}`), exported by Tunix RT. The same dataset version"
    yield "always gives the same bytes: `sha256sum` of the file must print the hash below."


def _file(info: CardInfo, file_name: str, export: ExportInfo | None) -> Iterator[tuple[str, Any]]:
    yield "file", file_name
    yield "format", info.format
    yield from info.options.items()
    if export is not None:
        yield from (("rows", export.rows), ("bytes", export.bytes), ("sha256", export.sha256))
    if info.left_out:
        yield "traces that make no row of this format", info.left_out
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


def _loading(info: CardInfo, file_name: str) -> Iterator[str]:
    kind = "parquet" if info.file_type is FileType.PARQUET else "json"
    yield from ("```python", "from datasets import load_dataset", "")
    yield f'rows = load_dataset("{kind}", data_files="{file_name}", split="train")'
    if any(name == "split" for name, _ in exporter_named(info.format).columns):
        yield 'train = rows.filter(lambda row: row["split"] == "train")'
    yield from ("```", "", "Or back into Tunix RT, where `metadata` rebuilds every trace as it was:", "")
    yield from ("```sh", f"tunixrt ingest {file_name}", "```")
