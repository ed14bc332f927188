"""A trace as a training row: prompt and completion in a chat format."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation, calls_text
from tunixrt_core.traces.rendering.chats import ChatFormat, template_of
from tunixrt_core.traces.rendering.context import Asked, EarlierThinking, TrainOn, calls_of, context_pieces
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rendering.text import Piece, Rendered, join
from tunixrt_core.traces.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnOptions:
    """What a row trains on of a conversation, and what it keeps of the thinking of earlier turns."""

    train_on: TrainOn = TrainOn.LAST
    thinking: EarlierThinking = EarlierThinking.TEMPLATE


LAST_TURN = TurnOptions()


def render(
    trace: Trace,
    style: ReasoningStyle,
    chat: ChatFormat,
    *,
    system: str | None = None,
    turns: TurnOptions = LAST_TURN,
) -> Rendered:
    """The row of a trace. The trace's own system prompt wins over the default one given here.

    Raises InvalidTrace where the chat format has no form for a part of its conversation.
    """
    asked = context_pieces(
        Asked(
            prompt=trace.prompt,
            system=trace.system or system or "",
            conversation=trace.conversation,
            thinks=style is ReasoningStyle.THINK,
            thinking=turns.thinking,
            train_on=turns.train_on,
        ),
        chat,
    )
    template = template_of(chat)
    said = _said(trace, style, chat)
    if template.reopened and asked[-1].text == template.reopened:  # the prompt has opened the thinking already
        said = said[1:] if said[0].text == template.reopened else (Piece(template.reclosed), *said)
    # where results are within the turn of the model, it does not end behind calls, but waits
    waits = template.tools.within if template.tools and trace.conversation.calls else ""
    return Rendered(join(asked), (*said, Piece(waits or template.end)), asked)


def render_prompt(
    prompt: str,
    chat: ChatFormat,
    style: ReasoningStyle,
    *,
    system: str | None = None,
    conversation: Conversation = NO_CONVERSATION,
    turns: TurnOptions = LAST_TURN,
) -> str:
    """Everything up to where the model begins to write. The style tells whether it is asked to think, which some
    formats write into the prompt. Raises InvalidTrace as `render` does.
    """
    asked = Asked(
        prompt=prompt,
        system=system or "",
        conversation=conversation,
        thinks=style is ReasoningStyle.THINK,
        thinking=turns.thinking,
    )
    return join(context_pieces(asked, chat))


def _said(trace: Trace, style: ReasoningStyle, chat: ChatFormat) -> tuple[Piece, ...]:
    """The final turn without its end."""
    calls, turn = trace.conversation.calls, template_of(chat).turn
    if not calls:
        return tuple(turn(trace.steps, trace.final_answer, style, trace.layout))
    if trace.final_answer == calls_text(calls):  # the turn says nothing beside its calls
        layout = trace.layout and msgspec.structs.replace(trace.layout, before_answer="", after_answer="")
        return tuple(turn(trace.steps, calls_of(calls, "", chat), style, layout))
    said = turn(trace.steps, trace.final_answer, style, trace.layout)
    return (*said, Piece(calls_of(calls, trace.final_answer, chat), "answer"))
