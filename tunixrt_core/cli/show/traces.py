"""Traces on a terminal: lists, one trace, groups, differences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunixrt_core.cli.show.terminal import out, table
from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.traces.conversation import calls_text

if TYPE_CHECKING:
    from tunixrt_core.store.query import PromptGroup, StoredScore, StoredTrace
    from tunixrt_core.traces.conversation import Message
    from tunixrt_core.traces.diff import Piece, StepPair, TraceDiff
    from tunixrt_core.traces.scores import GivenScore

_ANSWERS = {True: "right", False: "wrong", None: ""}


def listing(items: Sequence[StoredTrace]) -> None:
    """One line per trace."""
    table(
        ("Trace", "Prompt", "Steps", "Source", "Answer", "Tags"),
        [
            (
                item.id[:12],
                _line(item.trace.prompt, 60),
                len(item.trace.steps),
                item.trace.source,
                _ANSWERS[answer_matches(item.trace)],
                ", ".join(item.tags),
            )
            for item in items
        ],
        empty="No traces were found: `tunixrt ingest FILE` imports some.",
    )


def one(item: StoredTrace) -> None:
    """Everything about one trace, in the order in which it is read."""
    trace = item.trace
    talk = trace.conversation
    if trace.system:
        _headed("System", trace.system)
    if talk.tools:
        _headed("Tools", json.dumps(talk.tool_values, ensure_ascii=False, indent=2))
    for message in talk.messages:
        _turn(message)
    _headed("Prompt", trace.prompt)
    for message in talk.turns:
        _turn(message)
    for step in trace.steps:
        out.print(f"\nStep {step.i + 1}  {step.type}{_scores_of(item.scores, step.i)}", style="bold")
        out.print(step.content)
    if talk.calls:
        _headed("\nCalls", calls_text(talk.calls))
    verdict = _ANSWERS[answer_matches(trace)]
    out.print(f"\nAnswer{'  ' + verdict if verdict else ''}", style="bold")
    out.print(trace.final_answer)
    rest = (
        ("Reference", trace.reference_answer),
        ("Source", trace.source),
        ("Model", trace.model),
        ("Scores", _scores_of(item.scores, None).strip()),
        ("Tags", ", ".join(item.tags)),
        ("Note", item.note.text if item.note else None),
        ("Stored", f"{item.created_at:%Y-%m-%d %H:%M} UTC"),
        ("Hash", item.id),
    )
    out.print()
    table(("", ""), [row for row in rest if row[1]])


def _headed(heading: str, text: str) -> None:
    out.print(heading, style="bold")
    out.print(text)


def _turn(message: Message) -> None:
    """A turn beside the prompt: its role, what it thinks and says, what it calls."""
    out.print(" ".join(filter(None, (message.role.capitalize(), message.name, message.call_id))), style="bold")
    if message.reasoning:
        out.print(f"Thinking: {message.reasoning}")
    if message.content:
        out.print(message.content)
    if message.calls:
        _headed("Calls", calls_text(message.calls))


def groups(found: Sequence[PromptGroup]) -> None:
    """One line per prompt."""
    table(
        ("Prompt", "Traces", "Right", "Wrong", "Pass rate", "Answers", "Shortest right"),
        [
            (
                _line(group.prompt, 60),
                group.traces,
                group.right,
                group.wrong,
                "" if group.pass_rate is None else f"{group.pass_rate:.0%}",
                group.answers,
                (group.shortest_right or "")[:12],
            )
            for group in found
        ],
        empty="No prompt with that many traces was found. Lower `--min-traces`.",
    )


def difference(a: StoredTrace, b: StoredTrace, diff: TraceDiff) -> None:
    """The steps in order; of those that differ both sides, with the words that differ marked as `wdiff` does."""
    out.print(f"a  {a.id[:12]}  {_line(a.trace.prompt, 90)}")
    out.print(f"b  {b.id[:12]}  {'same prompt' if diff.same_prompt else _line(b.trace.prompt, 90)}")
    if not diff.same_conversation:
        out.print("The conversations differ.")
    if diff.divergence is None:
        out.print("All steps are the same.")
    for i, pair in enumerate(diff.pairs):
        if i == diff.divergence:
            out.print("First divergence", style="bold yellow")
        _pair(i + 1, pair)
    same = "same answer" if diff.same_answer else "answers differ"
    out.print(f"answer  {_line(a.trace.final_answer, 60)} | {_line(b.trace.final_answer, 60)}  ({same})")


def _pair(number: int, pair: StepPair) -> None:
    if pair.same:
        out.print(f"{number:>3}  = {_line(pair.a.content if pair.a else '', 100)}")
        return
    for name, step, pieces, marks in (("a", pair.a, pair.a_pieces, "[-{}-]"), ("b", pair.b, pair.b_pieces, "{{+{}+}}")):
        text = "no step" if step is None else _marked(pieces, marks)
        out.print(f"{number:>3}  {name} {text}")


def _marked(pieces: Sequence[Piece], marks: str) -> str:
    return "".join(piece.text if piece.same or not piece.text.strip() else marks.format(piece.text) for piece in pieces)


def _scores_of(scores: Sequence[StoredScore], step: int | None) -> str:
    found = [one.given for one in scores if one.given.step == step]
    return "".join(f"  {given.name} {given.value:g} ({given.scorer}{_against(given)})" for given in found)


def _against(given: GivenScore) -> str:
    return f", against {given.against[:8]}" if given.against else ""


def _line(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
