"""Check of public text against the list of words that are not used.

    python -m docs.tools.words README.md docs tunixrt_core

Reads Markdown outside code, and strings and comments of Python. Prints file, line and what to write; exits with 1.
"""

from __future__ import annotations

import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).with_name("words.tsv")
GENERATED = "generated"  # pages made from the code, which is checked itself
_CODE = re.compile(r"`[^`]*`|\]\([^)]*\)|<[^>]+>")
_PROSE = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


class Rule(NamedTuple):
    """A pattern that public text must not match, and what to write instead."""

    pattern: re.Pattern[str]
    plain: str


def read_rules(path: Path = LIST) -> list[Rule]:
    """The list: one tab-separated pair of regular expression and plain word per line; # starts a comment."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#")
    return [Rule(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), plain) for pattern, plain in rows]


def findings(path: Path, rules: Iterable[Rule]) -> Iterator[str]:
    """One line per match in a file."""
    rules = list(rules)
    for number, text in _prose(path):
        for rule in rules:
            for match in rule.pattern.finditer(text):
                yield f'{path}:{number}: "{match[0]}": write {rule.plain}'


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    if path.suffix == ".py":
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type in _PROSE:
                    yield from enumerate(token.string.splitlines(), token.start[0])
        return
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = line.lstrip().startswith("```")
        if not fence and not fenced:
            yield number, _CODE.sub("", line)
        fenced ^= fence


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """Markdown and Python files of folders, and the files named."""
    for path in paths:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (one for one in inside if one.suffix in {".md", ".py"} and GENERATED not in one.parts)


def main(paths: Iterable[str]) -> int:
    rules = read_rules()
    found = [line for path in files(map(Path, paths)) for line in findings(path, rules)]
    print("\n".join(found) or "Words: nothing found.")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
