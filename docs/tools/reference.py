"""Reference pages generated from code: commands, manifest, API, Python.

    python -m docs.tools.reference        # writes docs/reference/generated/, which git ignores

`make docs` runs this before every build, so that the pages cannot fall behind the code.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import typer
from typer.cli import get_docs_for_click

from app.api.application import build_api
from tunixrt_core.cli.main import app as command
from tunixrt_core.manifest.hyperparameters import ANY, BUILT_IN, Hyperparameter, range_words
from tunixrt_core.manifest.manifest import HYPERPARAMETERS, json_schema

FOLDER = Path(__file__).parents[1] / "reference" / "generated"

# Section of the Python page -> the objects that scripts use.
PYTHON = {
    "Opening a home": ("tunixrt_core.pipeline.pipeline.open_home", "tunixrt_core.pipeline.pipeline.Pipeline"),
    "`rt.traces`": ("tunixrt_core.pipeline.namespaces.traces.Traces",),
    "`rt.datasets`": ("tunixrt_core.pipeline.namespaces.datasets.Datasets", "tunixrt_core.datasets.spec.DatasetSpec"),
    "`rt.exports`": ("tunixrt_core.pipeline.namespaces.exports.Exports",),
    "`rt.manifests`": (
        "tunixrt_core.pipeline.namespaces.manifests.Manifests",
        "tunixrt_core.manifest.manifest.RunManifest",
    ),
    "`rt.runs`": (
        "tunixrt_core.pipeline.namespaces.runs.Runs",
        "tunixrt_core.runs.record.Run",
        "tunixrt_core.runs.record.RunState",
    ),
    "`rt.queue`": ("tunixrt_core.pipeline.namespaces.queue.AcceleratorQueue",),
    "`rt.model_exports`": ("tunixrt_core.pipeline.namespaces.model_exports.ModelExports",),
    "`rt.evaluations`": ("tunixrt_core.pipeline.namespaces.evaluations.Evaluations",),
    "`rt.playground`": ("tunixrt_core.pipeline.namespaces.playground.Playground",),
    "`rt.home`": ("tunixrt_core.pipeline.namespaces.home.Home",),
    "Results of evaluations": (
        "tunixrt_core.evaluation.folder.EvalDir",
        "tunixrt_core.evaluation.results.comparison.compare",
        "tunixrt_core.evaluation.results.regression.worse",
    ),
    "Scorers": ("tunixrt_core.scorers.Answer", "tunixrt_core.scorers.Score", "tunixrt_core.scorers.Scorer"),
    "Errors": ("tunixrt_core.errors",),
}

Schema = Mapping[str, Any]


def commands() -> str:
    """Arguments, options and help of every command."""
    root = typer.main.get_command(command)
    return get_docs_for_click(obj=root, ctx=typer.Context(root), name="tunixrt", title="Commands")


def manifest() -> str:
    """Every key of the run manifest with its type, default and range."""
    schema = json_schema()
    sections = {name: _section(value, schema) for name, value in schema["properties"].items()}
    top = {name: value for name, value in schema["properties"].items() if not sections[name]}
    parts = [
        "# Run manifest",
        "The [JSON Schema](../run-manifest.schema.json) holds the same for programs. Unknown keys are errors.",
        "## Top level",
        _fields({"properties": top, "required": schema.get("required", ())}, schema),
    ]
    for name, section in sections.items():
        if section:
            parts += [f"## `{name}`", section.get("description", ""), _fields(section, schema)]
    return _page(parts)


def hyperparameters() -> str:
    """Every hyperparameter with its key in the manifest, value, default and usual range."""
    rows = [
        (f"`{row.name}`", f"`{row.key}`", _value(row), f"`{json.dumps(row.default)}`", _usual(row), row.help)
        for row in HYPERPARAMETERS.values()
    ]
    return _page(
        [
            "# Hyperparameters",
            "The flat names of `tunixrt manifest --set`, of `hyperparameters` in the [API](../api.md) and of "
            "`hyperparams` in `build_sft_manifest`. A name without a value starts from the preset of model and method "
            "([models](../models.md#presets)), or from the default of this table. A value of another type or beyond "
            "its bounds is an error; a value outside its usual range is a warning of the [preflight](../preflight.md).",
            _table(("name", "key in the manifest", "value", "default", "usual range", "meaning"), rows),
        ]
    )


def api() -> str:
    """Parameters, body and answer of every endpoint, then the schemas that they name."""
    document = build_api(1).openapi()
    parts = [
        "# API schema",
        "The same as `/api/openapi.json` of a running server. [API](../api.md) explains each endpoint with an example.",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += [f"## `{method.upper()} /api{path}`", operation.get("description", "")]
            parts += list(_operation(operation, document))
    parts.append("## Schemas")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts += [f"### {name}", schema.get("description", "")]
        parts.append(_fields(schema, document) if "properties" in schema else _type(schema, document))
    return _page(parts)


def python() -> str:
    """What scripts use, for mkdocstrings to fill in. Raises AttributeError for a name that the code lacks."""
    parts = ["# Python API", "All of it is typed; every public object is listed with its docstring."]
    for title, names in PYTHON.items():
        parts.append(f"## {title}")
        for name in names:
            _look_up(name)
            parts.append(f"::: {name}")
    return _page(parts)


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "manifest.md": manifest,
    "hyperparameters.md": hyperparameters,
    "openapi.md": api,
    "python.md": python,
}


def write(folder: Path = FOLDER) -> None:
    """Write every page into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


