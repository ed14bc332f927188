"""Quality: gates that say what is wrong with rows, one a module, each with a name, a version and plain functions."""

from tunixrt_core.quality.answer import answer_matches
from tunixrt_core.quality.lints import lint

__all__ = ["answer_matches", "lint"]
