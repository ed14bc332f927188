"""Transcripts: one text with turns after `Human:` and `Assistant:`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tunixrt_core.ingest.reasoning.turn import Turn

_ROLES = {"human": "user", "user": "user", "assistant": "assistant", "system": "system"}
_NAMES = "|".join(name.capitalize() for name in _ROLES)
_BEGINS = re.compile(rf"\s*(?:{_NAMES}):", re.IGNORECASE)
# a blank line before a name, where the transcript has any; an answer may hold lines of dialogue
# white space is read once, from where it begins: behind a character, a name, or at the beginning
_APART = re.compile(
    rf"(?:\A\s*|(?:(?<=\S)|(?<=:[ \t]))[^\S\n]*+(?P<gap>\n\s++)(?<=\n))(?P<name>{_NAMES}):[ \t]?", re.IGNORECASE
)
_LINES = re.compile(rf"(?:\A\s*|(?P<gap>\n))(?P<name>{_NAMES}):[ \t]?", re.IGNORECASE)


def transcript_turns(text: str, field: str, *, answered: bool) -> list[Turn] | None:
    """The turns of a transcript; None for any other text.

    It begins with a turn of the user or the system. With `answered` it ends with a turn of the assistant; otherwise
    with one of the user, and an empty `Assistant:` may follow.
    """
    if not _BEGINS.match(text):
        return None
    for marks in (_APART, _LINES):
        turns = list(_turns(text, marks, field))
        roles = [turn.role for turn in turns]
        if roles[0] == "assistant" or "user" not in roles:
            return None
        if answered and "assistant" in roles:
            return turns
        if not answered and (roles[-1] == "user" or not turns[-1].text.strip()) and "assistant" in roles:
            return turns if roles[-1] == "user" else turns[:-1]
    return None


def _turns(text: str, marks: re.Pattern[str], field: str) -> Iterator[Turn]:
    found = list(marks.finditer(text))
    ends = [mark.start("gap") for mark in found[1:]] + [len(text)]
    for i, (mark, end) in enumerate(zip(found, ends, strict=True)):
        role, said = _ROLES[mark["name"].lower()], text[mark.end() : end].strip("\n")
        yield Turn(role, said, {}, {"role": role, "content": said}, f"{field}[{i}]")
