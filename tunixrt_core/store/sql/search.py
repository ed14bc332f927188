"""Indexed text and search words, the same for both databases.

Where a script has no spaces between words, the index holds pairs of characters: 天地人 is `天 天地 地人 人`. A search
for several characters asks for their pairs, a search for a single one for what begins with it. Korean is split in the
same way, because a Korean word carries its grammar: 농부 is found in 농부에게.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from operator import add
from typing import NamedTuple

import orjson

from tunixrt_core.traces.words import UNSPACED, is_special, visible


class SearchWords(NamedTuple):
    """The words of a search text. A trace matches that contains all of them.

    `spaced`: words between spaces. `pairs` and `singles`: those of characters of the other scripts. `runs`: three and
    more such characters, which must be consecutive. `open`: the last word is one of `spaced`, and may be the beginning
    of a word.
    """

    spaced: list[str]
    pairs: list[str]
    singles: list[str]
    runs: list[str]
    open: bool

    @property
    def together(self) -> Iterator[str]:
        """Words of several tokens, such as 3.5 and don't, in lower case."""
        return (word.lower() for word in self.spaced if word.isascii() and not word.isalnum())


def search_words(text: str) -> SearchWords:
    """The words of what a user typed. Punctuation is dropped, so nothing that is typed can be a syntax error."""
    seen = visible(text)
    if not is_special(seen):
        words = _word().findall(seen)
        return SearchWords(words, [], [], [], bool(words))
    runs = _run().findall(seen)
    return SearchWords(
        spaced=_word().findall(_run().sub(" ", seen)),
        pairs=[pair for run in runs for pair in map(add, run, run[1:])],
        singles=[run for run in runs if len(run) == 1],
        runs=[run for run in runs if len(run) > 2],
        open=not _ends_in_run(seen),
    )


def indexed_text(text: str) -> str:
    """The text as the index holds it."""
    if not is_special(text):
        return text
    return _run().sub(_paired, visible(text))


def text_of_body(body: str | bytes) -> str:
    """Messages, prompt, steps and answer of a trace's canonical JSON, one below the other."""
    data = orjson.loads(body)
    turns = [*data.get("messages", ()), *data.get("turns", ())]
    said = [turn.get("content", "") for turn in turns]
    return "\n".join([*said, data["prompt"], *[step["content"] for step in data["steps"]], data["final_answer"]])


def has_runs(body: str, runs: str) -> bool:
    """Whether the canonical JSON of a trace contains all of the runs, a JSON list."""
    seen = visible(body)
    return all(run in seen for run in orjson.loads(runs))


def _paired(found: re.Match[str]) -> str:
    run = found.group()
    return f" {' '.join([run[0], *map(add, run, run[1:]), run[-1]])} "


def _ends_in_run(text: str) -> bool:
    words = _word().findall(text)
    return not words or _run().match(words[-1][-1]) is not None


@cache
def _run() -> re.Pattern[str]:
    return re.compile(f"[{UNSPACED}]+")


@cache
def _word() -> re.Pattern[str]:
    """3.5, don't and x_1 are one word each; a word may hold vowel signs and accents, which are marks in Unicode."""
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    return re.compile(rf"[\w{marks}]+(?:[.,'’/-][\w{marks}]+)*")
