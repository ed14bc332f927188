"""Scorers: plain functions from one answer to one score. Each has a name and a version."""

from __future__ import annotations

from tunixrt_core.scorers.basic import exact_match, format_valid
from tunixrt_core.scorers.chosen import ScorerSet
from tunixrt_core.scorers.same import same_answer
from tunixrt_core.scorers.scorer import Answer, Score, Scorer

__all__ = ["Answer", "Score", "Scorer", "ScorerSet", "exact_match", "format_valid", "same_answer"]
