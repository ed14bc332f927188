"""Answers of the model in training to fixed prompts, scored."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax

from tunixrt_core.errors import ModelError
from tunixrt_core.evaluation.answering import prompt_of
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.scorers.scorer import Answer, Score
from tunixrt_core.evaluation.sets.eval_set import EvalRow, eval_rows
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.metrics import SampleAnswer, SamplesMetric
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.generate.completions import TunixGenerator
from tunixrt_core.tunix_backend.model.models import LoadedModel

SCORERS = ("exact_match", "flexible_match", "format_valid", "repetition")


@dataclass(frozen=True, slots=True)
class Round:
    """The answers to all prompts at one train step, and their means without the seconds."""

    summary: SamplesMetric
    answers: Sequence[SampleAnswer]


class PromptSampler:
    """Answers the same prompts each time, greedily, with the current weights of the model; does not change them."""

    def __init__(self, generator: TunixGenerator, manifest: RunManifest, rows: Sequence[EvalRow]) -> None:
        """Raises ModelError where prompt and answer would be longer than the model can compute correctly."""
        self._generator = generator
        self._manifest = manifest
        self._rows = rows
        self._prompts = [prompt_of(manifest, row) for row in rows]
        self._scorers = ScorerSet(SCORERS)
        generator.check_lengths(self._prompts, manifest.cadence.sample_tokens)

    @property
    def compiles(self) -> int:
        """Number of shapes compiled so far."""
        return self._generator.compiles

    def run(self, train_step: int, stop: threading.Event) -> Round | None:
        """One round of answers. None where `stop` ended it."""
        self._generator.refresh()
        limit = self._manifest.cadence.sample_tokens
        found = self._generator.generate(self._prompts, max_new_tokens=limit, stop=stop)
        if len(found) < len(self._rows):
            return None
        style = self._manifest.rendering.reasoning
        answers = [
            Answer(row.prompt, found[i].text, row.reference, style, found[i].tokens, found[i].hit_limit)
            for i, row in enumerate(self._rows)
        ]
        scores = self._scorers.score(answers)
        lines = [_line(train_step, *each) for each in zip(self._rows, answers, scores, strict=True)]
        summary = SamplesMetric(
            train_step=train_step,
            **{name: _mean([line.scores[name] for line in lines]) for name in SCORERS},
            mean_tokens=statistics.fmean(answer.tokens for answer in answers),
            hit_limit=statistics.fmean(answer.hit_limit for answer in answers),
            rows=len(answers),
            compiles=self.compiles,
        )
        return Round(summary, lines)


def make_sampler(
    manifest: RunManifest, loaded: LoadedModel, tokenizer: TextTokenizer, *, log: Callable[[str], None]
) -> PromptSampler | None:
    """A sampler of the first `cadence.sample_prompts` rows of the eval split with the model in training.

    Prompts longer than max_seq_length are left out. None, with the reason in the log, where no prompt can be answered.
    """
    if jax.process_count() > 1:
        log("No prompts are answered during training: Tunix generates in one process, and this run has several.")
        return None
    rows = [
        row
        for row in eval_rows(manifest, manifest.cadence.sample_prompts)
        if len(tokenizer.encode_prompt(prompt_of(manifest, row))) <= manifest.max_seq_length
    ]
    if not rows:
        log("No prompts are answered during training: those of the eval split are longer than max_seq_length.")
        return None
    try:
        return PromptSampler(TunixGenerator(loaded, tokenizer, manifest.rendering.chat), manifest, rows)
    except ModelError as error:
        log(f"No prompts are answered during training: {error}")
        return None


def _line(train_step: int, row: EvalRow, answer: Answer, scores: Mapping[str, Score]) -> SampleAnswer:
    return SampleAnswer(
        train_step=train_step,
        id=row.id,
        prompt=row.prompt,
        reference=row.reference,
        output=answer.output,
        answer=answer.parsed.answer,
        scores={name: score.value for name, score in scores.items()},
        tokens=answer.tokens,
        hit_limit=answer.hit_limit,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return statistics.fmean(told) if told else None
