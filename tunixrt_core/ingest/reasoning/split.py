"""Reasoning steps and final answer of a model's free text.

Spans only: no character is altered, and the text around them becomes the trace's layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.reasoning.layout import between, frame_gaps, unframed
from tunixrt_core.ingest.reasoning.marks.answer import answer_marks, boxed, hashes, is_bare
from tunixrt_core.ingest.reasoning.marks.reasoning import Marked, find_marks, opener_of
from tunixrt_core.ingest.reasoning.steps import AUTO, Division, Rule, Span, Sure, divide, stripped, trimmed
from tunixrt_core.traces.layout import LINE_END, Layout, usual_between
from tunixrt_core.traces.trace import DEFAULT_STEP_TYPE, Step

SOLUTION = "solution"  # type of the step that holds what a model wrote around its answer


class Response(NamedTuple):
    """The text after the reasoning: further steps, and the answer with the text around it, or `inside` a step."""

    answer: Span
    solution: tuple[Span, ...] = ()
    before: str = ""
    after: str = ""
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """A text and the positions of its steps and its answer.

    `rule` names the marks and the division, such as `think/paragraphs`; `sure` and `why` say how far to trust it.
    `reasoning` holds each stretch of it with its steps. Where reasoning and answer came apart, `text` is one after the
    other and `cut` the length of the first.
    """

    text: str
    reasoning: tuple[tuple[Span, tuple[Span, ...]], ...]
    response: Response
    rule: str
    sure: Sure
    why: str
    cut: int | None = None

    @property
    def final_answer(self) -> str:
        return self.text[slice(*self.response.answer)]

    @property
    def contents(self) -> tuple[str, ...]:
        return tuple(self.text[slice(*span)] for span in (*self._reasoned, *self.response.solution))

    @property
    def steps(self) -> tuple[Step, ...]:
        plain = len(self._reasoned)
        return tuple(
            Step(i, content, DEFAULT_STEP_TYPE if i < plain else SOLUTION) for i, content in enumerate(self.contents)
        )

    @property
    def layout(self) -> Layout | None:
        """What the trace keeps of the text beside steps and answer; None where it is as usual."""
        said, gaps = self.response, between(self.text, self.reasoning)
        usual = gaps == usual_between(len(gaps))
        if usual and not said.solution and not said.before and not said.after:
            return None
        at = said.answer.start - said.solution[-1].start if said.inside and said.solution else None
        return Layout(() if usual else gaps, len(said.solution), at, said.before, said.after)

    @property
    def described(self) -> dict[str, Any]:
        """How the text was split, for the trace's `meta`: by what, how sure, and how its marks were written."""
        said: dict[str, Any] = {"rule": self.rule, "sure": self.sure}
        if self.cut is not None:
            said["cut"] = self.cut
        response = self.response
        if response.inside and not response.solution:
            return said | {"inside": True}
        begins = response.solution[0].start if response.solution else response.answer.start - len(response.before)
        ends = response.solution[-1].end if response.inside else response.answer.end + len(response.after)
        whole = Span(self.reasoning[0][0].start, self.reasoning[-1][0].end)
        found = frame_gaps(self.rule.partition("/")[0], self.text, whole, Span(begins, ends), len(self._reasoned))
        return said | ({"gaps": found} if found else {})

    @property
    def _reasoned(self) -> tuple[Span, ...]:
        return tuple(step for _, steps in self.reasoning for step in steps)


_ORDER: dict[Sure, int] = {"low": 0, "medium": 1, "high": 2}


def split_completion(text: str, field: str, rule: Rule = AUTO) -> Split:
    """Steps and answer of a completion. Raises InvalidTrace at `field` where reasoning is opened and never closed.

    Without any marks all of it is the answer; with a rule given by hand, the last piece is.
    """
    if marked := find_marks(text, rule.tags):
        return _split_marked(text, marked, rule)
    if opener := opener_of(text, rule.tags):
        raise InvalidTrace(
            field, f"opens {opener} and does not close it before an answer. Complete the text, or leave the row out"
        )
    return _unmarked(text, rule)


def split_fields(reasoning: str, content: str, rule: Rule = AUTO) -> Split:
    """Steps and answer where the reasoning was written in a field of its own."""
    return _split_fields(reasoning, content, rule, "the reasoning has a field of its own", plain=False)


def split_reasoning(reasoning: str, answer: str, rule: Rule = AUTO) -> Split:
    """Like `split_fields`, where the answer is known to be no more than that."""
    return _split_fields(reasoning, answer, rule, "reasoning and answer have fields of their own", plain=True)


def _split_fields(reasoning: str, content: str, rule: Rule, why: str, *, plain: bool) -> Split:
    """Marks within the reasoning are no part of its steps; what was written behind them is one more step."""
    text, end = reasoning + content, len(reasoning)
    inner: tuple[Span, ...] = (Span(0, end),)
    behind = Span(end, end)
    if found := find_marks(reasoning, rule.tags):
        inner, behind = found.reasoning, stripped(reasoning, *found.answer)
    elif opener := opener_of(reasoning, rule.tags):
        inner = (unframed(text, reasoning.index(opener) + len(opener), end, 1),)
    marked = Marked("apart", inner, Span(end, len(text)), "high", why, plain)
    return _split_marked(text, marked, rule, cut=end, behind=behind)


