"""Chat formats, with the control tokens of the models' own templates.

The templates are those that the model families publish; tests/data/chat_templates holds them, and the tests compare
byte for byte. docs/reference/exports.md shows the text of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.styles import (
    ReasoningStyle,
    answer_pieces,
    completion_pieces,
    reasoning_pieces,
)
from tunixrt_core.traces.rendering.text import Piece, strip
from tunixrt_core.traces.trace import Step


class ChatFormat(StrEnum):
    """The model family whose control tokens surround the turns."""

    CHATML = "chatml"  # Qwen 2, and Qwen 2.5 and 3 without what their own templates add
    QWEN25 = "qwen2.5"  # with Qwen's own system text where there is none
    QWEN3 = "qwen3"  # the reasoning in a think block, which is there and empty in the other styles
    GEMMA = "gemma"  # Gemma 1, 2
    GEMMA3 = "gemma3"
    GEMMA4 = "gemma4"  # the reasoning in the thought channel
    LLAMA3 = "llama3"  # Llama 3
    LLAMA31 = "llama3.1"  # Llama 3.1 to 3.3, with the system turn that holds their dates
    NONE = "none"  # prompt, newline, completion, for base models


CHAT_FORMAT_OF_FAMILY = {
    "qwen2": ChatFormat.CHATML,
    "qwen3": ChatFormat.CHATML,
    "gemma": ChatFormat.GEMMA,
    "gemma2": ChatFormat.GEMMA,
    "gemma3": ChatFormat.GEMMA,
    "llama3": ChatFormat.LLAMA3,
}

Head = Callable[[str, str, bool], Iterator[Piece]]
Turn = Callable[[Sequence[Step], str, ReasoningStyle, Layout | None], Iterable[Piece]]


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """`head`: (system, user, whether the model is to think) -> everything up to the model's turn. `turn`: what it
    says, without `end`, which it writes to end its turn. `stop`: tokens that end a generation, besides the
    tokenizer's own end-of-sequence token.
    """

    head: Head
    end: str
    stop: tuple[str, ...]
    turn: Turn = completion_pieces


def template_of(chat: ChatFormat) -> ChatTemplate:
    return _TEMPLATES[chat]


def stop_tokens(chat: ChatFormat) -> tuple[str, ...]:
    """The control tokens that end a turn in this format."""
    return _TEMPLATES[chat].stop


def end_of_turn(chat: ChatFormat) -> str:
    """The text after a completion."""
    return _TEMPLATES[chat].end


def _chatml(system: str, user: str, thinks: bool) -> Iterator[Piece]:
    if system:
        yield from (Piece("<|im_start|>system\n"), Piece(system, "system"), Piece("<|im_end|>\n"))
    yield from (Piece("<|im_start|>user\n"), Piece(user, "prompt"), Piece("<|im_end|>\n<|im_start|>assistant\n"))


_QWEN25_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."


def _qwen25(system: str, user: str, thinks: bool) -> Iterator[Piece]:
    return _chatml(system or _QWEN25_SYSTEM, user, thinks)


def _qwen3(system: str, user: str, thinks: bool) -> Iterator[Piece]:
    yield from _chatml(system, user, thinks)
    if not thinks:  # what the template writes with enable_thinking=False
        yield Piece("<think>\n\n</think>\n\n")


def _qwen3_turn(steps: Sequence[Step], answer: str, style: ReasoningStyle, layout: Layout | None) -> Iterator[Piece]:
    if style is not ReasoningStyle.THINK:
        yield from strip(completion_pieces(steps, answer, style, layout), "\n", right=False)
        return
    yield from (Piece("<think>\n"), *strip(reasoning_pieces(steps, layout), "\n"), Piece("\n</think>\n\n"))
    yield from strip(answer_pieces(steps, answer, layout), "\n", right=False)


def _gemma(system: str, user: str, thinks: bool) -> Iterator[Piece]:
    # Gemma 1 and 2 refuse a system turn; as in Gemma 3 the text goes before the first user turn
    return _gemma_asked((Piece(system.strip(), "system"), Piece("\n\n")) if system else (), user)


def _gemma3(system: str, user: str, thinks: bool) -> Iterator[Piece]:
    return _gemma_asked((Piece(system, "system"), Piece("\n\n")) if system else (), user)


def _gemma_asked(before: tuple[Piece, ...], user: str) -> Iterator[Piece]:
    yield from (Piece("<bos><start_of_turn>user\n"), *before)
    yield from (Piece(user.strip(), "prompt"), Piece("<end_of_turn>\n<start_of_turn>model\n"))


def _gemma4(system: str, user: str, thinks: bool) -> Iterator[Piece]:
    yield Piece("<bos>")
    if system or thinks:
        yield Piece("<|turn>system\n<|think|>\n" if thinks else "<|turn>system\n")
        yield from (Piece(system.strip(), "system"), Piece("<turn|>\n"))
    yield from (Piece("<|turn>user\n"), Piece(user.strip(), "prompt"), Piece("<turn|>\n<|turn>model\n"))


def _gemma4_turn(steps: Sequence[Step], answer: str, style: ReasoningStyle, layout: Layout | None) -> Iterator[Piece]:
    if style is not ReasoningStyle.THINK:
        yield from strip(completion_pieces(steps, answer, style, layout))
        return
    if thought := tuple(reasoning_pieces(steps, layout)):
        yield from (Piece("<|channel>thought\n"), *thought, Piece("\n<channel|>"))
    yield from strip(answer_pieces(steps, answer, layout))


def _llama3(system: str, user: str, thinks: bool) -> Iterator[Piece]:
    yield Piece("<|begin_of_text|>")
    if system:
        yield from _llama3_turn("system", Piece(system.strip(), "system"))
    yield from _llama3_asked(user)


# Llama 3.1 takes this date where a program gives none; 3.2 takes the day on which it is asked, which no training can.
_LLAMA31_DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"


def _llama31(system: str, user: str, thinks: bool) -> Iterator[Piece]:
    yield Piece("<|begin_of_text|>")
    yield from _llama3_turn("system", Piece(_LLAMA31_DATES), Piece(system.strip(), "system"))
    yield from _llama3_asked(user)


def _llama3_asked(user: str) -> Iterator[Piece]:
    yield from _llama3_turn("user", Piece(user.strip(), "prompt"))
    yield Piece("<|start_header_id|>assistant<|end_header_id|>\n\n")


def _llama3_turn(role: str, *said: Piece) -> Iterator[Piece]:
    yield from (Piece(f"<|start_header_id|>{role}<|end_header_id|>\n\n"), *said, Piece("<|eot_id|>"))


def _none(system: str, user: str, thinks: bool) -> Iterator[Piece]:
    if system:
        yield from (Piece(system, "system"), Piece("\n\n"))
    yield from (Piece(user, "prompt"), Piece("\n"))


def _stripped_turn(
    steps: Sequence[Step], answer: str, style: ReasoningStyle, layout: Layout | None
) -> tuple[Piece, ...]:
    return strip(completion_pieces(steps, answer, style, layout))


# gemma and llama3 do not strip completions, though their templates do: existing runs need the same bytes
_TEMPLATES: dict[ChatFormat, ChatTemplate] = {
    ChatFormat.CHATML: ChatTemplate(_chatml, "<|im_end|>\n", ("<|im_end|>",)),
    ChatFormat.QWEN25: ChatTemplate(_qwen25, "<|im_end|>\n", ("<|im_end|>",)),
    ChatFormat.QWEN3: ChatTemplate(_qwen3, "<|im_end|>\n", ("<|im_end|>",), _qwen3_turn),
    ChatFormat.GEMMA: ChatTemplate(_gemma, "<end_of_turn>\n", ("<end_of_turn>",)),
    ChatFormat.GEMMA3: ChatTemplate(_gemma3, "<end_of_turn>\n", ("<end_of_turn>",), _stripped_turn),
    ChatFormat.GEMMA4: ChatTemplate(_gemma4, "<turn|>\n", ("<turn|>",), _gemma4_turn),
    ChatFormat.LLAMA3: ChatTemplate(_llama3, "<|eot_id|>", ("<|eot_id|>",)),
    ChatFormat.LLAMA31: ChatTemplate(_llama31, "<|eot_id|>", ("<|eot_id|>",), _stripped_turn),
    ChatFormat.NONE: ChatTemplate(_none, "\n\n", ()),
}
