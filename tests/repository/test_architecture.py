"""The fences of the house: who may import whom, and what importing the core must not load."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from tests.conftest import REPOSITORY
from tunixrt_core.cli import main, runs
from tunixrt_core.store.store import open_store

# Heavy or special libraries, and the only folders that may import them.
FENCED = {
    **dict.fromkeys(("sqlalchemy", "alembic"), ("tunixrt_core/store/",)),
    **dict.fromkeys(("typer", "rich"), ("tunixrt_core/cli/",)),
    **dict.fromkeys(("streamlit", "pandas", "plotly"), ("app/", "pages/")),
    **dict.fromkeys(("ray",), ("tunixrt_core/jobs/ray_cluster/",)),
    **dict.fromkeys(("fsspec", "s3fs", "gcsfs"), ("tunixrt_core/jobs/ray_cluster/bucket/",)),
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
        found = sorted((REPOSITORY / root).rglob("*.py"))
        yield from (path for path in found if "node_modules" not in path.parts)


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
# of the standard library, what starts loops, processes or connections
LOOPS = {"asyncio", "http", "multiprocessing", "ssl", "unittest", "xml"}
LIGHT = HEAVY | LOOPS
# What a process may load: modules of other packages, those of this repository, and what never. Counted, because
# seconds are of the machine; without the packages of this repository, as a folder holds nothing but a docstring. A
# change that needs more says here how much.
BUDGETS: dict[str, tuple[int, int, set[str]]] = {
    "tunixrt --help": (185, 6, LIGHT | {"sqlalchemy", "pydantic"}),
    # typer reads options with pydantic
    "tunixrt runs list": (150, 62, LIGHT | {"sqlalchemy", "rapidfuzz", "yaml"}),
    "tunixrt evals list": (150, 64, LIGHT | {"sqlalchemy", "rapidfuzz", "yaml"}),
    "tunixrt models list": (151, 35, LIGHT | {"sqlalchemy", "rapidfuzz", "yaml"}),
    "tunixrt traces list": (150, 86, LIGHT | {"sqlalchemy", "rapidfuzz", "yaml"}),
    "tunixrt dataset list": (170, 128, LIGHT | {"sqlalchemy", "rapidfuzz"}),
    "tunixrt_core.pipeline.pipeline": (15, 42, LIGHT | {"pydantic", "sqlalchemy", "typer", "rich"}),
    # a script that only reads and writes traces pays for no manifest
    "tunixrt_core.store.store": (2, 8, LIGHT | {"pydantic", "sqlalchemy", "typer", "rich"}),
    # sqlalchemy loads asyncio
    "tunixrt_core.store.traces.traces": (108, 49, HEAVY | {"pydantic", "typer", "sqlalchemy.dialects.postgresql"}),
    "tunixrt_core.export": (0, 0, LIGHT | {"pydantic", "sqlalchemy", "typer", "rich"}),
    # until the first request under /api, a server is Streamlit and little more
    "app.server.server": (576, 66, {"jax", "tunix", "sqlalchemy", "fastapi", "pydantic", "pandas", "pyarrow"}),
}
_COUNT = """
import contextlib, json, os, sys
bare, words = set(sys.modules), sys.argv[1].split()
sys.argv = words
with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.suppress(SystemExit):
    if words[0] == "tunixrt":
        from tunixrt_core.cli.main import main
        main()
    else:
        __import__(words[0])
