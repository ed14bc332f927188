"""Chat formats of Gemma 1 to 4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.chat_template import ChatTemplate, Tools, stripped_turn
from tunixrt_core.traces.rendering.families.gemma_tools import FORM, RESULT, gemma_tools
from tunixrt_core.traces.rendering.styles import (
    ReasoningStyle,
    answer_pieces,
    completion_pieces,
    reasoning_pieces,
)
from tunixrt_core.traces.rendering.text import Piece, strip
from tunixrt_core.traces.trace import Step


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


GEMMA = ChatTemplate(
    begin=_begin_gemma,
    first=_gemma,
    user=_gemma_user,
    opened="<start_of_turn>model\n",
    end="<end_of_turn>\n",
    stop=("<end_of_turn>",),
    trimmed=str.strip,
)
GEMMA3 = replace(GEMMA, first=_gemma3, turn=stripped_turn)
GEMMA4 = ChatTemplate(
    begin=_gemma4,
    user=_gemma4_user,
    opened="<|turn>model\n",
    end="<turn|>\n",
    stop=("<turn|>", RESULT),
    turn=_gemma4_turn,
    trimmed=_gemma4_trimmed,
    system=_gemma4_system,
    tools=FORM,
    thinks_on=True,
    thought=_gemma4_thought,
    reopened=_THINKING,
    reclosed="<channel|>",
)
