"""Eval prompts of a user's file, for the contamination gate."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunixrt_core.datasets.eval_files.columns import Asked
from tunixrt_core.datasets.eval_files.reader import read_eval_rows
from tunixrt_core.datasets.gates.check import Asking, EvalSet
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidDataset, UnreadableFile
from tunixrt_core.util.files.regular import require_regular
from tunixrt_core.util.hashing import file_sha256


@dataclass(frozen=True, slots=True)
class EvalFile:
    """A file on this machine, or the bytes of one that was uploaded, of what `evaluate` reads."""

    name: str
    content: Path | bytes

    @classmethod
    def at(cls, path: Path) -> EvalFile:
        return cls(path.name, path)


def with_eval_file(spec: DatasetSpec, file: EvalFile | None) -> tuple[DatasetSpec, EvalSet | None]:
    """The spec with the file's hash in it, which is how a version names it, and the file opened for the gate.

    Raises InvalidDataset where the file is not the one that the spec names, or the spec has no use for one;
    UnreadableFile.
    """
    gate: Mapping[str, Any] = spec.gates.get("contamination", {})
    named = gate.get("eval_sha256", "")
    if file is None:
        if named or gate.get("against") == "file":
            wanted = f" with sha256 {named}" if named else ""
            raise InvalidDataset(f"gates.contamination: needs the eval file{wanted}. Name it with --eval-file.")
        return spec, None
    if not gate or gate.get("against") == "split":
        raise InvalidDataset("gates.contamination: must be warn or exclude, and not only against the split.")
    sha256 = _sha256(file)
    if named and named != sha256:
        raise InvalidDataset(f"gates.contamination: the spec names the eval file with sha256 {named}, not {sha256}.")
    gates = {**spec.gates, "contamination": {**gate, "eval_sha256": sha256}}
    return replace(spec, gates=gates), EvalSet(file.name, sha256, lambda: _prompts(file))


def _sha256(file: EvalFile) -> str:
    if isinstance(file.content, bytes):
        return hashlib.sha256(file.content).hexdigest()
    require_regular(file.content)
    try:
        return file_sha256(file.content)
    except OSError as error:
        raise UnreadableFile(f"{file.name} cannot be read: {error.strerror or error}. Check the path.") from None


def _prompts(file: EvalFile) -> Iterator[Asking | None]:
    """What `evaluate` would ask of the file; None for a row that it would refuse."""
    source = io.BytesIO(file.content) if isinstance(file.content, bytes) else file.content
    found = 0
    for _, items in read_eval_rows(source, file.name):
        for item in items:
            found += isinstance(item, Asked)
            yield Asking(item.prompt, item.conversation.messages) if isinstance(item, Asked) else None
    if not found:
        raise UnreadableFile(f"{file.name}: no row of it can be read, so there is nothing to compare with.")
