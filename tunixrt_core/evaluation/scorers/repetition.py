"""Scorer: share of repeated text."""

from __future__ import annotations

from tunixrt_core.datasets.gates.rules.reasoning import NGRAM, loop, repeated_share
from tunixrt_core.datasets.gates.texts import plain_words
from tunixrt_core.evaluation.scorers.scorer import Answer, Score, Scorer

_LEAST_CHARACTERS = 400  # in a shorter text the size of its stretches shows nothing
_LONG_WORD = 10  # characters per word; above it the text is not made of words
_STRETCH = 40  # characters: about the length of eight words


def repetition(answer: Answer) -> Score:
    """The share of eight-word stretches that occur earlier in the output, 0 where it has fewer words.

    An output that is not made of words (Chinese, or one sign without end) is measured in stretches of 40 characters.
    The label `looping` or `compressible` is that of the quality gate for repetitive reasoning.
    """
    text = answer.output
    units, size = plain_words(text), NGRAM
    if len(text) >= _LEAST_CHARACTERS and len(units) * _LONG_WORD < len(text):
        units, size = list(text), _STRETCH
    found = loop(text, units, size)
    return Score(repeated_share(units, size), found[0] if found else "")


SCORERS = (Scorer("repetition", 1, "the share of repeated eight-word stretches", repetition, "share", False),)
