"""Scorer: structure of the reasoning style, complete and in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tunixrt_core.evaluation.scorers.scorer import Answer, Score, Scorer
from tunixrt_core.traces.rendering.styles import ReasoningStyle

_TAG = re.compile(r"</?(?:reasoning|answer)>")
_THINK = re.compile(r"(?P<open><think>|<\|channel>thought\n)|</think>|<channel\|>")
_HASHES = re.compile(r"^#### ?", re.MULTILINE)
_ANSWER_IS = re.compile(r"^Answer: ?", re.MULTILINE)
_NUMBER = re.compile(r"^(\d+)\. ", re.MULTILINE)


def format_valid(answer: Answer) -> Score:
    """1 where the output is exactly the structure of its style; otherwise 0 with the first fault as the label."""
    problem = _PROBLEMS[answer.style](answer.output)
    return Score(float(not problem), problem)


def _tags(text: str) -> str:
    marks = list(_TAG.finditer(text))
    names = [mark[0] for mark in marks]
    wanted = ["<reasoning>", "</reasoning>", "<answer>", "</answer>"]
    if names != wanted:
        return _first_fault(names)
    reasoned, thought, said, closed = marks
    return _around(
        text[: reasoned.start()], text[thought.end() : said.start()], text[said.end() : closed.start()]
    ) or _blank(text[closed.end() :], "text after")


def _first_fault(names: Sequence[str]) -> str:
    """The fault of tags that are not the four expected ones in order."""
    if len(set(names)) < len(names):
        return "twice"
    for name in ("reasoning", "answer"):
        opened, closed = f"<{name}>" in names, f"</{name}>" in names
        if opened and not closed:
            return "not closed"
        if closed and not opened:
            return "not opened"
    if len(names) == 4:
        return "out of order"
    return "no answer" if "<answer>" not in names else "no reasoning"


def _think(text: str) -> str:
    marks = list(_THINK.finditer(text))
    opened = [mark for mark in marks if mark["open"]]
    closed = [mark for mark in marks if not mark["open"]]
    if not marks:
        return "no reasoning"
    if len(opened) > 1 or len(closed) > 1:
        return "twice"
    if not closed:
        return "not closed"
    if not opened:
        return "not opened"
    if closed[0].start() < opened[0].start():
        return "out of order"
    return _around(text[: opened[0].start()], "", text[closed[0].end() :])


def _plain(text: str) -> str:
    found = list(_HASHES.finditer(text))
    if not found:
        return "no answer"
    if len(found) > 1:
        return "twice"
    said, _, after = text[found[0].end() :].partition("\n")
    return _around("", "", said) or _blank(after, "text after")


def _numbered(text: str) -> str:
    found = list(_ANSWER_IS.finditer(text))
    if not found:
        return "no answer"
    if len(found) > 1:
        return "twice"
    body, said = text[: found[0].start()], text[found[0].end() :]
    numbers = [int(number) for number in _NUMBER.findall(body)]
    if body.strip() and not numbers:
        return "no reasoning"
    # a step may not come after the answer either
    if numbers != list(range(1, len(numbers) + 1)) or re.search(rf"^{len(numbers) + 1}\. ", "\n" + said, re.MULTILINE):
        return "out of order"
    return _around(body[: _start(body)], "", said)


def _start(body: str) -> int:
    first = _NUMBER.search(body)
    return first.start() if first else len(body)


def _alone(text: str) -> str:
    return _around("", "", text)


def _around(before: str, between: str, said: str) -> str:
    return _blank(before, "text before") or _blank(between, "text between") or ("" if said.strip() else "no answer")


def _blank(text: str, problem: str) -> str:
    return problem if text.strip() else ""


_PROBLEMS: dict[ReasoningStyle, Callable[[str], str]] = {
    ReasoningStyle.TAGS: _tags,
    ReasoningStyle.THINK: _think,
    ReasoningStyle.PLAIN: _plain,
    ReasoningStyle.NUMBERED: _numbered,
    ReasoningStyle.ANSWER: _alone,
}

SCORERS = (
    Scorer("format_valid", 2, "the output has the structure of its style: in order, closed, once", format_valid),
)
