"""`tunixrt demo`: a home to look at, filled by real runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from tunixrt_core.cli.common import open_home
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show.terminal import err, out

DEMO_HOME = Path("~/.tunixrt-demo")


def demo(
    home: Annotated[
        Path, typer.Option("--home", help="Home directory of the demo, whatever TUNIXRT_HOME is.")
    ] = DEMO_HOME,
    as_json: AsJson = False,
) -> None:
    """Fill a home of its own with two real runs of the bundled example, to look at in the dashboard.

    Takes one to three minutes on two CPU cores. A second call repeats nothing, and continues what was stopped.
    """
    from tunixrt_core.pipeline.demo import fill

    began, folder = time.monotonic(), home.expanduser().absolute()
    with open_home(folder) as rt:
        runs = fill(rt, lambda text: err.print(f"{time.monotonic() - began:4.0f} s  {text}"))
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        print_json({"home": folder, "runs": [run.id for run in runs], "seconds": seconds})
        return
    out.print(f"The demo is in {folder}: {' and '.join(run.id for run in runs)}, trained and evaluated.")
    out.print(f"Look at it: tunixrt serve --home {folder}")
