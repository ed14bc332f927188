"""Scorer: share of repeated text."""

from __future__ import annotations

from tunixrt_core.datasets.gates.rules.reasoning import NGRAM, loop, repeated_share
from tunixrt_core.datasets.gates.texts import plain_words
from tunixrt_core.evaluation.scorers.scorer import Answer, Score, Scorer

_LEAST_CHARACTERS = 400  # a shorter text shows nothing in the size of its stretches
_LONG_WORD = 10  # characters a word; above it the text is not one of words
_STRETCH = 40  # characters: as long as eight words are


def repetition(answer: Answer) -> Score:
    """The share of stretches of eight words that stand in the output before, 0 where it has fewer words.

    An output that is not made of words (Chinese, or one sign without end) is measured in stretches of 40 characters.
    The word `looping` or `compressible` is that of the quality gate for reasoning that goes round in circles.
    """
    text = answer.output
    units, size = plain_words(text), NGRAM
    if len(text) >= _LEAST_CHARACTERS and len(units) * _LONG_WORD < len(text):
        units, size = list(text), _STRETCH
    found = loop(text, units, size)
    return Score(repeated_share(units, size), found[0] if found else "")


SCORERS = (
    Scorer("repetition", 1, "the share of eight-word stretches that were there before", repetition, "share", False),
)
