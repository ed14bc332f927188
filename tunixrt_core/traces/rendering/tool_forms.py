"""The form in which a model family writes calls of tools and their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tunixrt_core.traces.conversation import Call, Message
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
