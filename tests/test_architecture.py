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

# From the bottom up: a module imports modules of lower rows, or of its own package, only.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "processes", "atomic"),
    ("hashing", "accelerator", "tails", "tasks"),
    ("traces", "settings", "host", "model_names", "answers"),
    ("rows", "render", "examples", "scores", "trace_diff", "redaction", "disk", "drafts"),
    ("carried",),
    ("quality",),
    ("datasets", "runs", "scorers"),
    ("presets", "manifest_sections", "preflight_checks", "eval_records"),
    ("manifest_data", "store"),
    ("manifest", "export", "ingest"),
    ("variants", "memory", "eval_files"),
    ("trainer", "alerts", "preflight", "model_export"),
    ("evaluation", "recorder", "backend"),
    ("tunix_backend", "model_card", "run_summary", "questions", "attention", "holding", "pace"),
    ("execution", "doctor", "overview"),
    ("jobs", "registry", "builds", "eval_execution", "requests"),
    ("question_execution", "diagnostics"),
    ("dry_runs", "evaluations", "playground", "model_exports"),
    ("run_verbs", "ingest_verbs", "trace_verbs", "dataset_verbs", "check_verbs", "eval_verbs", "home_verbs"),
    ("dataset_views", "play_verbs"),
    ("export_verbs",),
    ("pipeline", "terminal"),
    ("cli_common", "terminal_run", "terminal_ingest", "terminal_traces", "terminal_eval"),
    ("cli_preflight", "cli_build", "cli_accelerator", "cli_sampling"),
    (
        "cli_ask",
        "cli_datasets",
        "cli_ingest",
        "cli_jobs",
        "cli_evaluate",
        "cli_evals",
        "cli_memory",
        "cli_models",
        "cli_script",
        "cli_db",
        "cli_traces",
    ),
    ("cli_runs", "cli_doctor", "cli_export"),
    ("cli",),
    ("__main__",),
)
ABOVE = ("pages", "app")  # which do not know `cli`, nor it them
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}

FENCED = {
    "sqlalchemy": {"tunixrt_core/store"},
    "alembic": {"tunixrt_core/store"},
    "typer": {
        f"tunixrt_core/{name}.py"
        for name in (
            "cli",
            "cli_accelerator",
            "cli_ask",
            "cli_build",
            "cli_common",
            "cli_datasets",
            "cli_db",
            "cli_doctor",
            "cli_evals",
            "cli_evaluate",
            "cli_export",
            "cli_ingest",
            "cli_jobs",
            "cli_memory",
            "cli_models",
            "cli_preflight",
            "cli_runs",
            "cli_sampling",
            "cli_script",
            "cli_traces",
        )
    },
    "rich": {
        f"tunixrt_core/{name}.py" for name in ("terminal", "terminal_run", "cli_evaluate", "cli_jobs", "cli_preflight")
    },
    "streamlit": {"app", "pages"},
    "pandas": {"app", "pages"},
    "plotly": {"app", "pages"},
    "fastapi": {"app"},
    "starlette": {"app"},
    **{
        name: {"tunixrt_core/tunix_backend"}
        for name in (
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
        )
    },
}

# What pages and the API may know of the core: the pipeline, pure types and errors.
PURE = {
    "__version__",
    "pipeline",
    "errors",
    "traces",
    "datasets",
    "runs",
    "manifest",
    "manifest_sections",
    "presets",
    "evaluation",
    "answers.same",
    "questions",
    "settings",
    "export",
    "render",
    "rows",
    "scorers",
    "scores",
    "trace_diff",
    "quality",
    "ingest.answers",
    "ingest.mapping",
    "ingest.reading",
    "ingest.rejects",
    "builds",
    "eval_files",
    "ingest.report",
    "ingest.steps",
    "store.query",
    "host",
    "trainer",
    "examples",
    "preflight",
    "preflight_checks",
    "variants",
    "memory",
    "model_export",
    "run_summary",
    "attention",
    "disk",
    "holding",
    "overview",
    "redaction",
    "tasks",
    "pace",
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


def core_module(dotted: str) -> str | None:
    """The name under tunixrt_core that an import leads to, such as `store` for `tunixrt_core.store.traces`."""
    parts = dotted.split(".")
    return parts[1] if parts[0] == "tunixrt_core" and len(parts) > 1 else None


def test_every_module_of_the_core_has_a_place_in_the_layers() -> None:
    found = {
        path.relative_to(REPOSITORY / "tunixrt_core").parts[0].removesuffix(".py") for path in sources("tunixrt_core")
    }
    assert found - {"__init__"} == set(RANK)


def test_the_layers_stand_in_the_documents_as_they_are_held_here() -> None:
    text = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
    chain = text.split("to its left:\n\n", 1)[1].split("\n\n", 1)[0]
    told = [{name.strip() for name in row.split("|")} for row in chain.split("->")]
    assert told == [{name} for name in ABOVE] + [set(row) for row in reversed(LAYERS) if row != ("__main__",)]


@pytest.mark.parametrize("path", list(sources("tunixrt_core")), ids=name_of)
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    own = path.relative_to(REPOSITORY / "tunixrt_core").parts[0].removesuffix(".py")
    for dotted in imports(path):
        target = core_module(dotted)
        if target in RANK and target != own and own in RANK:
            assert RANK[target] < RANK[own], f"{own} must not import {dotted}"


@pytest.mark.parametrize("package", sorted(FENCED))
def test_a_heavy_dependency_stays_in_its_room(package: str) -> None:
    for path in sources("tunixrt_core", "app", "pages"):
        where = str(path.relative_to(REPOSITORY))
        if any(where == room or where.startswith(f"{room}/") for room in FENCED[package]):
            continue
        assert package not in {dotted.split(".")[0] for dotted in imports(path)}, f"{where} imports {package}"


def test_pages_and_the_app_use_the_pipeline_and_pure_types_only() -> None:
    for path in sources("app", "pages"):
        for dotted in imports(path):
            if (target := core_module(dotted)) and not any(
                dotted == f"tunixrt_core.{name}" or dotted.startswith(f"tunixrt_core.{name}.") for name in PURE
            ):
                raise AssertionError(f"{path.relative_to(REPOSITORY)} imports {dotted} ({target})")


HEAVY = {"jax", "jaxlib", "tunix", "streamlit", "pandas", "numpy", "flax", "transformers", "pyarrow", "alembic"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("tunixrt_core.pipeline", HEAVY),
        ("tunixrt_core.cli", HEAVY),
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
        "tunixrt_core/scorers/own.py",
        "tunixrt_core/execution.py",
        "tunixrt_core/jobs.py",
        "app/boundary.py",
        "app/gate.py",
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
