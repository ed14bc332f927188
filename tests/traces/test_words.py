"""Words are those that a reader of the script sees."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.traces.words import WHOLE, WORD, plain, straight, tokens, windows


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A farmer's 17 sheep", ["A", "farmer", "s", "17", "sheep"]),
        ("über größe", ["über", "größe"]),
        ("农民有17只羊", ["农", "民", "有", "17", "只", "羊"]),
        ("カードを借りた", ["カ", "ー", "ド", "を", "借", "り", "た"]),
        ("농부에게 양이", ["농", "부", "에", "게", "양", "이"]),
        ("กี่ตัว", ["กี่", "ตั", "ว"]),
        ("x轴 and \U00020bb7屋", ["x", "轴", "and", "\U00020bb7", "屋"]),
        ("hy\u00adphen ca\u200bmera", ["hy\u00adphen", "ca\u200bmera"]),
    ],
)
def test_words_are_found_in_every_script_with_their_places(text: str, words: list[str]) -> None:
    found = tokens(text)
    assert [token.text for token in found] == words
    assert [text[token.start : token.end] for token in found] == words


@pytest.mark.parametrize("text", ["農夫 가 ガ កម្ពុជា", "กำไร", "ガギ 가나"])
def test_either_normal_form_of_a_text_has_the_same_words(text: str) -> None:
    composed, apart = (
        [plain(token.text) for token in tokens(unicodedata.normalize(form, text))] for form in ("NFC", "NFD")
    )
    assert composed == apart


def test_half_width_letters_are_those_of_full_width() -> None:
    assert [plain(token.text) for token in tokens("ｶﾞﾗｽ")] == [token.text for token in tokens("ガラス")]


@given(st.text(st.sampled_from("ab1é β-_' \n"), max_size=40))
def test_a_text_of_spaced_words_is_split_at_what_is_no_word(text: str) -> None:
    assert [token.text for token in tokens(text)] == WORD.findall(text)
    assert all(token.weight == WHOLE for token in tokens(text))


@given(st.lists(st.sampled_from([2, 3, 6]), max_size=30), st.integers(1, 8))
def test_a_window_is_the_shortest_that_is_long_enough(weights: list[int], size: int) -> None:
    found = list(windows(weights, size))
    for first, end in found:
        assert sum(weights[first:end]) >= size * WHOLE > sum(weights[first : end - 1])
    starts = [first for first in range(len(weights)) if sum(weights[first:]) >= size * WHOLE]
    assert [first for first, _ in found] == starts


def test_curly_quotes_and_primes_become_straight() -> None:
    assert straight("“it’s” f′(x) ″ „so‟ «no»") == '"it\'s" f\'(x) " "so" «no»'
