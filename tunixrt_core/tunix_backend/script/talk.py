"""Flags and settings of scripts for data with conversations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.conversation import NO_CONVERSATION
from tunixrt_core.traces.rendering.chats import ChatFormat, template_of
from tunixrt_core.traces.rendering.context import EarlierThinking, unfit
from tunixrt_core.traces.rendering.families.llama import LLAMA, llama_tools
from tunixrt_core.traces.rendering.families.qwen import HERMES, hermes_tools
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.rows import numbered_lines, parse_row


def holds_conversations(manifest: RunManifest) -> bool:
    """Whether the data does; where it is not on this machine, the script refuses them.

    Raises InvalidManifest for one without a form in the chat format, and for Gemma 4, which no script trains.
    """
    path, found = Path(manifest.data.path), False
    for number, line in numbered_lines(path) if path.is_file() else ():
        talk = parse_row(line).trace.conversation if b'"conversation"' in line else NO_CONVERSATION
        found = found or talk is not NO_CONVERSATION
        if reason := unfit(talk, manifest.rendering.chat):
            raise InvalidManifest(
                "data.path",
                f"line {number} holds {reason}, which the chat format {manifest.rendering.chat} has no form for. "
                "Choose another chat format, or leave the row out",
            )
    if found and manifest.rendering.chat is ChatFormat.GEMMA4:
        raise InvalidManifest(
            "rendering.chat", "must not be gemma4: a script writes no conversations of Gemma 4. Use `tunixrt train`"
        )
    return found


def talk_flags(manifest: RunManifest, talks: bool) -> dict[str, str]:
    """The flags of what only scripts for conversations hold."""
    rendering = manifest.rendering
    template = template_of(rendering.chat)
    reads = template.thinks_on or rendering.earlier_thinking is EarlierThinking.DROP
    found = {
        "talks": talks,
        "chatml": rendering.chat in (ChatFormat.CHATML, ChatFormat.QWEN25, ChatFormat.QWEN3),
        "llama": rendering.chat in (ChatFormat.LLAMA3, ChatFormat.LLAMA31),
        "later_system": template.system is not None,
        "reads_thoughts": reads,
        "trims": template.trimmed is not str,
    }
    told = {name: "yes" if value else "" for name, value in found.items()}
    return told | {"train_on": rendering.train_on.value, "thinking": rendering.earlier_thinking.value}


def talk_settings(manifest: RunManifest) -> Iterator[tuple[str, Any]]:
    """What surrounds turns of the model and the definitions of tools."""
    rendering = manifest.rendering
    template = template_of(rendering.chat)
    yield "OPENED", template.opened
    yield "QUIET", "" if rendering.reasoning is ReasoningStyle.THINK else template.quiet
    if template.tools is HERMES:
        before, _, after = hermes_tools(("{}",)).partition("\n{}")
        yield from (("TOOLS_BEFORE", before), ("TOOLS_AFTER", after))
    elif template.tools is LLAMA:
        yield "TOOLS_BEFORE", llama_tools(())
