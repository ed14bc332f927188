"""How a model family writes the turns of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tunixrt_core.traces.conversation import Tool
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.styles import (
    ReasoningStyle,
    completion_pieces,
)
from tunixrt_core.traces.rendering.text import Piece, strip
from tunixrt_core.traces.rendering.tool_forms import ToolForm
from tunixrt_core.traces.trace import Step

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


def stripped_turn(
    steps: Sequence[Step], answer: str, style: ReasoningStyle, layout: Layout | None
) -> tuple[Piece, ...]:
    """The turn of a family whose template strips what the model says."""
    return strip(completion_pieces(steps, answer, style, layout))
