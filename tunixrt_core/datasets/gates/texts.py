"""Text of a trace for checks: named parts, words, whole."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tunixrt_core.traces.conversation import Message
from tunixrt_core.traces.trace import Trace
from tunixrt_core.traces.words import WORD, is_special, plain, tokens


class Place(NamedTuple):
    """A stretch of one part of a trace: `text[start:end]` of `prompt`, `steps[2]` and so on."""

    field: str
    start: int
    end: int

    def to_dict(self) -> dict[str, str | int]:
        return self._asdict()


def parts(trace: Trace) -> Iterator[tuple[str, str]]:
    """`(name, text)` of everything that is rendered, in order: system, messages, prompt, turns, steps, final answer."""
    if trace.system:
        yield "system", trace.system
    yield from _said("messages", trace.conversation.messages)
    yield "prompt", trace.prompt
    yield from _said("turns", trace.conversation.turns)
    for step in trace.steps:
        yield f"steps[{step.i}]", step.content
    yield "final_answer", trace.final_answer


def asked_texts(prompt: str, messages: Sequence[Message]) -> Iterator[tuple[str, str]]:
    """`(name, text)` of a prompt and of the messages before it."""
    yield "prompt", prompt
    yield from _said("messages", messages)


def _said(name: str, turns: Sequence[Message]) -> Iterator[tuple[str, str]]:
    for i, turn in enumerate(turns):
        yield from ((f"{name}[{i}].{field}", text) for field, text in turn.texts())


def part(trace: Trace, name: str) -> str:
    """One part by its name; empty where the trace has none of that name."""
    return next((text for known, text in parts(trace) if known == name), "")


def plain_words(text: str) -> list[str]:
    """The words of a text between spaces and marks: NFKC, case-folded."""
    if text.isascii():
        return WORD.findall(text.lower())
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def compared_words(text: str) -> list[str]:
    """The words of a text in any script for comparing; where there are no spaces, its characters."""
    if text.isascii():
        return WORD.findall(text.lower())
    plained = plain(text)
    return [token.text for token in tokens(plained)] if is_special(plained) else WORD.findall(plained)


def shingles(text: str, size: int) -> set[str]:
    """The n-grams of `size` words of a text in any script; a text of fewer words is one."""
    words = compared_words(text)
    if len(words) <= size:
        return {" ".join(words)}
    return {" ".join(words[i : i + size]) for i in range(len(words) - size + 1)}


def reasoning(trace: Trace) -> str:
    return "\n".join(step.content for step in trace.steps)


def whole_text(trace: Trace) -> str:
    """Messages, prompt, reasoning and answer, one below the other."""
    talk = trace.conversation
    before, after = ([turn.content for turn in turns] for turns in (talk.messages, talk.turns))
    return "\n".join((*before, trace.prompt, *after, reasoning(trace), trace.final_answer))
