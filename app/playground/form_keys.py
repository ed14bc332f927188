"""Keys of the playground's fields in the state of a session."""

from __future__ import annotations

PROMPT, SYSTEM, REFERENCE = "play-prompt", "play-system", "play-reference"
TALK = "play-talk"  # a Conversation: what is before the prompt, and between it and the answer
ROLE, TURN = "play-turn-role", "play-turn-text"
COLUMNS = "play-columns"  # list of the numbers of the columns, in order
EDITED = "play-edited"  # number of the column whose answer is edited


def column_key(name: str, number: int) -> str:
    """The key of a column's field."""
    return f"play-{number}-{name}"
