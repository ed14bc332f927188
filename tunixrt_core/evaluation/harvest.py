"""Traces from generated answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from msgspec.structs import replace

from tunixrt_core.errors import Conflict, InvalidEvaluation, InvalidTrace
from tunixrt_core.evaluation.folder import EvalDir, EvalSpec
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.ingest.reasoning.split import split_reasoning
from tunixrt_core.ingest.reasoning.steps import AUTO
from tunixrt_core.ingest.report import RowError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.models import public_name
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.traces.conversation import NO_CONVERSATION, Call, Conversation, calls_text, conversation_of
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.parse import ParsedCompletion, parse_completion
from tunixrt_core.traces.rendering.read_calls import read_calls
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.scores import GivenScore, ScoredTrace
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.training.trainer import Sampling

_MARKS = re.compile(r"</?(?:reasoning|answer|think)>")


def model_label(manifest: RunManifest, run: str, train_step: int | None) -> str:
    """The model name in traces: `r-0003 tuned, train step 40`, or the base model; never a path."""
    return public_name(manifest.model.id) if train_step is None else f"{run} tuned, train step {train_step:,}"


def origin(manifest: RunManifest, run: str, train_step: int | None, sampling: Sampling) -> dict[str, Any]:
    """The meta of a trace that a model wrote: enough to generate it again. Contains no time and no path."""
    return {
        "run": run,
        "train_step": train_step,
        "base_model": public_name(manifest.model.id),
        "sampling": asdict(sampling),
    }


def read_output(output: str, style: ReasoningStyle) -> ParsedCompletion:
    """Steps and answer of a model's output. Where the structure is broken there is no answer, and remains of the tags
    are in no step.
    """
    parsed = parse_completion(output, style)
    if parsed.answer is not None:
        return parsed
    without = parse_completion(_MARKS.sub("\n", output), style)
    return ParsedCompletion(without.steps, None, without.reasoning)


def trace_of(
    prompt: str,
    output: str,
    style: ReasoningStyle,
    *,
    system: str | None,
    reference: str | None,
    source: str,
    model: str,
    meta: Mapping[str, Any],
    final_answer: str | None = None,
    conversation: Conversation = NO_CONVERSATION,
) -> Trace:
    """A model's answer as a trace, with the text of its reasoning as it is. `final_answer` replaces the answer of the
    output, or one that cannot be read.

    Where the conversation has tools, calls at the end of the output are the trace's. Raises InvalidTrace where there is
    no final answer, or where a trace cannot hold the text.
    """
    parsed, calls = _with_calls(output, style) if conversation.tools else (read_output(output, style), ())
    answer = final_answer or parsed.answer
    if answer is None:
        raise InvalidTrace("final_answer", "cannot be read from the model's output; give it yourself")
    steps, layout = _divided(parsed, answer, style)
    talk = replace(conversation, calls=() if final_answer else calls)
    return Trace(
        prompt,
        steps,
        answer,
        dict(meta),
        system or None,
        reference or None,
        source,
        model,
        layout=layout,
        conversation=talk,
    )


def _divided(parsed: ParsedCompletion, answer: str, style: ReasoningStyle) -> tuple[tuple[Step, ...], Layout | None]:
    """The steps, with the text between them. The numbered style writes its own numbers and has no such text."""
    if style is ReasoningStyle.NUMBERED or not parsed.reasoning.strip():
        return tuple(Step(i, content) for i, content in enumerate(parsed.steps)), None
    split = split_reasoning(parsed.reasoning, answer, AUTO)
    return split.steps, split.layout


def _with_calls(output: str, style: ReasoningStyle) -> tuple[ParsedCompletion, tuple[Call, ...]]:
    """Steps and answer of an output, and the calls in the answer or behind it; they are the answer of one that says
    nothing else.
    """
    parsed = read_output(output, style)
    said, calls = read_calls(parsed.answer or "")
    if not calls:
        before, calls = read_calls(output)
        if not calls:
            return parsed, ()
        parsed = read_output(before, style)
        said = parsed.answer or ""
    return ParsedCompletion(parsed.steps, said or calls_text(calls), parsed.reasoning), calls


def harvest(
    record: EvalRecord, manifest: RunManifest, *, scorer: str, only_correct: bool
) -> Iterator[ScoredTrace | RowError]:
    """The answers of an evaluation as traces with their score, or the reason why one is not a valid trace.

    `only_correct` leaves out answers with a score below 1. Raises Conflict for an evaluation that is not
    finished, InvalidEvaluation for a scorer that did not score it.
    """
    folder = EvalDir.of(record)
    summary, spec = folder.summary(), folder.spec()
    if summary is None or spec is None:
        raise Conflict(f"Evaluation {record.id} is not finished ({record.status}). Evaluate again to resume it.")
    versions: Mapping[str, int] = summary.get("scorers", {})
    if scorer not in versions:
        raise InvalidEvaluation(f"{record.id} was not scored by {scorer!r}. Choose one of {', '.join(versions)}.")
    chosen = (p for p in folder.predictions() if p.scores.get(scorer) == 1.0 or not only_correct)
    return _harvested(chosen, record, manifest, spec, scorer, str(versions[scorer]))


def _harvested(
    chosen: Iterable[Prediction], record: EvalRecord, manifest: RunManifest, spec: EvalSpec, scorer: str, version: str
) -> Iterator[ScoredTrace | RowError]:
    model = model_label(manifest, record.run_id, spec.train_step)
    meta = origin(manifest, record.run_id, spec.train_step, spec.setup.sampling)
    for p in chosen:
        try:
            trace = trace_of(
                p.prompt,
                p.output,
                manifest.rendering.reasoning,
                system=p.system,
                conversation=conversation_of(p.conversation),
                reference=p.reference,
                source="evaluation",
                model=model,
                meta={**meta, "row": p.id},
            )
        except InvalidTrace as error:
            yield RowError(record.id, p.row + 1, error.field, error.reason)
            continue
        value = p.scores.get(scorer)
        given = () if value is None else (GivenScore(name=scorer, value=value, scorer=scorer, version=version),)
        yield ScoredTrace(trace, given)
