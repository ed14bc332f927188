"""Gate: reasoning and answer tags that do not match."""

from __future__ import annotations

import re

from tunixrt_core.datasets.gates.check import Settings, row_gate
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.texts import Place, parts
from tunixrt_core.traces.trace import Trace

NAMES = ("think", "thinking", "thought", "reasoning", "answer", "solution", "scratchpad", "reflection")
_TAG = re.compile(rf"<(/?)({'|'.join(NAMES)})>|<\|(begin|end)_of_(thought|solution)\|>", re.IGNORECASE)


def first_loose_tag(trace: Trace) -> tuple[str, Place] | None:
    """`unclosed` or `orphan` with the place of the first tag without its other half. Tags pair within a whole row."""
    opened: list[tuple[str, Place]] = []
    for name, text in parts(trace):
        if "<" not in text:
            continue
        for found in _TAG.finditer(text):
            tag, place = (found[2] or found[4]).lower(), Place(name, found.start(), found.end())
            if not (found[1] or (found[3] or "").lower() == "end"):
                opened.append((tag, place))
            elif opened and opened[-1][0] == tag:
                opened.pop()
            else:
                return "orphan", place
    return ("unclosed", opened[0][1]) if opened else None


def judge(trace: Trace, settings: Settings) -> Finding | None:
    found = first_loose_tag(trace)
    return None if found is None else Finding(trace.content_hash, found[0], found[1].to_dict())


GATE = row_gate(
    "tags",
    "Unclosed or orphan tags",
    "<think>, <answer> and similar tags without their other half",
    judge,
)
