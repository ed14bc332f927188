"""Gate: empty or repetitive reasoning."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from tunixrt_core.datasets.gates.check import Setting, Settings, row_gate
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.texts import plain_words, reasoning
from tunixrt_core.traces.trace import Trace

NGRAM = 8  # words
REPEATED = 0.4
COMPRESSED = 0.12
_LEAST_WORDS = 60  # a short derivation repeats its few words without going in circles
_LEAST_BYTES = 400


def repeated_share(words: Sequence[str], size: int) -> float:
    """The share of n-grams of `size` words that occurred before in the same text; 0 where there are none.

    The measure of duplicate n-grams in the filters of Gopher (Rae et al. 2021, table A1), by n-gram, not character.
    """
    total = len(words) - size + 1
    return 1 - len(set(zip(*(words[i:] for i in range(size)), strict=False))) / total if total > 0 else 0.0


def compressed_share(text: str) -> float:
    """zlib's size by the size of the text: near 0.4 for prose, below 0.15 for a text that repeats itself."""
    data = text.encode()
    return len(zlib.compress(data, 6)) / len(data) if data else 1.0


def loop(
    text: str, words: Sequence[str], ngram: int = NGRAM, repeated: float = REPEATED, compressed: float = COMPRESSED
) -> tuple[str, float] | None:
    """`looping` with the share of n-grams seen before, `compressible` with the compressed share, or None for a text
    that does not go round in circles or is too short to tell. `words` are those of the text.
    """
    if len(words) < _LEAST_WORDS or len(text) < _LEAST_BYTES:
        return None
    if (share := repeated_share(words, ngram)) > repeated:
        return "looping", share
    if (squeezed := compressed_share(text)) < compressed:
        return "compressible", squeezed
    return None


def judge(trace: Trace, settings: Settings) -> Finding | None:
    text = reasoning(trace)
    words = plain_words(text)
    if not any(step.content.strip() for step in trace.steps) or len(words) < settings["least_words"]:
        return Finding(trace.content_hash, "empty", {"value": len(words)})
    found = loop(text, words, settings["ngram"], settings["repeated"], settings["compressed"])
    return None if found is None else Finding(trace.content_hash, found[0], {"value": round(found[1], 3)})


GATE = row_gate(
    "reasoning",
    "Empty or looping reasoning",
    "no steps, or steps that repeat themselves",
    judge,
    settings={
        "least_words": Setting(1, "reasoning of fewer words is empty", 0, 10_000),
        "ngram": Setting(NGRAM, "words of an n-gram", 2, 50),
        "repeated": Setting(REPEATED, "the share of n-grams seen before that still passes", 0.0, 1.0),
        "compressed": Setting(COMPRESSED, "compressed size by size that still passes", 0.0, 1.0),
    },
)
