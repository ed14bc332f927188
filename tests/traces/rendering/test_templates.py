"""The chat template that an export brings where its base model has none writes what the run was trained on."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tests.helpers.render_reference import messages_of
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.row import render
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rendering.templates import jinja_template
from tunixrt_core.traces.trace import Step, Trace

WITH_TEMPLATE = (ChatFormat.CHATML, ChatFormat.LLAMA3, ChatFormat.GEMMA, ChatFormat.GEMMA3)
TRACE = Trace(prompt=" What is 7 forward 4? ", steps=(Step(0, "Move on from 7."),), final_answer="1")


def written(chat: ChatFormat, messages: list[Any], *, prompt: bool) -> str:
    source = jinja_template(chat)
    assert source is not None
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)  # as transformers has it
    return environment.from_string(source).render(messages=messages, add_generation_prompt=prompt)


@pytest.mark.parametrize("system", [None, " Answer in steps.\n"])
@pytest.mark.parametrize("chat", WITH_TEMPLATE)
def test_a_template_writes_what_the_format_writes(chat: ChatFormat, system: str | None) -> None:
    ours = render(TRACE, ReasoningStyle.TAGS, chat, system=system)
    said = ours.completion.split("<end_of_turn>")[0].split("<|")[0]
    assert written(chat, messages_of(system, TRACE.prompt), prompt=True) == ours.prompt
    assert written(chat, messages_of(system, TRACE.prompt, said), prompt=False) == ours.text


def test_a_system_text_of_gemma_stands_before_the_first_turn_alone() -> None:
    turns = [*messages_of("Be brief.", "a", "b"), {"role": "user", "content": "c"}]
    text = written(ChatFormat.GEMMA, turns, prompt=True)
    assert text.count("Be brief.") == 1
    assert text.startswith(
        "<bos><start_of_turn>user\nBe brief.\n\na<end_of_turn>\n<start_of_turn>model\nb<end_of_turn>"
    )
    assert text.endswith("<start_of_turn>user\nc<end_of_turn>\n<start_of_turn>model\n")


def test_formats_whose_models_bring_a_template_and_plain_text_have_none() -> None:
    assert {chat for chat in ChatFormat if jinja_template(chat) is not None} == set(WITH_TEMPLATE)
