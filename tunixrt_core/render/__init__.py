"""Trace -> text that a model is trained on, and back. The only place that knows a chat format.

A reasoning style says how steps and answer become one completion; a chat format says which control tokens stand
around prompt and completion. Both are chosen in the manifest, so that training and generation always agree.
"""

from __future__ import annotations

from tunixrt_core.render.chats import CHAT_FORMAT_OF_FAMILY, ChatFormat, end_of_turn, stop_tokens
from tunixrt_core.render.parse import ParsedCompletion, parse_completion, take_apart
from tunixrt_core.render.row import render, render_prompt
from tunixrt_core.render.styles import ReasoningStyle, render_completion
from tunixrt_core.render.text import Piece, Rendered, Span

__all__ = [
    "CHAT_FORMAT_OF_FAMILY",
    "ChatFormat",
    "ParsedCompletion",
    "Piece",
    "ReasoningStyle",
    "Rendered",
    "Span",
    "end_of_turn",
    "parse_completion",
    "render",
    "render_completion",
    "render_prompt",
    "stop_tokens",
    "take_apart",
]
