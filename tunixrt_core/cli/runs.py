"""`tunixrt runs`: list, show, annotate, stop, save, resume, clone, compare, base."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from tunixrt_core.cli.accelerator import Wait
from tunixrt_core.cli.common import Home, Limit, RunId, RunName, open_home, run_folder, settings_of
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.lazy import Entry, lazy_group
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import runs as terminal_run
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.errors import BrokenFile
from tunixrt_core.pipeline.asking import Asking
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.health import problems_of
from tunixrt_core.runs.metrics import Alert, to_dict
from tunixrt_core.runs.record import Run, RunStatus

# imported when used, because its options are read from the manifest's fields
CLONE = {
    "clone": Entry(
        "tunixrt_core.cli.clone:runs_clone",
        "Write a run's manifest with changed values, for a new run, and list the changes.",
    )
}
runs_app = typer.Typer(
    cls=lazy_group(CLONE),
    no_args_is_help=True,
    help="List, show, tag, archive, stop, save, resume, clone and compare runs.",
)


@runs_app.command("list")
def runs_list(limit: Limit = 20, as_json: AsJson = False, home: Home = None) -> None:
    """List runs, newest first."""
    with open_home(home) as rt:
        rows = [(run, rt.runs.state_of(run)) for run in rt.runs.page(limit=limit).items]
    if as_json:
        print_json({"runs": [{**run.to_dict(), "state": state} for run, state in rows]})
        return
    terminal.table(
        ("Run", "Name", "Status", "Train step", "Of", "Dataset"),
        [
            (run.id, run.name, run.status, state.train_step, state.total_train_steps, str(run.dataset or ""))
            for run, state in rows
        ],
        empty="No runs yet: `tunixrt manifest` writes the settings of one, `tunixrt train` runs them.",
    )
    for run, _ in rows:
        if run.status is RunStatus.BROKEN:
            err.print(f"{run.id} is broken: {run.message}", style="yellow")


@runs_app.command("show")
def runs_show(run: RunName, as_json: AsJson = False, home: Home = None) -> None:
    """Show one run: state, figures, alerts, and where its files are."""
    from tunixrt_core.evaluation.reports.run_summary import summarise

    folder = run_folder(run, settings_of(home))
    problems = problems_of(folder)
    if folder.state_or_broken().status is RunStatus.BROKEN:
        _show_broken(folder, problems, as_json)
        return
    state, summary = folder.state(), summarise(folder)
    alerts = [record for record in folder.metrics()[0] if isinstance(record, Alert)]
    if as_json:
        told = {"state": state, "summary": summary, "alerts": list(map(to_dict, alerts))}
        told["problems"] = [problem.details for problem in problems]
        print_json({"run": folder.path.name, "folder": folder.path, **told})
        return
    terminal.table(
        ("", ""),
        [
            ("Status", state.status),
            ("Phase", state.phase),
            ("Device", state.device),
            *((("Processes", str(state.processes)),) if state.processes > 1 else ()),
            ("Message", state.message),
            *((("Last resume", f"changed nothing: {state.refused}"),) if state.refused else ()),
            ("Folder", str(folder.path)),
        ],
    )
    terminal_run.show_summary(summary)
    for alert in alerts:
        out.print(terminal_run.event_line(alert), style="yellow")
    _show_problems(problems)


def _show_broken(folder: RunDir, problems: Sequence[BrokenFile], as_json: bool) -> None:
    if as_json:
        told = {"state": None, "problems": [problem.details for problem in problems]}
        print_json({"run": folder.path.name, "folder": folder.path, **told})
        return
    terminal.table(("", ""), [("Status", RunStatus.BROKEN), ("Folder", str(folder.path))])
    _show_problems(problems)


def _show_problems(problems: Sequence[BrokenFile]) -> None:
    for problem in problems:
        err.print(f"{problem.path}: {problem.reason}", style="yellow")
    if problems:
        err.print("`tunixrt doctor home --repair` repairs these files, or moves them aside.")


@runs_app.command("tag")
def runs_tag(
    run: RunId,
    tags: Annotated[list[str], typer.Argument(help="Tags to give it.")],
    remove: Annotated[bool, typer.Option("--remove", help="Remove the tags instead.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Tag a run. A tag is any word or short line."""
    with open_home(home) as rt:
        found = (rt.runs.untag if remove else rt.runs.tag)(run, tags)
    _annotated(found, ", ".join(found.tags) or "no tags", as_json)


