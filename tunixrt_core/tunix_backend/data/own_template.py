"""A model's own chat template: where it is, and what it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation, Message
from tunixrt_core.tunix_backend.data.template_worker import TemplateRenderer
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.util.files.regular import read_object, read_text

_MOST_TEMPLATE = 1 << 20  # bytes of chat_template.jinja


def model_template(directory: Path) -> str | None:
    """The template of chat_template.jinja or tokenizer_config.json, of several that of the name `default`; None where
    there is none. Raises BrokenFile.
    """
    try:
        return read_text(directory / "chat_template.jinja", most=_MOST_TEMPLATE, follow=True)
    except FileNotFoundError:
        pass
    for name in ("chat_template.json", "tokenizer_config.json"):
        found = (read_object(directory / name, follow=True) or {}).get("chat_template")
        if isinstance(found, list):
            found = next((each.get("template") for each in found if _is_default(each)), None)
        if isinstance(found, str):
            return found
    return None


def _is_default(template: Any) -> bool:
    return isinstance(template, dict) and template.get("name") == "default"


def render_template(
    renderer: TemplateRenderer,
    messages: Sequence[Mapping[str, Any]],
    tokenizer: TextTokenizer,
    *,
    prompt: bool,
    thinks: bool | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The text of messages; with `prompt`, up to the start of the model's turn. Raises TemplateError."""
    names = {f"{name}_token": tokenizer.named_token(f"{name}_token") or "" for name in ("bos", "eos", "pad", "unk")}
    said: dict[str, Any] = {} if thinks is None else {"enable_thinking": thinks}
    if tools:
        said["tools"] = list(tools)
    return renderer.render({"messages": list(messages), "add_generation_prompt": prompt, **names, **said})


def messages_of(system: str | None, prompt: str, talk: Conversation = NO_CONVERSATION) -> list[dict[str, Any]]:
    """What templates are given: the messages of OpenAI's chat completions."""
    first = [Message("system", system)] if system else []
    found = [_openai(message) for message in (*first, *talk.messages, Message("user", prompt), *talk.turns)]
    _number_calls(found)
    return found


def _number_calls(messages: Sequence[dict[str, Any]]) -> None:
    """Give each call without an id one, and the result in its place the same: some templates name a result by it."""
    waiting: list[dict[str, Any]] = []
    for place, message in enumerate(messages):
        if message["role"] != "tool":
            waiting = list(message.get("tool_calls", ()))
            for number, call in enumerate(waiting):
                call.setdefault("id", f"call_{place}_{number}")
        elif waiting:
            message.setdefault("tool_call_id", waiting.pop(0)["id"])


def _openai(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.reasoning:
        found["reasoning_content"] = message.reasoning
    if message.calls:
        found["tool_calls"] = [
            {
                "type": "function",
                "function": {"name": call.name, "arguments": call.value},
                **({"id": call.id} if call.id else {}),
            }
            for call in message.calls
        ]
    if message.name:
        found["name"] = message.name
    if message.call_id:
        found["tool_call_id"] = message.call_id
    return found
