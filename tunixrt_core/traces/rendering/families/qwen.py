"""Chat formats of Qwen, which writes ChatML, and tools as Hermes does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tunixrt_core.traces.conversation import Call, Message, Tool, call_text
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.chat_template import ChatTemplate, Tools
from tunixrt_core.traces.rendering.styles import (
    ReasoningStyle,
    answer_pieces,
    completion_pieces,
    reasoning_pieces,
)
from tunixrt_core.traces.rendering.text import Piece, strip
from tunixrt_core.traces.rendering.tool_forms import ToolForm
from tunixrt_core.traces.trace import Step


def _chatml(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    if system or tools:
        yield Piece("<|im_start|>system\n")
        if system:
            yield Piece(system, "system")
        if tools:
            yield from (*((Piece("\n\n"),) if system else ()), Piece(hermes_tools(tools)))
        yield Piece("<|im_end|>\n")


_QWEN25_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."


def _qwen25(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    return _chatml(system or _QWEN25_SYSTEM, tools, thinks)


def _chatml_user(user: str, before: Iterable[Piece]) -> Iterator[Piece]:
    yield from (Piece("<|im_start|>user\n"), *before, Piece(user, "prompt"), Piece("<|im_end|>\n"))


def _chatml_system(text: str) -> Iterator[Piece]:
    yield from (Piece("<|im_start|>system\n"), Piece(text, "system"), Piece("<|im_end|>\n"))


def _qwen3_turn(steps: Sequence[Step], answer: str, style: ReasoningStyle, layout: Layout | None) -> Iterator[Piece]:
    if style is not ReasoningStyle.THINK:
        yield from strip(completion_pieces(steps, answer, style, layout), "\n", right=False)
        return
    yield from (Piece("<think>\n"), *strip(reasoning_pieces(steps, layout), "\n"), Piece("\n</think>\n\n"))
    yield from strip(answer_pieces(steps, answer, layout), "\n", right=False)


def hermes_call(call: Call) -> str:
    """A call as Qwen 2.5, Qwen 3 and Hermes write it."""
    return f"<tool_call>\n{call_text(call)}\n</tool_call>"


def hermes_tools(tools: Sequence[Tool]) -> str:
    """The definitions behind the system text, as the templates of Qwen 2.5 and Qwen 3 write them."""
    listed = "".join(f"\n{tool}" for tool in tools)
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        f"You are provided with function signatures within <tools></tools> XML tags:\n<tools>{listed}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within <tool_call></tool_call> "
        'XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
    )


def _hermes_results(calls: Sequence[Call], results: Sequence[Message]) -> Iterator[Piece]:
    yield Piece("<|im_start|>user")
    for result in results:
        yield from (Piece("\n<tool_response>\n"), Piece(result.content, "message"), Piece("\n</tool_response>"))
    yield Piece("<|im_end|>\n")


HERMES = ToolForm(hermes_call, _hermes_results)

CHATML = ChatTemplate(
    begin=_chatml,
    user=_chatml_user,
    opened="<|im_start|>assistant\n",
    end="<|im_end|>\n",
    stop=("<|im_end|>",),
    system=_chatml_system,
    tools=HERMES,
)
QWEN25 = replace(CHATML, begin=_qwen25)
# what the template writes with enable_thinking=False
QWEN3 = replace(CHATML, turn=_qwen3_turn, quiet="<think>\n\n</think>\n\n", thinks_on=True, parts=True)
