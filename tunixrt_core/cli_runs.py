"""The part of the `tunixrt` command that works on runs: train, evaluate, export, list, show, stop, resume, tail."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from tunixrt_core import terminal
from tunixrt_core.cli_common import Home, fail, open_home, settings_of
from tunixrt_core.cli_preflight import Allow, check_codes
from tunixrt_core.errors import InvalidManifest, NotFound
from tunixrt_core.evaluation import TARGETS, EvalDir, EvalProgress, Target, compare
from tunixrt_core.execution import Backend, execute_evaluation, execute_export, execute_training, run_folder_of
from tunixrt_core.manifest import RunManifest, load_manifest
from tunixrt_core.runs import RunDir, RunState, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.terminal import err, out
from tunixrt_core.tunix_backend.backend import TunixBackend

runs_app = typer.Typer(no_args_is_help=True, help="List, show, stop and resume runs.")


def train(
    manifest_file: Annotated[Path, typer.Argument(help="Manifest, YAML or JSON.")],
    output_dir: Annotated[Path | None, typer.Option(help="Instead of the manifest's own.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint in the output directory.")] = False,
    allow: Allow = None,
    home: Home = None,
) -> None:
    """Run a manifest in this process; needs no database. Ctrl-C stops after the train step and keeps a checkpoint."""
    allowed = check_codes(allow)
    settings = settings_of(home)
    backend = TunixBackend(settings.models_dir)
    backend.require()
    loaded = load_manifest(manifest_file)
    if output_dir:
        loaded = loaded.model_copy(update={"output_dir": str(output_dir)})
    folder = run_folder_of(loaded, Path.cwd())
    _check_folder(folder, resume)
    state = _train_with_display(loaded, folder, backend, allowed)
    if state.status is RunStatus.FAILED:
        fail(state.message)
    terminal.dropped_rows(state)
    out.print(f"{state.status} at train step {state.train_step:,} of {state.total_train_steps:,}: {folder.path}")


def _check_folder(folder: RunDir, resume: bool) -> None:
    if not folder.state_file.exists():
        return
    status = folder.state().status
    if not resume:
        raise InvalidManifest(
            "output_dir", f"{folder.path} already holds a run ({status}); choose another, or add --resume"
        )
    status.to(RunStatus.QUEUED)


def _train_with_display(loaded: RunManifest, folder: RunDir, backend: Backend, allow: tuple[str, ...]) -> RunState:
    """Train in a thread, so that Ctrl-C reaches this one and becomes a stop with a checkpoint."""
    folder.create()
    folder.write_queued()
    stop = threading.Event()
    ended: list[RunState] = []
    worker = threading.Thread(
        target=lambda: ended.append(execute_training(loaded, folder, backend, stop=stop, allow=allow)),
        name="tunixrt-train",
    )
    with terminal.progress() as bar:
        display = terminal.RunDisplay(bar, folder)
        worker.start()
        while worker.is_alive():
            try:
                worker.join(0.25)
                display.update(folder.state())
            except KeyboardInterrupt:
                stop.set()
                err.print("Stopping after this train step; the checkpoint is kept.")
    return ended[0]


def evaluate(
    run: Annotated[str, typer.Argument(help="Run id, or the folder of a run.")],
    target: Annotated[str, typer.Option(help="base, tuned or both.")] = "both",
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many rows of the eval split.")] = None,
    home: Home = None,
) -> None:
    """Answer the eval split with the base and the tuned model and compare them; needs no database."""
    if target not in (*TARGETS, "both"):
        raise typer.BadParameter("--target is base, tuned or both")
    settings = settings_of(home)
    backend = TunixBackend(settings.models_dir)
    backend.require()
    folder = _run_folder(run, settings)
    targets = [name for name in TARGETS if target in (name, "both")]
    with terminal.progress() as bar:
        summaries = {name: _evaluate_with_bar(folder, name, backend, limit, bar) for name in targets}
    terminal.evaluations(summaries)
    if len(targets) == 2:
        result = compare(*(EvalDir(folder.evals / name).predictions() for name in TARGETS))
        out.print(f"{result.fixed} fixed, {result.broken} broken of {result.rows}; McNemar p = {result.p_value:.2g}")


def _evaluate_with_bar(
    folder: RunDir, target: Target, backend: Backend, limit: int | None, bar: Progress
) -> dict[str, Any]:
    task = bar.add_task(target, total=None, note="")

    def show(progress: EvalProgress) -> None:
        bar.update(task, completed=progress.done, total=progress.total, description=f"{target}: {progress.phase}")

    loaded = load_manifest(folder.manifest_file)
    return execute_evaluation(loaded, folder, target, backend, limit=limit, on_progress=show)


def export_model(
    run: Annotated[str, typer.Argument(help="Run id, or the folder of a run.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Directory to make; export/model in the run's otherwise.")
    ] = None,
    home: Home = None,
) -> None:
    """Write the tuned model as a Hugging Face directory, LoRA merged, and check it; needs no database."""
    settings = settings_of(home)
    backend = TunixBackend(settings.models_dir)
    backend.require()
    folder = _run_folder(run, settings)
    target = (output or folder.path / "export" / "model").expanduser().absolute()
    with terminal.progress() as bar:
        task = bar.add_task("loading", total=None, note="")
        report = execute_export(
            load_manifest(folder.manifest_file),
            folder,
            target,
            backend,
            on_phase=lambda phase: bar.update(task, description=phase),
        )
    out.print(f"{report.path}  {report.bytes:,} bytes in {report.files} weight file{'s' * (report.files != 1)}")
    out.print(
        f"Checked on {report.prompts} prompts: logits differ by at most {report.largest_difference:.2g}, "
        f"the likeliest next token agrees in {report.agreement:.1%}."
    )


def _run_folder(run: str, settings: Settings) -> RunDir:
    for path in (settings.runs_dir / run, Path(run)):
        if (path / "manifest.yaml").is_file():
            return RunDir(path.resolve())
    raise NotFound("run", run, "`tunixrt runs list` shows those of this home; a run's folder works too.")


@runs_app.command("list")
def runs_list(limit: int = 20, home: Home = None) -> None:
    """List runs, newest first."""
    with open_home(home) as rt:
        rows = [(run, rt.run_state(run.id)) for run in rt.runs(limit=limit).items]
    terminal.table(
        ("Run", "Name", "Status", "Train step", "Of", "Dataset"),
        [
            (run.id, run.name, run.status, state.train_step, state.total_train_steps, str(run.dataset or ""))
            for run, state in rows
        ],
    )


@runs_app.command("show")
def runs_show(run: str, home: Home = None) -> None:
    """Show one run: state, last metrics and where its files are."""
    folder = _run_folder(run, settings_of(home))
    state = folder.state()
    records = folder.metrics()[0]
    last = {kind: next((r for r in reversed(records) if r["kind"] == kind), None) for kind in ("train", "eval")}
    rows: list[tuple[str, object]] = [
        ("Status", state.status),
        ("Phase", state.phase),
        ("Train step", f"{state.train_step:,} of {state.total_train_steps:,}"),
        ("Device", state.device),
        ("Train loss", last["train"] and last["train"]["loss"]),
        ("Eval loss", last["eval"] and last["eval"]["loss"]),
        ("Message", state.message),
        ("Folder", str(folder.path)),
    ]
    terminal.table(("", ""), rows)


@runs_app.command("stop")
def runs_stop(run: str, home: Home = None) -> None:
    """Ask a run to stop, in whichever process it runs; it keeps its last checkpoint."""
    folder = _run_folder(run, settings_of(home))
    if (state := folder.state()).status.over:
        fail(f"{run} is over ({state.status}); there is nothing to stop.")
    folder.stop_file.touch()
    out.print(f"{run} was asked to stop; it ends after the train step under way.")


@runs_app.command("resume")
def runs_resume(run: str, home: Home = None) -> None:
    """Go on from the last checkpoint, in this process."""
    folder = _run_folder(run, settings_of(home))
    train(folder.manifest_file, output_dir=folder.path, resume=True, home=home)


@runs_app.command("tail")
def runs_tail(
    run: str, lines: int = 40, follow: Annotated[bool, typer.Option("--follow", "-f")] = False, home: Home = None
) -> None:
    """Print the end of a run's log; with -f go on until the run is over."""
    folder = _run_folder(run, settings_of(home))
    shown = folder.log_tail(lines)
    out.print(shown)
    while follow and not folder.state().status.over:
        time.sleep(0.5)
        text = folder.log_tail(1000)
        out.print(text.removeprefix(shown).lstrip("\n"), end="")
        shown = text
