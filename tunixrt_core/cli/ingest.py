"""`tunixrt ingest`: traces from files or standard input, or a preview."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from tunixrt_core.cli.common import Home, open_home
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.output import AsJson, path_text, print_json
from tunixrt_core.cli.show import ingest as terminal_ingest
from tunixrt_core.cli.show import terminal
from tunixrt_core.errors import UnreadableFile
from tunixrt_core.ingest.formats.mapping import ColumnMapping
from tunixrt_core.ingest.options import Reading
from tunixrt_core.ingest.report import ImportProgress, ImportReport
from tunixrt_core.pipeline.pipeline import Pipeline

Format = Annotated[str, typer.Option(help="Format of the rows; auto detects it from the content.")]
Split = Annotated[
    str, typer.Option(help="How to divide reasoning into steps: auto, numbered, paragraphs, lines or none.")
]
ThinkTags = Annotated[
    tuple[str, str] | None,
    typer.Option(metavar="OPEN CLOSE", help="Marks around the reasoning, if they are not among the known ones."),
]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help="Map a field to a column: field=column, such as prompt=question. Repeatable."),
]
Field = Annotated[
    str | None, typer.Option(help="Key of a JSON document under which its rows are, such as data or data.train.")
]
Encoding = Annotated[str | None, typer.Option(help="Encoding of text that is not UTF-8, such as gb18030 or cp1252.")]
RejectsFile = Annotated[
    Path | None, typer.Option("--rejects", help="Write the rejected rows to this file, to fix and import again.")
]


def ingest(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="JSONL, JSON, CSV, Parquet, Arrow or Excel, packed too; a folder, a zip or a tar file of these; "
            "- for standard input.",
        ),
    ] = None,
    format: Format = "auto",
    source: Annotated[str | None, typer.Option(help="Source to record with the traces.")] = None,
    split: Split = "auto",
    think_tags: ThinkTags = None,
    map_: Map = None,
    field: Field = None,
    encoding: Encoding = None,
    rejects: RejectsFile = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show the first rows as traces; store nothing.")] = False,
    bundled: Annotated[bool, typer.Option("--examples", help="Load the bundled example traces.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Import traces into the database. Exits with 1 if a row was rejected.

    A file is stored as a whole or not at all: after Ctrl-C no row is stored.
    """
    if bundled == bool(files):
        raise typer.BadParameter("name a file, or give --examples")
    with open_home(home) as rt:
        if not files:
            report = rt.traces.ingest_examples()
        else:
            words = words_of(files, format, split, map_, source, think_tags, field, encoding)
            if preview:
                _preview(rt, files, words, as_json)
                return
            report = _store(rt, files, words, rejects)
    if as_json:
        print_json(report)
    else:
        terminal_ingest.import_report(report)
        terminal_ingest.rejects_written(rejects, report.rejected)
    raise typer.Exit(ExitCode.FAILURE if report.rejected else ExitCode.SUCCESS)


def _preview(rt: Pipeline, files: list[Path], words: Reading, as_json: bool) -> None:
    found = rt.traces.preview(source_of(files), **words)
    if as_json:
        print_json(found)
    else:
        terminal_ingest.import_preview(found)


def stream_of(file: Path) -> Any:
    """The file, or standard input for `-`."""
    return sys.stdin.buffer if str(file) == "-" else file


def source_of(files: list[Path]) -> Any:
    """The files, or standard input for `-` alone. Raises UnreadableFile where it is one of several."""
    if len(files) == 1:
        return stream_of(files[0])
    if any(str(file) == "-" for file in files):
        raise UnreadableFile("Standard input (-) cannot be one of several files. Read it by itself.")
    return files


def name_of(file: Path) -> str:
    """The file as reports name it."""
    return "standard input" if str(file) == "-" else path_text(file)


def words_of(
    files: list[Path],
    format: str,
    split: str,
    pairs: list[str] | None,
    source: str | None = None,
    think_tags: tuple[str, str] | None = None,
    field: str | None = None,
    encoding: str | None = None,
) -> Reading:
    """The import options of a file, as the methods of `rt.traces` take them. Raises UnreadableFile."""
    mapping = ColumnMapping.parse(pairs or [])
    return {
        "name": name_of(files[0]) if len(files) == 1 else f"{len(files):,} files",
        "format": format,
        "split": split,
        "mapping": mapping.fields if mapping else None,
        "source_label": source,
        "think_tags": think_tags,
        "field": field,
        "encoding": encoding,
    }


def tell(bar: Any, task: Any, progress: ImportProgress) -> None:
    """Show rows on the bar, with their rate, and the time left if the size is known."""
    left = progress.seconds_left
    note = f"{progress.rate:,.0f}/s" + (f", about {left:,.0f} s left" if left is not None else "")
    total = round(progress.read / progress.share) if progress.share else None
    bar.update(task, completed=progress.read, total=total, note=note)


def _store(rt: Pipeline, files: list[Path], words: Reading, rejects: Path | None) -> ImportReport:
    interrupt = Interrupt()
    try:
        with terminal.progress() as bar, interrupt.caught():
            task = bar.add_task("reading", total=None, note="")

            def told(progress: ImportProgress) -> None:
                interrupt.check()
                tell(bar, task, progress)

            report = rt.traces.ingest(source_of(files), rejects=rejects, on_progress=told, **words)
            bar.update(task, completed=report.read, total=report.read, note="")
    except KeyboardInterrupt:
        terminal.err.print(f"Stopped by Ctrl-C. Nothing of {words['name']} was stored.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    return report


class Interrupt:
    """Ctrl-C while a file is stored: it ends the import before the commit, or not at all.

    Python's own KeyboardInterrupt may come right after the commit, where "nothing was stored" would be wrong.
    """

    def __init__(self) -> None:
        self._asked = False
        self._checks = False

    def check(self) -> None:
        """Called repeatedly, the last time before the commit. Raises KeyboardInterrupt after a Ctrl-C."""
        self._checks = True
        if self._asked:
            raise KeyboardInterrupt

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Within the block, Ctrl-C takes effect at the next `check`, or at once before the first. A second kills."""
        before = signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asked:  # the file has ended, so no further check follows
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        self._asked = True
        if not self._checks:
            raise KeyboardInterrupt
