"""`tunixrt evaluate`: base and tuned model answer an eval set, in this process; and the regression gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from tunixrt_core.cli.accelerator import Checkpoint, Wait, accelerator, stop_at_signals
from tunixrt_core.cli.common import EvalMap, Home, run_folder, settings_of
from tunixrt_core.cli.sampling import MaxNewTokens, Seed, TargetName, Temperature, TopK, TopP, targets_of
from tunixrt_core.cli.show import evaluations as terminal_eval
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import err
from tunixrt_core.evaluation.execution import EvalPlan, execute_evaluation, plan_evaluation
from tunixrt_core.evaluation.predictions import EvalState
from tunixrt_core.evaluation.results.comparison import compare
from tunixrt_core.evaluation.results.regression import worse
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.ingest.formats.mapping import fields_of
from tunixrt_core.manifest.manifest import load_manifest
from tunixrt_core.runs.evaluation_record import TARGETS, Target
from tunixrt_core.runs.record import RunDir
from tunixrt_core.settings import Settings
from tunixrt_core.training.execution import StopRequest
from tunixrt_core.training.trainer import Sampling
from tunixrt_core.tunix_backend.backend import TunixBackend

WORSE = 3  # exit code of --fail-if-worse


def evaluate(
    run: Annotated[str, typer.Argument(help="Run id, or the folder of a run.")],
    target: TargetName = "both",
    checkpoint: Checkpoint = "last",
    eval_file: Annotated[
        Path | None,
        typer.Option(help="Ask the rows of this file (prompt, expected_answer) instead of the run's eval split."),
    ] = None,
    map_: EvalMap = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many rows.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Answers to each prompt; more than one needs a temperature.")] = 1,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = None,
    seed: Seed = 0,
    max_new_tokens: MaxNewTokens = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(help="Name of a scorer, several times if need be; `tunixrt evals scorers` lists them."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Answer anew what was answered before.")] = False,
    baseline: Annotated[
        str | None,
        typer.Option(help="Compare the tuned model with this run's on the same rows, or with `base`."),
    ] = None,
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help=f"End with exit code {WORSE} where it is worse than the baseline.")
    ] = False,
    wait: Wait = False,
    home: Home = None,
) -> None:
    """Let the base and the tuned model answer the eval split, or a file, and compare them; needs no database.

    Answers that are there already are kept: a stopped evaluation goes on where it was.
    """
    asked = targets_of(target)
    if fail_if_worse and baseline is None:
        raise typer.BadParameter("--fail-if-worse needs --baseline: a run, or base")
    if map_ and eval_file is None:
        raise typer.BadParameter("--map needs --eval-file: it says what the columns of that file are")
    request = EvalRequest(
        checkpoint=checkpoint,
        eval_file=eval_file,
        eval_columns=fields_of(map_ or []),
        limit=limit,
        samples=samples,
        sampling=Sampling(temperature, top_p, top_k, seed),
        max_new_tokens=max_new_tokens,
        scorers=tuple(scorer or ()),
    )
    settings = settings_of(home)
    plans = _plans(run_folder(run, settings), asked, request, baseline, settings)
    backend = TunixBackend(settings.models_dir, settings.compiled_dir)
    with accelerator(settings, plans[-1].run_folder, "evaluate", wait), terminal.progress() as bar:
        whole = _evaluate(plans, backend, again, bar)
    terminal_eval.show_results(plans)
    if not whole:
        err.print("Stopped; the answers so far are kept. The same command goes on where it was.")
        raise typer.Exit(130)
    if len(plans) > 1:
        _compare(plans[0], plans[-1], fail_if_worse)


def _plans(
    folder: RunDir, asked: tuple[Target, ...], request: EvalRequest, baseline: str | None, settings: Settings
) -> list[EvalPlan]:
    """What is to be evaluated, the baseline first, the model in question last."""
    targets = TARGETS if baseline == "base" else asked
    if baseline not in (None, "base"):
        targets = ("tuned",)
    manifest = load_manifest(folder.manifest_file)
    plans = [plan_evaluation(manifest, folder, each, request) for each in targets]
    if baseline is None or baseline == "base":
        return plans
    name, checkpoint = _split_baseline(baseline)
    other = run_folder(name, settings)
    alike = replace(request, checkpoint=checkpoint, max_new_tokens=plans[-1].spec.setup.max_new_tokens)
    found = load_manifest(other.manifest_file)
    return [plan_evaluation(found, other, "tuned", alike, eval_set=plans[-1].eval_set), *plans]


def _split_baseline(baseline: str) -> tuple[str, str]:
    """`r-0003:40` is the checkpoint 40 of r-0003; without one it is the last."""
    run, _, checkpoint = baseline.rpartition(":")
    if run and (checkpoint in ("last", "best") or checkpoint.isdigit()):
        return run, checkpoint
    return baseline, "last"


def _evaluate(plans: Sequence[EvalPlan], backend: TunixBackend, again: bool, bar: Progress) -> bool:
    """Evaluate each; False where a signal stopped it before all was answered."""
    stop = StopRequest()
    with stop_at_signals(stop):
        for plan in plans:
            if plan.is_done and not again:
                continue  # what is there needs no Tunix
            backend.require()
            task = bar.add_task(plan.label, total=None, note="")

            def show(state: EvalState, task: TaskID = task, label: str = plan.label) -> None:
                note = f"{label}: {state.phase}" if state.phase else label
                bar.update(task, completed=state.done, total=state.total, description=note)

            execute_evaluation(plan, backend, again=again, on_state=show, stop=stop)
            if stop.is_set() and not plan.is_done:
                return False
    return True


def _compare(first: EvalPlan, second: EvalPlan, fail_if_worse: bool) -> None:
    found = compare(first.folder.predictions(), second.folder.predictions())
    terminal_eval.show_comparison(first.label, second.label, found)
    if fail_if_worse:
        verdict = worse(found)
        err.print(verdict.sentence, style="red" if verdict.failed else None)
        if verdict.failed:
            raise typer.Exit(WORSE)
