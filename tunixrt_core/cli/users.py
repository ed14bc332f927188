"""`tunixrt users`: access tokens of users, each with a role."""

from __future__ import annotations

from typing import Annotated

import typer

from tunixrt_core.cli.common import Home, open_home
from tunixrt_core.cli.output import AsJson, print_json
from tunixrt_core.cli.show import terminal
from tunixrt_core.cli.show.terminal import err, out

users_app = typer.Typer(
    no_args_is_help=True, help="Make, list and revoke access tokens of users, to read only or to write."
)

Name = Annotated[str, typer.Argument(help="Name of the user, such as ana or ana@example.org.")]


@users_app.command("add")
def users_add(
    name: Name,
    role: Annotated[str, typer.Option("--role", help="read: look and download; write: everything.")] = "read",
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Make an access token and print it, this once: only its hash is stored."""
    with open_home(home) as rt:
        made = rt.users.add(name, role)  # type: ignore[arg-type]  # checked there
    if as_json:
        print_json(made)
        return
    out.print(made.token)
    err.print(f"This is the access token of {made.name} ({made.role}). It is not shown again.")


@users_app.command("list")
def users_list(as_json: AsJson = False, home: Home = None) -> None:
    """List users, those with a revoked token too. A server's own token is in no list."""
    with open_home(home) as rt:
        found = rt.users.all()
    if as_json:
        print_json({"users": found})
        return
    terminal.table(
        ("User", "Role", "Since", "Made by", "Revoked"),
        [
            (user.name, user.role, f"{user.created_at:%Y-%m-%d %H:%M}", user.created_by, _day(user.revoked_at))
            for user in found
        ],
        empty="No users yet: `tunixrt users add NAME` makes an access token.",
    )


def _day(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


@users_app.command("revoke")
def users_revoke(name: Name, as_json: AsJson = False, home: Home = None) -> None:
    """Revoke the access token of a user. Servers refuse it, and end its open pages, within seconds."""
    with open_home(home) as rt:
        rt.users.revoke(name)
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        out.print(f"The access token of {name} is revoked.")
