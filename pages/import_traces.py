"""Import traces: examples, upload or server file, with a preview.
of every row.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import streamlit as st

from app.imports.views import show_import, show_preview, show_report
from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import show_error
from app.ui.components import header
from tunixrt_core.errors import TunixRTError, UnreadableFile
from tunixrt_core.ingest.formats.mapping import FIELDS
from tunixrt_core.ingest.reasoning.steps import RULES
from tunixrt_core.ingest.report import Preview
from tunixrt_core.jobs.imports import ImportKind
from tunixrt_core.traces.examples import example_traces

EXAMPLES, UPLOAD, PATH = "Examples", "Upload", "Server path"
REPORT, JOB = "import-report", "import-job-of-this-session"
RULE_WORDS = {
    "auto": "Automatic",
    "numbered": "By numbers",
    "paragraphs": "By blank lines",
    "lines": "By lines",
    "none": "In one piece",
}
NEEDED = {"prompt": "prompt", "final_answer": "final answer"}
Opened = Callable[[], Path | BinaryIO]


def show_examples() -> None:
    st.markdown(
        "A few hundred small arithmetic traces that this project makes itself. The built-in model `tiny` learns them "
        "step by step, on a CPU, in minutes."
    )
    if st.button("Load example traces", type="primary", icon=":material/auto_awesome:", key="load-examples"):
        with st.spinner("Loading the example traces"):
            try:
                st.session_state[REPORT] = rt.traces.ingest_examples()
                st.session_state.pop(JOB, None)
            except TunixRTError as error:
                show_error(error)
    first = next(iter(example_traces(1)))
    st.caption("One of them")
    blocks.prose(first.prompt)
    blocks.timeline(first.steps)
    blocks.answers(first.final_answer, first.reference_answer, None)


def show_upload() -> None:
    st.markdown(f"Up to {rt.settings.max_upload_mb:,} MB. {FILES}")
    upload = st.file_uploader(
        "File", label_visibility="collapsed", key="upload", max_upload_size=rt.settings.max_upload_mb
    )
    content = upload.getvalue() if upload is not None else b""
    show_file("upload", upload.name if upload else None, lambda: io.BytesIO(content), upload and upload.file_id)


def show_path() -> None:
    st.markdown(f"For files that are too large to upload. {FILES}")
    text = st.text_input("Path on the server", placeholder="/data/traces.jsonl", key="server-path").strip()
    path = Path(text).expanduser()
    try:
        stamp = path.stat().st_mtime_ns if text else None
    except OSError:
        stamp = 0  # reading it says what is wrong
    show_file("path", text or None, lambda: path, stamp)


def show_file(kind: str, name: str | None, opened: Opened, stamp: object) -> None:
    """What a file would give, with the choices that change it, and the buttons that read it whole."""
    words, preview = {}, None
    if name is not None:
        words = choices(kind)
        preview = previewed(name, opened, stamp, words)
    with st.container(horizontal=True):
        if st.button(
            "Import upload" if kind == "upload" else "Import file",
            type="primary",
            icon=":material/upload:" if kind == "upload" else ":material/folder_open:",
            key=f"import-{kind}",
            disabled=preview is None,
            help=why_not(kind, name, preview),
        ):
            start("import", str(name), opened, words, stamp)
        if st.button(
            "Check every row",
            icon=":material/stethoscope:",
            key=f"check-{kind}",
            disabled=preview is None,
            help=why_not(kind, name, preview) or "Reads the file to its end and stores nothing.",
        ):
            start("check", str(name), opened, words, stamp)
    if preview is not None:
        show_preview(preview)


def why_not(kind: str, name: str | None, preview: Preview | None) -> str | None:
    """Why a file cannot be imported yet; None where it can."""
    if name is None:
        return "Choose a file first." if kind == "upload" else "Name a file first."
    return None if preview is not None else "The file cannot be read this way yet; what is missing stands above."


def choices(kind: str) -> dict[str, Any]:
    """What the user says about the file: its format, how reasoning is divided, its source."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        format = st.selectbox(
            "Format",
            ["auto", *rt.traces.formats()],
            format_func=lambda name: "Automatic" if name == "auto" else name,
            key=f"{kind}-format",
        )
        split = st.selectbox("Steps", RULES, format_func=RULE_WORDS.__getitem__, key=f"{kind}-split")
        label = st.text_input(
            "Source",
            placeholder="as the file says",
            key=f"{kind}-label",
            help="A word to find these traces by later, such as gsm8k.",
        )
        tags = st.text_input(
            "Think tags",
            placeholder="<plan> </plan>",
            key=f"{kind}-think-tags",
            help="Opening and closing mark of the reasoning, separated by a space, if they are none of the known ones.",
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
        "kind": kind,
    }


