"""Text around steps and answer, kept small in `meta`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunixrt_core.ingest.reasoning.steps import Span
from tunixrt_core.traces.layout import LINE_END

KEY = "splitting"  # under `meta`; `split` is a column that many files have

# marks -> the usual text before the reasoning, between reasoning and answer, after the answer
FRAMES: Mapping[str, tuple[str, str, str]] = {
    "tags": ("<reasoning>\n", "\n</reasoning>\n<answer>", "</answer>"),
    "thought": (
        "<|begin_of_thought|>\n\n",
        "\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n",
        "\n\n<|end_of_solution|>",
    ),
    "channel": ("<|channel>thought\n", "\n<channel|>", ""),
    "think": ("<think>\n", "\n</think>\n\n", ""),
    "unopened": ("", "\n</think>\n\n", ""),
    "hashes": ("", "\n#### ", ""),
    "last": ("", "\n", ""),
}
_NO_FRAME = ("", "", "")


def between(text: str, stretches: Sequence[tuple[Span, Sequence[Span]]]) -> tuple[str, ...]:
    """The texts before each step and after the last, of stretches of reasoning with their steps.

    Marks between two stretches are replaced by a line end.
    """
    found: list[str] = []
    waiting = ""
    for number, (stretch, steps) in enumerate(stretches):
        if number and found:
            waiting += LINE_END
        at = stretch.start
        for step in steps:
            found.append(waiting + text[at : step.start])
            waiting, at = "", step.end
        waiting += text[at : stretch.end]
    return (*found, waiting)


def frame_gaps(marks: str, text: str, reasoning: Span, response: Span, steps: int) -> dict[str, str]:
    """The texts around reasoning and response that differ from the usual ones of the marks.

    Keys are places: `0` before the reasoning, the number of `steps` before the response, one more after that.
    """
    head, middle, tail = FRAMES.get(marks, _NO_FRAME)
    written = [(0, text[: reasoning.start], head), (steps, text[reasoning.end : response.start], middle)]
    if not steps:
        written = [(0, text[: response.start], head + middle)]
    written.append((steps + 1, text[response.end :], tail))
    return {str(place): found for place, found, usual in written if found != usual}


def unframed(text: str, start: int, end: int, head: int = 0, tail: int = 0) -> Span:
    """The stretch without `head` and `tail` line ends at its two ends, which belong to the marks around it."""
    for _ in range(head):
        start += 1 if text.startswith("\n", start, end) else 2 if text.startswith("\r\n", start, end) else 0
    for _ in range(tail):
        end -= 2 if text.endswith("\r\n", start, end) else 1 if text.endswith("\n", start, end) else 0
    return Span(start, end)
