"""Jinja chat templates for models without one."""

from __future__ import annotations

from tunixrt_core.traces.rendering.chats import ChatFormat

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_LLAMA3 = (
    "<|begin_of_text|>{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)

# the system text comes before the first user turn, in the form of `SYSTEM`
_GEMMA = (
    "<bos>{% set said = namespace(system='') %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{% set said.system = SYSTEM ~ '\n\n' %}"
    "{% else %}<start_of_turn>{{ 'model' if message['role'] == 'assistant' else 'user' }}\n"
    "{{ said.system }}{{ message['content'] | trim }}<end_of_turn>\n{% set said.system = '' %}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)

_TEMPLATES = {
    ChatFormat.CHATML: CHATML,
    ChatFormat.LLAMA3: _LLAMA3,
    ChatFormat.GEMMA: _GEMMA.replace("SYSTEM", "(message['content'] | trim)"),
    ChatFormat.GEMMA3: _GEMMA.replace("SYSTEM", "message['content']"),
}


def jinja_template(chat: ChatFormat) -> str | None:
    """A template that writes a conversation in this format; None for a format that has none here.

    Formats whose models all bring their own template (Qwen, Gemma 4, Llama 3.1) have none, nor has plain text.
    """
    return _TEMPLATES.get(chat)
