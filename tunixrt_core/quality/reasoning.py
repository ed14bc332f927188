"""Gate: the reasoning is empty, or goes round in circles."""

from __future__ import annotations

import zlib

from tunixrt_core.quality.check import Setting, Settings, row_gate
from tunixrt_core.quality.findings import Finding
from tunixrt_core.quality.texts import plain_words, reasoning
from tunixrt_core.traces import Trace

_LEAST_WORDS = 60  # a short derivation repeats its few words without going in circles
_LEAST_BYTES = 400


def repeated_share(words: list[str], size: int) -> float:
    """The share of n-grams of `size` words that occurred before in the same text; 0 where there are none.

    The measure of duplicate n-grams in the filters of Gopher (Rae et al. 2021, table A1), by n-gram, not character.
    """
    total = len(words) - size + 1
    return 1 - len(set(zip(*(words[i:] for i in range(size)), strict=False))) / total if total > 0 else 0.0


def compressed_share(text: str) -> float:
    """zlib's size by the size of the text: near 0.4 for prose, below 0.15 for a text that repeats itself."""
    data = text.encode()
    return len(zlib.compress(data, 6)) / len(data) if data else 1.0


def judge(trace: Trace, settings: Settings) -> Finding | None:
    text = reasoning(trace)
    words = plain_words(text)
    if not any(step.content.strip() for step in trace.steps) or len(words) < settings["least_words"]:
        return Finding(trace.content_hash, "empty", {"value": len(words)})
    if len(words) < _LEAST_WORDS or len(text) < _LEAST_BYTES:
        return None
    share = repeated_share(words, settings["ngram"])
    if share > settings["repeated"]:
        return Finding(trace.content_hash, "looping", {"value": round(share, 3)})
    if (squeezed := compressed_share(text)) < settings["compressed"]:
        return Finding(trace.content_hash, "compressible", {"value": round(squeezed, 3)})
    return None


GATE = row_gate(
    "reasoning",
    "Empty or looping reasoning",
    "no steps, or steps that repeat themselves",
    judge,
    settings={
        "least_words": Setting(1, "reasoning of fewer words is empty", 0, 10_000),
        "ngram": Setting(8, "words of an n-gram", 2, 50),
        "repeated": Setting(0.4, "the share of n-grams seen before that still passes", 0.0, 1.0),
        "compressed": Setting(0.12, "compressed size by size that still passes", 0.0, 1.0),
    },
)
