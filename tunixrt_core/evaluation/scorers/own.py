"""Scorers from installed packages, entry point group `tunixrt.scorers`.

They run in this process. A scorer that raises loses the score of one answer; one that hangs or ends the process does so
to the evaluation.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from inspect import getdoc

from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.scorers.scorer import Answer, Score, Scorer

log = logging.getLogger(__name__)

GROUP = "tunixrt.scorers"
_LONGEST_WORD = 100  # characters of an error beside a score
# keys of summary.json beside the means of the scorers
_RESERVED = frozenset(
    {"rows", "answers", "seconds", "planned", "verdicts", "scorers", "mean_tokens", "exact_match_low"}
    | {"exact_match_high", "intervals"}
)


@dataclass(frozen=True, slots=True)
class OwnScorer:
    """A scorer of a package: loaded, or the reason why it cannot be used."""

    name: str
    package: str
    scorer: Scorer | None
    problem: str = ""


def own_scorers(taken: frozenset[str]) -> dict[str, OwnScorer]:
    """Scorers of installed packages by name. `taken` are names that are not available. Imports the packages."""
    found: dict[str, OwnScorer] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        loaded = _loaded(entry, taken)
        if entry.name in found and found[entry.name].package != loaded.package:
            both = f"{found[entry.name].package} and {loaded.package}"
            loaded = replace(loaded, scorer=None, problem=f"Two packages offer it: {both}. Remove one of them.")
        found[entry.name] = loaded
    return found


def usable(own: OwnScorer) -> Scorer:
    """Raises InvalidEvaluation where it cannot be used."""
    if own.scorer is None:
        raise InvalidEvaluation(f"The scorer {own.name!r} of {own.package} cannot be used. {own.problem}")
    return own.scorer


def guarded(name: str, judge: Callable[[Answer], object], unit: str) -> Callable[[Answer], Score]:
    """The user's function, which always returns a score. The log holds the first error with its traceback."""
    failed = False

    def score(answer: Answer) -> Score:
        nonlocal failed
        try:
            return _score(judge(answer), unit)
        except (Exception, SystemExit) as error:  # the user's code: it must not end an evaluation
            if not failed:
                log.exception("the scorer %s failed", name)
            failed = True
            return _error(f"{type(error).__name__}: {error}")

    return score


def _loaded(entry: EntryPoint, taken: frozenset[str]) -> OwnScorer:
    package = entry.dist.name if entry.dist else entry.value
    if entry.name in taken | _RESERVED or "=" in entry.name or not entry.name.strip():
        return OwnScorer(entry.name, package, None, "Its name is taken. Give the entry point another one.")
    try:
        target = entry.load()
    except (Exception, SystemExit) as error:  # importing it runs the user's code
        log.debug("the scorer %s does not load", entry.name, exc_info=True)
        return OwnScorer(entry.name, package, None, f"It cannot be imported: {type(error).__name__}: {error}.")
    if isinstance(target, Scorer):
        judge = guarded(entry.name, target.score, target.unit)
        return OwnScorer(entry.name, package, replace(target, name=entry.name, score=judge))
    if not callable(target) or isinstance(target, type):
        return OwnScorer(entry.name, package, None, f"{entry.value} is neither a function nor a Scorer.")
    about = (getdoc(target) or f"of {package}").split("\n", 1)[0]
    judge = guarded(entry.name, target, "number")
    return OwnScorer(entry.name, package, Scorer(entry.name, 1, about, judge, "number", None))


def _score(found: object, unit: str) -> Score:
    score = found if isinstance(found, Score) else Score(found)  # type: ignore[arg-type]
    value = score.value
    if value is None and isinstance(found, Score):
        return Score(None, str(score.verdict))
    if not isinstance(value, int | float):
        return _error(f"it returned {type(value).__name__}, not a number or a Score")
    value = float(value)
    if not math.isfinite(value):
        return _error(f"it returned {value}, which is not a number")
    if unit == "share" and not 0 <= value <= 1:
        return _error(f"it returned {value:g}, but a share is from 0 to 1")
    return Score(value, str(score.verdict))


def _error(text: str) -> Score:
    line = " ".join(f"error: {text}".split())
    return Score(None, line if len(line) <= _LONGEST_WORD else line[: _LONGEST_WORD - 1] + "…")
