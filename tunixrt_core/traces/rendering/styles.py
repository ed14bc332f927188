"""Reasoning styles: steps and answer in a completion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from tunixrt_core.traces.layout import LINE_END, USUAL, Layout
from tunixrt_core.traces.rendering.text import Piece, join
from tunixrt_core.traces.trace import Step


class ReasoningStyle(StrEnum):
    """How the steps and the answer are written in a completion."""

    TAGS = "tags"  # <reasoning>\nstep\nstep\n</reasoning>\n<answer>72</answer>, as Tunix's own GSM8K recipe has it
    THINK = "think"  # <think>\nstep\n</think>\n\n72, as Qwen 3 and DeepSeek-R1 write it
    NUMBERED = "numbered"  # 1. step\n2. step\n\nAnswer: 72
    PLAIN = "plain"  # step\nstep\n#### 72, as GSM8K writes it
    ANSWER = "answer"  # 72: the answer alone, to see what the steps are worth


def render_completion(steps: Sequence[str], answer: str, style: ReasoningStyle, layout: Layout | None = None) -> str:
    """Steps and answer in one text, without the end-of-turn token."""
    if style is ReasoningStyle.ANSWER:
        return answer
    if style is ReasoningStyle.NUMBERED:
        body = "".join(f"{number}. {step}\n" for number, step in enumerate(steps, 1))
        return f"{body}\nAnswer: {answer}" if steps else f"Answer: {answer}"
    if layout is not None:
        return join(completion_pieces([Step(i, step) for i, step in enumerate(steps)], answer, style, layout))
    body = "\n".join(steps)
    if style is ReasoningStyle.TAGS:
        return f"<reasoning>\n{body}\n</reasoning>\n<answer>{answer}</answer>"
    if style is ReasoningStyle.THINK:
        return f"<think>\n{body}\n</think>\n\n{answer}"
    return f"{body}\n#### {answer}" if steps else f"#### {answer}"


def reasoning_and_content(steps: Sequence[str], answer: str, layout: Layout | None) -> tuple[str, str]:
    """The text in the think block and the text after it, for messages with separate fields for the two."""
    if layout is None:
        return LINE_END.join(steps), answer
    made = [Step(i, step) for i, step in enumerate(steps)]
    return join(reasoning_pieces(made, layout)), join(answer_pieces(made, answer, layout))


def completion_pieces(
    steps: Sequence[Step], answer: str, style: ReasoningStyle, layout: Layout | None = None
) -> Iterator[Piece]:
    """The same text in pieces. Text that the layout puts between two steps has the kind `format`."""
    final = Piece(answer, "answer")
    if style is ReasoningStyle.TAGS:
        opened, closed = Piece("<reasoning>\n"), Piece("\n</reasoning>\n<answer>")
        yield from (opened, *step_pieces(steps, layout), closed, final, Piece("</answer>"))
    elif style is ReasoningStyle.THINK:
        thought = Piece("<think>\n"), *reasoning_pieces(steps, layout), Piece("\n</think>\n\n")
        yield from (*thought, *answer_pieces(steps, answer, layout))
    elif style is ReasoningStyle.NUMBERED:
        yield from (*_numbered(steps), Piece("\n\nAnswer: " if steps else "Answer: "), final)
    elif style is ReasoningStyle.PLAIN:
        yield from (*step_pieces(steps, layout), Piece("\n#### " if steps else "#### "), final)
    else:
        yield final


def step_pieces(steps: Sequence[Step], layout: Layout | None) -> Iterator[Piece]:
    """All steps: those of the reasoning as they were written, then those after it, one per line."""
    layout = layout or USUAL
    yield from reasoning_pieces(steps, layout)
    for place in range(len(steps) - layout.solution, len(steps)):
        if place:
            yield Piece(LINE_END)
        yield _step(steps[place])


def reasoning_pieces(steps: Sequence[Step], layout: Layout | None) -> Iterator[Piece]:
    """The steps of the reasoning and the text between them: a line end, unless the layout says otherwise."""
    layout = layout or USUAL
    for place, step in enumerate(steps[: len(steps) - layout.solution]):
        if before := layout.before(place):
            yield Piece(before)
        yield _step(step)
    if layout.end:
        yield Piece(layout.end)


def answer_pieces(steps: Sequence[Step], answer: str, layout: Layout | None) -> Iterator[Piece]:
    """The text after the reasoning: the steps there, and the answer after or within them."""
    layout = layout or USUAL
    for place in range(len(steps) - layout.solution, len(steps)):
        if place > len(steps) - layout.solution:
            yield Piece(LINE_END)
        if place < len(steps) - 1 or layout.answer_at is None:
            yield _step(steps[place])
    if layout.answer_at is None:
        if layout.before_answer:
            yield Piece(layout.before_answer)
        yield Piece(answer, "answer")
        if layout.after_answer:
            yield Piece(layout.after_answer)
        return
    last, at = steps[-1], layout.answer_at
    yield _step(last, last.content[:at])
    yield Piece(answer, "answer")
    yield _step(last, last.content[at + len(answer) :])


def _step(step: Step, text: str | None = None) -> Piece:
    return Piece(step.content if text is None else text, "step", step.i, step.type)


def _numbered(steps: Sequence[Step]) -> Iterator[Piece]:
    for place, step in enumerate(steps):
        yield Piece(f"\n{place + 1}. " if place else "1. ")
        yield _step(step)
