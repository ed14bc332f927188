"""Context of a completion: every turn before it, in a chat format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.traces.conversation import NO_CONVERSATION, Call, Conversation, Message, Role
from tunixrt_core.traces.rendering.chat_template import ChatTemplate
from tunixrt_core.traces.rendering.chats import ChatFormat, template_of
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
    if template.tools is not None and template.tools.within and (reason := _unfit_within(talk)):
        return reason
    if template.tools is not None and not template.tools.several:
        said = [(turn.calls, turn.content) for turn in turns] + [(talk.calls, "")]
        if any(len(calls) > 1 for calls, _ in said):
            return "a turn that calls several tools at once"
        if any(calls and content.strip() for calls, content in said):
            return "a turn that calls a tool and says something beside it"
    return None


def _unfit_within(talk: Conversation) -> str | None:
    """As `unfit`, of a format that writes results within the turn of the model that called."""
    for turns in (talk.messages, talk.turns):
        for is_tool, group in grouped(turns):
            place = group[0][0]
            if is_tool and not (place and turns[place - 1].calls):
                return "a result of a tool that no turn before it calls"
    calls = [call for turn in (*talk.messages, *talk.turns) for call in turn.calls]
    if any(isinstance(call.value, str) for call in (*calls, *talk.calls)):
        return "a call whose arguments are no JSON object"
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
    if template.tools is not None and template.tools.within:
        yield from _open_turns(asked, template, turns, before)
        return
    for is_tool, group in grouped(turns):
        place, message = group[0]
        if is_tool:
            assert template.tools is not None, "unfit() refuses tools that the format has no form for"
            yield from template.tools.results((), [each for _, each in group])
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
    kind, end = _kinds(message, asked)
    thought, said = _thought_and_said(message, asked, template, behind=behind)
    if message.calls:
        assert template.tools is not None, "unfit() refuses calls that the format has no form for"
        said += written_calls(template.tools, message.calls, said)
    if thought:
        said = template.thought(thought) + said.lstrip("\n")
    yield Piece(template.opened)
    if said:
        yield Piece(said, kind)
    yield Piece(template.end, end)


def _kinds(message: Message, asked: Asked) -> tuple[Kind, Kind]:
    """Of what an earlier turn of the assistant says, and of its end."""
    trained = asked.train_on is TrainOn.ALL and message.train is not False
    trained = trained or (asked.train_on is TrainOn.MARKED and bool(message.train))
    return ("reply", "reply") if trained else ("message", "format")


def _thought_and_said(message: Message, asked: Asked, template: ChatTemplate, *, behind: bool) -> tuple[str, str]:
    """What a turn thought, where that is kept, and what it said."""
    apart = template.parts or asked.thinking is EarlierThinking.DROP
    thought, said = message.thought_and_content if apart else (message.reasoning, message.content)
    keeps = asked.thinking is EarlierThinking.KEEP
    keeps = keeps or (asked.thinking is EarlierThinking.TEMPLATE and template.thinks_on and behind)
    return thought if keeps else "", template.trimmed(said)


# --- results within the turn of the model ---------------------------------------------------------------------------


def _open_turns(
    asked: Asked, template: ChatTemplate, turns: Sequence[Message], before: Sequence[Piece]
) -> Iterator[Piece]:
    """A conversation in which the turn of the model goes on behind the results of what it called."""
    last = len(asked.conversation.messages)
    said = [(place, turn) for place, turn in enumerate(turns) if turn.role != "tool"]
    roles = [turn.role for _, turn in said]
    for number, (place, message) in enumerate(said):
        if message.role == "user":
            written = template.user(message.content, before)
            before = ()
            yield from written if place == last else map(_as_message, written)
        elif message.role == "system":
            assert template.system is not None, "such a format has a form for a later system turn"
            yield from template.system(message.content)
        else:
            results = tuple(takewhile(lambda turn: turn.role == "tool", turns[place + 1 :]))
            if roles[number - 1 : number] != ["assistant"]:
                yield Piece(template.opened)
            following = roles[number + 1] if number + 1 < len(said) else None
            yield from _open_reply(message, results, following, asked, template, behind=place > last)
    if not said[-1][1].calls:
        yield from _opened(asked, template)
    elif turns[-1].role == "tool" and asked.thinks:
        yield Piece(template.reopened)


def _open_reply(
    message: Message,
    results: Sequence[Message],
    following: Role | None,
    asked: Asked,
    template: ChatTemplate,
    *,
    behind: bool,
) -> Iterator[Piece]:
    """What an earlier turn of the assistant thought and called, the results, what it said beside, and its end, where
    no turn of the assistant continues it.
    """
    assert template.tools is not None, "the form of tools is what makes turns go on"
    kind, end = _kinds(message, asked)
    thought, content = _thought_and_said(message, asked, template, behind=behind)
    wrote = (template.thought(thought) if thought else "") + written_calls(template.tools, message.calls, "")
    if wrote:
        yield Piece(wrote, kind)
    if message.calls:  # the model writes this to wait, and the first result begins with it
        yield Piece(template.tools.within, end)
    yield from list(template.tools.results(message.calls, results))[1:]
    if content:
        yield Piece(content, kind)
    waits = message.calls and not results
    goes_on = following == "assistant" or (following is None and results and not content)
    if not waits and not goes_on:
        yield Piece(template.end, end)
