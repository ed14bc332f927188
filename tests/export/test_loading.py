"""Exports are tables: a column has one type over all rows, and `datasets` loads each as its card says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.conftest import REPOSITORY
from tests.export.test_formats import CALLED, PARTS, TALKED
from tunixrt_core.export.card import CardFile, CardInfo, export_card
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.files import FileType, write_export
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.export.parquet import Columns
from tunixrt_core.traces.chat_messages import ChatParts
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.scores import GivenScore
from tunixrt_core.traces.trace import Step, Trace

OTHER_TOOLS = Conversation(
    turns=(
        Message("assistant", "Let me see.", calls=(Call("sum", {"of": [1, 2.5]}), Call("sum", "broken"))),
        Message("tool", "3.5"),
    ),
    tools=({"type": "function", "function": {"name": "sum", "strict": True}},),
)
# `meta` of other keys and types in each row, optional fields set in some
METAS: list[dict[str, Any]] = [{}, {"n": [1, "two", None], "deep": {"x": 1}}, {"n": "text", "deep": [True]}, {"m": 2.5}]
TRACES = [
    Trace(
        f"How much is {n} + {right}? “é”",
        (Step(0, f"add {n}", "plan" if n % 2 else "reason"), Step(1, f"way {right}")),
        str(n + right),
        meta=METAS[n % 4],
        system="Be brief." if n == 5 else None,
        reference_answer=str(n + 1),
        source="made" if n > 2 else None,
        model="m" if n == 3 else None,
        layout=Layout(between=("", "\n\n", ""), after_answer=".") if n == 6 else None,
    )
    for n in range(8)
    for right in (1, 1 + n % 2)
]
TRACES = list(
    {
        trace.content_hash: trace
        for trace in [*TRACES, *(Trace(t.prompt, t.steps, "0", reference_answer="1") for t in TRACES)]
    }.values()
)
# conversations with tools of other keys in each row, and rows without any
TALKS = [
    replace(trace, prompt=f"{trace.prompt} {n}", final_answer=answer)
    for n, trace in enumerate([TALKED, CALLED, replace(CALLED, conversation=OTHER_TOOLS)])
    for answer in (trace.final_answer, "-1")
]
KINDS = {"questions": TRACES, "conversations": [*TRACES, *TALKS]}
OPTIONS = {
    "default": ExportOptions(),
    "text": ExportOptions(ReasoningStyle.ANSWER, turns="text"),
    "messages": ExportOptions(ReasoningStyle.THINK, turns="messages", reasoning="field"),
}
VERSIONS = {"oldest": "datasets==4.0.0", "newest": "datasets"}


def rated(trace_hash: str) -> list[GivenScore]:
    return [GivenScore(name="rating", value=float(step), step=step, scorer="s", version="1") for step in (0, 1)]


def lines_of(format: str, kind: str, options: ExportOptions) -> list[bytes]:
    traces = KINDS[kind]
    sides = {trace.group_key: ("train", "eval")[n % 2] for n, trace in enumerate(traces)}
    split_of: Any = lambda trace: sides[trace.group_key]  # noqa: E731
    return list(EXPORT_FORMATS[format](traces, split_of=split_of, options=options, scores_of=rated))


def columns_of(format: str, kind: str, options: ExportOptions) -> Columns:
    parts = PARTS if kind == "conversations" else ChatParts(system=True)
    return EXPORT_FORMATS[format].columns_with(EXPORT_FORMATS[format].resolved(options, parts))


def one_type(values: list[Any]) -> Any:
    """The type that all values have, None where all are null. Raises AssertionError where they differ."""
    given = [value for value in values if value is not None]
    kinds = {type(value) for value in given}
    assert len(kinds) <= 1, f"{kinds} in one column"
    if dict in kinds:
        return {key: one_type([value.get(key) for value in given]) for key in {key for value in given for key in value}}
    if list in kinds:
        return [one_type([item for value in given for item in value])]
    return kinds.pop() if kinds else None


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_every_column_has_one_type_over_all_rows(format: str, kind: str, options: ExportOptions) -> None:
    rows = [orjson.loads(line) for line in lines_of(format, kind, options)]
    assert len(rows) > 4
    one_type(rows)
    known = {name for name, _ in columns_of(format, kind, options)}
    assert all(set(row) <= known for row in rows)


@pytest.fixture(scope="session")
def environments() -> dict[str, Path]:
    """Python with `datasets` in an environment of its own, by version; made once, kept in the cache of pytest."""
    made = {}
    for name, wanted in VERSIONS.items():
        folder = REPOSITORY / ".pytest_cache" / f"datasets-{name}"
        made[name] = folder / "bin" / "python"
        if not (folder / "installed").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            done = subprocess.run([made[name], "-m", "pip", "install", "-q", wanted], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"{wanted} cannot be installed here: {done.stderr[-200:]}")
            (folder / "installed").touch()
    return made


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", VERSIONS)
def test_datasets_loads_every_export_by_the_lines_of_its_card(
    environments: dict[str, Path], version: str, tmp_path: Path
) -> None:
    code = []
    for format, kind in product(EXPORT_FORMATS, KINDS):
        for name, options in OPTIONS.items():
            file_type = FileType.JSONL_GZ if name == "text" else FileType.JSONL
            path = tmp_path / f"{format}-{kind}-{name}.{file_type.value}"
            columns = columns_of(format, kind, options)
            write_export(lines_of(format, kind, options), path, format=format, file_type=file_type, columns=columns)
            card = export_card(CardInfo("d v1", "# d", format, columns, file_type), [CardFile(path.name)])
            (loading,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
            plain = f'guessed = load_dataset("json", data_files="{path.name}", split="train")\n'
            code.append(f"{loading}{plain}show({path.name!r}, rows, guessed)\n")
    script = "import json\ndef show(name, *found):\n    print(json.dumps([name, *map(list, found)]))\n" + "".join(code)
    (tmp_path / "load.py").write_text(script, encoding="utf-8")
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [environments[version], "load.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shown = [json for line in done.stdout.splitlines() if (json := orjson.loads(line))]
    assert len(shown) == len(EXPORT_FORMATS) * len(KINDS) * len(OPTIONS)
    for name, rows, guessed in shown:
        format, kind, option = name.partition(".")[0].split("-")
        written = [orjson.loads(line) for line in lines_of(format, kind, OPTIONS[option])]
        assert without_nulls(rows) == without_nulls(guessed) == without_nulls(written), name


def without_nulls(value: Any) -> Any:
    """As JSON has it: without the keys that only other rows have."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
