"""Packed and Parquet files hold what the lines hold, in the same bytes each time; and have a sidecar."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.export.test_export import PLAIN
from tests.export.test_formats import ASKED, CALLED, PARTS, RIGHT, TALKED, WRONG, Scores, rated
from tunixrt_core.errors import InvalidDataset, OutputError
from tunixrt_core.export.card import CardFile, CardInfo, card_path, export_card, write_card
from tunixrt_core.export.entries import ExportOptions
from tunixrt_core.export.files import ExportInfo, FileType, encoded, file_type_named, write_export
from tunixrt_core.export.formats import EXPORT_FORMATS
from tunixrt_core.export.module import check_prompts, data_module, write_module
from tunixrt_core.traces.chat_messages import NO_PARTS
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rows import SPLITS, Split
from tunixrt_core.traces.trace import Step, Trace

TYPED = Trace("p|`", (Step(0, "a\n1", "plan"), Step(1, "b")), "5", meta={"deep": [{"x": 1}], "y": None})
SCORES = Scores({RIGHT.content_hash: [rated(1, 0), rated(-1, 1)], WRONG.content_hash: [rated(0, 0)]})
ABOUT = "# mine v2\n\n## Quality gates\n"


def lines(format: str, *others: Trace, **more: Any) -> list[bytes]:
    return list(EXPORT_FORMATS[format]([PLAIN, RIGHT, WRONG, ASKED, TYPED, *others], scores_of=SCORES, **more))


def file_of(found: list[bytes], format: str, kind: FileType, options: ExportOptions | None = None) -> bytes:
    columns = EXPORT_FORMATS[format].columns_with(options or ExportOptions())
    return b"".join(encoded(found, kind, columns))


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_a_packed_file_is_the_lines_without_name_or_time(format: str) -> None:
    packed = file_of(lines(format), format, FileType.JSONL_GZ)
    assert gzip.decompress(packed) == b"".join(lines(format))
    assert packed == file_of(lines(format), format, FileType.JSONL_GZ)
    assert packed[3:8] == b"\0" * 5, "no name, no time"


@pytest.mark.parametrize("talks", [False, True])
@pytest.mark.parametrize("reasoning", ["content", "field"])
@pytest.mark.parametrize("turns", ["messages", "text"])
@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_a_parquet_file_holds_what_the_lines_hold(format: str, turns: Any, reasoning: Any, talks: bool) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    options = ExportOptions(turns=turns, reasoning=reasoning, parts=PARTS if talks else NO_PARTS)
    found = lines(format, *([TALKED, CALLED] if talks else []), options=options)
    written = file_of(found, format, FileType.PARQUET, options)
    assert written == file_of(found, format, FileType.PARQUET, options)
    table = parquet.read_table(io.BytesIO(written)).to_pylist()
    for row, line in zip(table, found, strict=True):
        if format == "tunix_sft":
            row["metadata"] = orjson.loads(row["metadata"])
        kept = {name: without_nothing(value) for name, value in row.items() if value is not None}
        assert kept == orjson.loads(line)


def without_nothing(value: Any) -> Any:
    """Turns as JSON has them: without the keys that only other turns have."""
    if isinstance(value, dict):
        return {key: without_nothing(item) for key, item in value.items() if item is not None}
    return list(map(without_nothing, value)) if isinstance(value, list) else value


def test_a_parquet_file_of_no_rows_can_be_read() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    written = file_of([], "tunix_sft", FileType.PARQUET)
    assert parquet.read_table(io.BytesIO(written)).num_rows == 0


def test_a_large_parquet_file_is_written_a_group_of_rows_at_a_time() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    taken = 0

    def many() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(5_000):
            taken += 1
            yield lines("tunix_sft")[0]

    blocks = encoded(many(), FileType.PARQUET, EXPORT_FORMATS["tunix_sft"].columns)
    first = next(blocks)
    assert taken == 500
    assert parquet.ParquetFile(io.BytesIO(first + b"".join(blocks))).num_row_groups == 10


def test_the_sidecar_says_what_kind_of_file_it_is_and_how_it_was_written(tmp_path: Path) -> None:
    info = write_export(
        lines("grpo"), tmp_path / "x.jsonl.gz", format="grpo", file_type=FileType.JSONL_GZ, more=lambda: {"left_out": 2}
    )
    told = orjson.loads(info.meta_path.read_bytes())
    assert (told["as"], told["left_out"], told["rows"]) == ("jsonl.gz", 2, info.rows)
    assert told["bytes"] == info.path.stat().st_size


def test_writing_and_reading_exports_loads_pyarrow_only_for_parquet() -> None:
    code = (
        "import sys; from tunixrt_core.export.files import FileType, encoded\n"
        "from tunixrt_core.export.formats import EXPORT_FORMATS\n"
        "list(encoded([b'{}'], FileType.JSONL_GZ)); assert 'pyarrow' not in sys.modules\n"
        "list(encoded([], FileType.PARQUET, EXPORT_FORMATS['stepwise'].columns)); assert 'pyarrow' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_file_type_lists_the_known_ones() -> None:
    with pytest.raises(InvalidDataset, match=r"'csv' is not a file type. Use one of: jsonl, jsonl.gz, parquet"):
        file_type_named("csv")


def card_info(format: str, **more: Any) -> CardInfo:
    return CardInfo("mine v2", ABOUT, format, EXPORT_FORMATS[format].columns_with(ExportOptions()), **more)


def test_the_card_tells_counts_hash_spec_and_gates(tmp_path: Path) -> None:
    info = write_export(lines("grpo"), tmp_path / "mine.jsonl", format="grpo")
    about = card_info("grpo", options={"chat": "qwen3", "other": "a|b"}, left_out={"without a score on every step": 4})
    files = [CardFile("mine.jsonl", export=info)]
    card = write_card(about, files, tmp_path / "README.md").read_text(encoding="utf-8")
    assert card == export_card(about, files)
    head, _, body = card.removeprefix("---\n").partition("\n---\n")
    assert 'data_files:\n  - "mine.jsonl"' in head
    for words in (ABOUT.rstrip(), info.sha256, "| chat | `qwen3` |", "| rows | `3` |", r"| other | `a\|b` |"):
        assert words in body
    assert "| traces left out: without a score on every step | `4` |" in body


def test_the_card_of_two_files_names_each_with_its_side(tmp_path: Path) -> None:
    infos: dict[Split, ExportInfo] = {
        split: write_export(lines("grpo")[n:], tmp_path / f"{split}.jsonl", format="grpo")
        for n, split in enumerate(SPLITS)
    }
    files = [CardFile(info.path.name, split, info) for split, info in infos.items()]
    head, _, body = export_card(card_info("grpo"), files).removeprefix("---\n").partition("\n---\n")
    assert '  - split: train\n    path: "train.jsonl"\n  - split: eval\n    path: "eval.jsonl"' in head
    assert f"| sha256 of eval | `{infos['eval'].sha256}` |" in body
    assert 'data_files={"train": "train.jsonl", "eval": "eval.jsonl"}, features=features)' in body


def test_a_card_stands_beside_many_exports_under_the_files_own_name(tmp_path: Path) -> None:
    assert card_path(tmp_path / "a.jsonl", alone=False).name == "a.jsonl.README.md"
    assert card_path(tmp_path / "a.jsonl", alone=True) == tmp_path / "README.md"


def test_a_readme_of_another_s_writing_is_never_replaced(tmp_path: Path) -> None:
    files = [CardFile("a.jsonl")]
    for _ in range(2):
        write_card(card_info("trace"), files, tmp_path / "README.md")
    (tmp_path / "README.md").write_text("# My project\n")
    with pytest.raises(OutputError, match="already exists and is no dataset card"):
        write_card(card_info("trace"), files, tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text() == "# My project\n"


@pytest.mark.parametrize("kind", [FileType.JSONL, FileType.JSONL_GZ])
def test_the_module_gives_tunix_the_rows_of_a_split(tmp_path: Path, kind: FileType) -> None:
    sides = {RIGHT.content_hash: "train", ASKED.content_hash: "eval"}
    found = EXPORT_FORMATS["grpo"]([RIGHT, ASKED], split_of=lambda trace: sides[trace.content_hash])  # type: ignore[return-value,arg-type]
    info = write_export(found, tmp_path / f"mine.grpo.{kind.value}", format="grpo", file_type=kind)
    path = write_module(info, "grpo", kind)
    assert path.name == "mine.grpo.py"
    # a stand-in for the package's only use of it, where it is not installed
    stub = "class MapDataset:\n    source = staticmethod(list)\n"
    (tmp_path / "grain.py").write_text(stub)
    code = (
        "import runpy, sys; m = runpy.run_path(sys.argv[1]); print(m['create_dataset'](), m['create_dataset']('eval'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == (
        "[{'prompts': '2+3?', 'question': '2+3?', 'answer': '5'}] "
        "[{'prompts': '4+4?', 'question': '4+4?', 'answer': '8'}]"
    )


@pytest.mark.tunix
def test_tunix_reads_an_export_through_its_module(tmp_path: Path) -> None:
    from tunix.cli.utils.data import get_dataset_from_module

    info = write_export(lines("grpo"), tmp_path / "mine.grpo.jsonl", format="grpo")
    path = write_module(info, "grpo", FileType.JSONL)
    dataset = get_dataset_from_module(f"{path}:create_dataset(split='train')")
    assert len(dataset) == info.rows
    assert set(dataset[0]) == {"prompts", "question", "answer"}


def test_the_module_gives_prompts_of_text_only() -> None:
    check_prompts(ExportOptions(turns="text"))
    check_prompts(ExportOptions(turns="messages", chat=ChatFormat.QWEN3))
    with pytest.raises(InvalidDataset, match="Choose a chat format, or text"):
        check_prompts(ExportOptions(turns="messages"))


def test_the_module_is_for_grpo_lines_only(tmp_path: Path) -> None:
    info = write_export(lines("trace"), tmp_path / "a.jsonl", format="trace")
    with pytest.raises(InvalidDataset, match="is for the format grpo"):
        write_module(info, "trace", FileType.JSONL)
    with pytest.raises(InvalidDataset, match="Parquet by itself"):
        data_module("a.parquet", FileType.PARQUET)
