"""The OpenAPI description as one HTML page without scripts."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --card: #f4f6f9; --text: #0b1220; --muted: #4a5568; --line: #dde2ea;
  --link: #1d4ac7 }
@media (prefers-color-scheme: dark) { :root { --page: #0f1318; --card: #171c23; --text: #e3e8ef; --muted: #9aa5b4;
  --line: #29313c; --link: #7da6ff } }
body { max-width: 60rem; margin: 0 auto; padding: 1.5rem; background: var(--page); color: var(--text);
  font: 14px/1.55 Inter, system-ui, sans-serif }
h1 { font-size: 1.5rem } h2 { font-size: 1.25rem; margin-top: 2rem }
h3 { margin: 0; font: 600 .9375rem ui-monospace, monospace; overflow-wrap: anywhere }
a { color: var(--link) } p, td, th { margin: .375rem 0 } .muted { color: var(--muted) }
section { margin: .75rem 0; padding: .875rem 1rem; border: 1px solid var(--line); border-radius: 6px }
b.method { display: inline-block; min-width: 4rem }
table { width: 100%; border-collapse: collapse; margin-top: .5rem }
th, td { padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; border-top: 1px solid var(--line) }
code, pre { font: .8125rem/1.5 ui-monospace, monospace }
pre { overflow-x: auto; padding: .75rem; background: var(--card); border-radius: 6px }
"""


def docs_page(document: Mapping[str, Any]) -> str:
    """HTML for an OpenAPI document."""
    base = document["servers"][0]["url"]
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            group = operation.get("tags", ["Other"])[0]
            groups.setdefault(group, []).append(_operation(document, method, base + path, operation))
    body = "".join(f"<h2>{_text(name)}</h2>{''.join(items)}" for name, items in groups.items())
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>API · Tunix RT</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>{_text(info['title'])} API <span class=muted>{_text(info['version'])}</span></h1>"
        f"<p>{_prose(info['description'])}</p>"
        '<p><a href="/api/openapi.json">OpenAPI document</a> · <a href="/">Dashboard</a></p>'
        f"{body}</body></html>"
    )


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f'<h3><b class="method">{method.upper()}</b>{_text(path)}</h3>']
    parts.append(
        f"<p>{_prose(operation['description'])} {_prose(_body(document, operation).get('description', ''))}</p>"
    )
    rows = [*_parameters(operation), *_fields(document, operation)]
    if rows:
        cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        parts.append(f"<table><tr><th>Name</th><th>In</th><th>Type</th><th>Meaning</th></tr>{cells}</table>")
    answers = [code for code in operation["responses"] if code.isdigit()]
    parts.append(f'<p class="muted">Responses: {_text(", ".join(answers))}</p>')
    return f"<section>{''.join(parts)}</section>"


def _parameters(operation: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for item in operation.get("parameters", []):
        meaning = item.get("description") or item["schema"].get("description", "")
        yield _row(item["name"], item["in"], item["schema"], meaning, item.get("required", False))


def _fields(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = _body(document, operation)
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        yield _row(name, "body", field, field.get("description", ""), name in required)
        for inner, of in field.get("properties", {}).items():
            yield _row(f"{name}.{inner}", "body", of, of.get("description", ""), required=False)
    if content and "properties" not in schema:
        yield tuple(map(_text, ("body", "body", " or ".join(content), operation["requestBody"].get("description", ""))))


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Mapping[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    return _resolve(document, content.get("application/json", {}).get("schema", {}))


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    options = [item for item in schema.get("anyOf", []) if item.get("type") != "null"]
    schema = options[0] if options else schema
    if reference := schema.get("$ref"):
        found: Mapping[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
        return found
    return schema


def _row(name: str, place: str, schema: Mapping[str, Any], meaning: str, required: bool) -> tuple[str, ...]:
    words = [_prose(meaning)] if meaning else []
    if schema.get("default") not in (None, "", {}):
        words.append(f"Default <code>{_text(json.dumps(schema['default']))}</code>.")
    if required:
        words.append("Required.")
    return f"<code>{_text(name)}</code>", _text(place), _text(_kind(schema)), " ".join(words)


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(_kind(item) for item in schema["anyOf"] if item.get("type") != "null")
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    kind = str(schema.get("type", "any"))
    return f"list of {_kind(schema['items'])}" if kind == "array" and "items" in schema else kind


def _text(value: str) -> str:
    return html.escape(value)


def _prose(value: str) -> str:
    """Text whose `words in backticks` are code."""
    parts = _text(value).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
