"""A file to import: its options, its preview, and reading it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.state import get_pipeline
from app.ui.boundary import escape_markdown, show_error
from app.ui.words import MISSING, one_line
from tunixrt_core.errors import TunixRTError, UnreadableFile
from tunixrt_core.ingest.columns.guess import guessed_fields
from tunixrt_core.ingest.files.packed import without_suffix
from tunixrt_core.ingest.formats.mapping import FIELDS
from tunixrt_core.ingest.many import UNKNOWN_FORMAT
from tunixrt_core.ingest.reasoning.steps import RULES
from tunixrt_core.ingest.report import Column, Preview
from tunixrt_core.jobs.imports import FileRead, ImportKind
from tunixrt_core.util.tasks import Task

RULE_WORDS = {
    "auto": "Automatic",
    "numbered": "By numbers",
    "paragraphs": "By blank lines",
    "lines": "By lines",
    "none": "In one piece",
}
_SAMPLE = 60  # characters of a value
NEEDED = {"prompt": "prompt", "final_answer": "final answer"}
Opened = Callable[[], Path | BinaryIO]


@dataclass(frozen=True, slots=True)
class Given:
    """A file that was chosen. `kind` begins the keys of its fields; `stamp` changes with its content."""

    kind: str
    name: str
    opened: Opened
    stamp: object


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that can be read, with the options of its fields."""

    given: Given
    words: dict[str, Any]
    preview: Preview
    guessed: bool = False  # the page chose the columns, as the format is not known


def choices(given: Given) -> dict[str, Any]:
    """Import options: the format, the split of the reasoning into steps, the source, at first the name of the file."""
    kind, name = given.kind, given.name
    if st.session_state.get(f"{kind}-named") != name:
        st.session_state[f"{kind}-named"] = name
        st.session_state[f"{kind}-label"] = PurePath(without_suffix(PurePath(name).name)).stem
    with st.container(horizontal=True, vertical_alignment="bottom"):
        format = st.selectbox(
            "Format",
            ["auto", *get_pipeline().traces.formats()],
            format_func=lambda name: "Automatic" if name == "auto" else name,
            key=f"{kind}-format",
        )
        split = st.selectbox("Steps", RULES, format_func=RULE_WORDS.__getitem__, key=f"{kind}-split")
        label = st.text_input(
            "Source",
            placeholder="none",
            key=f"{kind}-label",
            help="Label to filter these traces by, such as gsm8k. Rows with a source of their own keep it. Default: "
            "the name of the file.",
        )
        tags = st.text_input(
            "Think tags",
            placeholder="<plan> </plan>",
            key=f"{kind}-think-tags",
            help="Opening and closing mark of the reasoning, separated by a space. Default: the known marks.",
        )
        field = st.text_input(
            "Rows under",
            placeholder="as the file says",
            key=f"{kind}-field",
            help="The key of a JSON document under which its rows are, such as data.",
        )
        encoding = st.text_input(
            "Encoding",
            placeholder="UTF-8, or a guess",
            key=f"{kind}-encoding",
            help="The encoding of text that is not UTF-8, such as gb18030 or cp1252.",
        )
    by_hand = st.toggle("Say which column is what", key=f"{kind}-by-hand")
    return {
        "format": format,
        "split": split,
        "source_label": label.strip() or None,
        "think_tags": tags.split() or None,
        "field": field.strip() or None,
        "encoding": encoding.strip() or None,
        "by_hand": by_hand,
    }


def previewed(given: Given, words: dict[str, Any], problem: DeltaGenerator | None = None) -> Ready | None:
    """The file with its preview; None, with the reason shown (in `problem`), if it cannot be read that way.

    Where the format is not known, the page asks which column is what, beginning with a guess.
    """
    words = dict(words)
    by_hand = words.pop("by_hand")
    try:
        if by_hand:
            return _mapped(given, words, guessed=False)
        return Ready(given, words, _looked(given, words))
    except TunixRTError as error:
        if not error.details.get(UNKNOWN_FORMAT):
            with problem or st.container():
                show_error(error)
            return None
    st.caption("The format is not known. Say which column is what; what is chosen at first is a guess.")
    return _mapped(given, words, guessed=True)


def _mapped(given: Given, words: dict[str, Any], *, guessed: bool) -> Ready | None:
    words["mapping"] = mapping_by_hand(given, words)
    if missing := [field for field in NEEDED if field not in words["mapping"].values()]:
        st.caption(f"Map a column to {' and one to '.join(map(NEEDED.__getitem__, missing))}.")
        return None
    return Ready(given, words, _looked(given, words), guessed)


def _looked(given: Given, words: dict[str, Any]) -> Preview:
    return look(given.name, given.stamp, tuple(sorted(words.items(), key=str)), given.opened, words)


def mapping_by_hand(given: Given, words: dict[str, Any]) -> dict[str, str]:
    """A choice for every column, at first what was found or guessed, with the values that it begins with.

    Columns inside of another may be left a part of it.
    """
    told = {key: words[key] for key in ("field", "encoding")}
    key = ("columns", *told.values())
    found = look(given.name, given.stamp, key, given.opened, {"format": "question_answer", **told})
    inside = {column.name for column in found.nested}
    guess = guessed_fields((*found.columns, *found.nested))
    mapping: dict[str, str] = {}
    with st.grid(4, min_column_width=200):
        for column in (*found.columns, *found.nested)[:60]:
            first = guess.get(column.name, column.field.split(", ")[-1])
            with st.container(gap="xsmall"):
                field = st.selectbox(
                    column.name,
                    FIELDS,
                    index=FIELDS.index(first) if first in FIELDS else FIELDS.index("meta"),
                    key=f"{given.kind}-map-{column.name}",
                )
                st.caption(escape_markdown(samples_words(column)) or MISSING)
            if not (column.name in inside and field == "meta"):
                mapping[column.name] = field
    return mapping


def samples_words(column: Column) -> str:
    """The first two different values of a column, in one line."""
    return " | ".join(one_line(sample, _SAMPLE) for sample in column.samples)


@st.cache_data(max_entries=60, show_spinner="Reading the first rows")
def look(name: str, stamp: object, key: object, _opened: Opened, _words: dict[str, Any]) -> Preview:
    """A preview, cached per file state and options."""
    source = _opened()
    if isinstance(source, Path) and source.exists() and not (source.is_file() or source.is_dir()):
        raise UnreadableFile(f"{name} is a pipe or a device. Name a regular file.")
    return get_pipeline().traces.preview(source, name=name, **_words)


def begin(kind: ImportKind, ready: Ready) -> Task[FileRead]:
    """Read the whole file in the background, once even if the button is clicked twice."""
    given, words = ready.given, ready.words
    key = (given.name, str(given.stamp), str(sorted(words.items(), key=str)))
    return get_pipeline().traces.begin(kind, given.opened(), key=key, name=given.name, **words)
