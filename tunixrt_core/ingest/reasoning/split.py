"""Split free text of a model into reasoning steps and a final answer, by the marks that reasoning models write.

Spans only: no character is altered, and `Split.layout`, kept in the trace's `meta`, gives the text back exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.reasoning.layout import USUAL_MARK, describe
from tunixrt_core.ingest.reasoning.marks import OPENERS, Marked, boxed, find_marks, hashes, is_bare
from tunixrt_core.ingest.reasoning.steps import Division, Rule, Span, Sure, divide, stripped
from tunixrt_core.traces.trace import DEFAULT_STEP_TYPE, Step

_NOTHING = Span(0, 0)
SOLUTION = "solution"  # type of the step that holds what a model wrote around its boxed answer


@dataclass(frozen=True, slots=True)
class Split:
    """A text and where its steps and its answer stand in it.

    `rule` names the marks and the division, such as `think/paragraphs`; `sure` and `why` say how far to trust it.
    The last `solution` steps stand after the marks. `inside`: the answer is part of a step. Where reasoning and
    answer came apart, `text` is one after the other and `cut` the length of the first.
    """

    text: str
    spans: tuple[Span, ...]
    answer: Span
    rule: str
    sure: Sure
    why: str
    solution: int = 0
    inside: bool = False
    mark: str = ""
    unnumbered: int = 0
    cut: int | None = None

    @property
    def final_answer(self) -> str:
        return self.text[slice(*self.answer)]

    @property
    def contents(self) -> tuple[str, ...]:
        return tuple(self.text[slice(*span)] for span in self.spans)

    @property
    def steps(self) -> tuple[Step, ...]:
        plain = len(self.spans) - self.solution
        return tuple(
            Step(i, content, DEFAULT_STEP_TYPE if i < plain else SOLUTION) for i, content in enumerate(self.contents)
        )

    @property
    def layout(self) -> dict[str, Any]:
        """What rebuilds the text from steps and answer; see `layout.rebuild`."""
        said: dict[str, Any] = {"rule": self.rule, "sure": self.sure}
        optional = {
            "solution": self.solution,
            "inside": self.inside,
            "mark": "" if self.mark == USUAL_MARK else self.mark,
            "from": self.unnumbered,
        }
        said |= {name: value for name, value in optional.items() if value}
        if self.cut is not None:
            said["cut"] = self.cut
        return describe(self.text, self.spans, self.answer, said)


_ORDER: dict[Sure, int] = {"low": 0, "medium": 1, "high": 2}


def split_completion(text: str, field: str, rule: Rule = "auto") -> Split:
    """Steps and answer of a completion. Raises InvalidTrace at `field` where reasoning is opened and never closed.

    Without any marks all of it is the answer; with a rule given by hand, the last piece is.
    """
    if marked := find_marks(text):
        return _split_marked(text, marked, rule)
    start = text.lstrip()
    for opener in OPENERS:
        if start.startswith(opener):
            raise InvalidTrace(field, f"opens {opener} and does not close it before an answer")
    return _unmarked(text, rule)


def split_apart(reasoning: str, content: str, rule: Rule = "auto") -> Split:
    """Steps and answer where the reasoning was written in a field of its own."""
    return _split_apart(reasoning, content, rule, "the reasoning has a field of its own", plain=False)


def split_reasoning(reasoning: str, answer: str, rule: Rule = "auto") -> Split:
    """Like `split_apart`, where the answer is known to be no more than that."""
    return _split_apart(reasoning, answer, rule, "reasoning and answer have fields of their own", plain=True)


def _split_apart(reasoning: str, content: str, rule: Rule, why: str, *, plain: bool) -> Split:
    """Marks within the reasoning are no part of its steps; what was written behind them is one more step."""
    text, end = reasoning + content, len(reasoning)
    inner, behind = Span(0, end), Span(end, end)
    if found := find_marks(reasoning):
        inner, behind = found.reasoning, stripped(text, *found.answer)
    elif opener := next((one for one in OPENERS if reasoning.lstrip().startswith(one)), None):
        inner = Span(reasoning.index(opener) + len(opener), end)
    marked = Marked("apart", inner, Span(end, len(text)), "high", why, plain)
    return _split_marked(text, marked, rule, cut=end, behind=behind)


def _split_marked(text: str, marked: Marked, rule: Rule, cut: int | None = None, behind: Span = _NOTHING) -> Split:
    division = divide(text, marked.reasoning, rule)
    solution, answer, inside = (
        (None, stripped(text, *marked.answer), False) if marked.plain else _answer_in(text, marked.answer)
    )
    written = [span for span in (behind, solution) if span is not None and span.start < span.end]
    spans = (*division.spans, *written)
    return Split(
        text,
        spans,
        answer,
        f"{marked.name}/{division.rule}",
        _least(marked.sure, division.sure),
        f"{marked.why}; {division.why}",
        solution=len(written),
        inside=inside,
        mark=division.mark,
        unnumbered=division.unnumbered,
        cut=cut,
    )


def _unmarked(text: str, rule: Rule) -> Split:
    every = Span(0, len(text))
    if found := hashes(text, every):
        why = "the answer stands after #### in the last line"
        return _whole("hashes", text, divide(text, found[0], rule), found[1], "high", why)
    if box := boxed(text, every):
        why = "the answer stands in \\boxed{}"
        if is_bare(text, every, box):
            return Split(text, (), box, "boxed/none", "high", why)
        return _whole("boxed", text, divide(text, every, rule), box, "high", why, inside=True)
    if rule not in ("auto", "none"):
        pieces = divide(text, every, rule)
        if len(pieces.spans) > 1:
            shorter = pieces._replace(spans=pieces.spans[:-1])
            why = "there are no marks, so the last piece is taken as the answer"
            return _whole("last", text, shorter, pieces.spans[-1], "low", why)
    why = "there are no marks, so all of it is the answer"
    return Split(text, (), stripped(text, *every), "whole/none", "low", why)


def _whole(
    name: str, text: str, division: Division, answer: Span, sure: Sure, why: str, *, inside: bool = False
) -> Split:
    return Split(
        text,
        division.spans,
        answer,
        f"{name}/{division.rule}",
        _least(sure, division.sure),
        f"{why}; {division.why}",
        inside=inside,
        mark=division.mark,
        unnumbered=division.unnumbered,
    )


def _answer_in(text: str, stretch: Span) -> tuple[Span | None, Span, bool]:
    """The solution a model wrote around its answer, if any, the answer itself, and whether it stands within."""
    if found := hashes(text, stretch):
        before = stripped(text, *found[0])
        return (before if before.start < before.end else None), found[1], False
    if box := boxed(text, stretch):
        return (None, box, False) if is_bare(text, stretch, box) else (stripped(text, *stretch), box, True)
    return None, stripped(text, *stretch), False


def _least(*sure: Sure) -> Sure:
    return min(sure, key=_ORDER.__getitem__)
