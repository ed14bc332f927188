"""The `tunixrt` command: thin over the pipeline. Errors are one sentence on standard error and a non-zero exit."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.progress import Progress

from tunixrt_core import __version__, terminal
from tunixrt_core.datasets import DatasetSpec
from tunixrt_core.errors import InvalidManifest, NotFound, TunixRTError
from tunixrt_core.evaluation import TARGETS, EvalDir, EvalProgress, Target, compare
from tunixrt_core.export import EXPORT_FORMATS
from tunixrt_core.jobs import Backend, execute_evaluation, execute_training, run_folder_of
from tunixrt_core.manifest import HYPERPARAMETERS, RunManifest, load_manifest
from tunixrt_core.pipeline import Pipeline, open_pipeline
from tunixrt_core.runs import RunDir, RunState, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.terminal import err, out
from tunixrt_core.tunix_backend.backend import TunixBackend

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="From step-by-step reasoning traces to a fine-tuned, evaluated model.",
    pretty_exceptions_enable=False,
)
dataset_app = typer.Typer(no_args_is_help=True, help="Build and look at dataset versions.")
runs_app = typer.Typer(no_args_is_help=True, help="List, show, stop and resume runs.")
app.add_typer(dataset_app, name="dataset")
app.add_typer(runs_app, name="runs")

Home = Annotated[Path | None, typer.Option("--home", help="Directory for everything; TUNIXRT_HOME otherwise.")]


def main() -> None:
    """Entry point: runs the command and turns errors into a sentence and exit code 1."""
    try:
        app(prog_name="tunixrt")
    except TunixRTError as error:
        _fail(str(error))
    except BrokenPipeError:
        # the reader of a pipe went away, as `head` does; nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> NoReturn:
    err.print(f"Error: {message}", style="bold red")
    raise SystemExit(1)


def _settings(home: Path | None) -> Settings:
    environ = {**os.environ, **({"TUNIXRT_HOME": str(home)} if home else {})}
    return Settings.from_env(environ)


def _open(home: Path | None) -> Pipeline:
    return open_pipeline(_settings(home))


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


@app.command()
def ingest(
    file: Annotated[Path | None, typer.Argument(help="JSONL or JSON file, gzip too; - for standard input.")] = None,
    format: Annotated[str, typer.Option(help="Record format; auto looks at the content.")] = "auto",
    source: Annotated[str | None, typer.Option(help="Name to keep as the traces' source.")] = None,
    bundled: Annotated[bool, typer.Option("--examples", help="Load the bundled example traces.")] = False,
    home: Home = None,
) -> None:
    """Read traces into the store. Exits with 1 where a line was rejected."""
    if bundled == (file is not None):
        raise typer.BadParameter("name a file, or give --examples")
    with _open(home) as rt, terminal.progress() as bar:
        task = bar.add_task("reading", total=None, note="")
        if file is None:
            report = rt.ingest_examples()
        else:
            stream = sys.stdin.buffer if str(file) == "-" else file
            report = rt.ingest(
                stream,
                name="standard input" if str(file) == "-" else str(file),
                format=format,
                source_label=source,
                on_progress=lambda n: bar.update(task, completed=n),
            )
        bar.update(task, completed=report.read, total=report.read)
    terminal.import_report(report)
    raise typer.Exit(1 if report.rejected else 0)


@dataset_app.command("build")
def dataset_build(
    name: str,
    source: Annotated[str | None, typer.Option(help="Only traces of this source.")] = None,
    text: Annotated[str, typer.Option(help="Only traces that this search finds.")] = "",
    selection: Annotated[str, typer.Option(help="all, latest or random.")] = "all",
    limit: Annotated[int | None, typer.Option(help="How many, for latest and random.")] = None,
    seed: int = 0,
    eval_share: Annotated[float, typer.Option(help="Share of the prompts that go to the eval split.")] = 0.1,
    home: Home = None,
) -> None:
    """Freeze a selection of traces as the next version of a dataset."""
    spec = DatasetSpec.from_dict(
        {
            "name": name,
            "source": source,
            "text": text,
            "selection": selection,
            "limit": limit,
            "seed": seed,
            "eval_share": eval_share,
        }
    )
    with _open(home) as rt:
        built = rt.build_dataset(spec)
    out.print(
        f"{built.name} v{built.version}: {built.train_rows:,} train + {built.eval_rows:,} eval rows, "
        f"sha256 {built.content_hash}"
    )


@dataset_app.command("list")
def dataset_list(name: Annotated[str | None, typer.Argument()] = None, home: Home = None) -> None:
    """List dataset versions, newest first."""
    with _open(home) as rt:
        versions = rt.dataset_versions(name)
    terminal.table(
        ("Dataset", "Version", "Train", "Eval", "sha256"),
        [(v.name, v.version, v.train_rows, v.eval_rows, v.content_hash[:12]) for v in versions],
    )


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="Dataset name.")],
    dataset_version: Annotated[int | None, typer.Option("--version", help="The latest where not given.")] = None,
    format: Annotated[str, typer.Option(help=", ".join(EXPORT_FORMATS))] = "tunix_sft",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; in the home otherwise.")] = None,
    home: Home = None,
) -> None:
    """Write a dataset version as JSONL. The same version always gives the same bytes."""
    with _open(home) as rt:
        info = rt.export_dataset(name, dataset_version, format=format, path=output)
    out.print(f"{info.path}  {info.rows:,} rows, {info.bytes:,} bytes, sha256 {info.sha256}")


@app.command()
def manifest(
    dataset: Annotated[str | None, typer.Option(help="Dataset to train on.")] = None,
    dataset_version: Annotated[int | None, typer.Option("--version", help="The latest where not given.")] = None,
    data: Annotated[Path | None, typer.Option(help="Or an exported Tunix SFT file; needs no database.")] = None,
    model: Annotated[str, typer.Option(help="Built-in model (tiny), a Hugging Face directory, or org/name.")] = "tiny",
    output_dir: Annotated[
        str | None, typer.Option(help="Folder of the run; the next one in the home otherwise.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output otherwise.")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Hyperparameter, as learning_rate=2e-4.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of YAML.")] = False,
    home: Home = None,
) -> None:
    """Write a run manifest."""
    if (dataset is None) == (data is None):
        raise typer.BadParameter("give --dataset or --data")
    with _open(home) as rt:
        built = rt.build_manifest(
            dataset,
            dataset_version,
            data_file=data.resolve() if data else None,
            model_id=model,
            output_dir=output_dir,
            hyperparams=_assignments(set_ or []),
        )
    text = built.to_json() if as_json else built.to_yaml()
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        out.print(f"{output}  {built.data.train_rows:,} train rows; start it with: tunixrt train {output}")


def _assignments(items: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not equals:
            raise InvalidManifest(f"--set {item}", f"needs the form NAME=VALUE; names are {', '.join(HYPERPARAMETERS)}")
        try:
            values[key] = orjson.loads(text)
        except orjson.JSONDecodeError:
            values[key] = text  # a word such as cosine
    return values


@app.command()
def train(
    manifest_file: Annotated[Path, typer.Argument(help="Manifest, YAML or JSON.")],
    output_dir: Annotated[Path | None, typer.Option(help="Instead of the manifest's own.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint in the output directory.")] = False,
    home: Home = None,
) -> None:
    """Run a manifest in this process; needs no database. Ctrl-C stops after the train step and keeps a checkpoint."""
    settings = _settings(home)
    backend = TunixBackend(settings.models_dir)
    backend.require()
    loaded = load_manifest(manifest_file)
    if output_dir:
        loaded = loaded.model_copy(update={"output_dir": str(output_dir)})
    folder = run_folder_of(loaded, Path.cwd())
    _check_folder(folder, resume)
    state = _train_with_display(loaded, folder, backend)
    if state.status is RunStatus.FAILED:
        _fail(state.message)
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


def _train_with_display(loaded: RunManifest, folder: RunDir, backend: Backend) -> RunState:
    """Train in a thread, so that Ctrl-C reaches this one and becomes a stop with a checkpoint."""
    folder.create()
    folder.write_queued()
    stop = threading.Event()
    ended: list[RunState] = []
    worker = threading.Thread(
        target=lambda: ended.append(execute_training(loaded, folder, backend, stop=stop)), name="tunixrt-train"
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


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(help="Run id, or the folder of a run.")],
    target: Annotated[str, typer.Option(help="base, tuned or both.")] = "both",
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many rows of the eval split.")] = None,
    home: Home = None,
) -> None:
    """Answer the eval split with the base and the tuned model and compare them; needs no database."""
    if target not in (*TARGETS, "both"):
        raise typer.BadParameter("--target is base, tuned or both")
    settings = _settings(home)
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


def _run_folder(run: str, settings: Settings) -> RunDir:
    for path in (settings.runs_dir / run, Path(run)):
        if (path / "manifest.yaml").is_file():
            return RunDir(path.resolve())
    raise NotFound("run", run, "`tunixrt runs list` shows those of this home; a run's folder works too.")


@runs_app.command("list")
def runs_list(limit: int = 20, home: Home = None) -> None:
    """List runs, newest first."""
    with _open(home) as rt:
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
    folder = _run_folder(run, _settings(home))
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
    folder = _run_folder(run, _settings(home))
    if (state := folder.state()).status.over:
        _fail(f"{run} is over ({state.status}); there is nothing to stop.")
    folder.stop_file.touch()
    out.print(f"{run} was asked to stop; it ends after the train step under way.")


@runs_app.command("resume")
def runs_resume(run: str, home: Home = None) -> None:
    """Go on from the last checkpoint, in this process."""
    folder = _run_folder(run, _settings(home))
    train(folder.manifest_file, output_dir=folder.path, resume=True, home=home)


@runs_app.command("tail")
def runs_tail(
    run: str, lines: int = 40, follow: Annotated[bool, typer.Option("--follow", "-f")] = False, home: Home = None
) -> None:
    """Print the end of a run's log; with -f go on until the run is over."""
    folder = _run_folder(run, _settings(home))
    shown = folder.log_tail(lines)
    out.print(shown)
    while follow and not folder.state().status.over:
        time.sleep(0.5)
        text = folder.log_tail(1000)
        out.print(text.removeprefix(shown).lstrip("\n"), end="")
        shown = text


@app.command()
def doctor(home: Home = None) -> None:
    """Check this machine: versions, device, home, database. Exits with 1 where something needed is missing."""
    from tunixrt_core.doctor import checks

    found = list(checks(_settings(home)))
    terminal.table(
        ("", "Check", ""), [({"ok": "ok", "warn": "!", "bad": "x"}[c.state], c.name, c.detail) for c in found]
    )
    raise typer.Exit(1 if any(c.state == "bad" for c in found) else 0)
