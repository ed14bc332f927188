"""Scorers of the reasoning: step count, support of the answer."""

from __future__ import annotations

import re

from tunixrt_core.datasets.gates.rules.support import occurs_in
from tunixrt_core.evaluation.scorers.scorer import Answer, Score, Scorer
from tunixrt_core.traces.rendering.styles import ReasoningStyle

# where the structure is broken, all lines are read as steps, including the marks of the styles
_MARK = re.compile(r"(?:</?(?:reasoning|answer|think)>|<\|channel>thought|<channel\|>)+")


def steps_of(answer: Answer) -> list[str]:
    """The steps of the output, also where the structure around them is broken."""
    return [step for step in answer.parsed.steps if not _MARK.fullmatch(step)]


def step_count(answer: Answer) -> Score:
    """The number of steps. In the styles without numbers each line of the reasoning is one."""
    return Score(float(len(steps_of(answer))))


def answer_in_reasoning(answer: Answer) -> Score:
    """1 where the steps contain the final answer: as this number in any spelling, or in these words.

    0 with a label: `missing`, `no answer`, `no reasoning`. None in the style without reasoning.
    """
    if answer.style is ReasoningStyle.ANSWER:
        return Score(None, "no reasoning")
    steps = steps_of(answer)
    if answer.parsed.answer is None:
        return Score(0.0, "no answer")
    if not steps:
        return Score(0.0, "no reasoning")
    return Score(1.0) if occurs_in(answer.parsed.answer, "\n".join(steps)) else Score(0.0, "missing")


SCORERS = (
    Scorer("step_count", 1, "how many steps the reasoning has", step_count, "count", None),
    Scorer("answer_in_reasoning", 2, "the final answer occurs in the reasoning before it", answer_in_reasoning),
)
