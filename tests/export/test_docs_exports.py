"""The rows and texts in docs/reference/exports.md are what the exports and the rendering write."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY
from tests.export.test_formats import CALLED
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.files import FileType
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Step, Trace

PAGE = (REPOSITORY / "docs" / "reference" / "exports.md").read_text(encoding="utf-8")
RIGHT = Trace(
    "What is 27 * 19?",
    (Step(0, "27 * 20 is 540."), Step(1, "540 - 27 is 513.")),
    "513",
    source="mine",
    reference_answer="513",
)
WRONG = Trace(RIGHT.prompt, (Step(0, "27 * 19 is about 500."),), "500", source="mine", reference_answer="513")
RATED = [GivenScore(name="rating", value=1.0, step=i, scorer="prm800k", version="1", kind="human") for i in (0, 1)]
ASKED = Trace("What is 2+3?", (Step(0, "2 and 3"), Step(1, "make 5")), "5", system="Be brief.")


def section(title: str) -> str:
    return PAGE.partition(f"{title}\n")[2].partition("\n##")[0]


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_the_row_of_every_format_is_the_one_that_is_written(format: str) -> None:
    rows = re.findall(r"```json\n(.*?)\n```", section(f"### Export `{format}`"), re.DOTALL)
    traces = [RIGHT, WRONG] if format == "preference" else [RIGHT]
    options = (ExportOptions(), ExportOptions(reasoning="field"))
    assert rows
    for row, option in zip(rows, options, strict=False):
        lines = EXPORT_FORMATS[format](
            traces, split_of=lambda trace: "train", options=option, scores_of=lambda trace_hash: RATED
        )
        assert row.encode() + b"\n" == b"".join(lines)


def test_the_row_of_a_conversation_is_the_one_that_is_written() -> None:
    (row,) = re.findall(r"```json\n(.*?)\n```", section("## Conversations"), re.DOTALL)
    lines = EXPORT_FORMATS["messages"]([CALLED], options=ExportOptions(ReasoningStyle.THINK))
    assert row.encode() + b"\n" == b"".join(lines)


@pytest.mark.parametrize("chat", ChatFormat)
def test_the_text_of_every_chat_format_is_the_one_that_is_rendered(chat: ChatFormat) -> None:
    (text,) = re.findall(r"```text\n(.*?)\n```", section(f"#### `{chat.value}`"), re.DOTALL)
    assert text == render(ASKED, ReasoningStyle.THINK, chat).text


@pytest.mark.parametrize("style", ReasoningStyle)
def test_the_completion_of_every_style_is_the_one_that_is_rendered(style: ReasoningStyle) -> None:
    written = render_completion([step.content for step in ASKED.steps], ASKED.final_answer, style)
    assert f"| `{style.value}` | `{written.replace(chr(10), '↵')}` |" in PAGE


@pytest.mark.parametrize("kind", FileType)
def test_every_file_type_stands_on_the_page(kind: FileType) -> None:
    assert f"| `{kind.value}` |" in PAGE
