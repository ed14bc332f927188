"""Checks of single traces: does the answer agree with the reference, and what would harm training."""

from __future__ import annotations

import re

from tunixrt_core.scorers import same_answer
from tunixrt_core.traces import Trace

# Tunix strips some of these from text, and a tokenizer reads them as the end of a turn
_CONTROL = re.compile(
    r"<\|(?:im_start|im_end|eot_id|endoftext|begin_of_text|end_of_text|start_header_id|end_header_id|turn|channel)\|?>"
    r"|<(?:start_of_turn|end_of_turn|bos|eos|pad)>"
    r"|</?(?:think|reasoning|answer)>"
)


def answer_matches(trace: Trace) -> bool | None:
    """Whether the final answer equals the reference, as text or as a number. None where no reference is known."""
    if trace.reference_answer is None:
        return None
    return same_answer(trace.final_answer, trace.reference_answer)


def lint(trace: Trace) -> list[str]:
    """Sentences about what is doubtful in a trace; none when nothing is."""
    found = []
    texts = {"prompt": trace.prompt, "final_answer": trace.final_answer}
    texts |= {f"steps[{step.i}]": step.content for step in trace.steps}
    for name, text in texts.items():
        if token := _CONTROL.search(text):
            found.append(f"{name} holds the control token {token[0]}, which a chat format adds by itself.")
    if not trace.steps:
        found.append("There are no reasoning steps: a model trained on this learns the answer alone.")
    if answer_matches(trace) is False:
        found.append("The final answer differs from the reference answer.")
    return found
