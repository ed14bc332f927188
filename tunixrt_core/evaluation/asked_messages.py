"""What chat messages ask of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from tunixrt_core.errors import InvalidEvaluation, InvalidTrace
from tunixrt_core.ingest.formats.prompt_completion import prompt_of
from tunixrt_core.ingest.reasoning.calls import read_tools
from tunixrt_core.traces.conversation import Conversation


class AskedIn(NamedTuple):
    """The prompt with what is around it. `system` is None where the messages hold none."""

    prompt: str
    system: str | None
    conversation: Conversation


def asked_in(messages: Any, tools: Any = None) -> AskedIn:
    """What messages ask, in any form that an import reads. They end with the user's, or with the result of a tool.

    `tools` are definitions, as OpenAI, Anthropic or Gemini write them. Raises InvalidEvaluation.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise InvalidEvaluation("messages: must be a list with at least one message. Write each as an object.")
    try:
        found = prompt_of(list(messages), "messages")
    except InvalidTrace as error:
        raise InvalidEvaluation(f"{error}.") from None
    talk = found.conversation
    if tools:
        read = read_tools(tools)
        if read is None:
            raise InvalidEvaluation("tools: hold no definitions. Write a list of objects with `name` and `parameters`.")
        talk = replace(talk, tools=read)
    return AskedIn(found.prompt, found.system, talk)
