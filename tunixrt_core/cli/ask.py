"""`tunixrt ask`: one prompt to a run's base and tuned model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.accelerator import Checkpoint, Wait, accelerator, stop_at_signals
from tunixrt_core.cli.common import Home, RunName, run_folder, settings_of
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.sampling import MaxNewTokens, Seed, TargetName, Temperature, TopK, TopP, targets_of
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.questions.question import Answered, AskedIn, Question, asked_in
from tunixrt_core.pipeline.foreground import Foreground
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.traces.conversation import NO_CONVERSATION
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.training.trainer import Sampling


def ask(
    run: RunName,
    prompt: Annotated[
        str | None, typer.Argument(help="Prompt to answer; - reads standard input. Optional with --messages.")
    ] = None,
    target: TargetName = "both",
    checkpoint: Checkpoint = "last",
    system: Annotated[str | None, typer.Option(help="System prompt instead of the manifest's; '' for none.")] = None,
    messages: Annotated[
        Path | None,
        typer.Option(help="JSON file of earlier turns: a list of chat messages, or an object with messages and tools."),
    ] = None,
    begin: Annotated[
        str, typer.Option(help="Beginning of the answer; the model goes on behind it. Default: none.")
    ] = "",
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = None,
    seed: Seed = 0,
    max_new_tokens: MaxNewTokens = None,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Ask a run's base and tuned models one question; needs no database."""
    settings = settings_of(home)
    here = Foreground(settings)
    here.require()
    folder = run_folder(run, settings)
    asked = _asked(sys.stdin.read() if prompt == "-" else prompt, messages)
    question = Question(
        run_id=folder.path.name,
        prompt=asked.prompt,
        system=asked.system if system is None else system,
        conversation=asked.conversation,
        targets=targets_of(target),
        checkpoint=checkpoint,
        sampling=Sampling(temperature, top_p, top_k, seed),
        max_new_tokens=max_new_tokens,
        begun=begin,
    )
    answers = _ask(question, folder, here, wait)
    if as_json:
        print_json(answers)
    else:
        for answered in answers:
            show_answer(answered)
    if len(answers) < len(question.targets):
        err.print("Stopped.")
        raise typer.Exit(ExitCode.INTERRUPTED)


def _asked(prompt: str | None, messages: Path | None) -> AskedIn:
    """The prompt, behind the messages of a file if one is named. Raises InvalidEvaluation."""
    if messages is None:
        return AskedIn(prompt or "", None, NO_CONVERSATION)
    try:
        held = json.loads(messages.read_bytes())
    except OSError as error:
        raise InvalidEvaluation(f"{messages} cannot be read: {error.strerror or error}. Check the path.") from None
    except ValueError as error:
        raise InvalidEvaluation(f"{messages} is not valid JSON: {error}. Write a list of chat messages.") from None
    told, tools = (held.get("messages"), held.get("tools")) if isinstance(held, dict) else (held, None)
    last = [] if prompt is None else [{"role": "user", "content": prompt}]
    return asked_in([*told, *last] if isinstance(told, list) else told, tools)


def _ask(question: Question, folder: RunDir, here: Foreground, wait: bool) -> tuple[Answered, ...]:
    stop = StopRequest()
    with accelerator(here, folder, "playground", wait), stop_at_signals(stop), err.status("Loading") as status:

        def show(target: Target, phase: str) -> None:
            status.update(f"{target.capitalize()} model: {phase}")

        return here.ask(question, folder, on_phase=show, stop=stop)


def show_answer(answered: Answered) -> None:
    """Steps, final answer, tokens and time."""
    out.print(f"{answered.target.capitalize()}: {answered.model}", style="bold")
    if answered.answer is None:
        out.print(answered.output)
        out.print("No final answer was found in this output.", style="yellow")
    else:
        for number, step in enumerate(answered.steps, 1):
            out.print(f"{number:>4}. {step}")
        out.print(f"Final answer: {answered.answer}")
    cut = ", cut at the limit" if answered.hit_limit else ""
    time = f"{answered.seconds:.2f} s{', compiling included' if answered.compiled else ''}"
    out.print(f"{answered.prompt_tokens:,} prompt tokens, {answered.tokens:,} tokens{cut}, {time}\n", style="dim")
