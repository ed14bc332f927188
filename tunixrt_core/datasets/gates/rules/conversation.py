"""Gate: conversations with empty turns, roles out of order or unanswered calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tunixrt_core.datasets.gates.check import Settings, row_gate
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.texts import Place, part
from tunixrt_core.traces.conversation import NO_CONVERSATION, Call, Message
from tunixrt_core.traces.trace import Trace

_SHOWN = 160  # characters of a turn in a finding
# where an import by an earlier version kept the turns around a prompt
_OLD = ("earlier", "between")


class Fault(NamedTuple):
    """What is wrong with a conversation, and the part of the trace that shows it; None where no part does."""

    reason: str
    part: str | None = None


def first_fault(trace: Trace) -> Fault | None:
    """The first fault of a conversation; None for one that is sound, and for a trace without any."""
    if trace.conversation is NO_CONVERSATION:
        return Fault("old_import") if _is_old(trace.meta) else None
    return next(_faults(trace), None)


def _is_old(meta: Mapping[str, Any]) -> bool:
    held = (meta.get(name) for name in _OLD)
    return any(isinstance(turns, list) and turns and all(map(_is_message, turns)) for turns in held)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and ("role" in value or "from" in value)


def _faults(trace: Trace) -> Iterator[Fault]:
    before: str | None = None  # the role of the turn before, the system's left out
    calls: tuple[Call, ...] = ()  # of the last turn of the assistant
    is_free = False  # it calls in a text of its own, so that nothing can be said about its results
    waiting: dict[int, tuple[str, Call]] = {}
    for name, turn in _turns(trace):
        if turn.role == "tool":
            if not calls and not is_free:
                yield Fault("order", f"{name}.content")
            elif not is_free and not _answered(turn, waiting):
                yield Fault("no_call", f"{name}.content")
        elif turn.role != "system":
            yield from (Fault("no_result", place) for place, _ in waiting.values())
            if turn.role == "user" and not turn.content.strip():
                yield Fault("empty_user", f"{name}.content")
            if before == "user" == turn.role or (before is None and turn.role == "assistant"):
                yield Fault("order", "prompt" if name == "prompt" else f"{name}.content")
            calls, is_free = turn.calls, "<tool_call>" in turn.content
            waiting = {i: (f"{name}.calls[{i}]", call) for i, call in enumerate(calls)}
        before = before if turn.role == "system" else turn.role
    yield from (Fault("no_result", place) for place, _ in waiting.values())


def _turns(trace: Trace) -> Iterator[tuple[str, Message]]:
    """Every turn before the answer, by its name."""
    yield from ((f"messages[{i}]", turn) for i, turn in enumerate(trace.conversation.messages))
    yield "prompt", Message("user", trace.prompt)
    yield from ((f"turns[{i}]", turn) for i, turn in enumerate(trace.conversation.turns))


def _answered(result: Message, waiting: dict[int, tuple[str, Call]]) -> bool:
    """Remove the call that a result answers from those that wait: by id, by name, or the first. False for none."""
    for key, (_, call) in waiting.items():
        if result.call_id is not None and call.id is not None:
            fits = call.id == result.call_id
        else:
            fits = result.name is None or result.name == call.name
        if fits:
            del waiting[key]
            return True
    return False


def judge(trace: Trace, settings: Settings) -> Finding | None:
    fault = first_fault(trace)
    if fault is None:
        return None
    detail: dict[str, Any] = {}
    if fault.part is not None:
        detail = Place(fault.part, 0, min(len(part(trace, fault.part)), _SHOWN)).to_dict()
    return Finding(trace.content_hash, fault.reason, detail)


GATE = row_gate(
    "conversation",
    "Conversations out of order",
    "an empty turn of the user, roles out of order, a call without its result or the reverse, turns of an old import",
    judge,
)
