"""Canonical JSON and content hashes."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import orjson

_INT64 = range(-(2**63), 2**64)  # what orjson can write: int64 and uint64
MAX_DEPTH = 100  # orjson cannot write more than 254 levels


def check_json(value: Any, path: str = "value", depth: int = 0) -> None:
    """Raise ValueError naming the path of the first value that has no canonical JSON form.

    NaN and infinities (orjson would write null), integers outside 64 bits, lone surrogates and NUL (which
    PostgreSQL cannot store), keys that are not strings, types that JSON does not have, and more than 100 levels.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"{path[:80]}: is nested more than {MAX_DEPTH} levels deep. Write the inner part as text")
    if isinstance(value, list | tuple):
        for i, item in enumerate(value):
            check_json(item, f"{path}[{i}]", depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{path}: key {key!r} is not a string")
            check_text(key, f"{path} key")
            check_json(item, f"{path}.{key}", depth + 1)
    else:
        _check_scalar(value, path)


def _check_scalar(value: Any, path: str) -> None:
    if isinstance(value, str):
        check_text(value, path)
    elif isinstance(value, int):
        if value not in _INT64:
            raise ValueError(f"{path}: integer does not fit in 64 bits. Write it as text")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path}: {value} is not a JSON number. Write null, or leave the key out")
    elif value is not None:
        raise ValueError(f"{path}: {type(value).__name__} is not a JSON type")


def check_text(text: str, path: str) -> None:
    """Raise ValueError where text cannot be stored or encoded: a lone surrogate or a NUL character."""
    if "\0" in text:
        raise ValueError(f"{path}: holds a NUL character. Remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{path}: holds a lone surrogate, which is not valid Unicode. Replace it") from None


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces. The value must have passed `check_json`."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def sha256_hex(data: bytes) -> str:
    """The sha256 of the bytes as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def content_hash(value: Any) -> str:
    """The sha256 of a value's canonical JSON."""
    return sha256_hex(canonical_json(value))


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, read in 1 MiB blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
