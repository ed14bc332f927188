"""Scorers of the final answer against the reference."""

from __future__ import annotations

from tunixrt_core.evaluation.scorers.scorer import LOST, Answer, ProcessKind, Question, Score, Scorer
from tunixrt_core.traces.answers.comparison import COMPARISON_VERSION, compare
from tunixrt_core.traces.answers.finding import Form
from tunixrt_core.traces.answers.formulas import needs_mathematics
from tunixrt_core.traces.answers.pool import TARGET
from tunixrt_core.traces.answers.reading.readings import Verdict
from tunixrt_core.traces.conversation import calls_text
from tunixrt_core.traces.rendering.read_calls import read_calls

MATH = ProcessKind(TARGET, seconds=5.0, megabytes=1024)


def exact_match(answer: Answer) -> Score:
    """1 where the final answer, in the reasoning style of the run, matches the reference (see `compare`); uses no
    process.
    """
    given = _given(answer)
    return Score(float(given is not None and compare(answer.reference, given) is Verdict.SAME))


def flexible_match(answer: Answer) -> Score:
    """1 where the final answer matches the reference in whatever known form it was written; uses no process.

    The label is the form (see `Form`), `calls` or `no answer`. The last number of an output that was cut off is none.
    """
    if calls := _calls(answer):
        return Score(float(compare(answer.reference, calls) is Verdict.SAME), "calls")
    found = answer.found
    if found is None or (answer.hit_limit and found.form is Form.NUMBER):
        return Score(0.0, "no answer")
    return Score(float(compare(answer.reference, found.answer) is Verdict.SAME), found.form.value)


def final_answer(answer: Answer) -> Score | Question:
    """1 where the final answer means the same as the reference: as text or number, or as a formula by math-verify.

    The label is `correct`, `wrong`, `unparsable` (0: no answer could be read or parsed), or that of an ended
    math-verify process: `timeout`, `memory`, `crash` (None: the answer may be right).
    """
    given = _given(answer)
    if given is None:
        return Score(0.0, "unparsable")
    verdict = compare(answer.reference, given)
    if verdict is Verdict.UNKNOWN and needs_mathematics(answer.reference, given):
        return Question(MATH, given, answer.reference, _told)
    return _SCORES[verdict]


_SCORES = {
    Verdict.SAME: Score(1.0, "correct"),
    Verdict.DIFFERENT: Score(0.0, "wrong"),
    Verdict.UNKNOWN: Score(0.0, "unparsable"),
}


def _given(answer: Answer) -> str | None:
    """The final answer in the reasoning style of the run, or the calls of it where calls are expected."""
    return answer.parsed.answer and (_calls(answer) or answer.parsed.answer)


def _calls(answer: Answer) -> str:
    """Where calls are expected: those of the answer, or those that the output ends with; empty without any."""
    if not read_calls(answer.reference)[1]:
        return ""
    return calls_text(read_calls(answer.parsed.answer or "")[1] or read_calls(answer.output)[1])


def _told(word: str) -> Score:
    if word == "right":
        return Score(1.0, "correct")
    return Score(None if word in LOST else 0.0, word)


SCORERS = (
    Scorer(
        "exact_match",
        COMPARISON_VERSION,
        "the final answer matches the reference, right and in the format of the run",
        exact_match,
    ),
    Scorer(
        "flexible_match",
        COMPARISON_VERSION,
        "the final answer matches the reference, in any known form: boxed, after ####, said, the last number",
        flexible_match,
    ),
    Scorer(
        "final_answer",
        COMPARISON_VERSION,
        "the final answer means the same as the reference, formulas by math-verify",
        final_answer,
    ),
)
