"""Chat formats of Llama 3 to 3.3."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tunixrt_core.traces.conversation import Call, Message, Tool, json_text
from tunixrt_core.traces.rendering.chat_template import ChatTemplate, Tools, stripped_turn
from tunixrt_core.traces.rendering.text import Piece
from tunixrt_core.traces.rendering.tool_forms import ToolForm


def _llama3(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    yield Piece("<|begin_of_text|>")
    if system:
        yield from _llama3_turn("system", Piece(system.strip(), "system"))


# Llama 3.1 takes this date where a program gives none; 3.2 takes the day on which it is asked, which no training can.
_LLAMA31_DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"


def _llama31(system: str, tools: Tools, thinks: bool) -> Iterator[Piece]:
    yield Piece("<|begin_of_text|>")
    dates = f"Environment: ipython\n{_LLAMA31_DATES}" if tools else _LLAMA31_DATES
    yield from _llama3_turn("system", Piece(dates), Piece(system.strip(), "system"))


def _llama31_first(system: str, tools: Tools) -> tuple[Piece, ...]:
    return (Piece(llama_tools(tools)),) if tools else ()


def _llama3_user(user: str, before: Iterable[Piece]) -> Iterator[Piece]:
    return _llama3_turn("user", *before, Piece(user.strip(), "prompt"))


def _llama3_system(text: str) -> Iterator[Piece]:
    return _llama3_turn("system", Piece(text.strip(), "system"))


def _llama3_turn(role: str, *said: Piece) -> Iterator[Piece]:
    yield from (Piece(f"<|start_header_id|>{role}<|end_header_id|>\n\n"), *said, Piece("<|eot_id|>"))


def llama_call(call: Call) -> str:
    """A call as Llama 3.1 writes it."""
    return f'{{"name": "{call.name}", "parameters": {call.written}}}'


def llama_tools(tools: Sequence[Tool]) -> str:
    """The definitions before the first user text, as the template of Llama 3.1 writes them."""
    listed = "".join(f"{json.dumps(json.loads(str(tool)), ensure_ascii=False, indent=4)}\n\n" for tool in tools)
    return (
        "Given the following functions, please respond with a JSON for a function call with its proper arguments that "
        'best answers the given prompt.\n\nRespond in the format {"name": function name, "parameters": dictionary of '
        f"argument name and its value}}.Do not use variables.\n\n{listed}"
    )


def _llama_results(calls: Sequence[Call], results: Sequence[Message]) -> Iterator[Piece]:
    for result in results:
        yield Piece("<|start_header_id|>ipython<|end_header_id|>\n\n")
        # the template writes texts as JSON
        yield from (Piece(json_text(result.content), "message"), Piece("<|eot_id|>"))


LLAMA = ToolForm(llama_call, _llama_results, several=False)

LLAMA3 = ChatTemplate(
    begin=_llama3,
    user=_llama3_user,
    opened="<|start_header_id|>assistant<|end_header_id|>\n\n",
    end="<|eot_id|>",
    stop=("<|eot_id|>",),
    trimmed=str.strip,
    system=_llama3_system,
)
LLAMA31 = replace(LLAMA3, begin=_llama31, first=_llama31_first, turn=stripped_turn, tools=LLAMA)
