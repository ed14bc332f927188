"""Conversations for tests: a strategy of many, and a few that are known."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tunixrt_core.traces.conversation import Call, Conversation, Message, calls_text
from tunixrt_core.traces.trace import Step, Trace

TOOL: dict[str, Any] = {  # its keys in the order of canonical JSON
    "function": {"description": "The weather of a city", "name": "weather", "parameters": {"type": "object"}},
    "type": "function",
}
CALL = Call("weather", {"city": "Köln", "days": 2})

_TEXT = st.text(st.sampled_from("ab9 \n.é日"), min_size=1, max_size=12).filter(str.strip)
_CALLS = st.builds(Call, st.sampled_from(["weather", "add"]), st.dictionaries(st.sampled_from("xy"), st.integers(0, 9)))
_ANSWERS = st.builds(
    lambda content, reasoning, train: Message("assistant", content, reasoning=reasoning, train=train),
    _TEXT,
    st.one_of(st.just(""), _TEXT),
    st.sampled_from([None, True, False]),
)
_CALLING = st.builds(lambda call, train: Message("assistant", calls=(call,), train=train), _CALLS, st.booleans())
_RESULTS = st.builds(lambda content: Message("tool", content), _TEXT)


def conversations(*, tools: bool) -> st.SearchStrategy[Conversation]:
    """Exchanges before the prompt and, with `tools`, calls and their results on both sides of it."""
    plain = st.tuples(st.builds(lambda text: Message("user", text), _TEXT), _ANSWERS)
    called = st.tuples(_CALLING, _RESULTS)
    exchanges = st.one_of(plain, called) if tools else plain
    flat = st.lists(exchanges, max_size=3).map(lambda pairs: tuple(message for pair in pairs for message in pair))
    turns = st.lists(called, max_size=2).map(lambda pairs: tuple(message for pair in pairs for message in pair))
    return st.builds(
        Conversation,
        messages=flat,
        turns=turns if tools else st.just(()),
        tools=st.just((TOOL,)) if tools else st.just(()),
    )


def talk(i: int = 1, **changes: Any) -> Trace:
    """A question behind an earlier one, each `i` another."""
    before = (Message("user", f"What is {i} and 1?"), Message("assistant", f"It is {i + 1}.", reasoning="Count on."))
    values: dict[str, Any] = {
        "prompt": f"And {i} and 2?",
        "steps": (Step(0, f"{i} and 2 is {i + 2}."),),
        "final_answer": str(i + 2),
        "conversation": Conversation(messages=before),
    }
    return Trace(**{**values, **changes})


def called(i: int = 1, **changes: Any) -> Trace:
    """A question that is answered with the result of a tool."""
    turns = (Message("assistant", calls=(CALL,)), Message("tool", f"{i} degrees"))
    values: dict[str, Any] = {
        "prompt": f"Weather in {i} days?",
        "steps": (Step(0, "The tool said it."),),
        "final_answer": f"{i} degrees",
        "conversation": Conversation(turns=turns, tools=(TOOL,)),
    }
    return Trace(**{**values, **changes})


def calling(i: int = 1) -> Trace:
    """A question whose answer is a call."""
    return Trace(
        f"Weather in {i} days?",
        (Step(0, "I must look."),),
        calls_text([CALL]),
        conversation=Conversation(tools=(TOOL,), calls=(CALL,)),
    )
