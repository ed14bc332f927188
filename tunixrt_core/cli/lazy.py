"""Commands that are imported when they are called."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """The location of a command, as `module:name`, and the first paragraph of its help, which a test compares."""

    place: str
    help: str


def lazy_group(table: Mapping[str, Entry]) -> type[TyperGroup]:
    """A class of group, for `typer.Typer(cls=...)`, with the commands of a table after those that are registered.

    Help and completion of the group read the table and import no command of it.
    """

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self._registered = dict(self.commands)
            self.commands: Any = _Commands(self._registered, table)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            super(LazyGroup, self._listed()).format_help(ctx, formatter)

        def shell_complete(self, ctx: Any, incomplete: str) -> Any:
            ctx.command = self._listed()
            return super().shell_complete(ctx, incomplete)

        def _listed(self) -> LazyGroup:
            """The same group with commands that have a name and a help, and nothing else."""
            listed = copy.copy(self)
            named = {name: TyperCommand(name, help=entry.help) for name, entry in table.items()}
            listed.commands = {**self._registered, **named}
            return listed

    return LazyGroup


class _Commands(Mapping[str, Any]):
    """Registered commands, and those of a table, each imported when it is looked up."""

    def __init__(self, registered: Mapping[str, Any], table: Mapping[str, Entry]) -> None:
        self._loaded = dict(registered)
        self._table = table
        self._names = (*registered, *table)

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._table[name].place)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _load(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    around = typer.Typer(pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        around.add_typer(found, name=name)
    else:
        around.command(name)(found)
    return typer.main.get_group(around).commands[name]
