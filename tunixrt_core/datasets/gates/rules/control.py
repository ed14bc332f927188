"""Gate: control tokens of a model in the text."""

from __future__ import annotations

import re

from tunixrt_core.datasets.gates.check import Settings, row_gate
from tunixrt_core.datasets.gates.findings import Finding
from tunixrt_core.datasets.gates.texts import Place, parts
from tunixrt_core.traces.trace import Trace

# Tunix strips some of these from text (its token_sanitization), and a tokenizer reads them as the end of a turn.
# Gemma 1 to 4, Qwen 2 and 3, Llama 2 and 3, Mistral, DeepSeek, GPT.
TOKENS = re.compile(
    r"<\|(?:im_start|im_end|im_sep|eot_id|eom_id|endoftext|begin_of_text|end_of_text|start_header_id|end_header_id"
    r"|python_tag|turn|channel|return|call|start|end|message|finetune_right_pad_id"
    r"|think|tool|tool_call|tool_response|\")\|?>"
    r"|<(?:turn|channel|tool|tool_call|tool_response)\|>"
    r"|<(?:start_of_turn|end_of_turn|bos|eos|pad|unk)>"
    r"|</?s>(?!\w)|\[/?INST\]|<<?/?SYS>>"
    r"|<\uff5c[^<>\uff5c]{1,40}\uff5c>"
    # what the reasoning styles write around steps and answer
    r"|</?(?:think|reasoning|answer)>"
)


def first_control_token(trace: Trace) -> Place | None:
    """Position of the first control token; None without one."""
    for name, text in parts(trace):
        if "<" not in text and "[" not in text:
            continue
        if found := TOKENS.search(text):
            return Place(name, found.start(), found.end())
    return None


def judge(trace: Trace, settings: Settings) -> Finding | None:
    place = first_control_token(trace)
    return None if place is None else Finding(trace.content_hash, "control_token", place.to_dict())


GATE = row_gate(
    "control_tokens",
    "Control tokens in the text",
    "<|im_end|>, <end_of_turn> and similar tokens, which a chat format adds by itself",
    judge,
)