@runs_app.command("note")
def runs_note(
    run: RunId,
    text: Annotated[str, typer.Argument(help="The note; empty to remove it.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write the note of a run, replacing the previous one."""
    with open_home(home) as rt:
        found = rt.runs.note(run, text)
    _annotated(found, "note kept" if found.note else "note removed", as_json)


@runs_app.command("archive")
def runs_archive(
    run: RunId,
    undo: Annotated[bool, typer.Option("--undo", help="Take the run back out of the archive.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Archive a run: lists of runs leave it out until archived runs are requested. No file is deleted."""
    with open_home(home) as rt:
        found = rt.runs.archive(run, not undo)
    _annotated(found, "archived" if found.archived else "not archived", as_json)


def _annotated(run: Run, words: str, as_json: bool) -> None:
    if as_json:
        print_json(run.to_dict())
    else:
        out.print(f"{run.id}  {words}", markup=False)


@runs_app.command("aside")
def runs_aside(run: RunId, as_json: AsJson = False, home: Home = None) -> None:
    """Move a broken run to the folder `aside` of the home, off the list."""
    with open_home(home) as rt:
        target = rt.runs.move_aside(run)
    if as_json:
        print_json({"run": run, "folder": target})
    else:
        out.print(f"{run} is in {target} now.")


@runs_app.command("stop")
def runs_stop(run: RunName, as_json: AsJson = False, home: Home = None) -> None:
    """Ask a run in any process to stop; it keeps its last checkpoint."""
    folder = run_folder(run, settings_of(home))
    Asking(settings_of(home)).stop(folder)
    _asked(folder, "stop", f"{run} was asked to stop; it ends after the current train step.", as_json)


@runs_app.command("save")
def runs_save(run: RunName, as_json: AsJson = False, home: Home = None) -> None:
    """Ask a run in any process to save a checkpoint now and continue."""
    folder = run_folder(run, settings_of(home))
    Asking(settings_of(home)).save(folder)
    _asked(folder, "save", f"{run} was asked to save a checkpoint after the current train step.", as_json)


def _asked(folder: RunDir, request: str, words: str, as_json: bool) -> None:
    if as_json:
        print_json({"run": folder.path.name, "folder": folder.path, "request": request})
    else:
        out.print(words)


@runs_app.command("resume")
def runs_resume(
    run: RunName,
    train_steps: Annotated[int | None, typer.Option(help="New total of train steps, to extend a finished run.")] = None,
    epochs: Annotated[float | None, typer.Option(help="New total of epochs, to extend a finished run.")] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="Learning rate of an extended run: stretch (the schedule of the longer run; default), keep (the last "
            "rate to the end) or restart (a new schedule over the new train steps).",
        ),
    ] = None,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Resume a run from its last checkpoint, in this process."""
    from tunixrt_core.cli.train import train_here
    from tunixrt_core.manifest.manifest import load_run_manifest
    from tunixrt_core.pipeline.foreground import Foreground
    from tunixrt_core.pipeline.namespaces.starting import with_duration
    from tunixrt_core.training.learning_rate import CHOICES

    chosen = next((each for each in CHOICES if each == schedule), None)
    if schedule is not None and chosen is None:
        raise typer.BadParameter("must be stretch, keep or restart", param_hint="--schedule")
    settings = settings_of(home)
    folder = run_folder(run, settings)
    manifest = load_run_manifest(folder)
    manifest = with_duration(manifest, folder.state(), train_steps=train_steps, epochs=epochs, schedule=chosen)
    train_here(manifest, folder, Foreground(settings), resume=True, wait=wait, as_json=as_json)


@runs_app.command("base")
def runs_base(
    run: RunName,
    whole: Annotated[bool, typer.Option("--whole", help="Hash the whole files, not samples of them.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Accept the files as the base of the run.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Compare the files of a run's base model with those that it was trained on."""
    from tunixrt_core.manifest.manifest import load_manifest
    from tunixrt_core.training.base_model import accept_base, check_base, directory_of

    settings = settings_of(home)
    folder = run_folder(run, settings)
    manifest = load_manifest(folder.manifest_file)
    directory = directory_of(manifest, settings.models_dir)
    found = check_base(folder, manifest, directory, whole=whole)
    if accept:
        accept_base(folder, manifest, directory)
    if as_json:
        print_json({"run": folder.path.name, "directory": directory, "accepted": accept, **asdict(found)})
    else:
        terminal_run.show_base(found, accepted=accept)
    if found.changed and not accept:
        raise typer.Exit(ExitCode.FAILURE)


@runs_app.command("compare")
def runs_compare(
    runs: Annotated[list[str], typer.Argument(help="Two or more runs.")], as_json: AsJson = False, home: Home = None
) -> None:
    """Compare runs: the differences of their manifests, and their results; needs no database."""
    from tunixrt_core.evaluation.reports.run_summary import summarise
    from tunixrt_core.manifest.manifest import load_run_manifest
    from tunixrt_core.manifest.variants import differences

    if len(runs) < 2:
        raise typer.BadParameter("name two runs or more")
    folders = [run_folder(run, settings_of(home)) for run in runs]
    manifests = [load_run_manifest(folder) for folder in folders]
    summaries = tuple(map(summarise, folders))
    names, differing = [folder.path.name for folder in folders], differences(manifests)
    if as_json:
        print_json({"runs": names, "differences": differing, "summaries": summaries})
    else:
        terminal_run.show_comparison(names, differing, summaries)


@runs_app.command("tail")
def runs_tail(
    run: RunName,
    lines: Annotated[int, typer.Option(help="Number of lines from the end.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until the run is over.")] = False,
    home: Home = None,
) -> None:
    """Print the end of a run's log."""
    folder = run_folder(run, settings_of(home))
    shown = folder.log_tail(lines)
    out.print(shown)
    while follow and not folder.state().status.over:
        time.sleep(0.5)
        text = folder.log_tail(1000)
        out.print(text.removeprefix(shown).lstrip("\n"), end="")
        shown = text
