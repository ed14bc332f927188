"""Values that Python's `repr` wrote where JSON is expected."""

from __future__ import annotations

import ast
import warnings
from typing import Any

MAX_CHARS = 1 << 20  # reading a literal takes fifty times its size in memory


def python_value(text: str) -> Any:
    """The value of a Python literal; None where the text is none, or too long."""
    if len(text) > MAX_CHARS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
