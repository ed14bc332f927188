"""Public names for users' scorer packages (`tunixrt.scorers`)."""

from tunixrt_core.evaluation.scorers.chosen import ScorerSet
from tunixrt_core.evaluation.scorers.known import KnownScorer, known_scorers
from tunixrt_core.evaluation.scorers.scorer import Answer, Score, Scorer

__all__ = ["Answer", "KnownScorer", "Score", "Scorer", "ScorerSet", "known_scorers"]
