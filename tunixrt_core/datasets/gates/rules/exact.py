"""Gate: identical rows, ignoring white space, case and source."""

from __future__ import annotations

import hashlib

from tunixrt_core.datasets.gates.check import Check, Found, Gate, Setting, Settings, Tools
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.texts import reasoning
from tunixrt_core.traces.rows import Split
from tunixrt_core.traces.trace import Trace, normalise_prompt


class ExactCheck:
    """Keeps 16 bytes per row: a digest of its normalised text."""

    def __init__(self, settings: Settings) -> None:
        self._whole = settings["of"] == "trace"
        self._keys: dict[str, bytes] = {}

    def see(self, trace: Trace, split: Split | None) -> None:
        said = [trace.prompt, trace.final_answer, *([reasoning(trace)] if self._whole else [])]
        text = "\0".join(normalise_prompt(part) for part in said)
        self._keys[trace.content_hash] = hashlib.blake2b(text.encode(), digest_size=16).digest()

    def finish(self, gone: set[str]) -> Found:
        """Of rows that are the same, the one with the smallest hash stays, in whatever order they came."""
        first: dict[bytes, str] = {}
        findings = []
        for hash in sorted(hash for hash in self._keys if hash not in gone):
            kept = first.setdefault(self._keys[hash], hash)
            if kept != hash:
                findings.append(Finding(hash, "duplicate", {"other": kept}))
        return Found(findings, {"duplicate": len(findings)} if findings else {})

    def close(self) -> None:
        self._keys.clear()


def _start(settings: Settings, tools: Tools) -> Check:
    return ExactCheck(settings)


GATE = Gate(
    "exact_duplicate",
    2,
    "Exact duplicates",
    "same prompt, reasoning and answer after normalising case and white space",
    _start,
    {"of": Setting("trace", "trace, or answer: prompt and answer alone", choices=("trace", "answer"))},
    sets=True,
)
