"""Format `prompt_completion`: text or chat messages, split by reasoning marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, system_columns, system_of, tool_columns, with_tools
from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    export_metadata,
    flag,
    labelled,
    rest,
    scored,
    source_of,
)
from tunixrt_core.ingest.reasoning.exchange import Exchange, exchange_of
from tunixrt_core.ingest.reasoning.split import Split, split_completion
from tunixrt_core.ingest.reasoning.turn import Turn, last_role, roles_of
from tunixrt_core.ingest.reasoning.turns import read_turns
from tunixrt_core.traces.metadata import rebuild_completion, rebuild_messages
from tunixrt_core.traces.scores import scores_in
from tunixrt_core.traces.trace import Trace

NAME = "prompt_completion"

_FIELDS = {"prompt": "prompt", "completion": "steps, final_answer", "source": "source", "model": "model"}
_NAMES = {"steps": "completion", "final_answer": "completion", "system": "prompt"}


def matches(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and "completion" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    found = dict(_FIELDS)
    if isinstance(asked := row.get("prompt"), list):
        found["prompt"] = "system, prompt" + (", messages" if len(asked) > 2 else "")
    if isinstance(said := row.get("completion"), list) and len(said) > 1:
        found["completion"] += ", turns"
    return (
        found
        | tool_columns(row)
        | system_columns(row)
        | ({"label": "score"} if isinstance(row.get("label"), bool) else {})
    )


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """Text, or messages that end with the user's turn and the assistant's. `label` of TRL becomes a score."""
    metadata = export_metadata(row)
    if metadata and (known := rebuilt(row.get("prompt"), row.get("completion"), row.get("tools"), metadata)):
        return [scored(labelled(known, options), scores_in(metadata))]
    prompt, completion = row.get("prompt"), row.get("completion")
    if isinstance(prompt, str) and isinstance(completion, str):
        system, told = system_of(row, ())
        found = Exchange(system, prompt, Turn("assistant", completion, {}, {}, "completion"), {})
    else:
        asked = prompt_turns(prompt, "prompt")
        system, told = system_of(row, asked)
        found = completed(asked, completion, "completion", system)
    found, tools = with_tools(found, row)
    used = {*_FIELDS, *told, *tools}
    scores = flag("label", row.get("label"), scorer="trl") if isinstance(row.get("label"), bool) else []
    trace = chat_trace(
        found,
        options,
        meta=rest(row, used | {"label"} if scores else used),
        names=_NAMES if isinstance(completion, str) else {"steps": "completion", "system": "prompt"},
        split=text_split(completion, "completion", options),
        source=source_of(row, options),
        model=row.get("model"),
    )
    return [scored(trace, scores)]


def rebuilt(prompt: Any, completion: Any, tools: Any, metadata: dict[str, Any]) -> Trace | None:
    """The trace of a row that Tunix RT exported, exactly as it was; None where the text was edited since."""
    if isinstance(prompt, str) and isinstance(completion, str):
        return rebuild_completion(prompt, completion, metadata)
    if isinstance(prompt, list) and isinstance(completion, list):
        return rebuild_messages([*prompt, *completion], tools, metadata)
    return None


def prompt_turns(value: Any, field: str) -> list[Turn]:
    """The turns of a prompt: text, or messages that end with the user's or with the result of a tool.

    Raises InvalidTrace.
    """
    if isinstance(value, str):
        return [Turn("user", value, {}, {"role": "user", "content": value}, field)]
    turns = read_turns(value, field)
    if not turns or turns[-1].role not in ("user", "tool"):
        raise InvalidTrace(
            field, f"must end with a turn of the user, not {last_role(turns)}. Put the answer into `completion`"
        )
    return turns


def prompt_of(value: Any, field: str) -> Exchange:
    """A prompt of text or messages; its answer is still empty. Raises InvalidTrace."""
    return exchange_of([*prompt_turns(value, field), Turn("assistant", "", {}, {}, field)], field)


def last_question(turns: Sequence[Turn]) -> str:
    """The text of the last turn of the user; empty where there is none."""
    return next((turn.text for turn in reversed(turns) if turn.role == "user"), "")


def completed(asked: Sequence[Turn], value: Any, field: str, system: str | None = None) -> Exchange:
    """What a prompt and a completion say together: text, or messages that end with the assistant's.

    Raises InvalidTrace.
    """
    if isinstance(value, str):
        turns = [Turn("assistant", value, {}, {"role": "assistant", "content": value}, field)]
    else:
        turns = read_turns(value, field)
    if not turns or turns[-1].role != "assistant":
        raise InvalidTrace(
            field, f"must end with a turn of the assistant; its roles are {roles_of(turns)}. Put the answer last"
        )
    return exchange_of([*asked, *turns], field, system)


def text_split(value: Any, field: str, options: Options) -> Split | None:
    """The split of a completion that is text; None for messages, which are split as the turn that they end with."""
    return split_completion(value, field, options.rule) if isinstance(value, str) else None
