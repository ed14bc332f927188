"""Choices beside a question, in the prompt and in the answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from string import ascii_uppercase
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.columns.names import CHOICES, LETTERED_CHOICES, plain

_LETTERED = re.compile(r"\(?([A-Za-z])\s*+[).:]\s*")  # `A) 21`, `(a) 21`, `a . 21`
_TEXTS = ("text", "texts", "choice", "content", "value", "option")
_LABELS = ("label", "labels", "key", "id")


class Choices(NamedTuple):
    """The choices of a row: letters and texts in order, their columns, and how the prompt writes them."""

    letters: tuple[str, ...]
    texts: tuple[str, ...]
    columns: tuple[str, ...]
    written: str
    are_texts: bool = True  # in the file; not numbers

    def named_by(self, value: Any, field: str) -> Any:
        """The letter of the choice that an index or a letter names; any other answer stays as it is.

        An index counts from 0; a number is one unless the choices are numbers too. Raises InvalidTrace at `field` where
        no choice has it.
        """
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number and not isinstance(value, str):
            return value
        text = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value).strip()
        if text.upper() in self.letters:
            return text.upper()
        if text in self.texts and not (is_number and self.are_texts):
            return value
        if text.isdecimal():
            if int(text) < len(self.letters):
                return self.letters[int(text)]
            raise InvalidTrace(
                field,
                f"is {text}, but there are {len(self.letters)} choices, counted from 0. "
                "Write the letter or the text of the right choice.",
            )
        return value


def choice_columns(names: Collection[str]) -> tuple[str, ...]:
    """The columns that hold choices, judged by names: one column of all, or one column each, at least two."""
    by_plain = {plain(name): name for name in names}
    if found := next((by_plain[plain(name)] for name in CHOICES if plain(name) in by_plain), None):
        return (found,)
    for pattern in LETTERED_CHOICES:
        for marks in (ascii_uppercase, [str(n) for n in range(1, 20)], [str(n) for n in range(20)]):
            run = _run(by_plain, pattern, marks)
            if len(run) > 1:
                return tuple(run)
    return ()


def _run(by_plain: Mapping[str, str], pattern: str, marks: Sequence[str]) -> list[str]:
    run: list[str] = []
    for mark in marks:
        name = by_plain.get(plain(pattern.format(mark)))
        if name is None or (pattern == "{}" and name.isdecimal()):
            break
        run.append(name)
    return run


def choices_of(row: Mapping[str, Any], columns: Sequence[str]) -> Choices | None:
    """The choices in these columns; None where they hold none, or something else."""
    value: Any = row.get(columns[0]) if len(columns) == 1 else [row.get(name) for name in columns]
    if len(columns) == 1:
        if isinstance(value, str) and len(_LETTERED.findall(value)) > 1:  # all in one text, as MathQA has them
            letters = tuple(dict.fromkeys(letter.upper() for letter in _LETTERED.findall(value)))
            return Choices(letters, (), (columns[0],), value.strip())
        texts = _listed(value)
    else:
        while value and value[-1] in (None, ""):
            value.pop()
        texts = _listed(value)
    if not texts or len(texts) < 2 or len(texts) > len(ascii_uppercase):
        return None
    if all((found := _LETTERED.match(text.lstrip())) and found[1].upper() == letter for letter, text in texts):
        written = "\n".join(text for _, text in texts)  # as the file writes them: the letters are there
        bare = tuple(_LETTERED.sub("", text.lstrip(), count=1) for _, text in texts)
    else:
        written = "\n".join(f"{letter}. {text}" for letter, text in texts)
        bare = tuple(text for _, text in texts)
    are_texts = not (isinstance(value, list) and any(isinstance(item, int | float) for item in value))
    return Choices(tuple(letter.upper() for letter, _ in texts), bare, tuple(columns), written, are_texts)


def _listed(value: Any) -> list[tuple[str, str]] | None:
    """Letters and texts of a list, of an object with a key a choice, or of labels beside texts."""
    if isinstance(value, Mapping):
        named = {key.casefold(): inner for key, inner in value.items()}
        texts = next((named[name] for name in _TEXTS if isinstance(named.get(name), list)), None)
        labels = next((named[name] for name in _LABELS if isinstance(named.get(name), list)), None)
        if texts is not None and labels is not None:
            found = _texts(texts)
            return list(zip(map(str, labels), found, strict=False)) if found and len(labels) == len(found) else None
        given = _texts([inner for inner in value.values() if inner is not None])
        keys = [key for key, inner in value.items() if inner is not None]
        if any(len(key) > 2 for key in keys):  # names, such as `choice1`
            keys = list(ascii_uppercase[: len(keys)])
        return list(zip(keys, given, strict=True)) if given and len(given) == len(keys) else None
    if not isinstance(value, list):
        return None
    if value and all(isinstance(item, Mapping) for item in value):
        return _objects(value)
    texts = _texts(value)
    return None if texts is None else [(ascii_uppercase[i % 26], text) for i, text in enumerate(texts)]


def _objects(value: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]] | None:
    """Of a list of objects such as `{"label": "A", "text": "3"}`."""
    found: list[tuple[str, str]] = []
    for i, item in enumerate(value):
        text = next((item[name] for name in _TEXTS if isinstance(item.get(name), str)), None)
        label = next((str(item[name]) for name in _LABELS if isinstance(item.get(name), str)), ascii_uppercase[i % 26])
        if text is None:
            return None
        found.append((label, text))
    return found


def _texts(values: Sequence[Any]) -> list[str] | None:
    """The values as text; None where one is neither text nor a number."""
    found: list[str] = []
    for value in values:
        if isinstance(value, bool):
            found.append("true" if value else "false")
        elif isinstance(value, str) and value.strip():
            found.append(value)
        elif isinstance(value, int | float):
            found.append(str(value))
        else:
            return None
    return found