def _value(row: Hyperparameter) -> str:
    schema = row.schema()
    unit = f" ({row.mark.unit})" if row.mark.unit else ""
    return f"{_type(schema, schema)}{unit}"


def _usual(row: Hyperparameter) -> str:
    models = {ANY: "", BUILT_IN: " for the built-in models"}
    return "; ".join(range_words(found) + models.get(key, f" for `{key}`") for key, found in row.mark.usual.items())


def _operation(operation: Schema, document: Schema) -> Iterable[str]:
    rows: list[tuple[str, ...]] = []
    parameters = operation.get("parameters", [])
    if parameters:
        for one in parameters:
            schema = one["schema"]
            default = "required" if one.get("required") else _default(schema)
            rows.append((f"`{one['name']}`", one["in"], _type(schema, document), default, one.get("description", "")))
        yield _table(("parameter", "in", "type", "default", "meaning"), rows)
    answers = [(status, answer) for status, answer in sorted(operation["responses"].items()) if status.isdigit()]
    rows = []
    for title, holder in (("body", operation.get("requestBody", {})), *answers):
        contents = holder.get("content", {})
        shapes = dict.fromkeys(_type(content.get("schema", {}), document) for content in contents.values())
        kinds = ", ".join(f"`{kind}`" for kind in contents)
        rows += [(title, kinds, " or ".join(shape for shape in shapes if shape))] if title != "body" or contents else []
    yield _table(("body or status", "content type", "schema"), rows)


def _fields(schema: Schema, document: Schema) -> str:
    required = schema.get("required", ())
    rows = []
    for name, value in schema.get("properties", {}).items():
        about = value.get("description") or _section(value, document).get("description", "")
        default = "required" if name in required else _default(value)
        rows.append((f"`{name}`", _type(value, document), default, about))
    return _table(("key", "type", "default", "meaning"), rows)


def _section(value: Schema, document: Schema) -> Schema:
    """The object that a value refers to; empty for plain values and choices."""
    for one in (value, *value.get("anyOf", ()), *value.get("allOf", ())):
        if reference := one.get("$ref"):
            found = _resolve(reference, document)
            return found if "properties" in found else {}
    return {}


def _resolve(reference: str, document: Schema) -> Schema:
    found: Schema = document
    for key in reference.removeprefix("#/").split("/"):
        found = found[key]
    return found


def _type(schema: Schema, document: Schema) -> str:
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(one, document) for one in schema[key]))
    if reference := schema.get("$ref"):
        name, found = reference.rsplit("/", 1)[1], _resolve(reference, document)
        linked = f"[{name}](#{name.lower()})" if "components" in document else name
        return linked if "properties" in found else _type(found, document)
    if choices := schema.get("enum"):
        return ", ".join(f"`{choice}`" for choice in choices)
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}), document) or 'anything'}"
    return f"{kind}{_range(schema)}"


def _range(schema: Schema) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {schema[key]:,}" for key, sign in words.items() if key in schema]
    return f" {', '.join(found)}" if found else ""


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return ""
    return f"`{json.dumps(schema['default'])}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [
        head,
        ("---",) * len(head),
        *(tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _look_up(dotted: str) -> object:
    module, _, name = dotted.rpartition(".")
    found = importlib.import_module(module)
    return getattr(found, name) if hasattr(found, name) else importlib.import_module(dotted)


if __name__ == "__main__":
    write()
