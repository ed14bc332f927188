"""Texts with the marks of turns that model families and data sets use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.transcripts import transcript_turns
from tunixrt_core.traces.conversation import json_text
from tunixrt_core.traces.rendering.families.llama import llama_call
from tunixrt_core.traces.rendering.read_calls import read_calls

GLAIVE = "glaive"
_LLAMA = "llama3"
_HEAD = 4_000  # characters in which the first mark is looked for
_BEGIN = re.compile(r"\s*(?:<s>|<bos>|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>|<\|endoftext\|>)?")
_ENDS = re.compile(r"(?:\s|</s>|<eos>|<\|endoftext\|>|<\|end_of_text\|>|<｜end▁of▁sentence｜>)*")
_HASHES = {"human": "user", "user": "user", "instruction": "user", "input": "input", "system": "system"}
_OTHERS = {"model": "assistant", "ipython": "tool", "function response": "tool"}
_DATES = re.compile(r"(?:Environment: ipython\n)?Cutting Knowledge Date: [^\n]*\nToday Date: [^\n]*\n\n")
_INST = re.compile(r"\s*+(?:<s>\s*+)?\[INST\]")
_INST_END = "[/INST]"
_SYS = re.compile(r"\s*<<SYS>>\n?(.*?)\n?<</SYS>>\s*", re.DOTALL)
_FUNCTION_CALL = re.compile(r"<functioncall>\s*+(?=\{)")
_LINE_ENDS = r"(?<!\s)[^\S\n]*+\n\s*+"  # white space with a line end, read once, from where it begins
_QUOTED_CALL = re.compile(r"""\{\s*"name":\s*"([^"]+)",\s*"arguments":\s*'(.*)'\s*\}\Z""", re.DOTALL)


class Marked(NamedTuple):
    """The messages of a text, the name of its marks, and what a template writes before the system text by itself."""

    messages: list[dict[str, Any]]
    dialect: str
    header: str = ""


class _Dialect(NamedTuple):
    """`opener` has the role in its first group; `closer` ends a turn, as the next opener and the end of the text do."""

    name: str
    opener: str
    closer: str
    trimmed: Callable[[str], str] = str
    preamble: bool = False  # whether a text before the first turn is the system text


