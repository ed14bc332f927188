"""Tool definitions, calls and results in the forms of model families."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tunixrt_core.traces.conversation import Call, Message, Tool, call_text, json_text
from tunixrt_core.traces.rendering.gemma_tools import RESULT, gemma_call, gemma_results
from tunixrt_core.traces.rendering.text import Piece


@dataclass(frozen=True, slots=True)
class ToolForm:
    """How a family writes what belongs to tools.

    * `call`: the text of one call, as the model writes it. `between` comes before each call that follows something.
    * `results`: consecutive results of the calls before them, in turns of their own or, with `within`, in the turn of
      the model that called.
    * `several`: whether one turn may call more than one tool, or say something beside the call.
    * `within`: the turn goes on behind results; what the model writes to wait for them. What an earlier turn says
      beside its calls comes behind their results then, and arguments must be objects.
    """

    call: Callable[[Call], str]
    results: Callable[[Sequence[Call], Sequence[Message]], Iterable[Piece]]
    between: str = "\n"
    several: bool = True
    within: str = ""


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


HERMES = ToolForm(hermes_call, _hermes_results)
LLAMA = ToolForm(llama_call, _llama_results, several=False)
GEMMA4 = ToolForm(gemma_call, gemma_results, between="", within=RESULT)


def written_calls(form: ToolForm, calls: Sequence[Call], content: str) -> str:
    """The text of calls behind a content, with the separators."""
    text = form.between.join(map(form.call, calls))
    return form.between + text if content else text


def grouped(turns: Sequence[Message]) -> Iterator[tuple[bool, list[tuple[int, Message]]]]:
    """The turns with their places, consecutive results of tools together; whether they are results."""
    for is_tool, found in groupby(enumerate(turns), key=lambda item: item[1].role == "tool"):
        if is_tool:
            yield True, list(found)
        else:
            yield from ((False, [one]) for one in found)
