"""Trace -> text that a model is trained on, and back. The only place that knows a chat format.

A reasoning style says how steps and answer become one completion; a chat format says which control tokens stand
around prompt and completion. Both are chosen in the manifest, so that training and generation always agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from tunixrt_core.traces import Step, Trace


class ReasoningStyle(StrEnum):
    """How the steps and the answer are written in a completion."""

    TAGS = "tags"  # <reasoning>\nstep\nstep\n</reasoning>\n<answer>72</answer>, as Tunix's own GSM8K recipe has it
    THINK = "think"  # <think>\nstep\n</think>\n\n72, as Qwen 3 and DeepSeek-R1 write it
    PLAIN = "plain"  # step\nstep\n#### 72, as GSM8K writes it
    ANSWER = "answer"  # 72: the answer alone, to see what the steps are worth


class ChatFormat(StrEnum):
    """Whose control tokens stand around the turns."""

    CHATML = "chatml"  # Qwen 2, Qwen 3
    GEMMA = "gemma"  # Gemma 1, 2, 3
    LLAMA3 = "llama3"
    NONE = "none"  # prompt, newline, completion, for base models


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a completion: `format` (tags, line ends, end of turn), `step` or `answer`.

    `index` counts the steps of the row from 0, `type` is the step's; both only mean something for a step.
    """

    text: str
    kind: Literal["format", "step", "answer"] = "format"
    index: int = 0
    type: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One row as text: `prompt` is given to the model (never trained on), the pieces are what it should write."""

    prompt: str
    pieces: tuple[Piece, ...]

    @property
    def completion(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class ParsedCompletion:
    """What a completion says. `answer` is None, and `steps` may be, where the expected structure is not there."""

    steps: tuple[str, ...]
    answer: str | None


@dataclass(frozen=True, slots=True)
class _Template:
    system: Callable[[str, str], str]  # (system, user) -> everything up to the model's turn
    end: str  # what the model writes to end its turn
    stop: tuple[str, ...]  # tokens that end a generation, besides the tokenizer's own end-of-sequence token


def _chatml(system: str, user: str) -> str:
    head = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    return f"{head}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def _gemma(system: str, user: str) -> str:
    # Gemma has no system role: its own template puts the system text before the first user turn, a blank line between
    text = f"{system.strip()}\n\n{user.strip()}" if system else user.strip()
    return f"<bos><start_of_turn>user\n{text}<end_of_turn>\n<start_of_turn>model\n"


def _llama3(system: str, user: str) -> str:
    def turn(role: str, text: str) -> str:
        return f"<|start_header_id|>{role}<|end_header_id|>\n\n{text.strip()}<|eot_id|>"

    head = turn("system", system) if system else ""
    return f"<|begin_of_text|>{head}{turn('user', user)}<|start_header_id|>assistant<|end_header_id|>\n\n"


def _none(system: str, user: str) -> str:
    return f"{system}\n\n{user}\n" if system else f"{user}\n"


# The generated span of each format, as in the models' own chat templates (see docs/data-formats.md).
_TEMPLATES: dict[ChatFormat, _Template] = {
    ChatFormat.CHATML: _Template(_chatml, "<|im_end|>\n", ("<|im_end|>",)),
    ChatFormat.GEMMA: _Template(_gemma, "<end_of_turn>\n", ("<end_of_turn>",)),
    ChatFormat.LLAMA3: _Template(_llama3, "<|eot_id|>", ("<|eot_id|>",)),
    ChatFormat.NONE: _Template(_none, "\n\n", ()),
}

CHAT_FORMAT_OF_FAMILY = {
    "qwen2": ChatFormat.CHATML,
    "qwen3": ChatFormat.CHATML,
    "gemma": ChatFormat.GEMMA,
    "gemma2": ChatFormat.GEMMA,
    "gemma3": ChatFormat.GEMMA,
    "llama3": ChatFormat.LLAMA3,
}


def render(trace: Trace, style: ReasoningStyle, chat: ChatFormat, *, system: str | None = None) -> Rendered:
    """The row of a trace. The trace's own system prompt wins over the default one given here."""
    prompt = render_prompt(trace.prompt, chat, system=trace.system or system)
    pieces = _completion(trace.steps, trace.final_answer, style)
    return Rendered(prompt, (*pieces, Piece(_TEMPLATES[chat].end)))


def render_prompt(prompt: str, chat: ChatFormat, *, system: str | None = None) -> str:
    """Everything up to where the model begins to write."""
    return _TEMPLATES[chat].system(system or "", prompt)


def render_completion(steps: Sequence[str], answer: str, style: ReasoningStyle) -> str:
    """Steps and answer in one text, without the end-of-turn token."""
    return "".join(piece.text for piece in _completion([Step(i, text) for i, text in enumerate(steps)], answer, style))


def _completion(steps: Sequence[Step], answer: str, style: ReasoningStyle) -> Iterator[Piece]:
    final = Piece(answer, "answer")
    if style is ReasoningStyle.TAGS:
        yield from (Piece("<reasoning>\n"), *_body(steps), Piece("\n</reasoning>\n<answer>"), final, Piece("</answer>"))
    elif style is ReasoningStyle.THINK:
        yield from (Piece("<think>\n"), *_body(steps), Piece("\n</think>\n\n"), final)
    elif style is ReasoningStyle.PLAIN:
        yield from (*_body(steps), Piece("\n#### " if steps else "#### "), final)
    else:
        yield final


def _body(steps: Sequence[Step]) -> Iterator[Piece]:
    for place, step in enumerate(steps):
        if place:
            yield Piece("\n")
        yield Piece(step.content, "step", step.i, step.type)


def stop_tokens(chat: ChatFormat) -> tuple[str, ...]:
    """The control tokens that end a turn in this format."""
    return _TEMPLATES[chat].stop


_TAGS = re.compile(r"(?:<reasoning>(?P<body>.*?)</reasoning>\s*)?<answer>(?P<answer>.*?)</answer>", re.DOTALL)
_THINK = re.compile(r"(?:<think>)?(?P<body>.*?)</think>(?P<answer>.*)", re.DOTALL)
_PLAIN = re.compile(r"(?P<body>.*?)^#### ?(?P<answer>[^\n]*)", re.DOTALL | re.MULTILINE)


def parse_completion(text: str, style: ReasoningStyle) -> ParsedCompletion:
    """The inverse of `render_completion`, for what a model wrote. Steps are the non-blank lines of the reasoning."""
    if style is ReasoningStyle.ANSWER:
        return ParsedCompletion((), text.strip() or None)
    pattern = {ReasoningStyle.TAGS: _TAGS, ReasoningStyle.THINK: _THINK, ReasoningStyle.PLAIN: _PLAIN}[style]
    found = pattern.search(text)
    if found is None:
        return ParsedCompletion(_lines(text), None)
    return ParsedCompletion(_lines(found["body"] or ""), found["answer"].strip() or None)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("\n") if line.strip())