_DIALECTS = (
    _Dialect("chatml", r"<\|im_start\|>(\w+)\n", r"<\|im_end\|>\n?"),
    _Dialect(_LLAMA, r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n\n", r"<\|(?:eot|eom)_id\|>"),
    _Dialect("gemma", r"<start_of_turn>(user|model)\n", r"<end_of_turn>\n?"),
    _Dialect("gemma4", r"<\|turn>(system|user|model)\n", r"<turn\|>\n?"),
    _Dialect("deepseek", r"<｜(User|Assistant)｜>", r"<｜end▁of▁sentence｜>", preamble=True),
    _Dialect("phi", r"<\|(system|user|assistant)\|>\n?", r"(?:<\|end\|>|</s>|<\|endoftext\|>)\n?", str.strip),
    _Dialect(
        "hashes",
        rf"(?:\A|{_LINE_ENDS}|(?<=\S))###\s?(Human|User|Assistant|System|Instruction|Input|Response):",
        r"\Z",
        str.strip,
        preamble=True,
    ),
    _Dialect(
        GLAIVE, rf"(?:\A|{_LINE_ENDS})(SYSTEM|USER|ASSISTANT|FUNCTION RESPONSE):", r"<\|endoftext\|>", str.strip
    ),
)  # fmt: skip
_OPENERS = {one.name: re.compile(one.opener) for one in _DIALECTS}
_TURNS = {
    one.name: re.compile(f"{one.opener}(.*?)(?:{one.closer}|(?={one.opener})|\\Z)", re.DOTALL) for one in _DIALECTS
}


def marked_text(text: str, field: str) -> Marked | None:
    """The messages of a text with marks that are known; None for any other text, and for one without an answer.

    Raises InvalidTrace where the text has marks and more beside the turns between them.
    """
    start = _BEGIN.match(text)
    begin = start.end() if start else 0
    if "[INST]" in text[:_HEAD] and (found := _of_inst(text)) is not None:
        return found
    for dialect in _DIALECTS:
        first = _OPENERS[dialect.name].search(text[: begin + _HEAD], begin)
        if first is None or (text[begin : first.start()].strip() and not dialect.preamble):
            continue
        if (found := _read(text, begin, dialect, field)) is not None:
            return found
    turns = transcript_turns(text, field, answered=True)
    if turns is None or turns[-1].role != "assistant":
        return None
    return Marked([turn.raw for turn in turns], "transcript")


def without_tools(text: str) -> tuple[str, list[Mapping[str, Any]]]:
    """The system text of Glaive without the definitions behind it; the text itself where it ends with none."""
    said = text.lstrip().removeprefix("SYSTEM:").strip()
    decoder = json.JSONDecoder()
    tools: list[Mapping[str, Any]] = []
    at = said.find("\n{")
    start = at = at + 1 if at >= 0 else len(said)
    while at < len(said):
        try:
            tool, at = decoder.raw_decode(said, at)
        except ValueError:
            return said, []
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            return said, []
        tools.append(tool)
        while at < len(said) and said[at].isspace():
            at += 1
    return said[:start].strip(), tools


def _read(text: str, begin: int, dialect: _Dialect, field: str) -> Marked | None:
    messages: list[dict[str, Any]] = []
    at = begin
    for turn in _TURNS[dialect.name].finditer(text, begin):
        _check_between(text[at : turn.start()], at == begin and dialect.preamble, messages, field)
        at = turn.end()
        messages.append(_message(turn[1], dialect.trimmed(turn[2]), dialect.name))
    _check_between(text[at:], False, messages, field)
    messages = _with_inputs(messages)
    last = messages[-1] if messages else {"role": ""}
    if last["role"] == "assistant" and "tool_calls" not in last and not last["content"].strip():
        messages.pop()  # where a model is to answer
    roles = {message["role"] for message in messages}
    if not {"user", "assistant"} <= roles:
        return None
    header = ""
    if dialect.name == _LLAMA and messages[0]["role"] == "system" and (dates := _DATES.match(messages[0]["content"])):
        header = dates[0]
        messages[0]["content"] = messages[0]["content"][dates.end() :]
        messages = messages if messages[0]["content"] else messages[1:]
    return Marked(messages, dialect.name, header)


def _check_between(between: str, is_preamble: bool, messages: list[dict[str, Any]], field: str) -> None:
    """Text outside of turns is the system text at the beginning, where the marks allow it. Raises InvalidTrace."""
    ends = _ENDS.match(between)
    if ends is not None and ends.end() == len(between):
        return
    if not is_preamble:
        raise InvalidTrace(field, f"has text outside of its turns: {between.strip()[:40]!r}. Put it between the marks")
    messages.append({"role": "system", "content": between.strip()})


def _message(told: str, text: str, dialect: str) -> dict[str, Any]:
    word = told.lower()
    role = _OTHERS.get(word, word)
    if dialect == "hashes":
        role = _HASHES.get(word, "assistant")
    if dialect == GLAIVE and role == "assistant":
        return _with_call(text)
    if dialect == _LLAMA and role == "assistant":
        said, calls = read_calls(text)
        if calls and not said and "\n".join(map(llama_call, calls)) == text:
            return {
                "role": role,
                "content": "",
                "tool_calls": [{"name": c.name, "arguments": c.arguments} for c in calls],
            }
    if dialect == _LLAMA and role == "tool":
        text = _written_as_json(text)
    return {"role": role, "content": text}


def _with_inputs(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages, with an input behind its instruction and a blank line between them, as format alpaca has it."""
    made: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] != "input":
            made.append(message)
        elif made and made[-1]["role"] == "user":
            made[-1] = {"role": "user", "content": f"{made[-1]['content']}\n\n{message['content']}"}
        else:
            made.append({"role": "user", "content": message["content"]})
    return made


def _with_call(text: str) -> dict[str, Any]:
    """A turn of the assistant, with its call as Glaive writes it: arguments in single quotes are kept as they are."""
    written = text.rstrip()
    found = _FUNCTION_CALL.search(written) if written.endswith("}") else None
    if found is None:
        return {"role": "assistant", "content": text}
    told = written[found.end() :]
    if quoted := _QUOTED_CALL.match(told):
        call: dict[str, Any] = {"name": quoted[1], "arguments": quoted[2]}
    else:
        try:
            call = json.loads(told)
        except ValueError:
            return {"role": "assistant", "content": text}
    return {"role": "assistant", "content": text[: found.start()].strip(), "tool_calls": [call]}


def _written_as_json(text: str) -> str:
    """The text that Llama's template wrote as JSON; any other text as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) and json_text(value) == text else text


def _of_inst(text: str) -> Marked | None:
    """The turns of Llama 2 and Mistral. One space beside a mark belongs to it."""
    messages: list[dict[str, Any]] = []
    at = 0
    while begins := _INST.match(text, at):
        ends = text.find(_INST_END, begins.end())
        if ends < 0:
            return None
        asked, answered = text[begins.end() : ends], ends + len(_INST_END)
        at = _before_inst(text, answered)
        said = _without_end(text[answered:at])
        if not messages and (system := _SYS.match(asked)):
            messages.append({"role": "system", "content": system[1]})
            asked = asked[system.end() :]
        messages.append({"role": "user", "content": asked.strip(" ")})
        if said.strip():
            messages.append({"role": "assistant", "content": said})
    if at != len(text) or not messages or messages[-1]["role"] != "assistant":
        return None
    return Marked(messages, "inst")


def _before_inst(text: str, start: int) -> int:
    """Where the turns go on behind `start`: before the white space and the mark of the next one, or at the end."""
    following = text.find("[INST]", start)
    if following < 0:
        return len(text)
    before = start + len(text[start:following].rstrip())
    return before - len("<s>") if text.endswith("<s>", start, before) else before


def _without_end(text: str) -> str:
    text = text.rstrip()
    return text.removesuffix("</s>").strip(" ")
