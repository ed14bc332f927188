"""Standard output of the command: JSON documents, closed pipes and encodings."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from tunixrt_core.cli.exit_codes import ExitCode

AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON document, and nothing else on standard output.")
]

_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
# JSON does not escape these; a terminal interprets some of them as commands
_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def print_json(value: object) -> None:
    """Print a value as one JSON document in UTF-8, whatever the terminal's encoding is.

    Records are written by their `to_dict`, or else by their fields; a float that is not finite is null.
    """
    print_document(orjson.dumps(value, default=_plain, option=_OPTIONS).decode().translate(_CONTROLS) + "\n")


def print_document(text: str) -> None:
    """Print text that a program reads, such as YAML: in UTF-8, whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def write_file(path: Path, text: str) -> None:
    """Write text in UTF-8. Raises OutputError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        from tunixrt_core.util.files.space import cannot_write

        raise cannot_write(path, error, "Choose another file.") from error


def path_text(path: Path) -> str:
    """A path as text that can be printed: bytes of its name that are not UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _plain(value: Any) -> Any:
    """A value as orjson takes it. Raises TypeError."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, Path):
        return path_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


class _Output(io.FileIO):
    """A file that ends the command with 0 and no error when its reader is gone, as in `| head`."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            # what is still buffered is flushed when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            raise SystemExit(ExitCode.SUCCESS) from None


@contextmanager
def standard_output() -> Iterator[None]:
    """Within the block, a closed pipe ends the command without an error, and unencodable characters are replaced."""
    before = sys.stdout
    if before is None:  # closed by the process that started the command
        yield
        return
    before.flush()
    stream = io.TextIOWrapper(
        io.BufferedWriter(_Output(before.fileno(), "w", closefd=False)),
        encoding=before.encoding,
        errors="replace",
        line_buffering=before.isatty(),
    )
    sys.stdout = stream
    try:
        yield
    finally:
        sys.stdout = before
        stream.flush()
