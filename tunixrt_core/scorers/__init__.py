"""Scorers: plain functions from one answer to one score. Each has a name and a version."""

from __future__ import annotations

from tunixrt_core.scorers.chosen import ScorerSet
from tunixrt_core.scorers.known import KnownScorer, known_scorers
from tunixrt_core.scorers.scorer import Answer, Score, Scorer

__all__ = ["Answer", "KnownScorer", "Score", "Scorer", "ScorerSet", "known_scorers"]
