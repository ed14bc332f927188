"""`tunixrt audit`: who did what in a home."""

from __future__ import annotations

from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, settings_of
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import terminal
from tunixrt_core.home.audit import OUTCOMES, AuditLog, AuditQuery, moment_of


def audit(
    who: Annotated[str, typer.Option("--who", help="Only of this user.")] = "",
    action: Annotated[str, typer.Option("--action", help="Only this action: start, stop, resume, delete, ...")] = "",
    object: Annotated[str, typer.Option("--object", help="Only about this object, such as r-0001.")] = "",
    outcome: Annotated[str, typer.Option("--outcome", help=f"Only {', '.join(OUTCOMES[:-1])} or {OUTCOMES[-1]}.")] = "",
    since: Annotated[
        str, typer.Option("--since", help="Only since then: 2026-11-30, 2026-11-30T12:00, 90m, 12h or 7d ago.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Only before then, written in the same way.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Maximum number of entries.")] = 50,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Show who started, stopped, deleted, imported or exported what, the newest first."""
    query = AuditQuery(who, action, object, outcome, moment_of(since), moment_of(until))
    found = AuditLog(settings_of(home).audit_dir).entries(query, limit=limit)
    if as_json:
        print_json({"entries": found})
        return
    terminal.table(
        ("Time (UTC)", "Who", "From", "What", "Object", "Outcome", "Why"),
        [
            (
                f"{entry.at:%Y-%m-%d %H:%M:%S}",
                entry.who,
                entry.via,
                f"{entry.action} {entry.kind}",
                entry.object,
                entry.outcome,
                entry.why,
            )
            for entry in found
        ],
        empty="Nothing was found.",
    )
