"""Format `verifiers`: rollouts of Prime Intellect's verifiers, in both forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, tool_columns, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, filled, flag, rest, scored, source_of
from tunixrt_core.ingest.formats.prompt_completion import prompt_turns, text_split
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.ingest.reasoning.turns import read_turns
from tunixrt_core.traces.scores import GivenScore

NAME = "verifiers"

_FIELDS = {
    "prompt": "system, prompt, messages",
    "completion": "steps, final_answer, messages, turns",
    "answer": "reference_answer",
    "reward": "score",
    "metrics": "score",
    "source": "source",
    "model": "model",
}
_EPISODE = {
    "traces": "system, messages, prompt, turns, steps, final_answer, tools, score",
    "task": "reference_answer, meta",
}


def matches(row: Mapping[str, Any]) -> bool:
    if _is_episode(row):
        return True
    known = "reward" in row and ("example_id" in row or "task" in row or "info" in row or "metrics" in row)
    return known and "prompt" in row and "completion" in row


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _EPISODE if _is_episode(row) else _FIELDS | tool_columns(row)


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """A trace per rollout, with reward and metrics as scores; of an episode, one per branch of each of its traces.

    The assistant's turns that a model wrote are marked as trained, and those that the prompt held as not trained.
    """
    return list(_of_episode(row, options)) if _is_episode(row) else [_of_row(row, options)]


def _is_episode(row: Mapping[str, Any]) -> bool:
    traces = row.get("traces")
    return isinstance(traces, list) and all(
        isinstance(one, dict) and isinstance(one.get("nodes"), list) for one in traces
    )


def _of_row(row: Mapping[str, Any], options: Options) -> Item:
    """A row of `results.jsonl`: prompt, completion, reward."""
    asked, said = prompt_turns(row.get("prompt"), "prompt"), row.get("completion")
    if isinstance(said, str):
        turns = [Turn("assistant", said, {}, {"role": "assistant", "content": said}, "completion")]
    else:
        turns = read_turns(said, "completion")
    several = sum(turn.role == "assistant" for turn in turns) > 1
    turns = [turn._replace(train=True) if several and turn.role == "assistant" else turn for turn in turns]
    found, tools = with_tools(exchange_of([*asked, *turns], "completion"), row)
    answer = filled(row.get("answer"))
    used = {"prompt", "completion", "source", "model", "reward", *tools, *(["answer"] if answer else [])}
    metrics = row.get("metrics") if isinstance(row.get("metrics"), dict) else {}
    trace = chat_trace(
        found,
        options,
        meta=rest(row, used),
        names={"prompt": "prompt", "steps": "completion", "system": "prompt"},
        split=text_split(said, "completion", options),
        reference_answer=answer,
        source=source_of(row, options),
        model=row.get("model"),
    )
    return scored(trace, [*flag("reward", row.get("reward"), scorer=NAME), *_scores(metrics or {})])


def _of_episode(row: Mapping[str, Any], options: Options) -> Iterator[Item]:
    for i, told in enumerate(row["traces"]):
        paths = _branches(told["nodes"], f"traces[{i}].nodes")
        for number, path in enumerate(paths):
            try:
                turns = [turn for node in path for turn in _node(told["nodes"][node], f"traces[{i}].nodes[{node}]")]
                yield _of_branch(row, told, turns, f"traces[{i}]", (number, len(paths)), options)
            except InvalidTrace as fault:
                yield fault


def _of_branch(
    row: Mapping[str, Any],
    told: Mapping[str, Any],
    turns: list[Turn],
    field: str,
    branch: tuple[int, int],
    options: Options,
) -> Item:
    found, tools = with_tools(exchange_of(turns, f"{field}.nodes"), told)
    task = _held(told.get("task"))
    answer = _held(task.get("data")).get("answer")
    calls = [call for call in _listed(told.get("calls")) if isinstance(call, dict)]
    kept = {"episode": rest(row, ("traces",)), **rest(told, ("nodes", "rewards", "metrics", *tools))}
    if branch[1] > 1:
        kept["branch"] = branch[0]
    rewards = {name: _held(reward) for name, reward in _held(told.get("rewards")).items()}
    weighed = [
        reward["score"] * weight
        for reward in rewards.values()
        if isinstance(reward.get("score"), int | float) and isinstance(weight := reward.get("weight", 1.0), int | float)
    ]
    scores = {name: reward.get("score") for name, reward in rewards.items()} | dict(_held(told.get("metrics")))
    trace = chat_trace(
        found,
        options,
        meta={"verifiers": kept},
        names={"prompt": f"{field}.nodes", "steps": found.answer.field},
        reference_answer=filled(answer),
        source=source_of(row, options),
        model=next((call["model"] for call in calls if isinstance(call.get("model"), str)), None),
    )
    total = flag("reward", sum(weighed), scorer=NAME) if weighed and "reward" not in scores else []
    return scored(trace, [*total, *_scores(scores)])


def _branches(nodes: list[Any], field: str) -> list[list[int]]:
    """The places of the nodes from a root to each leaf. Raises InvalidTrace for a parent that is no earlier node."""
    parents: list[int | None] = []
    for i, node in enumerate(nodes):
        parent = _held(node).get("parent")
        if parent is not None and (type(parent) is not int or not 0 <= parent < i):
            raise InvalidTrace(f"{field}[{i}].parent", f"must be an earlier node, not {parent!r}. Write the file again")
        parents.append(parent)
    paths = []
    for leaf in sorted(set(range(len(nodes))) - {parent for parent in parents if parent is not None}):
        path: list[int] = []
        at: int | None = leaf
        while at is not None:
            path.append(at)
            at = parents[at]
        paths.append(path[::-1])
    return paths


def _node(node: Any, field: str) -> list[Turn]:
    turns = read_turns([_held(node).get("message")], f"{field}.message")
    sampled = _held(node).get("sampled")
    if not isinstance(sampled, bool):
        return turns
    return [turn._replace(train=sampled) if turn.role == "assistant" else turn for turn in turns]


def _held(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _scores(values: Mapping[str, Any]) -> Iterator[GivenScore]:
    for name, value in values.items():
        if name.strip():
            yield from flag(name, value, scorer=NAME)
