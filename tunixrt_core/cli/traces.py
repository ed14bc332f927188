"""`tunixrt traces`: list, read, tag, score, group, compare, delete."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, Limit, open_home
from tunixrt_core.cli.filters import (
    After,
    Before,
    Correct,
    MaxLength,
    MaxScore,
    MaxSteps,
    MinLength,
    MinScore,
    MinSteps,
    Model,
    Score,
    Source,
    Tags,
    Text,
)
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import traces as terminal_traces
from tunixrt_core.cli.show.terminal import err, out
from tunixrt_core.datasets.held import held_words
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.store.query import Count, TraceQuery
from tunixrt_core.traces.scores import GivenScore

traces_app = typer.Typer(no_args_is_help=True, help="Find, read, judge, compare and delete traces.")

Ref = Annotated[str, typer.Argument(help="Hash of a trace, or its first 8 or more digits.")]


@traces_app.command("list")
def traces_list(
    text: Text = "",
    source: Source = None,
    model: Model = None,
    tag: Tags = None,
    correct: Correct = None,
    score: Score = None,
    min_score: MinScore = None,
    max_score: MaxScore = None,
    min_steps: MinSteps = None,
    max_steps: MaxSteps = None,
    min_length: MinLength = None,
    max_length: MaxLength = None,
    after: After = None,
    before: Before = None,
    limit: Limit = 20,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List the newest traces that match."""
    query = TraceQuery(
        text, source, model, tuple(tag or ()), correct, None, score, min_score, max_score, None,
        min_steps, max_steps, min_length, max_length, after, before,
    )  # fmt: skip
    with open_home(home) as rt:
        page, count = rt.traces.page(query, limit=limit), rt.traces.count(query)
    if as_json:
        print_json({"traces": page.items, "count": count, "exact": count.exact})
        return
    terminal_traces.listing(page.items)
    out.print(f"{len(page.items):,} of {count.words} traces, newest first")


@traces_app.command("show")
def traces_show(trace: Ref, as_json: AsJson = False, home: Home = None) -> None:
    """Show one trace: prompt, steps, answer, scores, tags and note."""
    with open_home(home) as rt:
        stored = rt.traces.get(trace)
    if as_json:
        print_json(stored)
    else:
        terminal_traces.one(stored)


@traces_app.command("tag")
def traces_tag(
    trace: Ref,
    tags: Annotated[list[str], typer.Argument(help="Tags to give it.")],
    remove: Annotated[bool, typer.Option("--remove", help="Remove the tags instead.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Tag a trace. A tag is any word or short line."""
    with open_home(home) as rt:
        (rt.traces.untag if remove else rt.traces.tag)(trace, tags)
        stored = rt.traces.get(trace)
    if as_json:
        print_json(stored)
    else:
        out.print(f"{stored.id[:12]}  {', '.join(stored.tags) or 'no tags'}")


@traces_app.command("note")
def traces_note(
    trace: Ref,
    text: Annotated[str, typer.Argument(help="The note; empty to remove it.")],
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Write the note of a trace, replacing the previous one."""
    with open_home(home) as rt:
        rt.traces.note(trace, text)
        stored = rt.traces.get(trace)
    if as_json:
        print_json(stored)
    else:
        out.print("Note kept." if text.strip() else "Note removed.")


@traces_app.command("score")
def traces_score(
    trace: Ref,
    name: Annotated[str, typer.Argument(help="What is scored, such as quality.")],
    value: Annotated[float, typer.Argument(help="Any number; from 0 to 1 is usual.")],
    step: Annotated[int | None, typer.Option(help="Score only this step, counted from 1.", min=1)] = None,
    scorer: Annotated[str, typer.Option(help="Name of the scorer. Default: your user name.")] = "",
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Give a trace, or one of its steps, a human score, replacing your earlier one."""
    given = GivenScore(
        name=name,
        value=value,
        step=None if step is None else step - 1,
        note=note,
        scorer=scorer or getpass.getuser(),
        version="",
        kind="human",
    )
    with open_home(home) as rt:
        rt.traces.score(trace, [given])
        stored = rt.traces.get(trace)
    if as_json:
        print_json(stored)
    else:
        out.print(f"{name} {value:g} by {given.scorer}{'' if step is None else f', step {step}'}")


@traces_app.command("groups")
def traces_groups(
    min_traces: Annotated[int, typer.Option(help="Minimum number of traces per prompt.")] = 2,
    limit: Limit = 20,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List prompts with several traces: share of right ones, different answers, the shortest right trace."""
    with open_home(home) as rt:
        page = rt.traces.prompt_groups(min_traces=min_traces, limit=limit)
    if as_json:
        print_json({"groups": page.items})
    else:
        terminal_traces.groups(page.items)


@traces_app.command("diff")
def traces_diff(a: Ref, b: Ref, as_json: AsJson = False, home: Home = None) -> None:
    """Compare two traces step by step; words that differ are in [-brackets-] and {+braces+}."""
    with open_home(home) as rt:
        first, second, found = rt.traces.get(a), rt.traces.get(b), rt.traces.diff(a, b)
    if as_json:
        print_json({"a": first.id, "b": second.id, **found.to_dict()})
    else:
        terminal_traces.difference(first, second, found)


@traces_app.command("delete")
def traces_delete(
    trace: Annotated[str | None, typer.Argument(help="Hash of one trace; or give filters.")] = None,
    text: Text = "",
    source: Source = None,
    model: Model = None,
    tag: Tags = None,
    correct: Correct = None,
    score: Score = None,
    min_score: MinScore = None,
    max_score: MaxScore = None,
    min_steps: MinSteps = None,
    max_steps: MaxSteps = None,
    min_length: MinLength = None,
    max_length: MaxLength = None,
    after: After = None,
    before: Before = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many traces match.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Delete one trace, or all that match. Each leaves a tombstone for the dataset versions that name it."""
    query = TraceQuery(
        text, source, model, tuple(tag or ()), correct, None, score, min_score, max_score, None,
        min_steps, max_steps, min_length, max_length, after, before,
    )  # fmt: skip
    if (trace is None) == (query == TraceQuery()):
        raise typer.BadParameter("name a trace, or give filters such as --source or --before")
    with open_home(home) as rt:
        if trace is not None:
            rt.traces.get(trace)
        count = rt.traces.count(query) if trace is None else Count(1)
        what = f"{count.words} {'trace' if count == 1 else 'traces'}"
        held = rt.traces.held_by(trace if trace is not None else query)
        for line in held_words(held):
            err.print(f"Dataset {line}.", style="yellow")
        if held:
            err.print("What was exported of them before is kept, and can be trained and evaluated. To erase the text")
            err.print("there too, remove these files: runs made from them say then that they are missing.")
        if not dry_run and not yes:
            typer.confirm(f"Delete {what}?", abort=True, err=True)
        if not dry_run:
            count = Count(_delete(rt, trace, query))
    if as_json:
        print_json(
            {"count": count, "exact": count.exact, "deleted": not dry_run, **({"held_by": held} if held else {})}
        )
    else:
        out.print(f"{what} would be deleted" if dry_run else f"{count:,} deleted")


def _delete(rt: Pipeline, trace: str | None, query: TraceQuery) -> int:
    if trace is None:
        return rt.traces.delete_matching(query)
    rt.traces.delete(trace)
    return 1
