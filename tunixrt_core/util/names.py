"""Checks of names, tags and notes that people write."""

from __future__ import annotations

from collections.abc import Iterable

from tunixrt_core.errors import InvalidQuery

MAX_NAME = 80  # characters of a tag, and of the name, the scorer and the version of a score
MAX_NOTE = 20_000


def check_name(what: str, text: str) -> str:
    """The name without white space around it. Raises InvalidQuery where it is blank, long, or of several lines."""
    name = text.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidQuery(f"A {what} has 1 to {MAX_NAME} characters on one line; {text[:100]!r} does not.")
    return name


def check_names(what: str, texts: Iterable[str]) -> list[str]:
    """Each name as `check_name` returns it, without repetitions, in the order given. Raises InvalidQuery."""
    return list(dict.fromkeys(check_name(what, text) for text in texts))


def check_note(text: str) -> None:
    """Raises InvalidQuery where a note is too long or cannot be stored."""
    if len(text) > MAX_NOTE:
        raise InvalidQuery(f"A note has at most {MAX_NOTE:,} characters; this one has {len(text):,}.")
    check_encodable("note", text)


def check_encodable(what: str, text: str) -> None:
    """Raises InvalidQuery where a database cannot keep the text as it is."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidQuery(f"The {what} holds a lone surrogate, which is not valid Unicode.") from None
    if "\0" in text:
        raise InvalidQuery(f"The {what} holds a NUL character, which cannot be stored.")
