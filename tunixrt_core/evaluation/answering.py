"""Generated answers to an eval set, scored and written as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.evaluation.predictions import Prediction, keep_whole_lines, prediction_line, write_predictions
from tunixrt_core.evaluation.results.summary import summarise
from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.scorers.scorer import Answer
from tunixrt_core.evaluation.sets.eval_set import EvalRow, EvalSet
from tunixrt_core.evaluation.sets.own_prompt import OwnPrompts
from tunixrt_core.evaluation.sets.setup import EvalSetup
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.rendering.parse import parse_completion
from tunixrt_core.training.trainer import Generation, Generator
from tunixrt_core.util.files.atomic import write_json


def evaluate(
    generator: Generator,
    manifest: RunManifest,
    eval_set: EvalSet,
    setup: EvalSetup,
    scorers: ScorerSet,
    folder: EvalDir,
    *,
    own: OwnPrompts | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    stop: threading.Event | None = None,
) -> dict[str, Any]:
    """Answer every row as often as the setup says, score it, and write predictions as they come; return the summary.

    The rows are asked as the run renders them, or by `own`, which has a prompt for each.

    Answers in the folder are kept, so that a stopped or killed evaluation resumes where it was. A stopped one writes no
    summary; the one returned counts the existing answers.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.summary_file.unlink(missing_ok=True)
    keep_whole_lines(folder.predictions_file)
    asked = list(product(range(len(eval_set.rows)), range(setup.samples)))
    kept = {(p.row, p.sample): p for p in folder.predictions()}
    began = time.perf_counter()
    with folder.predictions_file.open("ab") as handle:

        def keep(generations: Mapping[int, Generation]) -> None:
            places = [asked[i] for i in generations]
            found = [own.ended(each) if own else each for each in generations.values()]
            for p in _predictions(manifest, eval_set.rows, places, found, scorers):
                if (p.row, p.sample) not in kept:  # a partly written batch is answered again
                    kept[p.row, p.sample] = p
                    handle.write(prediction_line(p))
            handle.flush()
            on_progress(len(kept), len(asked))

        prompts = own.texts if own else [prompt_of(manifest, row) for row in eval_set.rows]
        generator.generate(
            [prompts[row] for row, _ in asked],
            max_new_tokens=setup.max_new_tokens,
            sampling=setup.sampling,
            skip=[i for i, place in enumerate(asked) if place in kept],
            on_batch=keep,
            stop=stop,
        )
    return _close(folder, list(kept.values()), len(asked), scorers, time.perf_counter() - began)


def rescore(manifest: RunManifest, scorers: ScorerSet, folder: EvalDir) -> dict[str, Any]:
    """Score existing answers again, for example with other scorers; no model is needed. Returns the new summary."""
    before = folder.summary() or {}
    told = folder.predictions()
    style = manifest.rendering.reasoning
    answers = [Answer(p.prompt, p.output, p.reference, style, p.tokens, p.hit_limit) for p in told]
    fresh = [
        replace(p, scores={n: s.value for n, s in found.items()}, verdicts=_verdicts(found))
        for p, found in zip(told, scorers.score(answers), strict=True)
    ]
    write_predictions(folder.predictions_file, fresh)
    summary = {**before, **summarise(fresh, scorers.versions)}
    write_json(folder.summary_file, summary)
    return summary


def _close(
    folder: EvalDir, predictions: Sequence[Prediction], planned: int, scorers: ScorerSet, seconds: float
) -> dict[str, Any]:
    summary = summarise(predictions, scorers.versions) | {"seconds": round(seconds, 3), "planned": planned}
    if len(predictions) == planned:
        write_json(folder.summary_file, summary)
    return summary


def prompt_of(manifest: RunManifest, row: EvalRow) -> str:
    """The prompt of the row for a model of this manifest, with the chat template applied."""
    return manifest.rendering.prompt(row.prompt, row.system or None, row.conversation)


def _predictions(
    manifest: RunManifest,
    rows: Sequence[EvalRow],
    places: Sequence[tuple[int, int]],
    generations: Sequence[Generation],
    scorers: ScorerSet,
) -> list[Prediction]:
    style = manifest.rendering.reasoning
    asked = [rows[row] for row, _ in places]
    answers = [
        Answer(row.prompt, g.text, row.reference, style, g.tokens, g.hit_limit)
        for row, g in zip(asked, generations, strict=True)
    ]
    return [
        Prediction(
            row.id,
            row.prompt,
            row.reference,
            answer.output,
            parse_completion(answer.output, style).answer,
            {name: score.value for name, score in found.items()},
            answer.tokens,
            answer.hit_limit,
            row=place[0],
            sample=place[1],
            verdicts=_verdicts(found),
            groups=row.groups,
            system=row.system,
            conversation=row.conversation.to_dict(),
        )
        for row, place, answer, found in zip(asked, places, answers, scorers.score(answers), strict=True)
    ]


def _verdicts(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: score.verdict for name, score in found.items() if score.verdict}
