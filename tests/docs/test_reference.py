"""The generated reference covers every command, endpoint and manifest key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from app.api.application import build_api
from docs.tools.reference import PAGES
from tunixrt_core import open_home
from tunixrt_core.cli.main import app
from tunixrt_core.manifest.manifest import HYPERPARAMETERS, RunManifest


def leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command below a group with its full name; a group that does something by itself counts too."""
    group = isinstance(command, TyperGroup)
    if group:
        for child, below in command.commands.items():
            yield from leaves(below, f"{name} {child}")
    if not group or command.invoke_without_command:
        yield name, command


def test_every_command_is_documented_with_its_options() -> None:
    page = PAGES["commands.md"]()
    found = dict(leaves(typer.main.get_command(app), "tunixrt"))
    assert len(found) > 40
    for name, command in found.items():
        section = page.split(f"# `{name}`\n")[1].split("\n#")[0]
        for option in command.params:
            shown = option.metavar if option.param_type_name == "argument" and option.metavar else option.opts[-1]
            assert shown in section, f"{name} {shown}"


def test_every_endpoint_and_every_schema_is_documented() -> None:
    page = PAGES["openapi.md"]()
    document = build_api(1).openapi()
    operations = {f"{m.upper()} /api{path}" for path, methods in document["paths"].items() for m in methods}
    assert set(re.findall(r"^## `(\S+ \S+)`$", page, re.MULTILINE)) == operations
    assert set(re.findall(r"^### (\S+)$", page, re.MULTILINE)) == set(document["components"]["schemas"])


def test_every_manifest_key_is_documented() -> None:
    page = PAGES["manifest.md"]()
    for key in RunManifest.model_fields:
        assert f"`{key}`" in page


def test_every_hyperparameter_is_documented_with_bounds_and_usual_range() -> None:
    page = PAGES["hyperparameters.md"]()
    for row in HYPERPARAMETERS.values():
        assert f"\n| `{row.name}` | `{row.key}` |" in page
    (rank,) = (line for line in page.splitlines() if line.startswith("| `lora_rank` |"))
    assert rank.startswith("| `lora_rank` | `lora.rank` | integer ≥ 1, ≤ 1,024 | `16` | 4 to 256 for `lora`; ")


def test_the_python_page_has_every_namespace_of_a_home(tmp_path: Path) -> None:
    page = PAGES["python.md"]()  # raises for a name that the code lacks
    with open_home(tmp_path) as rt:
        for name, space in vars(rt).items():
            if type(space).__module__.startswith("tunixrt_core.pipeline."):
                assert f"## `rt.{name}`\n\n::: {type(space).__module__}.{type(space).__qualname__}\n" in page
