"""Python module `create_dataset` for Tunix's own command."""

from __future__ import annotations

from pathlib import Path

from tunixrt_core.errors import InvalidDataset
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.files import ExportInfo, FileType
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.files.space import cannot_write

_OPENED = {
    FileType.JSONL: ("", 'DATA.open("rb")'),
    FileType.JSONL_GZ: ("import gzip\n", 'gzip.open(DATA, "rb")'),
}
_MODULE = '''"""Rows of {name} for Tunix: data_module: "path/to/{module}"."""

{import_gzip}import json
from pathlib import Path

import grain

DATA = Path(__file__).with_name("{name}")
KEYS = ("prompts", "question", "answer")


def create_dataset(split="train"):
    """The rows of one split; all rows where the file knows no splits."""
    with {opened} as lines:
        rows = [json.loads(line) for line in lines]
    chosen = [row for row in rows if row.get("split", split) == split]
    return grain.MapDataset.source([{{key: row[key] for key in KEYS}} for row in chosen])
'''


def data_module(file_name: str, file_type: FileType = FileType.JSONL) -> str:
    """The text of the module for a grpo export. Raises InvalidDataset for a file type that it cannot read."""
    if file_type not in _OPENED:
        raise InvalidDataset("The data module reads jsonl and jsonl.gz; Tunix reads Parquet by itself.")
    import_gzip, opened = _OPENED[file_type]
    return _MODULE.format(name=file_name, module=module_name(file_name), import_gzip=import_gzip, opened=opened)


def module_name(file_name: str) -> str:
    return f"{file_name.partition('.jsonl')[0]}.py"


def check_prompts(options: ExportOptions) -> None:
    """Raises InvalidDataset where the prompts are messages: Tunix takes text."""
    if options.turns == "messages" and options.chat is None:
        raise InvalidDataset(
            "The data module gives Tunix prompts of text, and these are messages. Choose a chat format, or text."
        )


def write_module(export: ExportInfo, format: str, file_type: FileType) -> Path:
    """Write the module beside a grpo export. Raises InvalidDataset for another format."""
    if format != "grpo":
        raise InvalidDataset("The data module is for the format grpo, which Tunix's own command trains on.")
    path = export.path.with_name(module_name(export.path.name))
    try:
        write_atomic(path, data_module(export.path.name, file_type).encode())
    except OSError as error:
        raise cannot_write(path, error, "Choose another place.") from None
    return path
