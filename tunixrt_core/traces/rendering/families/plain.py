"""Plain text, for base models without control tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tunixrt_core.traces.rendering.chat_template import ChatTemplate, Tools
from tunixrt_core.traces.rendering.text import Piece


def _plain(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    if system:
        yield from _plain_system(system)


def _plain_system(text: str) -> Iterator[Piece]:
    yield from (Piece(text, "system"), Piece("\n\n"))


def _plain_user(user: str, before: Iterable[Piece]) -> Iterator[Piece]:
    yield from (Piece(user, "prompt"), Piece("\n"))


PLAIN = ChatTemplate(begin=_plain, user=_plain_user, opened="", end="\n\n", stop=(), system=_plain_system)