print(json.dumps(sorted(set(sys.modules) - bare)), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose database needs no migration."""
    path = tmp_path_factory.mktemp("budget")
    open_store(f"sqlite:///{path / 'tunixrt.db'}").close()
    return path


@pytest.mark.parametrize("what", BUDGETS)
def test_a_command_and_a_part_of_the_core_load_no_more_than_they_use(what: str, home: Path) -> None:
    # -S: what the .pth files of an environment load, coverage's and others', says nothing of this code
    done = subprocess.run(
        [sys.executable, "-S", "-c", _COUNT, what],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "TUNIXRT_HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
    )
    most_others, most_own, never = BUDGETS[what]
    loaded = json.loads(done.stderr.splitlines()[-1])  # before it: what a command says of an empty home
    # how many modules the standard library is made of differs with the version of Python
    counted = [name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names]
    ours = [name for name in counted if name.split(".")[0] in ("tunixrt_core", "app", "pages")]
    own = [name for name in ours if not (REPOSITORY / name.replace(".", "/")).is_dir()]
    others = sorted(set(counted) - set(ours))
    assert sorted(never & set(loaded)) == []
    assert len(own) <= most_own, own
    assert len(others) <= most_others, others


def test_the_help_of_the_command_says_what_each_command_says_of_itself() -> None:
    commands = typer.main.get_group(main.app).commands
    for name, entry in main.COMMANDS.items():
        assert entry.help == _first_words(commands[name]), name
    for name, entry in runs.CLONE.items():
        assert entry.help == _first_words(commands["runs"].commands[name]), name


def _first_words(command: TyperCommand | TyperGroup) -> str:
    return (command.help or "").split("\n\n")[0].replace("\n", " ")


def test_a_broad_except_stands_only_at_the_outermost_frames() -> None:
    # the worker's outermost frames; the user's own scorers, of which one that fails costs a row; the page's error
    # boundary; the HTTP edge, whose own answer carries the headers
    allowed = {
        "tunixrt_core/evaluation/scorers/own.py",
        "tunixrt_core/training/execution.py",
        "tunixrt_core/training/recording/sinks.py",
        "tunixrt_core/jobs/waiting/job.py",
        "tunixrt_core/jobs/ray_cluster/news.py",
        # the libraries of fsspec raise errors of their own trees
        "tunixrt_core/jobs/ray_cluster/bucket/store.py",
        "app/ui/boundary.py",
        # a template that came with a model, in a process of its own
        "tunixrt_core/tunix_backend/data/template_worker.py",
        # orbax and tokenizers raise Exception itself for files that they cannot read
        "tunixrt_core/tunix_backend/data/tokenizer.py",
        "tunixrt_core/tunix_backend/model/files/checkpoints.py",
        "tunixrt_core/tunix_backend/train/sft.py",
    }
    for path in sources("tunixrt_core", "app", "pages"):
        where = str(path.relative_to(REPOSITORY))
        for node in ast.walk(parsed(path)):
            broad = isinstance(node, ast.ExceptHandler) and (
                node.type is None
                or any(getattr(n, "id", "") in {"Exception", "BaseException"} for n in ast.walk(node.type))
            )
            assert not broad or where in allowed, f"{where}:{getattr(node, 'lineno', '?')} catches everything"


def test_a_package_holds_its_docstring_and_nothing_else() -> None:
    """An import names the module that defines the name. What scripts use is at the top of `tunixrt_core` too."""
    holds = {
        name_of(path)
        for path in sources("tunixrt_core", "app")
        if path.name == "__init__.py" and len(parsed(path).body) > 1
    }
    assert holds == {"tunixrt_core/__init__.py"}


def entries(folder: Path) -> list[str]:
    """The names in a folder, without those of Python's own and folders of which only a cache is left."""
    named = [path for path in folder.iterdir() if not path.name.startswith("__")]
    return [path.name for path in named if path.is_file() or {each.name for each in path.iterdir()} - {"__pycache__"}]


def test_a_folder_has_at_most_twelve_entries_but_for_siblings_of_one_kind() -> None:
    """Those of one kind are named in docs/decisions/0015-folders-and-namespaces.md."""
    siblings = {
        "app",
        "app/api/models",
        "app/api/routes",
        "tunixrt_core/cli",
        "tunixrt_core/ingest/formats",
        "tunixrt_core/pipeline/namespaces",
        "tunixrt_core/store/migrations/versions",
    }
    crowded = {}
    for folder in {path.parent for path in sources("tunixrt_core", "app")}:
        if (found := len(entries(folder))) > 12:
            crowded[name_of(folder)] = found
    assert crowded.pop("tunixrt_core") <= 20
    assert set(crowded) == siblings


@pytest.mark.parametrize("path", list(sources("tunixrt_core", "app", "pages")), ids=name_of)
def test_every_file_says_in_its_first_line_what_it_is_for(path: Path) -> None:
    said = ast.get_docstring(parsed(path))
    assert said, f"{path.name} has no module docstring"
    first = said.split("\n", 1)[0].rstrip(".")
    assert len(first) <= 80, f"{path.name} needs {len(first)} characters to say what it is"
