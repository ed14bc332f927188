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
    """What a card says. `version` is the JSON form of the dataset version; `left_out` counts traces that are no row
    of the format, `deleted` those that are gone.
    """

    version: Mapping[str, Any]
    format: str
    file_type: FileType = FileType.JSONL
    options: Mapping[str, Any] = field(default_factory=dict)
    left_out: int = 0
    deleted: int = 0


def card_path(path: Path, *, alone: bool) -> Path:
    """`README.md`, where the export has a folder of its own to be uploaded from; else the file's name before it."""
    return path.with_name("README.md" if alone else f"{path.name}.README.md")


def dataset_card(info: CardInfo, file_name: str, export: ExportInfo | None = None) -> str:
    """The card as Markdown, with the head that the Hugging Face hub reads. It holds no time.

    Without an export it says nothing of rows, bytes and hash of the file.
    """
    version = info.version
    lines = [*_head(version, file_name), f"# {version['name']} v{version['version']}", "", *_about(info), ""]
    lines += _table("File", _file(info, file_name, export))
    lines += _table("Dataset version", _made(version))
    lines += _table("Spec", ((name, value) for name, value in version["spec"].items()))
    if version.get("gates"):
        lines += _table("Quality gates", _gates(version["gates"]))
    lines += ["## How to load it", "", *_loading(info, file_name), ""]
    return "\n".join(lines)


def write_card(info: CardInfo, export: ExportInfo, *, alone: bool) -> Path:
    """Write the card beside the export. Raises OutputError rather than replace a README.md of another's writing."""
    path = card_path(export.path, alone=alone)
    try:
        if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
            raise OutputError(f"{path} is there already and is no dataset card. Export into another folder.")
        path.write_text(dataset_card(info, export.path.name, export), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}). Choose another place.") from None
    return path


def _head(version: Mapping[str, Any], file_name: str) -> Iterator[str]:
    yield from ("---", f"pretty_name: {version['name']} v{version['version']}", "tags:", "- reasoning", "- tunix-rt")
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


def _made(version: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("name", "version", "parent", "content_hash", "train_rows", "eval_rows"):
        yield name, version[name]


def _gates(gates: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(gates, Mapping):
        yield from gates.items()
    else:
        yield from ((str(number), gate) for number, gate in enumerate(gates, 1))


def _table(title: str, cells: Iterator[tuple[str, Any]]) -> list[str]:
    rows = [f"| {name} | {_cell(value)} |" for name, value in cells]
    return [f"## {title}", "", "| | |", "|---|---|", *rows, ""]


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
