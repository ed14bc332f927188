"""The check of words reads prose and leaves code alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.tools.words import Rule, findings, read_rules

# this file is checked too, so it uses words of no list beside the real one
RULES = [*read_rules(), *(Rule(re.compile(rf"\b{word}\b", re.IGNORECASE), "plain") for word in ("grue", "bleen"))]


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("page.md", "It does so bleen.\n\n```sh\ngrue bleen\n```\n\nGrue it, then run `grue`.\n", [1, 7]),
        ("page.md", "A [link](bleen.md) and <b bleen> are code.\n", []),
        ("page.md", "It stands for that, and a standing order.\n", []),
        ("code.py", 'grue = 1\nname = "Grue it."  # bleen\n', [2, 2]),
        ("code.py", '"""One.\n\nTwo bleen.\n"""\n', [3]),
    ],
)
def test_words_are_found_in_prose_with_their_line(tmp_path: Path, name: str, text: str, lines: list[int]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = list(findings(tmp_path / name, RULES))
    assert sorted(int(line.removeprefix(f"{tmp_path / name}:").split(":")[0]) for line in found) == lines
