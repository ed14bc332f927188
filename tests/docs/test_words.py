"""The check of words reads prose and leaves code alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.tools.words import findings, read_rules


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("page.md", "It does so anew.\n\n```sh\nmend anew\n```\n\nMend it, then run `mend`.\n", [1, 7]),
        ("page.md", "A [link](anew.md) and <b anew> are code.\n", []),
        ("page.md", "It stands for that, and a standing order.\n", []),
        ("code.py", 'mend = 1\nname = "Mend it."  # anew\n', [2, 2]),
        ("code.py", '"""One.\n\nTwo anew.\n"""\n', [3]),
    ],
)
def test_words_are_found_in_prose_with_their_line(tmp_path: Path, name: str, text: str, lines: list[int]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = list(findings(tmp_path / name, read_rules()))
    assert sorted(int(line.removeprefix(f"{tmp_path / name}:").split(":")[0]) for line in found) == lines
