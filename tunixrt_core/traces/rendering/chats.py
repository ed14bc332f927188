"""Chat formats, with the control tokens of the models' own templates.

The templates are those that the model families publish; tests/data/chat_templates holds them, and the tests compare
byte for byte. docs/reference/exports.md shows the text of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tunixrt_core.traces.conversation import Tool
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.gemma_tools import RESULT, gemma_tools
from tunixrt_core.traces.rendering.styles import (
    ReasoningStyle,
    answer_pieces,
    completion_pieces,
    reasoning_pieces,
)
from tunixrt_core.traces.rendering.text import Piece, strip
from tunixrt_core.traces.rendering.tool_forms import GEMMA4, HERMES, LLAMA, ToolForm, hermes_tools, llama_tools
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
    "qwen3_moe": ChatFormat.CHATML,
    "gemma": ChatFormat.GEMMA,
    "gemma2": ChatFormat.GEMMA,
    "gemma3": ChatFormat.GEMMA,
    "gemma4": ChatFormat.GEMMA4,
    "llama3": ChatFormat.LLAMA3,
}

Turn = Callable[[Sequence[Step], str, ReasoningStyle, Layout | None], Iterable[Piece]]
Tools = Sequence[Tool]


def _nothing(system: str, tools: Tools) -> tuple[Piece, ...]:
    return ()


def _think_block(text: str) -> str:
    return "<think>\n" + text.strip("\n") + "\n</think>\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTemplate:
    """How a model family writes the turns of a conversation.

    * `begin`: (system text, tools, whether the model is to think) -> the text before the first turn.
    * `first`: (system text, tools) -> the text within the first turn of the user, before its text.
    * `user`: (text, what `first` gave) -> a turn of the user.
    * `opened`: the text before a turn of the model; `quiet`: what follows in a prompt where it is not to think.
    * `turn`: what the model says, without `end`, which it writes to end its turn.
    * `trimmed`: the text of an earlier turn of the model, as the template strips it.
    * `system`: (text) -> a later turn of the system; None where the family has none.
    * `tools`: the form of calls and results; None where the family has none.
    * `thinks_on`: whether the template keeps the thinking of the turns behind the last one of the user.
    * `thought`: the thinking of an earlier turn, with its marks; `parts`: whether the template looks for such marks
      within the text of a turn, and takes the thinking out.
    * `reopened`: what begins the thinking in the prompt, where the turn continues behind results; `reclosed`: what
      a turn without thinking begins with then.
    * `stop`: tokens that end a generation, besides the tokenizer's own end-of-sequence token; the first ends a turn.
    """

    begin: Callable[[str, Tools, bool], Iterable[Piece]]
    user: Callable[[str, Iterable[Piece]], Iterable[Piece]]
    opened: str
    end: str
    stop: tuple[str, ...]
    first: Callable[[str, Tools], Iterable[Piece]] = _nothing
    quiet: str = ""
    turn: Turn = completion_pieces
    trimmed: Callable[[str], str] = str
    system: Callable[[str], Iterable[Piece]] | None = None
    tools: ToolForm | None = None
    thinks_on: bool = False
    thought: Callable[[str], str] = _think_block
    parts: bool = False
    reopened: str = ""
    reclosed: str = ""


def template_of(chat: ChatFormat) -> ChatTemplate:
    return _TEMPLATES[chat]


def stop_tokens(chat: ChatFormat) -> tuple[str, ...]:
    """The control tokens that end a turn in this format."""
    return _TEMPLATES[chat].stop


def end_of_turn(chat: ChatFormat) -> str:
    """The text after a completion."""
    return _TEMPLATES[chat].end


# --- Qwen ------------------------------------------------------------------------------------------------------------


def _chatml(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    if system or tools:
        yield Piece("<|im_start|>system\n")
        if system:
            yield Piece(system, "system")
        if tools:
            yield from (*((Piece("\n\n"),) if system else ()), Piece(hermes_tools(tools)))
        yield Piece("<|im_end|>\n")


_QWEN25_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."


def _qwen25(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    return _chatml(system or _QWEN25_SYSTEM, tools, thinks)


def _chatml_user(user: str, before: Iterable[Piece]) -> Iterator[Piece]:
    yield from (Piece("<|im_start|>user\n"), *before, Piece(user, "prompt"), Piece("<|im_end|>\n"))


def _chatml_system(text: str) -> Iterator[Piece]:
    yield from (Piece("<|im_start|>system\n"), Piece(text, "system"), Piece("<|im_end|>\n"))


def _qwen3_turn(steps: Sequence[Step], answer: str, style: ReasoningStyle, layout: Layout | None) -> Iterator[Piece]:
    if style is not ReasoningStyle.THINK:
        yield from strip(completion_pieces(steps, answer, style, layout), "\n", right=False)
        return
    yield from (Piece("<think>\n"), *strip(reasoning_pieces(steps, layout), "\n"), Piece("\n</think>\n\n"))
    yield from strip(answer_pieces(steps, answer, layout), "\n", right=False)


# --- Gemma -----------------------------------------------------------------------------------------------------------


def _begin_gemma(system: str, tools: Tools, thinks: bool) -> tuple[Piece, ...]:
    return (Piece("<bos>"),)


def _gemma(system: str, tools: Tools) -> tuple[Piece, ...]:
    # Gemma 1 and 2 refuse a system turn; as in Gemma 3 the text goes before the first user turn
    return (Piece(system.strip(), "system"), Piece("\n\n")) if system else ()


def _gemma3(system: str, tools: Tools) -> tuple[Piece, ...]:
    return (Piece(system, "system"), Piece("\n\n")) if system else ()


def _gemma_user(user: str, before: Iterable[Piece]) -> Iterator[Piece]:
    yield from (Piece("<start_of_turn>user\n"), *before, Piece(user.strip(), "prompt"), Piece("<end_of_turn>\n"))


_THINKING, _THOUGHT = "<|channel>thought\n", "\n<channel|>"  # what begins and ends the thinking of Gemma 4


def _gemma4(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    yield Piece("<bos>")
    if system or thinks or tools:
        yield Piece("<|turn>system\n<|think|>\n" if thinks else "<|turn>system\n")
        yield from (Piece(system.strip(), "system"), Piece(gemma_tools(tools)), Piece("<turn|>\n"))


def _gemma4_system(text: str) -> Iterator[Piece]:
    yield from (Piece("<|turn>system\n"), Piece(text.strip(), "system"), Piece("<turn|>\n"))


def _gemma4_user(user: str, before: Iterable[Piece]) -> Iterator[Piece]:
    yield from (Piece("<|turn>user\n"), *before, Piece(user.strip(), "prompt"), Piece("<turn|>\n"))


def _gemma4_turn(steps: Sequence[Step], answer: str, style: ReasoningStyle, layout: Layout | None) -> Iterator[Piece]:
    if style is not ReasoningStyle.THINK:
        yield from strip(completion_pieces(steps, answer, style, layout))
        return
    if thought := tuple(reasoning_pieces(steps, layout)):
        yield from (Piece(_THINKING), *thought, Piece(_THOUGHT))
    yield from strip(answer_pieces(steps, answer, layout))


def _gemma4_thought(text: str) -> str:
    return f"{_THINKING}{text}{_THOUGHT}"


def _gemma4_trimmed(text: str) -> str:
    """Without the text of channels."""
    return "".join(part.partition("<|channel>")[0] for part in text.split("<channel|>")).strip()


# --- Llama -----------------------------------------------------------------------------------------------------------


def _llama3(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    yield Piece("<|begin_of_text|>")
    if system:
        yield from _llama3_turn("system", Piece(system.strip(), "system"))


# Llama 3.1 takes this date where a program gives none; 3.2 takes the day on which it is asked, which no training can.
_LLAMA31_DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"


def _llama31(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    yield Piece("<|begin_of_text|>")
    dates = f"Environment: ipython\n{_LLAMA31_DATES}" if tools else _LLAMA31_DATES
    yield from _llama3_turn("system", Piece(dates), Piece(system.strip(), "system"))


def _llama31_first(system: str, tools: Tools) -> tuple[Piece, ...]:
    return (Piece(llama_tools(tools)),) if tools else ()


def _llama3_user(user: str, before: Iterable[Piece]) -> Iterator[Piece]:
    return _llama3_turn("user", *before, Piece(user.strip(), "prompt"))


def _llama3_system(text: str) -> Iterator[Piece]:
    return _llama3_turn("system", Piece(text.strip(), "system"))


def _llama3_turn(role: str, *said: Piece) -> Iterator[Piece]:
    yield from (Piece(f"<|start_header_id|>{role}<|end_header_id|>\n\n"), *said, Piece("<|eot_id|>"))


# --- plain text ------------------------------------------------------------------------------------------------------


def _plain(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    if system:
        yield from _plain_system(system)


def _plain_system(text: str) -> Iterator[Piece]:
    yield from (Piece(text, "system"), Piece("\n\n"))


def _plain_user(user: str, before: Iterable[Piece]) -> Iterator[Piece]:
    yield from (Piece(user, "prompt"), Piece("\n"))


def _stripped_turn(
    steps: Sequence[Step], answer: str, style: ReasoningStyle, layout: Layout | None
) -> tuple[Piece, ...]:
    return strip(completion_pieces(steps, answer, style, layout))


_CHATML = ChatTemplate(
    begin=_chatml,
    user=_chatml_user,
    opened="<|im_start|>assistant\n",
    end="<|im_end|>\n",
    stop=("<|im_end|>",),
    system=_chatml_system,
    tools=HERMES,
)
_GEMMA = ChatTemplate(
    begin=_begin_gemma,
    first=_gemma,
    user=_gemma_user,
    opened="<start_of_turn>model\n",
    end="<end_of_turn>\n",
    stop=("<end_of_turn>",),
    trimmed=str.strip,
)
_LLAMA3 = ChatTemplate(
    begin=_llama3,
    user=_llama3_user,
    opened="<|start_header_id|>assistant<|end_header_id|>\n\n",
    end="<|eot_id|>",
    stop=("<|eot_id|>",),
    trimmed=str.strip,
    system=_llama3_system,
)
# gemma and llama3 do not strip completions, though their templates do: existing runs need the same bytes
_TEMPLATES: dict[ChatFormat, ChatTemplate] = {
    ChatFormat.CHATML: _CHATML,
    ChatFormat.QWEN25: replace(_CHATML, begin=_qwen25),
    # what the template writes with enable_thinking=False
    ChatFormat.QWEN3: replace(_CHATML, turn=_qwen3_turn, quiet="<think>\n\n</think>\n\n", thinks_on=True, parts=True),
    ChatFormat.GEMMA: _GEMMA,
    ChatFormat.GEMMA3: replace(_GEMMA, first=_gemma3, turn=_stripped_turn),
    ChatFormat.GEMMA4: ChatTemplate(
        begin=_gemma4,
        user=_gemma4_user,
        opened="<|turn>model\n",
        end="<turn|>\n",
        stop=("<turn|>", RESULT),
        turn=_gemma4_turn,
        trimmed=_gemma4_trimmed,
        system=_gemma4_system,
        tools=GEMMA4,
        thinks_on=True,
        thought=_gemma4_thought,
        reopened=_THINKING,
        reclosed="<channel|>",
    ),
    ChatFormat.LLAMA3: _LLAMA3,
    ChatFormat.LLAMA31: replace(_LLAMA3, begin=_llama31, first=_llama31_first, turn=_stripped_turn, tools=LLAMA),
    ChatFormat.NONE: ChatTemplate(begin=_plain, user=_plain_user, opened="", end="\n\n", stop=(), system=_plain_system),
}
