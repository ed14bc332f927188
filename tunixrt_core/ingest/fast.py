"""The short way from a line of bytes to a trace, for Tunix RT's own formats; whatever is unusual takes the long one.

Nothing is decided here that the long way decides otherwise: a line that breaks a rule, or that might, gives None, and
is read again by `parse` and its format, which name what is wrong. A test compares the two over generated lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson
from msgspec import UNSET, UnsetType

from tunixrt_core.hashing import check_json, sha256_hex
from tunixrt_core.ingest.parse import count_key_ends, count_keys, may_round
from tunixrt_core.rows import SPLITS
from tunixrt_core.traces import DEFAULT_STEP_TYPE, MAX_TRACE_BYTES, TRACE_VERSION, Step, Trace

# the trace of a line, with the label for rows that name no source; None where the long way must decide
FastReader = Callable[[bytes, str | None], Trace | None]


class _Step(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A step with all its keys, so that keys can be counted."""

    i: int
    content: str
    type: str


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    prompt: str
    steps: list[str | _Step]
    final_answer: str
    meta: dict[str, Any] | UnsetType = UNSET
    system: str | UnsetType = UNSET
    reference_answer: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    trace_version: str | UnsetType = UNSET


class _SftRow(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    prompt: str
    trace_steps: list[str]
    final_answer: str
    metadata: dict[str, Any]


_decode_row = msgspec.json.Decoder(_Row).decode
_decode_sft_row = msgspec.json.Decoder(_SftRow).decode
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_CARRIED = ("system", "reference_answer", "source", "model")
_METADATA = frozenset({"trace_id", "split", "step_types", "meta", *_CARRIED})
_Types = list[str] | None  # of the steps; None where all have the default
_set = object.__setattr__  # a Trace is frozen


def read_trace(line: bytes, source: str | None) -> Trace | None:
    """A line of format `trace`."""
    try:
        row = _decode_row(line)
    except _FAULTS:
        return None
    texts: Any = row.steps
    types: _Types = None
    keys = 3
    for step in texts:
        if step.__class__ is not str:
            if (divided := _divided(texts)) is None:
                return None
            texts, types, more = divided
            keys += more
            break
    optional = _optional(row)
    keys += len(optional)
    if row.trace_version is not UNSET:
        if row.trace_version != TRACE_VERSION:
            return None
        keys += 1
    meta: dict[str, Any] = {}
    if row.meta is not UNSET:
        meta = row.meta
        keys += 1
    return _trace(line, keys, row.prompt, texts, types, row.final_answer, meta, optional, source)


def _optional(row: _Row) -> dict[str, str]:
    """Those that are given. Written out: a loop over names takes twice as long, and each line comes by here."""
    given: dict[str, str] = {}
    if row.source is not UNSET:
        given["source"] = row.source
    if row.reference_answer is not UNSET:
        given["reference_answer"] = row.reference_answer
    if row.model is not UNSET:
        given["model"] = row.model
    if row.system is not UNSET:
        given["system"] = row.system
    return given


def _divided(steps: list[str | _Step]) -> tuple[list[str], list[str], int] | None:
    """The texts and the types of steps, and how many keys they have; None where one is not counted as it stands."""
    texts, types, keys = [], [], 0
    for i, step in enumerate(steps):
        if isinstance(step, str):
            texts.append(step)
            types.append(DEFAULT_STEP_TYPE)
        elif step.i == i:
            texts.append(step.content)
            types.append(step.type)
            keys += 3
        else:
            return None
    return texts, types, keys


def read_sft_row(line: bytes, source: str | None) -> Trace | None:
    """A line of format `tunix_sft`, with metadata as the export writes it."""
    try:
        row = _decode_sft_row(line)
    except _FAULTS:
        return None
    metadata = row.metadata
    if not metadata.keys() <= _METADATA or metadata.get("split", "train") not in SPLITS:
        return None
    types = metadata.get("step_types")
    if types is not None and not (
        isinstance(types, list) and len(types) == len(row.trace_steps) and all(type(kind) is str for kind in types)
    ):
        return None
    optional = {name: metadata[name] for name in _CARRIED if name in metadata}
    meta = metadata.get("meta", {})
    if not isinstance(meta, dict) or not all(type(value) is str for value in optional.values()):
        return None
    keys = 4 + len(metadata)
    return _trace(line, keys, row.prompt, row.trace_steps, types, row.final_answer, meta, optional, source)


FAST: Mapping[str, FastReader] = {"trace": read_trace, "tunix_sft": read_sft_row}


def _trace(
    line: bytes,
    keys: int,
    prompt: str,
    texts: list[str],
    types: _Types,
    final_answer: str,
    meta: dict[str, Any],
    optional: dict[str, str],
    source: str | None,
) -> Trace | None:
    """The trace of these values if nothing about the line is doubtful. `keys` are those decoded outside of `meta`."""
    if meta:
        if may_round(line) or not _storable(meta):
            return None
        keys += count_keys(meta)
    # every key has its colon: more than were decoded means that one stands twice, or that text holds colons too
    if line.count(b":") != keys and count_key_ends(line) != keys:
        return None
    if _blank(prompt) or _blank(final_answer) or _one_blank(texts) or (types is not None and _one_blank(types)):
        return None
    if source is not None:
        optional.setdefault("source", source)
    canonical = _canonical(prompt, texts, types, final_answer, meta, optional)
    # without an escape there can be neither NUL nor half a surrogate pair
    if len(canonical) > MAX_TRACE_BYTES or (b"\\" in line and b"\\u0000" in line):
        return None
    counted = range(len(texts))
    get = optional.get
    trace = object.__new__(Trace)
    _set(
        trace,
        "__dict__",
        {
            "prompt": prompt,
            "steps": tuple(map(Step, counted, texts) if types is None else map(Step, counted, texts, types)),
            "final_answer": final_answer,
            "meta": meta,
            "system": get("system"),
            "reference_answer": get("reference_answer"),
            "source": get("source"),
            "model": get("model"),
            "trace_version": TRACE_VERSION,
            "canonical": canonical,
            "content_hash": sha256_hex(canonical),  # here already: a cached property takes a lock to make it
        },
    )
    return trace


def _canonical(
    prompt: str, texts: list[str], types: _Types, final_answer: str, meta: dict[str, Any], optional: dict[str, str]
) -> bytes:
    """What `canonical_json` gives: the keys stand in their order already, except inside of `meta`."""
    body: dict[str, Any] = {"final_answer": final_answer, "meta": meta}
    if "model" in optional:
        body["model"] = optional["model"]
    body["prompt"] = prompt
    if "reference_answer" in optional:
        body["reference_answer"] = optional["reference_answer"]
    if "source" in optional:
        body["source"] = optional["source"]
    if types is None:
        body["steps"] = [{"content": text, "i": i, "type": DEFAULT_STEP_TYPE} for i, text in enumerate(texts)]
    else:
        pairs = zip(texts, types, strict=True)
        body["steps"] = [{"content": text, "i": i, "type": kind} for i, (text, kind) in enumerate(pairs)]
    if "system" in optional:
        body["system"] = optional["system"]
    body["trace_version"] = TRACE_VERSION
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS) if meta else orjson.dumps(body)


def _one_blank(texts: list[str]) -> bool:
    return not all(texts) or any(map(str.isspace, texts))


def _blank(text: str) -> bool:
    return not text or text.isspace()


def _storable(meta: dict[str, Any]) -> bool:
    try:
        check_json(meta, "meta")
    except ValueError:
        return False
    return True
