"""Traces or errors of one file, one or several per row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.columns.arranging import Arranger, fields_of, finished
from tunixrt_core.ingest.columns.literals import with_text_answers
from tunixrt_core.ingest.columns.plans import Arranged
from tunixrt_core.ingest.fast import FAST, FastReader
from tunixrt_core.ingest.files.containers.json_lines import JsonLines
from tunixrt_core.ingest.files.lines import Source
from tunixrt_core.ingest.files.parse import BadRow
from tunixrt_core.ingest.files.rejects import Container, Rejects
from tunixrt_core.ingest.files.rows import RawRow, parsed
from tunixrt_core.ingest.formats.detect import FORMATS, Detected, Format
from tunixrt_core.ingest.formats.fields import Item, Options
from tunixrt_core.ingest.formats.verdicts import has_verdict, judged
from tunixrt_core.ingest.reasoning.marks.lookalikes import mark_unread
from tunixrt_core.ingest.reasoning.turns import is_partly_trained
from tunixrt_core.ingest.report import Read, RowError, Warnings, unit_of
from tunixrt_core.traces.scores import ScoredTrace
from tunixrt_core.traces.trace import Trace

_UNREAD = (
    "is in the answer, looks like a mark of the reasoning and was read as text. Name your own pair of marks with "
    "--think-tags OPEN CLOSE."
)
_PARTLY = (
    "A turn is marked as trained in parts (train_detail), but whole turns are trained; the marks stay in `meta`. Leave "
    "the turn out with `train: false`, or write its trained part alone."
)
_NOTHING = "The row holds no messages of a model and gives no trace."
_CHATS = frozenset(
    {"messages", "sharegpt", "preference", "prompt_completion", "chat_text", "harmony"}
)  # that one file may mix


class TraceReader:
    """Iterate once over what the rows of a source give. `format` is the name that was given or `detected`; `warnings`
    fill while the rows are read, and `notes` say how the file is read where that is not plain.

    `first` are the rows that were read already to find out the format, before `rows`. `container` is the kind of file;
    the attribute `rows` counts the rows that were read. Iteration raises UnreadableFile where the source breaks off (a
    truncated gzip file).
    """

    def __init__(
        self,
        source: Source,
        container: Container,
        form: Format,
        rows: Iterator[RawRow],
        options: Options,
        first: Sequence[RawRow] = (),
        detected: Detected | None = None,
        rejects: Rejects | None = None,
        arranger: Arranger | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.name = source.name
        self.notes = [*source.notes, *notes]
        self.warnings = Warnings()
        self._arranger = arranger or Arranger()
        self.format = form.NAME
        self.form = form
        self.container = container
        self.detected = detected
        self.rows = 0
        self._source = source
        self._first = first
        self._rows = rows
        self._options = options
        self._rejects = rejects
        self._fast = FAST.get(form.NAME) if container == "jsonl" else None
        self._splits = form.NAME not in FAST  # those of our own formats were split before

    @property
    def bytes_read(self) -> int:
        """Bytes of the source read so far."""
        return self._source.bytes_read

    def __iter__(self) -> Iterator[Read]:
        if self._fast is not None and isinstance(self._rows, JsonLines):
            return self._quickly(self._fast, self._rows)
        return chain.from_iterable(found for _, found in self.by_row())

    def by_row(self) -> Iterator[tuple[RawRow, Iterable[Read]]]:
        """Each row with what it gives."""
        fast, label = self._fast, self._options.source
        for row in chain(self._first, self._rows):
            self.rows += 1
            trace = fast(row.data or b"", label) if fast and row.value is None else None
            yield self._read(row) if trace is None or has_verdict(trace) else (row, (trace,))

    def _quickly(self, fast: FastReader, rows: JsonLines) -> Iterator[Read]:
        """What `by_row` gives, a block of lines at a time: what is done for each line beside `fast` counts."""
        for row in self._first:
            yield from self._counted(row)
        label = self._options.source
        for block in rows.blocks():
            if isinstance(block, RawRow):
                yield from self._counted(block)
                continue
            for number, data in block:
                if (trace := fast(data, label)) is not None and not (trace.meta and has_verdict(trace)):
                    self.rows += 1
                    yield trace
                elif data and not data.isspace():
                    yield from self._counted(RawRow(number, data, None))

    def _counted(self, row: RawRow) -> list[Read]:
        self.rows += 1
        return self._read(row)[1]

    def columns_of(self, row: dict[str, Any]) -> Mapping[str, str]:
        """The fields that the columns of a row become, by their names in the file. Columns not listed go to `meta`."""
        return self._fields(row, self._arranged(row))

    def _arranged(self, row: dict[str, Any]) -> Arranged | InvalidTrace | None:
        try:
            return self._arranger.arranged(row, self.form)
        except InvalidTrace as fault:
            return fault

    def _fields(self, row: dict[str, Any], arranged: Arranged | InvalidTrace | None) -> Mapping[str, str]:
        if isinstance(arranged, Arranged):
            return fields_of(arranged, self.form.columns(arranged.row))
        return self.form.columns(row)

    def _read(self, row: RawRow) -> tuple[RawRow, list[Read]]:
        row = parsed(row)
        object, unit = row.object, unit_of(self.container)
        value, arranged = row.value, None
        if object is not None:
            arranged = self._arranged(object)
            if not all(held.__class__ is str for held in object.values()):  # of texts there is nothing to be made text
                value = with_text_answers(row, self._fields(object, arranged)).value
            if value is not object and isinstance(value, dict):
                arranged = self._arranged(value)
        assert value is not None, "a row that was parsed has a value"
        found: list[Read]
        if isinstance(value, BadRow):
            found = [RowError(self.name, row.line, value.field, value.reason, unit)]
        else:
            found = [
                RowError(self.name, row.line, item.field, _reason(item, row), unit)
                if isinstance(item, InvalidTrace)
                else item
                for item in self._items(value, arranged, row.line)
            ]
        if self._splits:
            self._warn(row.line, found)
        if not found:
            self.warnings.add(_NOTHING, row.line)
        if self._rejects is not None and any(isinstance(item, RowError) for item in found):
            self._rejects.add(row)
        return row, found

    def _warn(self, line: int, found: Sequence[Read]) -> None:
        for item in found:
            trace = item.trace if isinstance(item, ScoredTrace) else item
            if not isinstance(trace, Trace):
                continue
            if mark := mark_unread(trace):
                self.warnings.add(f"{mark} {_UNREAD}", line)
            if "message_keys" in trace.meta and _is_partly_trained(trace.meta["message_keys"]):
                self.warnings.add(_PARTLY, line)

    def _items(self, value: dict[str, Any], arranged: Arranged | InvalidTrace | None, line: int) -> list[Item]:
        if isinstance(arranged, InvalidTrace):
            return [arranged]
        read = value if arranged is None else arranged.row
        items = _read_items(self.form, read, self._options, arranged)
        if len(items) == 1 and isinstance(items[0], InvalidTrace) and (other := self._other(value, read)) is not None:
            self.warnings.add(f"The row is in the format {other.NAME} and was read as that.", line)
            return self._items_as(other, value)
        return items

    def _other(self, row: dict[str, Any], arranged: dict[str, Any]) -> Format | None:
        """The format of a row of chats that is not in that of the file; None for any other row."""
        if self.detected is None or self.form.NAME not in _CHATS or self.form.matches(arranged):
            return None
        prepared = self._arranger.prepared(row)
        found = next((form for form in FORMATS.values() if form.matches(prepared)), None)
        return found if found is not None and found.NAME in _CHATS else None

    def _items_as(self, form: Format, row: dict[str, Any]) -> list[Item]:
        try:
            arranged = self._arranger.arranged(row, form)
        except InvalidTrace as fault:
            return [fault]
        return _read_items(form, row if arranged is None else arranged.row, self._options, arranged)


def _read_items(form: Format, row: dict[str, Any], options: Options, arranged: Arranged | None) -> list[Item]:
    try:
        items = form.read(row, options)
    except InvalidTrace as fault:
        items = [fault]
    # a pair names the hash of its other side, so the traces must be final
    return judged(items if arranged is None else finished(arranged, items), form.NAME)


def _is_partly_trained(keys: Any) -> bool:
    """Whether a message of the row is, by what is kept of its keys."""
    held = keys.values() if isinstance(keys, Mapping) else ()
    return any(isinstance(more, Mapping) and is_partly_trained(more) for more in held)


def _reason(fault: InvalidTrace, row: RawRow) -> str:
    """The reason, with the size of the row in the file where its trace is too large."""
    if fault.field == "trace" and row.data is not None:
        return f"{fault.reason}. The row has {len(row.data):,} bytes in the file"
    return fault.reason
