"""Export of a dataset version: options, first row, dataset card, download."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import orjson
import streamlit as st

from app.state import get_pipeline
from app.ui import blocks
from app.ui.boundary import show_error
from app.ui.components import card
from app.ui.words import plural
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import TunixRTError
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.files import FileType
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.export.writers import left_out_words
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import SPLITS, Split

USES = {
    "tunix_sft": "What a run trains on. The chat format is applied when the run reads it.",
    "trace": "The traces themselves, with everything that is known of them.",
    "prompt_completion": "SFT with TRL and others, trained on the completion.",
    "messages": "Chat messages as OpenAI and TRL read them.",
    "stepwise": "One label per step, to train a process reward model. Needs a score on every step.",
    "preference": "A better and a worse trace of one prompt, for DPO and similar methods.",
    "grpo": "Prompts with the expected answer, as Tunix's GRPO recipe reads them.",
}
STYLE_WORDS = {
    ReasoningStyle.TAGS: "<reasoning> and <answer>",
    ReasoningStyle.THINK: "<think>",
    ReasoningStyle.NUMBERED: "Numbered",
    ReasoningStyle.PLAIN: "Lines, then ####",
    ReasoningStyle.ANSWER: "Answer only",
}
TURN_WORDS = {"auto": "Messages if a trace has a system text or turns", "text": "Text", "messages": "Messages"}
REASONING_WORDS = {"content": "In the content", "field": "In reasoning_content"}
FILE_WORDS = {FileType.JSONL: "JSONL", FileType.JSONL_GZ: "JSONL.gz", FileType.PARQUET: "Parquet"}
SPLIT_WORDS = {"all": "All", "train": "Train", "eval": "Eval", "files": "A file each"}
_PREVIEW_HEIGHT = 320
_COUNTED = 2_000  # larger versions would delay the page


def export_card(version: DatasetVersion, manifest: RunManifest | None) -> None:
    """The export of one version. The manifest's file is named if there is one."""
    with card("Export", note=plural(version.rows, "trace"), key="export"):
        with st.grid(2, min_column_width=250):
            format = st.selectbox(
                "Format", list(EXPORT_FORMATS), format_func=lambda name: EXPORT_FORMATS[name].title, key="export-format"
            )
            file_type = st.segmented_control(
                "File",
                list(FileType),
                default=FileType.JSONL,
                format_func=lambda kind: FILE_WORDS[kind].removeprefix("JSONL."),
                key="export-file",
                required=True,
            )
            chosen = st.segmented_control(
                "Split",
                list(SPLIT_WORDS) if version.eval_rows else ["all"],
                default="all",
                format_func=SPLIT_WORDS.__getitem__,
                key="export-split",
                required=True,
            )
            asked = _options(EXPORT_FORMATS[format].options)
        assert file_type is not None, "the control is required"
        files, split = chosen == "files", next((side for side in SPLITS if side == chosen), None)
        sides: tuple[Split | None, ...] = SPLITS if files else (split,)
        st.caption(USES[format])
        options = ExportOptions.of(**asked)
        try:
            lines = get_pipeline().exports.lines(version.name, version.version, format, options=options, split=sides[0])
            first = next(lines, None)
            _left_out(version, format, options, split)
        except TunixRTError as error:  # no trace of the version is a row of the format
            show_error(error)
            return
        address = f"/api/datasets/{quote(version.name)}/{version.version}"
        with st.container(horizontal=True):
            for side in sides:
                query = {"format": format, **asked, **({"split": side} if side else {})}
                st.link_button(
                    f"Download {f'{SPLIT_WORDS[side].lower()} ' if side else ''}{FILE_WORDS[file_type]}",
                    f"{address}/export.{file_type.value}?{urlencode(query)}",
                    icon=":material/download:",
                    key=f"download-export-{side}" if files else "download-export",
                )
            about = {"split_files": "true"} if files else {"split": split} if split else {}
            st.link_button(
                "Dataset card",
                f"{address}/card.md?{urlencode({'format': format, 'as': file_type.value, **asked, **about})}",
                icon=":material/description:",
                key="download-card",
            )
        text = get_pipeline().exports.card(
            version.name,
            version.version,
            format=format,
            file_type=file_type.value,
            options=options,
            split=split,
            split_files=files,
        )
        _preview(first, text)
        if manifest and (format, file_type) == ("tunix_sft", FileType.JSONL):
            blocks.key_values([("File", manifest.data.path), ("sha256", manifest.data.sha256)])


def _left_out(version: DatasetVersion, format: str, options: ExportOptions, split: Split | None) -> None:
    """The traces that give no row, with the reasons; of a large version on request: every row is made."""
    if version.rows > _COUNTED and not st.button("Count the rows", icon=":material/tag:", key="count-rows"):
        return
    found = get_pipeline().exports.counts(version.name, version.version, format, options=options, split=split)
    if found.left_out:
        st.caption(f"{plural(found.rows, 'row')}. Left out: {left_out_words(found.left_out)}.")
    elif version.rows > _COUNTED:
        st.caption(f"{plural(found.rows, 'row')}. No trace is left out.")


def _options(names: tuple[str, ...]) -> dict[str, str]:
    """The fields for the format's options, and their values."""
    asked: dict[str, str] = {}
    if "chat" in names:
        chats = ["", *(chat.value for chat in ChatFormat)]
        asked["chat"] = st.selectbox(
            "Prompts in the chat format",
            chats,
            format_func=lambda chat: chat or "none: text or messages",
            key="export-chat",
        )
    if "style" in names and asked.get("chat") != "":
        styles = [style.value for style in ReasoningStyle]
        asked["style"] = st.selectbox(
            "Steps and answer", styles, format_func=lambda name: STYLE_WORDS[ReasoningStyle(name)], key="export-style"
        )
    if "turns" in names and not asked.get("chat"):
        words = TURN_WORDS if "chat" not in names else TURN_WORDS | {"auto": "Messages if a trace has a conversation"}
        label = "Prompts" if "chat" in names else "Prompt and completion"
        asked["turns"] = st.selectbox(label, list(words), format_func=words.__getitem__, key="export-turns")
    if "reasoning" in names:
        asked["reasoning"] = st.selectbox(
            "Reasoning", list(REASONING_WORDS), format_func=REASONING_WORDS.__getitem__, key="export-reasoning"
        )
    return asked


def _preview(first: bytes | None, card_text: str) -> None:
    """The first row and the card."""
    if first is not None:
        with st.expander("First row", key="first-row"):
            shown = orjson.dumps(orjson.loads(first), option=orjson.OPT_INDENT_2).decode()
            st.code(shown, language="json", wrap_lines=True, height=_PREVIEW_HEIGHT)
    with st.expander("Dataset card", key="card-preview"):
        st.code(card_text, language="markdown", wrap_lines=True, height=_PREVIEW_HEIGHT)
