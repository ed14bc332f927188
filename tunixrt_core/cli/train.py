"""`tunixrt train`: one manifest in this process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.accelerator import Wait, accelerator, stop_at_signals
from tunixrt_core.cli.common import Home, fail, settings_of
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.preflight import Allow, check_codes
from tunixrt_core.cli.show import runs as terminal_run
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.evaluation.reports.run_summary import summarise
from tunixrt_core.manifest.manifest import RunManifest, load_manifest
from tunixrt_core.pipeline.foreground import Foreground
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.training.execution import run_folder_of
from tunixrt_core.training.stop import StopRequest


def train(
    manifest_file: Annotated[Path, typer.Argument(help="Manifest, YAML or JSON.")],
    output_dir: Annotated[Path | None, typer.Option(help="Output directory, instead of the manifest's.")] = None,
    resume: Annotated[bool, typer.Option(help="Continue from the last checkpoint in the output directory.")] = False,
    allow: Allow = None,
    dry_run: Annotated[
        bool,
        typer.Option(help="Dry run: only the largest train step, one evaluation, one checkpoint and one generation."),
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of processes that train together: machines of the Ray cluster in TUNIXRT_EXECUTOR or, with "
            "--coordinator, calls of this command.",
        ),
    ] = None,
    process_index: Annotated[int, typer.Option(min=0, help="Index of this process among them, from 0.")] = 0,
    coordinator: Annotated[
        str | None, typer.Option(help="host:port of process 0, to which all processes connect.")
    ] = None,
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Run a manifest in this process, or several on a Ray cluster; needs no database.

    Ctrl-C, SIGTERM and a terminal that closes (SIGHUP) stop after the train step and keep a checkpoint; the exit code
    is then 130, 143 or 129.
    """
    allowed = check_codes(allow)
    if process_index >= (processes or 1) or (process_index and coordinator is None):
        raise typer.BadParameter("must be below --processes, with --coordinator", param_hint="--process-index")
    here = Foreground(settings_of(home))
    here.require()
    loaded = load_manifest(manifest_file)
    if output_dir:
        loaded = loaded.model_copy(update={"output_dir": str(output_dir)})
    folder = run_folder_of(loaded, Path.cwd())
    if dry_run:
        with accelerator(here, folder, "dry run", wait):
            _dry_run(loaded, folder, here, as_json)
        return
    if coordinator is None and processes is not None:
        here.use_cluster(processes)
    elif coordinator is not None and processes is not None and processes > 1:
        here.join(coordinator, processes, process_index)
        if process_index > 0:
            stop = StopRequest()
            with stop_at_signals(stop):
                here.train_along(loaded, folder, stop=stop)
            return
    train_here(loaded, folder, here, resume=resume, wait=wait, allow=allowed, as_json=as_json)


def _dry_run(manifest: RunManifest, folder: RunDir, here: Foreground, as_json: bool) -> None:
    with terminal.progress() as bar:
        task = bar.add_task("loading", total=None, note="")
        report = here.dry_run(manifest, folder, on_phase=lambda phase: bar.update(task, description=phase))
    if as_json:
        print_json(report)
    elif report is not None:
        terminal_run.show_dry_run(report)


def train_here(
    manifest: RunManifest,
    folder: RunDir,
    here: Foreground,
    *,
    resume: bool,
    wait: bool,
    allow: tuple[str, ...] = (),
    as_json: bool = False,
) -> None:
    """Train in this process and show its progress; exits with its own code if the run did not end by itself."""
    here.require()
    if resume and (change := here.rate_change(manifest, folder)):
        err.print(change.words)
    with accelerator(here, folder, "train", wait):
        here.prepare(manifest, folder, resume=resume, allow=allow)
        state, code = _train_with_display(manifest, folder, here, allow)
    if as_json:
        print_json({"run": folder.path.name, "folder": folder.path, **summarise(folder).to_dict()})
    if state.refused and code:
        raise typer.Exit(code)
    if state.refused:
        fail(f"The resume was refused, and the run is as it was ({state.status}): {state.refused}")
    if state.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
        fail(state.message)
    terminal.dropped_rows(state)
    if state.message:
        err.print(state.message)
    if not as_json:
        terminal_run.show_summary(summarise(folder))
        out.print(f"{state.status} at train step {state.train_step:,} of {state.total_train_steps:,}: {folder.path}")
    if state.status is RunStatus.STOPPED and code:
        raise typer.Exit(code)


def _train_with_display(
    manifest: RunManifest, folder: RunDir, here: Foreground, allow: tuple[str, ...]
) -> tuple[RunState, int]:
    """Train in a thread, so that this one receives signals and stops the run with a checkpoint. Returns their code."""
    stop = StopRequest()
    ended: list[RunState] = []
    worker = threading.Thread(
        target=lambda: ended.append(here.train(manifest, folder, stop=stop, allow=allow)), name="tunixrt-train"
    )
    with stop_at_signals(stop) as codes, terminal_run.RunDisplay(folder) as display:
        worker.start()
        while worker.is_alive():
            worker.join(0.25)
            display.update(folder.state())
    return ended[0], codes[0] if codes else ExitCode.SUCCESS
