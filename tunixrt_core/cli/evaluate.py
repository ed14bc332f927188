"""`tunixrt evaluate`: base and tuned model on an eval set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import Progress, TaskID

from tunixrt_core.cli.accelerator import Checkpoint, Wait, accelerator, stop_at_signals
from tunixrt_core.cli.common import EvalMap, Home, RunName, run_folder, settings_of
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.sampling import MaxNewTokens, Seed, TargetName, Temperature, TopK, TopP, targets_of
from tunixrt_core.cli.show import evaluations as terminal_eval
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import err
from tunixrt_core.evaluation.folder import EvalState
from tunixrt_core.evaluation.planning import EvalPlan
from tunixrt_core.evaluation.results.comparison import Comparison, compare
from tunixrt_core.evaluation.results.regression import Verdict, worse
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.ingest.formats.mapping import fields_of
from tunixrt_core.pipeline.foreground import BASE, Foreground
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.settings import Settings
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.training.trainer import Sampling


def evaluate(
    run: RunName,
    target: TargetName = "both",
    checkpoint: Checkpoint = "last",
    eval_file: Annotated[
        Path | None,
        typer.Option(
            help="Evaluate on the rows of this file (prompt, expected_answer) instead of the run's eval split."
        ),
    ] = None,
    map_: EvalMap = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of rows.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Answers per prompt; more than one needs a temperature.")] = 1,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = None,
    seed: Seed = 0,
    max_new_tokens: MaxNewTokens = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(help="Name of a scorer; repeatable. `tunixrt evals scorers` lists them."),
    ] = None,
    own_prompt: Annotated[
        bool,
        typer.Option(
            help="Ask the base model a second time, in its own chat template with a plain instruction. "
            "Doubles the time of the base model."
        ),
    ] = True,
    again: Annotated[bool, typer.Option("--again", help="Regenerate existing answers.")] = False,
    baseline: Annotated[
        str | None,
        typer.Option(help="Compare the tuned model with that of this run, or with `base`, on the same rows."),
    ] = None,
    fail_if_worse: Annotated[
        bool,
        typer.Option("--fail-if-worse", help=f"Exit with {ExitCode.WORSE} if the model is worse than the baseline."),
    ] = False,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compare the base and the tuned model's answers to the eval split, or to a file; needs no database.

    Existing answers are kept: a stopped evaluation continues where it ended.
    """
    asked = targets_of(target)
    if fail_if_worse and baseline is None:
        raise typer.BadParameter("--fail-if-worse needs --baseline: a run, or base")
    if map_ and eval_file is None:
        raise typer.BadParameter("--map needs --eval-file: it maps the columns of that file")
    request = EvalRequest(
        checkpoint=checkpoint,
        eval_file=eval_file,
        eval_columns=fields_of(map_ or []),
        limit=limit,
        samples=samples,
        sampling=Sampling(temperature, top_p, top_k, seed),
        max_new_tokens=max_new_tokens,
        scorers=tuple(scorer or ()),
        own_prompt=own_prompt,
    )
    settings = settings_of(home)
    here = Foreground(settings)
    plans = here.plan_evaluations(run_folder(run, settings), asked, request, _baseline(baseline, settings))
    with accelerator(here, plans[-1].run_folder, "evaluate", wait), terminal.progress() as bar:
        complete = _evaluate(plans, here, again, bar)
    found = _compared(plans) if complete else None
    verdict = worse(found) if found is not None and fail_if_worse else None
    if as_json:
        print_json(_document(plans, complete, found, verdict))
    else:
        _show(plans, complete, found, verdict)
    if not complete:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if verdict is not None and verdict.failed:
        raise typer.Exit(ExitCode.WORSE)


def _baseline(named: str | None, settings: Settings) -> tuple[RunDir, str] | Literal["base"] | None:
    """A run and its checkpoint, or the base model. `r-0003:40` is checkpoint 40 of r-0003; `r-0003`, its last one."""
    if named is None:
        return None
    if named == BASE:
        return BASE
    run, _, checkpoint = named.rpartition(":")
    if run and (checkpoint in ("last", "best") or checkpoint.isdigit()):
        return run_folder(run, settings), checkpoint
    return run_folder(named, settings), "last"


def _evaluate(plans: Sequence[EvalPlan], here: Foreground, again: bool, bar: Progress) -> bool:
    """Run each evaluation; False if a signal stopped it before all prompts were answered."""
    stop = StopRequest()
    with stop_at_signals(stop):
        for plan in plans:
            task = bar.add_task(plan.label, total=None, note="", visible=not plan.is_done or again)

            def show(state: EvalState, task: TaskID = task, label: str = plan.label) -> None:
                note = f"{label}: {state.phase}" if state.phase else label
                bar.update(task, completed=state.done, total=state.total, description=note)

            if not here.evaluate(plan, again=again, on_state=show, stop=stop):
                return False
    return True


def _compared(plans: Sequence[EvalPlan]) -> Comparison | None:
    """The model in question against its base or the baseline; None where only one model was asked."""
    asked = [plan for plan in plans if plan.spec.setup.prompt == "run"]
    if len(asked) < 2:
        return None
    own = [each for plan in plans if plan.spec.setup.prompt == "own" for each in plan.folder.predictions()]
    return compare(asked[0].folder.predictions(), asked[-1].folder.predictions(), own=own)


def _document(
    plans: Sequence[EvalPlan], complete: bool, found: Comparison | None, verdict: Verdict | None
) -> dict[str, Any]:
    evaluations = [
        {
            "model": plan.label,
            "target": plan.spec.target,
            "train_step": plan.spec.train_step,
            "prompt": plan.spec.setup.prompt,
            "folder": plan.folder.path,
            "summary": plan.folder.summary(),
            "leaks": plan.folder.leaks(),
        }
        for plan in plans
    ]
    return {"complete": complete, "evaluations": evaluations, "comparison": found, "verdict": verdict}


def _show(plans: Sequence[EvalPlan], complete: bool, found: Comparison | None, verdict: Verdict | None) -> None:
    terminal_eval.show_results(plans)
    if not complete:
        err.print("Stopped; the answers so far are kept. The same command continues from them.")
    if found is not None:
        asked = [plan.label for plan in plans if plan.spec.setup.prompt == "run"]
        terminal_eval.show_comparison(asked[0], asked[-1], found)
    if verdict is not None:
        by = f" (by {found.scorer}: right and in format)" if found is not None else ""
        err.print(f"{verdict.sentence}{by}", style="red" if verdict.failed else None)
