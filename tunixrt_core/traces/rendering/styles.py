"""Reasoning styles: how the steps and the answer are written in a completion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from tunixrt_core.traces.rendering.text import Piece
from tunixrt_core.traces.trace import Step


class ReasoningStyle(StrEnum):
    """How the steps and the answer are written in a completion."""

    TAGS = "tags"  # <reasoning>\nstep\nstep\n</reasoning>\n<answer>72</answer>, as Tunix's own GSM8K recipe has it
    THINK = "think"  # <think>\nstep\n</think>\n\n72, as Qwen 3 and DeepSeek-R1 write it
    NUMBERED = "numbered"  # 1. step\n2. step\n\nAnswer: 72
    PLAIN = "plain"  # step\nstep\n#### 72, as GSM8K writes it
    ANSWER = "answer"  # 72: the answer alone, to see what the steps are worth


def render_completion(steps: Sequence[str], answer: str, style: ReasoningStyle) -> str:
    """Steps and answer in one text, without the end-of-turn token."""
    if style is ReasoningStyle.ANSWER:
        return answer
    if style is ReasoningStyle.NUMBERED:
        body = "".join(f"{number}. {step}\n" for number, step in enumerate(steps, 1))
        return f"{body}\nAnswer: {answer}" if steps else f"Answer: {answer}"
    body = "\n".join(steps)
    if style is ReasoningStyle.TAGS:
        return f"<reasoning>\n{body}\n</reasoning>\n<answer>{answer}</answer>"
    if style is ReasoningStyle.THINK:
        return f"<think>\n{body}\n</think>\n\n{answer}"
    return f"{body}\n#### {answer}" if steps else f"#### {answer}"


def completion_pieces(steps: Sequence[Step], answer: str, style: ReasoningStyle) -> Iterator[Piece]:
    """The same text in pieces."""
    final = Piece(answer, "answer")
    if style is ReasoningStyle.TAGS:
        opened, closed = Piece("<reasoning>\n"), Piece("\n</reasoning>\n<answer>")
        yield from (opened, *step_pieces(steps), closed, final, Piece("</answer>"))
    elif style is ReasoningStyle.THINK:
        yield from (Piece("<think>\n"), *step_pieces(steps), Piece("\n</think>\n\n"), final)
    elif style is ReasoningStyle.NUMBERED:
        yield from (*_numbered(steps), Piece("\n\nAnswer: " if steps else "Answer: "), final)
    elif style is ReasoningStyle.PLAIN:
        yield from (*step_pieces(steps), Piece("\n#### " if steps else "#### "), final)
    else:
        yield final


def step_pieces(steps: Sequence[Step]) -> Iterator[Piece]:
    """The steps, a line end between two."""
    for place, step in enumerate(steps):
        if place:
            yield Piece("\n")
        yield Piece(step.content, "step", step.i, step.type)


def _numbered(steps: Sequence[Step]) -> Iterator[Piece]:
    for place, step in enumerate(steps):
        yield Piece(f"\n{place + 1}. " if place else "1. ")
        yield Piece(step.content, "step", step.i, step.type)
