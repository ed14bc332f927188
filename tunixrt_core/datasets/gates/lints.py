"""Doubts about a single trace, in sentences."""

from __future__ import annotations

from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.datasets.gates.rules.control import first_control_token
from tunixrt_core.datasets.gates.rules.support import answer_in_reasoning
from tunixrt_core.datasets.gates.rules.tags import first_loose_tag
from tunixrt_core.datasets.gates.texts import Place, part
from tunixrt_core.traces.trace import Trace


def lint(trace: Trace) -> list[str]:
    """Sentences about what is doubtful in a trace; none when nothing is."""
    found = []
    if place := first_control_token(trace):
        token = _text(trace, place)
        found.append(f"{place.field} holds the control token {token}, which a chat format adds by itself.")
    if loose := first_loose_tag(trace):
        word = "is never closed" if loose[0] == "unclosed" else "closes what was never opened"
        found.append(f"The tag {_text(trace, loose[1])} in {loose[1].field} {word}.")
    if not trace.steps:
        found.append("There are no reasoning steps: a model trained on this learns the answer alone.")
    elif not answer_in_reasoning(trace):
        found.append("The final answer is in no step: a model trained on this learns to jump to it.")
    if answer_matches(trace) is False:
        found.append("The final answer differs from the reference answer.")
    return found


def _text(trace: Trace, place: Place) -> str:
    return part(trace, place.field)[place.start : place.end]
