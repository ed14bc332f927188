"""Context of a completion: every turn before it, in a chat format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.conversation import NO_CONVERSATION, Call, Conversation, Message
from tunixrt_core.traces.rendering.chats import ChatFormat, ChatTemplate, template_of
from tunixrt_core.traces.rendering.text import Kind, Piece
from tunixrt_core.traces.rendering.tool_forms import grouped, written_calls


class TrainOn(StrEnum):
    """Which turns of the assistant are trained on."""

    LAST = "last"
    ALL = "all"  # all but those that the file marks as untrained
    MARKED = "marked"  # the last one, and the earlier ones that the file marks as trained


class EarlierThinking(StrEnum):
    """What happens to the thinking of turns before the last one."""

    TEMPLATE = "template"  # as the family's own template does
    KEEP = "keep"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a completion answers: the prompt, the system text and the conversation around the prompt."""

    prompt: str
    system: str = ""
    conversation: Conversation = NO_CONVERSATION
    thinks: bool = False
    thinking: EarlierThinking = EarlierThinking.TEMPLATE
    train_on: TrainOn = TrainOn.LAST


def context_pieces(asked: Asked, chat: ChatFormat) -> tuple[Piece, ...]:
    """Everything up to where the model begins to write. Text of earlier turns that is trained on is a `reply`.

    Raises InvalidTrace where the format has no form for a part of the conversation.
    """
    if asked.conversation is NO_CONVERSATION:
        return tuple(_single(asked, template_of(chat)))
    if reason := unfit(asked.conversation, chat):
        raise InvalidTrace("conversation", f"holds {reason}, which the chat format {chat} has no form for")
    return tuple(_conversation(asked, template_of(chat)))


def unfit(talk: Conversation, chat: ChatFormat) -> str | None:
    """What a conversation holds that the format cannot write; None where it can write all of it."""
    template = template_of(chat)
    turns = (*talk.messages, *talk.turns)
    if template.tools is None and (talk.tools or talk.calls or any(t.calls or t.role == "tool" for t in turns)):
        return "tools, tool calls or results of tools"
    if template.system is None and any(turn.role == "system" for turn in turns):
        return "a system turn after the first"
    if template.tools is not None and not template.tools.several:
        said = [(turn.calls, turn.content) for turn in turns] + [(talk.calls, "")]
        if any(len(calls) > 1 for calls, _ in said):
            return "a turn that calls several tools at once"
        if any(calls and content.strip() for calls, content in said):
            return "a turn that calls a tool and says something beside it"
    return None


def calls_of(calls: Sequence[Call], content: str, chat: ChatFormat) -> str:
    """The text of the calls of a turn behind its content. Raises InvalidTrace where the format has no form for them."""
    form = template_of(chat).tools
    if form is None:
        raise InvalidTrace("calls", f"cannot be written: the chat format {chat} has no form for tool calls")
    return written_calls(form, calls, content)


def _single(asked: Asked, template: ChatTemplate) -> Iterator[Piece]:
    yield from template.begin(asked.system, (), asked.thinks)
    yield from template.user(asked.prompt, template.first(asked.system, ()))
    yield from _opened(asked, template)


def _opened(asked: Asked, template: ChatTemplate) -> Iterator[Piece]:
    yield Piece(template.opened)
    if template.quiet and not asked.thinks:
        yield Piece(template.quiet)


def _conversation(asked: Asked, template: ChatTemplate) -> Iterator[Piece]:
    talk = asked.conversation
    before = tuple(template.first(asked.system, talk.tools))
    yield from template.begin(asked.system, talk.tools, asked.thinks)
    turns = (*talk.messages, Message("user", asked.prompt), *talk.turns)
    last = len(talk.messages)
    for is_tool, group in grouped(turns):
        place, message = group[0]
        if is_tool:
            assert template.tools is not None, "unfit() refuses tools that the format has no form for"
            yield from template.tools.results([each for _, each in group])
        elif message.role == "user":
            written = template.user(message.content, before)
            before = ()
            yield from written if place == last else map(_as_message, written)
        elif message.role == "system":
            assert template.system is not None, "unfit() refuses system turns that the format has no form for"
            yield from template.system(message.content)
        else:
            yield from _reply(message, asked, template, behind=place > last)
    yield from _opened(asked, template)


def _as_message(piece: Piece) -> Piece:
    return Piece(piece.text, "message") if piece.kind == "prompt" else piece


def _reply(message: Message, asked: Asked, template: ChatTemplate, *, behind: bool) -> Iterator[Piece]:
    """An earlier turn of the assistant; `behind`: it follows the prompt."""
    trained = asked.train_on is TrainOn.ALL and message.train is not False
    trained = trained or (asked.train_on is TrainOn.MARKED and bool(message.train))
    kind: Kind = "reply" if trained else "message"
    apart = template.thinks_on or asked.thinking is EarlierThinking.DROP
    thought, said = message.thought_and_content if apart else (message.reasoning, message.content)
    said = template.trimmed(said)
    if message.calls:
        assert template.tools is not None, "unfit() refuses calls that the format has no form for"
        said += written_calls(template.tools, message.calls, said)
    keeps = asked.thinking is EarlierThinking.KEEP
    keeps = keeps or (asked.thinking is EarlierThinking.TEMPLATE and template.thinks_on and behind)
    if thought and keeps:
        said = _thought(thought) + said.lstrip("\n")
    yield Piece(template.opened)
    if said:
        yield Piece(said, kind)
    yield Piece(template.end, kind if trained else "format")


def _thought(text: str) -> str:
    return "<think>\n" + text.strip("\n") + "\n</think>\n\n"
