"""Export: traces as the rows of a format, streamed, atomic, and the same bytes for the same traces everywhere."""

from __future__ import annotations

from tunixrt_core.export.card import CardInfo, card_path, export_card, write_card
from tunixrt_core.export.entries import Entry, ExportOptions, ScoresOf, SplitOf, entries_of
from tunixrt_core.export.files import ExportInfo, FileType, encoded, file_type_named, write_export
from tunixrt_core.export.formats import (
    EXPORT_FORMATS,
    ExportFormat,
    export_prompt_completion_jsonl,
    export_trace_jsonl,
    export_tunix_sft_jsonl,
    exporter_named,
)
from tunixrt_core.export.module import data_module, write_module

__all__ = [
    "EXPORT_FORMATS",
    "CardInfo",
    "Entry",
    "ExportFormat",
    "ExportInfo",
    "ExportOptions",
    "FileType",
    "ScoresOf",
    "SplitOf",
    "card_path",
    "data_module",
    "export_card",
    "encoded",
    "entries_of",
    "export_prompt_completion_jsonl",
    "export_trace_jsonl",
    "export_tunix_sft_jsonl",
    "exporter_named",
    "file_type_named",
    "write_card",
    "write_export",
    "write_module",
]
