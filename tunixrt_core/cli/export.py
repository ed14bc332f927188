"""`tunixrt export-model`: a tuned model as a Hugging Face directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.accelerator import Checkpoint, Wait, accelerator
from tunixrt_core.cli.common import Home, RunName, run_folder, settings_of
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.pipeline.foreground import Foreground
from tunixrt_core.training.model_export import ExportLayout, ExportReport, ModelExportOptions, folder_name, parse_size

_BOTH = "both"


def export_model(
    run: RunName,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Directory to create. Default: one in the run's export/."),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            "--format", help="merged: a whole model. peft: the LoRA alone. both: OUTPUT/model, OUTPUT/adapter."
        ),
    ] = ExportLayout.MERGED.value,
    max_shard_size: Annotated[
        str, typer.Option(help="Largest weight file of the merged layout, such as 5GB or 500MB.")
    ] = "5GB",
    with_transformers: Annotated[
        bool | None,
        typer.Option(
            "--check-with-transformers/--no-check-with-transformers",
            help="Check it with Hugging Face's own code too (transformers, peft). Default: if installed.",
        ),
    ] = None,
    checkpoint: Checkpoint = "last",
    wait: Wait = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write the tuned model, or its LoRA, as a Hugging Face directory, and check it; needs no database."""
    layouts = _layouts(layout)
    options = {one: ModelExportOptions(one, _size(max_shard_size), with_transformers) for one in layouts}
    settings = settings_of(home)
    here = Foreground(settings)
    here.require()
    folder = run_folder(run, settings)
    parent = (output or folder.path / "export").expanduser().absolute()
    reports = []
    with accelerator(here, folder, "export", wait), terminal.progress() as bar:
        task = bar.add_task("loading", total=None, note="")
        for one in layouts:
            target = parent if output and len(layouts) == 1 else parent / folder_name(one)
            reports.append(
                here.export_model(
                    folder,
                    target,
                    checkpoint=checkpoint,
                    options=options[one],
                    on_phase=lambda phase: bar.update(task, description=phase),
                )
            )
    if as_json:
        print_json({"exports": [{**report.to_dict(), "path": report.path} for report in reports]})
        return
    for report in reports:
        _show(report)


def _layouts(named: str) -> list[ExportLayout]:
    if named == _BOTH:
        return [ExportLayout.PEFT, ExportLayout.MERGED]  # first the layout that some runs do not support
    if named not in list(ExportLayout):
        raise typer.BadParameter(f"--format must be {', '.join(ExportLayout)} or {_BOTH}")
    return [ExportLayout(named)]


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(f"--max-shard-size: {error}") from None


def _show(report: ExportReport) -> None:
    out.print(f"{report.path}  {report.bytes:,} bytes in {report.files} weight file{'s' * (report.files != 1)}")
    for check in report.checks:
        out.print(
            f"Checked by {check.by} on {report.prompts} prompts: logits differ by at most "
            f"{check.largest_difference:.2g} (allowed {check.tolerance:.2g}), "
            f"the most likely next token agrees in {check.agreement:.1%}."
        )
    for by, why in report.not_checked.items():
        out.print(f"Not checked by {by}: {why}.")
