"""Gate: rows too long, in bytes or estimated tokens."""

from __future__ import annotations

from tunixrt_core.datasets.gates.check import Setting, Settings, row_gate
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.texts import whole_text
from tunixrt_core.traces.trace import Trace

BYTES_PER_TOKEN = 4  # of English text, in the vocabularies of Gemma, Qwen and Llama; other scripts need more tokens


def estimated_tokens(text: str) -> int:
    """Tokens of a text without a tokenizer: its UTF-8 bytes by four, rounded up. An estimate."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def judge(trace: Trace, settings: Settings) -> Finding | None:
    size = len(whole_text(trace).encode())
    value = size if settings["unit"] == "bytes" else -(-size // BYTES_PER_TOKEN)
    return None if value <= settings["most"] else Finding(trace.content_hash, "too_long", {"value": value})


GATE = row_gate(
    "too_long",
    "Too long",
    "prompt, reasoning and answer together are over the limit",
    judge,
    settings={
        "most": Setting(4096, "the longest row that passes", 1, 1 << 30),
        "unit": Setting("tokens", "tokens (estimated: bytes by four) or bytes", choices=("tokens", "bytes")),
    },
)
