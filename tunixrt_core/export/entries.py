"""Input of an exporter: stored traces and row options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from tunixrt_core.errors import InvalidDataset
from tunixrt_core.traces.chat_messages import NO_PARTS, ChatParts
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Trace

SplitOf = Callable[[Trace], Split | None]
ScoresOf = Callable[[str], Sequence[GivenScore]]  # by the hash of a trace


class Entry(NamedTuple):
    """A trace by its hash and canonical JSON: an export never needs more of it, so no Trace is built."""

    hash: str
    body: str | bytes
    split: Split | None = None


def entries_of(traces: Iterable[Trace], split_of: SplitOf | None = None) -> Iterator[Entry]:
    for trace in traces:
        yield Entry(trace.content_hash, trace.canonical, split_of(trace) if split_of else None)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How rows are written, where a format leaves a choice. Raises InvalidDataset, which names the option.

    `style`: how steps and answer become one completion. `turns`: whether prompt and completion are chat messages, the
    same for all rows of a file; the format must decide `auto` before rows are written. `reasoning`: where messages hold
    it. `chat`: the chat format of `prompts` in grpo rows. `parts`: what the traces of the file hold, which decides the
    types of its columns; no option that anybody asks for.
    """

    style: ReasoningStyle = ReasoningStyle.TAGS
    turns: Literal["auto", "text", "messages"] = "auto"
    reasoning: Literal["content", "field"] = "content"
    chat: ChatFormat | None = None
    parts: ChatParts = NO_PARTS

    def __post_init__(self) -> None:
        _one_of("turns", self.turns, ("auto", "text", "messages"))
        _one_of("reasoning", self.reasoning, ("content", "field"))

    @classmethod
    def of(cls, style: str = "tags", turns: str = "auto", reasoning: str = "content", chat: str = "") -> ExportOptions:
        """From plain words, as a command or an address has them."""
        _one_of("style", style, tuple(ReasoningStyle))
        if chat:
            _one_of("chat", chat, tuple(ChatFormat))
        return cls(ReasoningStyle(style), turns, reasoning, ChatFormat(chat) if chat else None)  # type: ignore[arg-type]

    def to_dict(self, names: Iterable[str]) -> Mapping[str, Any]:
        """The named options that are not as they are by default."""
        default = ExportOptions()
        return {
            field.name: str(getattr(self, field.name))
            for field in fields(self)
            if field.name in names and getattr(self, field.name) != getattr(default, field.name)
        }


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidDataset(f"{name}: {value!r} is not one of {', '.join(known)}.")
