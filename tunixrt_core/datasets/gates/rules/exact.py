"""Gate: identical rows, ignoring white space, case and source."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from functools import partial
from pathlib import Path

from tunixrt_core.datasets.gates.check import Check, Found, Gate, Look, Setting, Settings, Tools
from tunixrt_core.datasets.gates.findings import Finding, Findings
from tunixrt_core.datasets.gates.texts import reasoning
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace, normalise_prompt
from tunixrt_core.util.files.records import SHA256, Records

_DIGEST = 16  # bytes


class ExactCheck:
    """Keeps 48 bytes per row: a digest of its normalised text, and its hash."""

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        self._whole = settings["of"] == "trace"
        self._folder = folder
        self._keys = Records(_DIGEST + SHA256, folder=folder)

    def look(self, split: Split | None) -> Look:
        return partial(_digest, whole=self._whole)

    def take(self, hash: str, split: Split | None, seen: bytes) -> None:
        self._keys.append(seen + bytes.fromhex(hash))

    def finish(self, gone: Container[str]) -> Found:
        """Of rows that are the same, the one with the smallest hash stays, in whatever order they came."""
        pairs = Records(2 * SHA256, self._pairs(gone), folder=self._folder)
        split = (pair.hex() for pair in pairs.sorted())
        found = (Finding(pair[: 2 * SHA256], "duplicate", {"other": pair[2 * SHA256 :]}) for pair in split)
        findings = Findings(found, self._folder)
        return Found(findings, {"duplicate": len(findings)} if findings else {})

    def close(self) -> None:
        """What is kept on the disk goes with the check."""

    def _pairs(self, gone: Container[str]) -> Iterator[bytes]:
        """Each row that goes, with the one that stays."""
        first = b""
        for record in self._keys.sorted():
            hash = record[_DIGEST:]
            if hash.hex() in gone:
                continue
            if record[:_DIGEST] == first[:_DIGEST]:
                yield hash + first[_DIGEST:]
            else:
                first = record


def _digest(trace: Trace, whole: bool) -> bytes:
    said = [trace.prompt, trace.final_answer, *([reasoning(trace)] if whole else [])]
    text = "\0".join(normalise_prompt(part) for part in said)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST).digest()


def _start(settings: Settings, tools: Tools) -> Check:
    return ExactCheck(settings, tools.folder)


GATE = Gate(
    "exact_duplicate",
    2,
    "Exact duplicates",
    "same prompt, reasoning and answer after normalising case and white space",
    _start,
    {"of": Setting("trace", "trace, or answer: prompt and answer alone", choices=("trace", "answer"))},
    sets=True,
)
