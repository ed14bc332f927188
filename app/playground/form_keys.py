"""Keys of the playground's fields in the state of a session."""

from __future__ import annotations

PROMPT, SYSTEM, REFERENCE = "play-prompt", "play-system", "play-reference"
TALK = "play-talk"  # a Conversation: what is before the prompt, and between it and the answer
ROLE, TURN = "play-turn-role", "play-turn-text"
