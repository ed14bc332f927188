"""TPU slices on a terminal: costs, bounds and comparisons."""

from __future__ import annotations

from collections.abc import Callable

from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import out
from tunixrt_core.training.ahead.choice import Comparison, Option
from tunixrt_core.training.ahead.costs import LIMIT_WORDS, Bound, SliceReport
from tunixrt_core.training.estimates.memory import byte_words


def show_report(report: SliceReport) -> None:
    """Memory, work and bounds of each step on one device of a slice."""
    on = report.on
    per = "chip" if on.chip.devices == 1 else f"device, of which a {on.chip.name} chip has {on.chip.devices}"
    hosts = f"{report.hosts} host{'s' if report.hosts != 1 else ''}"
    terminal.table(
        ("Per " + per, *(step.kind.capitalize() for step in report.steps)),
        [
            ("Weights", *(byte_words(step.weights) for step in report.steps)),
            ("Optimizer", *(byte_words(step.optimizer) for step in report.steps)),
            ("Keys and values", *(byte_words(step.cache) for step in report.steps)),
            ("Temporary memory", *(byte_words(step.temporary) for step in report.steps)),
            ("  of it alive, counted", *(byte_words(step.live) for step in report.steps)),
            ("Batch and results", *(byte_words(step.passing) for step in report.steps)),
            (f"Total of {byte_words(report.limit)}", *(byte_words(step.total) for step in report.steps)),
            ("TFLOP", *(None if step.refused else round(step.flops / 1e12, 3) for step in report.steps)),
            ("HBM traffic", *(None if step.refused else byte_words(step.hbm) for step in report.steps)),
            *_links(report),
            *_bounds(report),
        ],
        title=f"{report.slice}: {report.chips} chips ({report.topology.partition(':')[2]}) on {hosts}, mesh fsdp "
        f"{report.mesh[0]} x tp {report.mesh[1]}, {report.rows} rows of {report.row_length:,} tokens",
    )
    for step in report.steps:
        if step.refused:
            out.print(f"{step.kind.capitalize()}: the compiler refuses it ({step.refused}).")
        elif step.looped:
            named = ", ".join(f"{count} {name}" for name, count in sorted(step.looped.items()))
            out.print(f"{step.kind.capitalize()}: collectives inside of loops: {named}.")
    if report.unused:
        out.print(f"The mesh leaves {report.unused} of {report.devices} devices idle; more rows per batch use them.")
    hours = report.chip_hours
    if hours is not None and report.train_steps:
        out.print(f"{report.train_steps:,} train steps take at least {hours:,.2f} chip-hours.")
    out.print(f"{report.sentence}.")


def show_comparison(found: Comparison) -> None:
    """The table of slices, the smallest that fits, and what would make a smaller one fit."""
    terminal.table(
        ("Slice", "Chips", "Rows", "Fits", "Memory", "Tokens/s at most", "MFU at most", "Limit", "Chip-hours at least"),
        [_option(option) for option in found.options],
    )
    for option in found.options:
        if option.failed:
            out.print(f"{option.slice} with {option.rows} rows: {option.failed}")
    if found.smallest is not None:
        out.print(f"The smallest slice that fits: {found.smallest.slice} with {found.smallest.rows} rows per batch.")
    else:
        out.print("None of these slices fits.")
    if found.smaller is not None:
        out.print(f"What would make {found.smaller} fit:")
        for one in found.advice:
            named = ", ".join(f"{key}={value}" for key, value in one.changes.items())
            out.print(f"  {one.words}" + (f" {named}: about {byte_words(one.total)} per device." if named else ""))


def _option(option: Option) -> tuple[object, ...]:
    memory = f"{option.need / option.limit:.0%} of {option.limit / 1e9:.0f} GB"
    bound = option.report.bound("train") if option.report else None
    fits = "yes" if option.fits else "unknown" if option.failed else "no"
    if option.report is None or bound is None:
        return (option.slice, option.chips, option.rows, fits, memory, None, None, None, None)
    hours = option.report.chip_hours
    return (
        *(option.slice, option.chips, option.rows, fits, memory),
        f"{bound.tokens_per_second:,.0f}",
        f"{bound.utilisation:.0%}",
        LIMIT_WORDS[bound.roofline.limit],
        None if hours is None else f"{hours:,.2f}",
    )


def _links(report: SliceReport) -> list[tuple[object, ...]]:
    names = sorted({name for step in report.steps for name, moved in step.links.items() if moved})
    return [(f"Received: {name}", *(byte_words(step.links.get(name, 0)) for step in report.steps)) for name in names]


def _bounds(report: SliceReport) -> list[tuple[object, ...]]:
    bounds = [report.bound(step.kind) for step in report.steps]

    def row(name: str, value: Callable[[Bound], str]) -> tuple[object, ...]:
        return (name, *(None if bound is None else value(bound) for bound in bounds))

    return [
        row("Arithmetic, ms", lambda bound: f"{1e3 * bound.roofline.arithmetic:,.2f}"),
        row("HBM traffic, ms", lambda bound: f"{1e3 * bound.roofline.memory:,.2f}"),
        row("Links, ms", lambda bound: f"{1e3 * bound.roofline.links:,.2f}"),
        row("Limited by", lambda bound: LIMIT_WORDS[bound.roofline.limit]),
        row("Bound on tokens/s", lambda bound: f"{bound.tokens_per_second:,.0f}"),
        row("Bound on MFU", lambda bound: f"{bound.utilisation:.0%}"),
        row("Bound on MFU, links hidden", lambda bound: f"{bound.utilisation_without_links:.0%}"),
    ]
