"""Short answers: whether two of them are the same, as text or as a number. Knows nothing of traces or models."""

from __future__ import annotations

from tunixrt_core.answers.numbers import Number, read_number, same_number
from tunixrt_core.answers.same import cheap_verdict, same_answer

__all__ = ["Number", "cheap_verdict", "read_number", "same_answer", "same_number"]
