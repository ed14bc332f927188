"""Helpers of format modules: values, traces and errors by the row's own keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.files.parse import BadRow, parse_row
from tunixrt_core.ingest.reasoning.layout import KEY
from tunixrt_core.ingest.reasoning.split import Split
from tunixrt_core.ingest.reasoning.steps import AUTO, Rule
from tunixrt_core.traces.scores import GivenScore, ScoredTrace
from tunixrt_core.traces.trace import Trace
from tunixrt_core.util.kinds import kind_of, not_text

_SHOWN = 12  # keys of a row in a message

# What a row gives: traces, with scores where it has any; a fault stands for the one trace that could not be made.
Item = Trace | ScoredTrace | InvalidTrace


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says about a file: the source of rows that name none, and the rule to divide steps by."""

    source: str | None = None
    rule: Rule = AUTO


def text(row: Mapping[str, Any], key: str) -> str:
    """The text under `key`. Raises InvalidTrace where it is missing or not text."""
    value = present(row, key)
    if not isinstance(value, str):
        raise InvalidTrace(key, not_text(value))
    return value


def present(row: Mapping[str, Any], key: str) -> Any:
    """The value under `key`. Raises InvalidTrace where there is none."""
    if key not in row:
        raise InvalidTrace(key, missing(key, row))
    return row[key]


def missing(key: str, row: Mapping[str, Any]) -> str:
    """The reason for a key that a row should have: with the key that may be meant, or those that there are."""
    if alike := get_close_matches(key, [str(name) for name in row], 1, 0.75):
        return f"is missing; the row has {alike[0]!r}. Rename it to {key!r}"
    keys = ", ".join(str(name)[:40] for name in list(row)[:_SHOWN]) or "none"
    return f"is missing. Add it; the row has the keys {keys}"


def filled(value: Any) -> str | None:
    """The text, or None where there is none or it is blank."""
    return value if isinstance(value, str) and value.strip() else None


def reference(value: Any, name: str) -> str | None:
    """A reference answer, None where it is missing or blank. Raises InvalidTrace where it would be lost."""
    return filled(only(value, name))


def only(value: Any, name: str) -> str | None:
    """The one text of a value: itself, or that of a list of one, or of `{"text": ...}`, as SQuAD has it.

    None where there is none. Raises InvalidTrace where there are several that differ, or it is no text.
    """
    found = list(dict.fromkeys(_texts(value, name)))
    if len(found) > 1:
        raise InvalidTrace(
            name,
            f"holds {len(found)} different answers, such as {found[0][:40]!r} and {found[1][:40]!r}. "
            f"Say which one counts, as in --map final_answer={name}[0].",
        )
    return found[0] if found else None


def _texts(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, name)
    elif isinstance(value, dict) and isinstance(value.get("text"), str | list):
        yield from _texts(value["text"], name)
    elif value is not None:
        raise InvalidTrace(name, f"must be text, a number, true or false, not {kind_of(value)}. Write it as one text")


def source_of(row: Mapping[str, Any], options: Options, default: str | None = None) -> Any:
    """What the row says, else what the user says, else the name of the data."""
    if (said := row.get("source")) is not None:
        return said
    return options.source or default


def labelled(trace: Trace, options: Options) -> Trace:
    """The trace, with the source that the user named where it has none."""
    if options.source is not None and trace.source is None:
        return replace(trace, source=options.source)
    return trace


def object_in(row: Mapping[str, Any], key: str) -> Any:
    """The object under `key`. Parquet and CSV have no column type for any object: there it is written as JSON text."""
    value = row.get(key)
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        found = parse_row(value.encode("utf-8", "surrogatepass"))
        return value if isinstance(found, BadRow) else found
    return value


def list_in(row: Mapping[str, Any], key: str) -> Any:
    """The list under `key`, which a table may hold as JSON text."""
    value = row.get(key)
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        found = parse_row(b'{"list": ' + value.encode("utf-8", "surrogatepass") + b"}")
        return value if isinstance(found, BadRow) else found["list"]
    return value


def export_metadata(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metadata of a row that Tunix RT exported; None where it is another program's, or there is none."""
    metadata = object_in(row, "metadata")
    return metadata if isinstance(metadata, dict) and "trace_id" in metadata else None


def rest(row: Mapping[str, Any], used: Collection[str]) -> dict[str, Any]:
    """What has no field of its own: kept under `meta`."""
    return {key: value for key, value in row.items() if key not in used}


def extended(meta: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """`meta` with more under it. A row's own key of that name stays; ours then ends in an underscore."""
    for key, value in extra.items():
        while key in meta:
            key += "_"
        meta[key] = value
    return meta


def split_trace(
    split: Split,
    *,
    prompt: str,
    meta: dict[str, Any],
    names: Mapping[str, str],
    extra: Mapping[str, Any] | None = None,
    **optional: Any,
) -> Trace:
    """The trace of a text that was split, with the layout that gives the text back. `names` are those of the row."""
    with named_as({"prompt": "prompt"} | dict(names)):
        return Trace(
            prompt=prompt,
            steps=split.steps,
            final_answer=split.final_answer,
            meta=extended(meta, {**(extra or {}), KEY: split.described}),
            layout=split.layout,
            **optional,
        )


def flag(name: str, value: Any, *, scorer: str, note: str | None = None, version: str = "given") -> list[GivenScore]:
    """The score of a true or false, or of a number; none where it is null or of another kind."""
    if not isinstance(value, bool | int | float) or value != value:
        return []
    return [GivenScore(name=name, value=float(value), note=note, scorer=scorer, version=version)]


def at(values: Any, i: int) -> Any:
    """The i-th of a list that may be missing, null or too short."""
    return values[i] if isinstance(values, Sequence) and not isinstance(values, str) and i < len(values) else None


def scored(trace: Trace, scores: Iterable[GivenScore]) -> Trace | ScoredTrace:
    found = tuple(scores)
    return ScoredTrace(trace, found) if found else trace


@contextmanager
def named_as(names: Mapping[str, str]) -> Iterator[None]:
    """Turn the trace's field names in an InvalidTrace into the row's: `steps[2].content` -> `trace_steps[2]`."""
    try:
        yield
    except InvalidTrace as error:
        for field, name in names.items():
            if error.field == field or error.field.startswith((f"{field}[", f"{field}.")):
                rest = error.field[len(field) :].removesuffix(".content")
                raise InvalidTrace(name + rest, error.reason) from None
        raise
