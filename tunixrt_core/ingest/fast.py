"""Fast path from a line of bytes to a trace, for Tunix RT's own formats.

Nothing is decided here that the long way decides otherwise: a line that breaks a rule, or that might, gives None, and
is read again by `parse` and its format, which name what is wrong. A test compares the two over generated lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import orjson

from tunixrt_core.ingest.files.parse import count_key_ends, count_keys, may_round
from tunixrt_core.traces.conversation import NO_CONVERSATION
from tunixrt_core.traces.rows import SPLITS
from tunixrt_core.traces.trace import DEFAULT_STEP_TYPE, MAX_TRACE_BYTES, TRACE_VERSION, Step, Trace
from tunixrt_core.util.hashing import check_json, sha256_hex

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
    # a key with the value null is not counted, so that the long way decides
    meta: dict[str, Any] | str | None = None
    system: str | None = None
    reference_answer: str | None = None
    source: str | None = None
    model: str | None = None
    trace_version: str | None = None


class _SftRow(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    prompt: str
    trace_steps: list[str]
    final_answer: str
    metadata: dict[str, Any]


_decode_row = msgspec.json.Decoder(_Row).decode
_decode_sft_row = msgspec.json.Decoder(_SftRow).decode
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_OPTIONAL_FIELDS = ("system", "reference_answer", "source", "model")
_METADATA = frozenset({"trace_id", "split", "step_types", "meta", *_OPTIONAL_FIELDS})
_Meta = dict[str, Any] | str  # an export writes its JSON text
_Types = list[str] | None  # of the steps; None where all have the default
_Optional = tuple[str | None, str | None, str | None, str | None]  # of a trace, in the order of _OPTIONAL_FIELDS
# of each step in canonical JSON; where there are more steps, they are written the other way
_ENDS = tuple(f'","i":{i},"type":"{DEFAULT_STEP_TYPE}"}}' for i in range(256))
_new, _set = object.__new__, object.__setattr__  # a Trace is frozen
_stripped = str.strip


def read_trace(line: bytes, label: str | None) -> Trace | None:
    """A line of format `trace`."""
    try:
        row = _decode_row(line)
    except _FAULTS:
        return None
    texts: Any = row.steps
    types: _Types = None
    keys = _keys(row)
    for step in texts:
        if step.__class__ is not str:
            if (divided := _divided(texts)) is None:
                return None
            texts, types, more = divided
            keys += more
            break
    if row.trace_version not in (None, TRACE_VERSION):
        return None
    meta: _Meta = {} if row.meta is None else row.meta
    source = label if row.source is None else row.source
    optional = row.system, row.reference_answer, source, row.model
    return _trace(line, label, keys, row.prompt, texts, types, row.final_answer, meta, optional)


def _keys(row: _Row) -> int:
    """How many there are, without those of `meta` and of the steps. Written out, which takes half the time of a loop
    over names: each line comes by here.
    """
    return (
        3
        + (row.meta is not None)
        + (row.system is not None)
        + (row.reference_answer is not None)
        + (row.source is not None)
        + (row.model is not None)
        + (row.trace_version is not None)
    )


def _divided(steps: list[str | _Step]) -> tuple[list[str], list[str], int] | None:
    """The texts and the types of steps, and the number of their keys; None where a step cannot be counted."""
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


def read_sft_row(line: bytes, label: str | None) -> Trace | None:
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
    meta: _Meta = metadata.get("meta", {})
    given = [metadata[name] for name in _OPTIONAL_FIELDS if name in metadata]
    if not isinstance(meta, dict | str) or not all(type(value) is str for value in given):
        return None
    system, reference, source, model = map(metadata.get, _OPTIONAL_FIELDS)
    optional = system, reference, label if source is None else source, model
    keys = 4 + len(metadata)
    return _trace(line, label, keys, row.prompt, row.trace_steps, types, row.final_answer, meta, optional)


FAST: Mapping[str, FastReader] = {"trace": read_trace, "tunix_sft": read_sft_row}


def _trace(
    line: bytes,
    label: str | None,
    keys: int,
    prompt: str,
    texts: list[str],
    types: _Types,
    final_answer: str,
    given: _Meta,
    optional: _Optional,
) -> Trace | None:
    """The trace of these values if nothing about the line is doubtful. `keys` are those decoded outside of `meta`."""
    meta, colons, ends = (given, keys, keys) if isinstance(given, dict) else _from_text(line, given, keys)
    if meta is None:
        return None
    if meta:
        if may_round(line) or not _storable(meta):
            return None
        if meta is given:
            colons = ends = keys + count_keys(meta)
    # every key has its colon: more than were decoded means a repeated key, or colons within text
    if line.count(b":") != colons and count_key_ends(line) != ends:
        return None
    if not (prompt.strip() and final_answer.strip() and all(map(_stripped, texts))):
        return None
    if types is not None and not all(map(_stripped, types)):
        return None
    system, reference, source, model = optional
    # without an escape in the line its texts need none either; and there can be neither NUL nor half a surrogate pair
    escaped = b"\\" in line
    by_label = source is label and not _needs_no_escape(label)  # which does not come from the line
    if escaped or by_label or meta or types is not None or len(texts) > len(_ENDS):
        canonical = _canonical(prompt, texts, types, final_answer, meta, optional)
    else:
        canonical = _joined(prompt, texts, final_answer, optional)
    if len(canonical) > MAX_TRACE_BYTES or (escaped and b"\\u0000" in line):
        return None
    counted = range(len(texts))
    trace: Trace = _new(Trace)
    _set(
        trace,
        "__dict__",
        {
            "prompt": prompt,
            "steps": tuple(map(Step, counted, texts) if types is None else map(Step, counted, texts, types)),
            "final_answer": final_answer,
            "meta": meta,
            "system": system,
            "reference_answer": reference,
            "source": source,
            "model": model,
            "trace_version": TRACE_VERSION,
            "layout": None,
            "conversation": NO_CONVERSATION,
            "canonical": canonical,
            "content_hash": sha256_hex(canonical),  # here already: a cached property takes a lock to make it
        },
    )
    return trace


def _canonical(
    prompt: str, texts: list[str], types: _Types, final_answer: str, meta: dict[str, Any], optional: _Optional
) -> bytes:
    """The result of `canonical_json`: the keys are in their order already, except inside of `meta`."""
    system, reference, source, model = optional
    body: dict[str, Any] = {"final_answer": final_answer, "meta": meta}
    if model is not None:
        body["model"] = model
    body["prompt"] = prompt
    if reference is not None:
        body["reference_answer"] = reference
    if source is not None:
        body["source"] = source
    if types is None:
        body["steps"] = [{"content": text, "i": i, "type": DEFAULT_STEP_TYPE} for i, text in enumerate(texts)]
    else:
        pairs = zip(texts, types, strict=True)
        body["steps"] = [{"content": text, "i": i, "type": kind} for i, (text, kind) in enumerate(pairs)]
    if system is not None:
        body["system"] = system
    body["trace_version"] = TRACE_VERSION
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS) if meta else orjson.dumps(body)


def _joined(prompt: str, texts: list[str], final_answer: str, optional: _Optional) -> bytes:
    """The same for texts that need no escape, without `meta`, with steps of the default type: in half the time."""
    system, reference, source, model = optional
    parts = ['{"final_answer":"', final_answer, '","meta":{},']
    if model is not None:
        parts += ('"model":"', model, '",')
    parts += ('"prompt":"', prompt)
    if reference is not None:
        parts += ('","reference_answer":"', reference)
    if source is not None:
        parts += ('","source":"', source)
    start = '","steps":[{"content":"'
    for text, end in zip(texts, _ENDS, strict=False):
        parts += (start, text, end)
        start = ',{"content":"'
    parts.append("]," if texts else '","steps":[],')
    if system is not None:
        parts += ('"system":"', system, '",')
    parts.append(f'"trace_version":"{TRACE_VERSION}"}}')
    return "".join(parts).encode()


def _from_text(line: bytes, text: str, keys: int) -> tuple[dict[str, Any] | None, int, int]:
    """The object in the text of `meta`, and how many colons and ends of keys the line must then hold; None for none."""
    if text == "{}":
        return {}, keys, keys
    if text[:1] != "{" or text[-1:] != "}":  # with spaces around it, it is no object for the long way
        return None, 0, 0
    data = text.encode()
    try:
        meta = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None, 0, 0
    if not isinstance(meta, dict) or b"\\u00" in line:  # an escaped colon or quotation mark would not be counted
        return None, 0, 0
    colons, ends, known = data.count(b":"), count_key_ends(data), count_keys(meta)
    if known not in (colons, ends):
        return None, 0, 0
    return meta, keys + colons, keys + ends


@lru_cache(maxsize=32)
def _needs_no_escape(label: str | None) -> bool:
    if label is None:
        return True
    try:
        return orjson.dumps(label) == f'"{label}"'.encode()
    except (TypeError, UnicodeEncodeError):
        return False  # half a surrogate pair


def _storable(meta: dict[str, Any]) -> bool:
    try:
        check_json(meta, "meta")
    except ValueError:
        return False
    return True
