"""The fences of the house: who may import whom, and what importing the core must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

# Heavy or special libraries, and the only folders that may import them.
FENCED = {
    **dict.fromkeys(("sqlalchemy", "alembic"), ("tunixrt_core/store/",)),
    **dict.fromkeys(("typer", "rich"), ("tunixrt_core/cli/",)),
    **dict.fromkeys(("streamlit", "pandas", "plotly"), ("app/", "pages/")),
    **dict.fromkeys(("fastapi", "starlette"), ("app/",)),
    **dict.fromkeys(
        (
            "jax",
            "flax",
            "optax",
            "orbax",
            "qwix",
            "tunix",
            "transformers",
            "torch",
            "peft",
            "tokenizers",
            "safetensors",
            "jinja2",
            "huggingface_hub",
            "kagglehub",
            "tensorboardX",
            "wandb",
        ),
        ("tunixrt_core/tunix_backend/",),
    ),
}


def name_of(path: object) -> str:
    return str(path.relative_to(REPOSITORY)) if isinstance(path, Path) else str(path)


def sources(*roots: str) -> Iterator[Path]:
    for root in roots:
        yield from sorted((REPOSITORY / root).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """Each file is parsed once for all tests, which takes longer than any of them."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, at the top or inside a function, as a dotted name."""
    found: list[str] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    return tuple(found)


@pytest.mark.parametrize("package", sorted(FENCED))
def test_a_heavy_dependency_stays_in_its_room(package: str) -> None:
    for path in sources("tunixrt_core", "app", "pages"):
        where = str(path.relative_to(REPOSITORY))
        if where.startswith(FENCED[package]):
            continue
        assert package not in {dotted.split(".")[0] for dotted in imports(path)}, f"{where} imports {package}"


HEAVY = {"jax", "jaxlib", "tunix", "streamlit", "pandas", "numpy", "flax", "transformers", "pyarrow", "alembic"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("tunixrt_core.pipeline.pipeline", HEAVY),
        ("tunixrt_core.cli.main", HEAVY),
        # a script that only reads and writes traces pays for no manifest
        ("tunixrt_core.store.store", HEAVY | {"pydantic", "typer", "rich", "sqlalchemy.dialects.postgresql"}),
        ("tunixrt_core.export", HEAVY | {"pydantic", "sqlalchemy", "typer", "rich"}),
    ],
)
def test_importing_a_part_of_the_core_loads_nothing_that_is_heavy_for_it(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout.strip() == "[]"


def test_a_broad_except_stands_only_at_the_outermost_frames() -> None:
    # the worker's outermost frames; the user's own scorers, of which one that fails costs a row; the page's error
    # boundary; the HTTP edge, whose own answer carries the headers
    allowed = {
        "tunixrt_core/evaluation/scorers/own.py",
        "tunixrt_core/training/execution.py",
        "tunixrt_core/jobs/queue.py",
        "app/ui/boundary.py",
        "app/server/gate.py",
    }
    for path in sources("tunixrt_core", "app", "pages"):
        where = str(path.relative_to(REPOSITORY))
        for node in ast.walk(parsed(path)):
            broad = isinstance(node, ast.ExceptHandler) and (
                node.type is None
                or any(getattr(n, "id", "") in {"Exception", "BaseException"} for n in ast.walk(node.type))
            )
            assert not broad or where in allowed, f"{where}:{getattr(node, 'lineno', '?')} catches everything"


@pytest.mark.parametrize("path", list(sources("tunixrt_core", "app", "pages")), ids=name_of)
def test_every_file_says_in_its_first_line_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), f"{path.name} has no module docstring"
