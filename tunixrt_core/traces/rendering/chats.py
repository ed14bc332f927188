"""Chat formats by name, with the control tokens of the models' own templates.

The templates are those that the model families publish; tests/data/chat_templates holds them, and the tests compare
byte for byte. docs/reference/exports.md shows the text of each.
"""

from __future__ import annotations

from enum import StrEnum

from tunixrt_core.traces.rendering.chat_template import ChatTemplate
from tunixrt_core.traces.rendering.families.gemma import GEMMA, GEMMA3, GEMMA4
from tunixrt_core.traces.rendering.families.llama import LLAMA3, LLAMA31
from tunixrt_core.traces.rendering.families.plain import PLAIN
from tunixrt_core.traces.rendering.families.qwen import CHATML, QWEN3, QWEN25


class ChatFormat(StrEnum):
    """The model family whose control tokens surround the turns."""

    CHATML = "chatml"  # Qwen 2, and Qwen 2.5 and 3 without what their own templates add
    QWEN25 = "qwen2.5"  # with Qwen's own system text where there is none
    QWEN3 = "qwen3"  # the reasoning in a think block, which is there and empty in the other styles
    GEMMA = "gemma"  # Gemma 1, 2
    GEMMA3 = "gemma3"
    GEMMA4 = "gemma4"  # the reasoning in the thought channel
    LLAMA3 = "llama3"  # Llama 3
    LLAMA31 = "llama3.1"  # Llama 3.1 to 3.3, with the system turn that holds their dates
    NONE = "none"  # prompt, newline, completion, for base models


CHAT_FORMAT_OF_FAMILY = {
    "qwen2": ChatFormat.CHATML,
    "qwen3": ChatFormat.CHATML,
    "qwen3_moe": ChatFormat.CHATML,
    "gemma": ChatFormat.GEMMA,
    "gemma2": ChatFormat.GEMMA,
    "gemma3": ChatFormat.GEMMA,
    "gemma4": ChatFormat.GEMMA4,
    "llama3": ChatFormat.LLAMA3,
}


def template_of(chat: ChatFormat) -> ChatTemplate:
    return _TEMPLATES[chat]


def stop_tokens(chat: ChatFormat) -> tuple[str, ...]:
    """The control tokens that end a turn in this format."""
    return _TEMPLATES[chat].stop


def end_of_turn(chat: ChatFormat) -> str:
    """The text after a completion."""
    return _TEMPLATES[chat].end


# gemma and llama3 do not strip completions, though their templates do: existing runs need the same bytes
_TEMPLATES: dict[ChatFormat, ChatTemplate] = {
    ChatFormat.CHATML: CHATML,
    ChatFormat.QWEN25: QWEN25,
    ChatFormat.QWEN3: QWEN3,
    ChatFormat.GEMMA: GEMMA,
    ChatFormat.GEMMA3: GEMMA3,
    ChatFormat.GEMMA4: GEMMA4,
    ChatFormat.LLAMA3: LLAMA3,
    ChatFormat.LLAMA31: LLAMA31,
    ChatFormat.NONE: PLAIN,
}