def _split_marked(text: str, marked: Marked, rule: Rule, cut: int | None = None, behind: Span | None = None) -> Split:
    divisions = [divide(text, stretch, rule.name) for stretch in marked.reasoning]
    said = Response(trimmed(text, *marked.answer)) if marked.plain else _response(text, marked.answer)
    if behind is not None and behind.start < behind.end:
        said = said._replace(solution=(behind, *said.solution), before=said.before and LINE_END + said.before)
    if said.solution and not said.inside and not said.before:
        said = said._replace(before=LINE_END)
    return _made(text, marked.reasoning, divisions, said, marked.name, marked.sure, marked.why, cut)


def _unmarked(text: str, rule: Rule) -> Split:
    every = Span(0, len(text))
    if found := hashes(text, every):
        why = "the answer follows #### in the last line"
        before = unframed(text, *found[0], 0, 1)
        return _whole("hashes", text, before, divide(text, before, rule.name), Response(found[1]), "high", why)
    if (marks := answer_marks(text, every, common=False)) and not text[marks[0].end :].strip():
        before = Span(0, stripped(text, 0, marks[0].start).end)
        why = "marks enclose the answer"
        division = divide(text, before, rule.name)
        return _whole("answer", text, before, division, _between_marks(text, marks[1]), "high", why)
    if box := boxed(text, every):
        why = "the answer is in \\boxed{}"
        if is_bare(text, every, box):
            return _all_answer(text, "boxed/none", _bare(text, every, box), "high", why)
        return _whole("boxed", text, every, divide(text, every, rule.name), Response(box, inside=True), "high", why)
    if rule.name not in ("auto", "none"):
        pieces = divide(text, every, rule.name)
        if len(pieces.spans) > 1:
            shorter = pieces._replace(spans=pieces.spans[:-1])
            why = "there are no marks, so the last piece is taken as the answer"
            before = Span(0, shorter.spans[-1].end)
            return _whole("last", text, before, shorter, Response(pieces.spans[-1]), "low", why)
    why = "there are no marks, so all of it is the answer"
    return _all_answer(text, "whole/none", Response(trimmed(text, *every)), "low", why)


def _all_answer(text: str, rule: str, said: Response, sure: Sure, why: str) -> Split:
    return Split(text, ((Span(0, 0), ()),), said, rule, sure, why)


def _whole(name: str, text: str, stretch: Span, division: Division, said: Response, sure: Sure, why: str) -> Split:
    return _made(text, (stretch,), [division], said, name, sure, why)


def _made(
    text: str,
    stretches: Sequence[Span],
    divisions: Sequence[Division],
    said: Response,
    name: str,
    sure: Sure,
    why: str,
    cut: int | None = None,
) -> Split:
    """The split; the last stretch is the reasoning proper, whose division is named."""
    division = divisions[-1]
    return Split(
        text,
        tuple(zip(stretches, [found.spans for found in divisions], strict=True)),
        said,
        f"{name}/{division.rule}",
        _least(sure, division.sure),
        f"{why}; {division.why}",
        cut,
    )


def _response(text: str, stretch: Span) -> Response:
    """The answer in the text after the reasoning: between marks, after ####, in a box, or all of it."""
    return _answer_tags(text, stretch) or _answer_in(text, stretch) or Response(trimmed(text, *stretch))


def _answer_tags(text: str, stretch: Span) -> Response | None:
    found = answer_marks(text, stretch)
    if found is None:
        return None
    outer, inner = found
    if text[outer.end : stretch.end].strip():  # the text after the marks would change places with the answer
        return Response(inner, solution=(stripped(text, *stretch),), inside=True)
    before = stripped(text, stretch.start, outer.start)
    return _between_marks(text, inner)._replace(solution=(before,) if before.start < before.end else ())


def _between_marks(text: str, inner: Span) -> Response:
    """The text between the marks of an answer is the answer, without a box around all of it."""
    said = _answer_in(text, inner)
    return said if said is not None and not said.solution else Response(inner)


def _answer_in(text: str, stretch: Span) -> Response | None:
    """An answer after #### or in a box, with what a model wrote around it."""
    whole = stripped(text, *stretch)
    if text.find("#", *whole) < 0 and text.find("\\", *whole) < 0:
        return None
    if found := hashes(text, stretch):
        before = stripped(text, *found[0])
        if before.start < before.end:
            return Response(found[1], (before,), text[before.end : found[1].start])
        return Response(found[1], (), text[whole.start : found[1].start])
    if box := boxed(text, stretch):
        return _bare(text, whole, box) if is_bare(text, stretch, box) else Response(box, (whole,), inside=True)
    return None


def _bare(text: str, stretch: Span, box: Span) -> Response:
    whole = stripped(text, *stretch)
    return Response(box, (), text[whole.start : box.start], text[box.end : whole.end])


def _least(*sure: Sure) -> Sure:
    return min(sure, key=_ORDER.__getitem__)
