"""`tunixrt dataset` and `tunixrt export`: freeze selections of traces, and write them as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core import terminal
from tunixrt_core.cli_common import Home, open_home
from tunixrt_core.datasets import DatasetSpec
from tunixrt_core.export import EXPORT_FORMATS, ExportOptions
from tunixrt_core.render import ReasoningStyle
from tunixrt_core.terminal import out

dataset_app = typer.Typer(no_args_is_help=True, help="Build and look at dataset versions.")


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
    with open_home(home) as rt:
        built = rt.build_dataset(spec)
    out.print(
        f"{built.name} v{built.version}: {built.train_rows:,} train + {built.eval_rows:,} eval rows, "
        f"sha256 {built.content_hash}"
    )


@dataset_app.command("list")
def dataset_list(name: Annotated[str | None, typer.Argument()] = None, home: Home = None) -> None:
    """List dataset versions, newest first."""
    with open_home(home) as rt:
        versions = rt.dataset_versions(name)
    terminal.table(
        ("Dataset", "Version", "Train", "Eval", "sha256"),
        [(v.name, v.version, v.train_rows, v.eval_rows, v.content_hash[:12]) for v in versions],
    )


def export(
    name: Annotated[str, typer.Argument(help="Dataset name.")],
    dataset_version: Annotated[int | None, typer.Option("--version", help="The latest where not given.")] = None,
    format: Annotated[str, typer.Option(help=", ".join(EXPORT_FORMATS))] = "tunix_sft",
    file_type: Annotated[str, typer.Option("--as", help="jsonl, jsonl.gz or parquet.")] = "jsonl",
    style: Annotated[str, typer.Option(help=f"How steps are written: {', '.join(ReasoningStyle)}.")] = "tags",
    turns: Annotated[str, typer.Option(help="Prompt and completion as auto, text or messages.")] = "auto",
    reasoning: Annotated[str, typer.Option(help="In messages: in the content, or in a field of its own.")] = "content",
    chat: Annotated[str, typer.Option(help="Chat format of the prompts of grpo; none where not given.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; in the home otherwise.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Write a dataset card (README.md) beside it.")] = False,
    module: Annotated[bool, typer.Option("--module", help="With grpo: the module that Tunix's command reads.")] = False,
    home: Home = None,
) -> None:
    """Write a dataset version as a file. The same version always gives the same bytes."""
    options = ExportOptions.of(style, turns, reasoning, chat)
    with open_home(home) as rt:
        info = rt.export_dataset(
            name,
            dataset_version,
            format=format,
            path=output,
            file_type=file_type,
            options=options,
            card=card,
            module=module,
        )
    out.print(f"{info.path}  {info.rows:,} rows, {info.bytes:,} bytes, sha256 {info.sha256}")