def previewed(name: str, opened: Opened, stamp: object, words: dict[str, Any]) -> Preview | None:
    """The preview with the mapping of this page, or None where the file cannot be read that way, which is said."""
    try:
        kind = words.pop("kind")
        if words.pop("by_hand"):
            words["mapping"] = mapping_by_hand(name, opened, stamp, kind, words)
            if missing := [field for field in NEEDED if field not in words["mapping"].values()]:
                st.caption(f"Say which column is the {' and which is the '.join(map(NEEDED.__getitem__, missing))}.")
                return None
        return look(name, stamp, tuple(sorted(words.items(), key=str)), opened, words)
    except TunixRTError as error:
        show_error(error)
        return None


def mapping_by_hand(name: str, opened: Opened, stamp: object, kind: str, words: dict[str, Any]) -> dict[str, str]:
    """A choice for every column, at first what was found; those inside of another may be left a part of it."""
    told = {key: words[key] for key in ("field", "encoding")}
    found = look(name, stamp, ("columns", *told.values()), opened, {"format": "question_answer", **told})
    inside = {column.name for column in found.nested}
    mapping: dict[str, str] = {}
    with st.grid(4, min_column_width=170):
        for column in (*found.columns, *found.nested)[:60]:
            first = column.field.split(", ")[-1]
            field = st.selectbox(
                column.name,
                FIELDS,
                index=FIELDS.index(first) if first in FIELDS else FIELDS.index("meta"),
                key=f"{kind}-map-{column.name}",
            )
            if not (column.name in inside and field == "meta"):
                mapping[column.name] = field
    return mapping


@st.cache_data(max_entries=20, show_spinner="Reading the first rows")
def look(name: str, stamp: object, key: object, _opened: Opened, _words: dict[str, Any]) -> Preview:
    """A preview, made once for a file as it is and what is said about it."""
    source = _opened()
    if isinstance(source, Path) and source.exists() and not (source.is_file() or source.is_dir()):
        raise UnreadableFile(f"{name} is a pipe or a device, not a file.")
    return rt.traces.preview(source, name=name, **_words)


def start(kind: ImportKind, name: str, opened: Opened, words: dict[str, Any], stamp: object) -> None:
    """Read the file in the background, once however often the button is pressed; the page shows its progress."""
    st.session_state.pop(REPORT, None)
    key = (name, str(stamp), str(sorted(words.items(), key=str)))
    st.session_state[JOB] = rt.traces.imports.begin(kind, opened(), key=key, name=name, **words).id


FILES = (
    "JSONL, JSON, CSV, Parquet, Arrow or Excel, packed or not, or a zip or tar file of these. The format is found from "
    "the rows and shown before anything is stored."
)
rt = get_pipeline()
with header("Import traces", "Nothing is stored twice, and every row is accounted for."):
    pass
report_slot = st.container()
tabs = st.tabs([EXAMPLES, UPLOAD, PATH], key="source", bind="query-params", on_change="rerun")
for tab, show in zip(tabs, (show_examples, show_upload, show_path), strict=True):
    if tab.open:
        with tab, st.container(border=True, key="import-form"):
            show()
with report_slot:
    own = rt.traces.imports.find(st.session_state.get(JOB, ""))
    others = [task for task in rt.traces.imports.all() if not task.over and (own is None or task.id != own.id)]
    for task in others[-1:] + ([own] if own else []):
        show_import(task)
    if REPORT in st.session_state:
        show_report(st.session_state[REPORT])
