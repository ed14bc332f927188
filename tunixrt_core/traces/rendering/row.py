"""A trace as a training row: prompt and completion in a chat format."""

from __future__ import annotations

from tunixrt_core.traces.rendering.chats import ChatFormat, template_of
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rendering.text import Piece, Rendered, join
from tunixrt_core.traces.trace import Trace


def render(trace: Trace, style: ReasoningStyle, chat: ChatFormat, *, system: str | None = None) -> Rendered:
    """The row of a trace. The trace's own system prompt wins over the default one given here."""
    asked = _prompt_pieces(trace.prompt, chat, style, trace.system or system)
    template = template_of(chat)
    said = template.turn(trace.steps, trace.final_answer, style, trace.layout)
    return Rendered(join(asked), (*said, Piece(template.end)), asked)


def render_prompt(prompt: str, chat: ChatFormat, style: ReasoningStyle, *, system: str | None = None) -> str:
    """Everything up to where the model begins to write. The style tells whether it is asked to think, which some
    formats write into the prompt.
    """
    return join(_prompt_pieces(prompt, chat, style, system))


def _prompt_pieces(prompt: str, chat: ChatFormat, style: ReasoningStyle, system: str | None) -> tuple[Piece, ...]:
    return tuple(template_of(chat).head(system or "", prompt, style is ReasoningStyle.THINK))
