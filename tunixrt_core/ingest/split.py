"""Split free text of a model into reasoning steps and a final answer, by the marks that reasoning models write."""

from __future__ import annotations

import re
from typing import NamedTuple

from tunixrt_core.errors import InvalidTrace


class Parts(NamedTuple):
    """`marked` tells whether the text held marks; without any, all of it is the answer."""

    steps: tuple[str, ...]
    final_answer: str
    marked: bool


_TAGS = re.compile(r"\s*<reasoning>(?P<steps>.*?)</reasoning>\s*<answer>(?P<answer>.*?)</answer>\s*", re.DOTALL)
_THINK = re.compile(r"\s*(?:<think>)?(?P<steps>.*?)</think>(?P<answer>.*)", re.DOTALL)
_THOUGHT = re.compile(
    r"\s*<\|begin_of_thought\|>(?P<steps>.*?)<\|end_of_thought\|>\s*"
    r"<\|begin_of_solution\|>(?P<answer>.*?)(?:<\|end_of_solution\|>)?\s*",
    re.DOTALL,
)
_HASHES = re.compile(r"(?P<steps>(?:.*\n)?)[ \t]*####(?P<answer>[^\n]*)\s*", re.DOTALL)
_FORMS = (_TAGS, _THOUGHT, _THINK, _HASHES)
_OPENERS = ("<think>", "<reasoning>", "<|begin_of_thought|>")


def split_completion(text: str, field: str) -> Parts:
    """Steps and answer of a completion. Raises InvalidTrace at `field` where reasoning is opened and never closed."""
    for form in _FORMS:
        if found := form.fullmatch(text):
            return Parts(split_steps(found["steps"]), found["answer"].strip(), True)
    for opener in _OPENERS:
        if text.lstrip().startswith(opener):
            raise InvalidTrace(field, f"opens {opener} and does not close it before an answer")
    return Parts((), text.strip(), False)


def split_steps(text: str) -> tuple[str, ...]:
    """Paragraphs where blank lines divide the text, else lines. Blank ones vanish; white space around a step goes."""
    paragraphs = re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").strip())
    parts = paragraphs if len(paragraphs) > 1 else paragraphs[0].split("\n")
    return tuple(stripped for part in parts if (stripped := part.strip()))
