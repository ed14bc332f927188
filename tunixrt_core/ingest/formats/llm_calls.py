"""Format `llm_calls`: a request to a model and its response in one row of a log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from tunixrt_core.ingest.formats.chats import chat_trace, system_of, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, rest, source_of
from tunixrt_core.ingest.formats.logged import (
    answers,
    asked_turns,
    is_chat,
    items_of,
    request_rest,
    response_rest,
    value_of,
)
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turn import Turn

NAME = "llm_calls"

_PAIRS = (
    ("request", "response"),
    ("inputs", "outputs"),
    ("input", "output"),
    ("inputs", "output"),
    ("req_payload", "resp_payload"),
    ("request_body", "response_body"),
    ("requestBody", "responseBody"),
    ("prompt", "response"),
)
_AROUND = ("span_data", "attributes", "run")  # an object of the row that may hold the pair
_FIELDS = {"source": "source", "model": "model"}


class _Pair(NamedTuple):
    """Where a request and its response are, and what these hold. `around` is the object of the row that holds them, if
    one does.
    """

    asked: str
    said: str
    around: str
    request: Any
    response: Any

    def held(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return row[self.around] if self.around else row

    def name(self, key: str) -> str:
        return f"{self.around}.{key}" if self.around else key


def matches(row: Mapping[str, Any]) -> bool:
    return _pair(row) is not None or (row.get("object") == "trace.span" and isinstance(row.get("span_data"), dict))


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    if (pair := _pair(row)) is None:
        return _FIELDS
    return _FIELDS | {
        pair.name(pair.asked): "system, messages, prompt, turns, tools",
        pair.name(pair.said): "steps, final_answer",
    }


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """A trace per answer. Spans of OpenAI's Agents that are no call of a model give nothing."""
    if (pair := _pair(row)) is None:
        return []
    held = pair.held(row)
    asked, said = pair.request, pair.response
    turns = asked_turns(asked, pair.name(pair.asked))
    told = request_rest(asked)
    around = {**rest(held, (pair.asked, pair.said)), **told}
    system, _ = system_of(around, turns, ("instructions", "system", "system_prompt", "systemInstruction"))
    models = (one.get("model") for one in (told, said, held) if isinstance(one, Mapping))
    model = next((name for name in models if isinstance(name, str) and name.strip()), None)
    found = answers(said, pair.name(pair.said))
    place = pair.name(pair.asked)

    def make(i: int, answer: list[Turn]) -> Item:
        exchange, tools = with_tools(exchange_of([*turns, *answer], place, system), around)
        trace = chat_trace(
            exchange,
            options,
            meta={"llm_calls": _kept(row, pair, rest(told, (*tools, "model")), response_rest(said))},
            names={"prompt": place, "system": place, "steps": exchange.answer.field},
            source=source_of(row, options),
            model=model,
        )
        return trace if len(found) == 1 else replace(trace, meta={**trace.meta, "choice": i})

    return items_of(found, make)


def _kept(row: Mapping[str, Any], pair: _Pair, asked: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What a row holds beside the request and the response, and what these hold beside messages."""
    pairs = (pair.asked, pair.said)
    kept = rest(row, (pair.around,) if pair.around else pairs)
    if pair.around:
        kept[pair.around] = rest(pair.held(row), pairs)
    return kept | ({pair.asked: dict(asked)} if asked else {}) | ({pair.said: dict(said)} if said else {})


def _pair(row: Mapping[str, Any]) -> _Pair | None:
    for around in ("", *_AROUND):
        held = row.get(around) if around else row
        if not isinstance(held, Mapping):
            continue
        for asked, said in _PAIRS:
            if asked in held and said in held:
                request, response = _body(value_of(held[asked])), _body(value_of(held[said]))
                if is_chat(request, response) and isinstance(response, str | Mapping | list):
                    return _Pair(asked, said, around, request, response)
    return None


def _body(value: Any) -> Any:
    """What a log keeps under `body` of a request or a response."""
    inner = value.get("body") if isinstance(value, Mapping) else None
    return value_of(inner) if isinstance(value_of(inner), Mapping) else value
