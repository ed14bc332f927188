"""Layout: text around steps and answer, as it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from tunixrt_core.errors import InvalidTrace

LINE_END = "\n"  # separates two steps unless a layout says otherwise


class Layout(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What a trace keeps of its text beside steps and answer, so that rendering gives the text back.

    A trace without one has line ends between its steps and nothing else, as most have.

    * `between`: the text before each step of the reasoning and behind the last one, one text more than there are such
      steps; empty where it is as without a layout.
    * `solution`: the number of last steps that follow the reasoning, where the answer is given.
    * `answer_at`: where the final answer begins in the last of those, which then holds it.
    * `before_answer`, `after_answer`: the text around the final answer, after the reasoning and those steps.
    """

    between: tuple[str, ...] = ()
    solution: int = 0
    answer_at: int | None = None
    before_answer: str = ""
    after_answer: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without what is as usual."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each text that it holds, by its name."""
        yield from ((f"between[{i}]", text) for i, text in enumerate(self.between))
        yield from (("before_answer", self.before_answer), ("after_answer", self.after_answer))

    def before(self, place: int) -> str:
        """The text before the step at this place of the reasoning."""
        return self.between[place] if self.between else LINE_END if place else ""

    @property
    def end(self) -> str:
        """The text after the last step of the reasoning."""
        return self.between[-1] if self.between else ""

    def without(self, first: int, end: int, steps: int) -> Layout:
        """The layout of the same trace without the steps `[first, end)` of its `steps`."""
        behind = steps - self.solution
        kept = (*self.between[: min(first, behind)], *self.between[min(end, behind) :])
        lost = max(0, end - max(first, behind))
        return msgspec.structs.replace(self, between=kept if self.between else (), solution=self.solution - lost)


USUAL = Layout()


@lru_cache(maxsize=1_000)
def usual_between(texts: int) -> tuple[str, ...]:
    """The default `between` of N texts, as steps without a layout have them."""
    return ("", *[LINE_END] * (texts - 2), "") if texts > 1 else ("",) * texts


def layout_of(value: Any) -> Layout | None:
    """The layout of its JSON form; None where there is none. Raises InvalidTrace."""
    if value is None or isinstance(value, Layout):
        return value
    try:
        return msgspec.convert(value, Layout)
    except msgspec.ValidationError as error:
        raise InvalidTrace("layout", f"is not a layout of a text ({error})") from None


def in_normal_form(layout: Layout | None) -> Layout | None:
    """The same layout written in the one way that it is stored; None where it is as usual."""
    if layout is None:
        return None
    if layout.between == usual_between(len(layout.between)):
        layout = msgspec.structs.replace(layout, between=())
    return None if layout == USUAL else layout


def check_layout(layout: Layout, contents: Sequence[str], final_answer: str) -> None:
    """Raises InvalidTrace where the layout is of another text."""
    reasoned = len(contents) - layout.solution
    if layout.solution < 0 or reasoned < 0:
        raise InvalidTrace("layout.solution", f"must be a number of steps from 0 to {len(contents)}")
    if layout.between and len(layout.between) != reasoned + 1:
        raise InvalidTrace("layout.between", f"must hold {reasoned + 1} texts: before each step, and after the last")
    at = layout.answer_at
    if at is None:
        return
    if not layout.solution or layout.before_answer or layout.after_answer:
        raise InvalidTrace("layout.answer_at", "needs a last step behind the reasoning and no text around the answer")
    if at < 0 or not contents[-1].startswith(final_answer, at):
        raise InvalidTrace("layout.answer_at", "is not where the final answer begins in the last step")


def layout_data(data: Mapping[str, Any]) -> Layout | None:
    """The layout of a trace in its JSON form, which is known to be one."""
    found = data.get("layout")
    return None if found is None else msgspec.convert(found, Layout)
