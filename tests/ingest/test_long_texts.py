"""A text that is long and repeats one mark is read in time that grows with its length, not with its square."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.columns.choices import choices_of
from tunixrt_core.ingest.formats.detect import FORMATS
from tunixrt_core.ingest.formats.fields import Options
from tunixrt_core.ingest.formats.marked_text import marked_text
from tunixrt_core.ingest.formats.stepwise import last_answer
from tunixrt_core.ingest.formats.transcripts import transcript_turns
from tunixrt_core.ingest.reasoning.calls import hermes_calls, hermes_system
from tunixrt_core.ingest.reasoning.split import split_completion
from tunixrt_core.traces.answers.finding import find_answer
from tunixrt_core.traces.rendering.parse import parse_completion
from tunixrt_core.traces.rendering.read_calls import read_calls
from tunixrt_core.traces.rendering.styles import ReasoningStyle

TIMES = 40_000  # where every mark is compared with every other, this takes from three seconds to hours
CHARACTERS = 400_000
QUICK = 2.0  # seconds of the processor, in which all of it is read once on a machine that has nothing else to do
GROWTH = 8.0  # of the time of a text four times as long: 4 where it is read once, 16 where each mark meets each other


def split(text: str) -> object:
    return split_completion(text, "c").described


def thought(text: str) -> object:
    return split(f"<think>\n{text}\n</think>\n\n4")


def marked(text: str) -> object:
    return marked_text(text, "c")


def transcript(text: str) -> object:
    return transcript_turns(text, "c", answered=True)


def of_format(name: str, column: str) -> Callable[[str], object]:
    def read(text: str) -> object:
        row = {"question": "a", "answer": text} if column == "answer" else {column: text}
        return FORMATS[name].matches(row) and FORMATS[name].read(row, Options())

    return read


CASES: dict[str, tuple[Callable[[str], object], str, str, str]] = {
    # what reads it, and the text: its beginning, what is repeated, and its end
    "blank lines": (thought, "a", "\n", "b"),
    "blank lines of a transcript": (transcript, "Human: a", "\n", "b\n\nAssistant: c"),
    "blank lines in Glaive's marks": (marked, "SYSTEM: a\n\nUSER: b\n\nASSISTANT: c", "\n", "d"),
    "blank lines in marks of hashes": (marked, "### Human: a\n### Assistant: b", "\n", "c"),
    "blank lines before a result": (of_format("gsm8k", "answer"), "a", "\n", "b\n#### 4"),
    "blank lines after a mark of Llama 2": (marked, "[INST] a [/INST] b", "\n", "c"),
    "blank lines beside a call": (read_calls, "<tool_call>{", "\n", "x</tool_call>"),
    "spaces after an answer": (lambda text: last_answer([text]), "# Answer", " ", ""),
    "spaces within an answer": (find_answer, "#### 4", " ", "5"),
    "spaces after the word answer": (find_answer, "answer", " ", "5"),
    "spaces before the letters of choices": (lambda text: choices_of({"c": text}, ["c"]), "A) 4", " ", "5 B) 1"),
    "backticks": (thought, "", "`a\n", "```"),
    "an unclosed thought": (split, "", "<think>", "a"),
    "an answer that is opened only": (split, "<think>a</think>", "<answer>", ""),
    "answers of a common word": (split, "<think>a</think>", "<solution></solution>", "b"),
    "both tags": (split, "<reasoning>a", "</reasoning><answer>", "b"),
    "boxes that are opened only": (split, "", "\\boxed{", ""),
    "a long name of a channel": (split, "<|channel|>", "a", ""),
    "dollars and backticks": (thought, "a\n\n", "$$`", "b"),
    "brackets of math": (thought, "a\n\n", "\\[\n", "b"),
    "environments that are opened only": (thought, "a\n\n", "\\begin{a}\n", "b"),
    "environments of many names": (thought, "a\n\n", "\\begin{a}\\begin{b}\\end{c}", "b"),
    "tables of HTML": (thought, "a\n\n", "<table ", "b"),
    "pipes": (thought, "|a|b|\n|-|-|\n", "|", "\nb"),
    "items among blocks": (thought, "", "1. a\n\n```\nb\n```\n\n", ""),
    "starts of messages": (of_format("harmony", "text"), "", "<|start|>", ""),
    "calls of Glaive": (marked, "USER: a\n\nASSISTANT: b", "<functioncall> {", "} c"),
    "calls of Hermes": (hermes_calls, "", "<tool_call>\n", ""),
    "tools of Qwen": (hermes_system, "", "# Tools\n\n<tools>\n", ""),
    "calls of Gemma": (read_calls, "{", "<|tool_call>call:", ""),
    "calls that are opened only": (read_calls, "{", "<tool_call>", ""),
    "the answer, time and again": (find_answer, "", "the answer is ", "a" * 500),
    "a box in an output": (find_answer, "", "\\boxed{", ""),
    "an output without its tags": (lambda text: parse_completion(text, ReasoningStyle.THINK), "", "a ", ""),
    "an output without its line": (lambda text: parse_completion(text, ReasoningStyle.PLAIN), "", "a ", ""),
    "an output without a number": (lambda text: parse_completion(text, ReasoningStyle.NUMBERED), "", "a ", ""),
    "an output whose tags stay open": (lambda text: parse_completion(text, ReasoningStyle.TAGS), "", "<answer>", ""),
}


def seconds_to_read(case: str, share: int) -> float:
    """The processor's seconds for one of `share` parts of the long text of `case`."""
    read, before, repeated, after = CASES[case]
    text = before + repeated * (min(TIMES, CHARACTERS // len(repeated)) // share) + after
    began = time.thread_time()
    with suppress(InvalidTrace):  # a sentence is an answer too
        read(text)
    return time.thread_time() - began


@pytest.mark.parametrize("case", CASES)
def test_a_mark_that_is_repeated_is_read_once(case: str) -> None:
    whole = seconds_to_read(case, 1)
    # A busy machine takes longer, for the quarter as for the whole.
    assert whole < QUICK or whole < GROWTH * seconds_to_read(case, 4)
