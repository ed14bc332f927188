"""An answer in a free text: found in any known form, with its form and its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.traces.answers.finding import Form, find_answer


@pytest.mark.parametrize(
    ("text", "answer", "form"),
    [
        (r"So \boxed{\frac{1}{2}} it is, not \boxed{", r"\frac{1}{2}", Form.BOXED),
        (r"First \boxed{1}, then \boxed{2}.", "2", Form.BOXED),
        ("30 clips.\n#### 30\nThe answer is: 31", "30", Form.HASHES),
        ("So far so good.\nThe answer is: 2", "2", Form.SAID),
        ("The answer is 7. That was easy.", "7", Form.SAID),
        ("The final answer is **B**.", "B", Form.SAID),
        ("The correct option is (C) Paris, because it is.", "(C) Paris", Form.SAID),
        ("**Answer:** $12.50", "$12.50", Form.SAID),
        ("The answer is:\n\n42", "42", Form.SAID),
        ("The answer is not 7.", "not 7", Form.SAID),
        ("The answer is 3.14 rounded.", "3.14 rounded", Form.SAID),
        ("(A) one\n(B) two\nI take the second.\n\nB", "B", Form.LETTER),
        ("It must be this.\n(B) two", "(B) two", Form.LETTER),
        ("3 boxes of 4 are 12 in all.", "12", Form.NUMBER),
        ("In total 1,234.50 dollars", "1,234.50", Form.NUMBER),
        ("That makes -5 degrees.", "-5", Form.NUMBER),
        ("half is 50%.", "50%", Form.NUMBER),
        ("<reasoning>1</reasoning><answer> 5 </answer>", "5", Form.TAGS),
        ("<think>The answer is 12.</think> It is 13.", "13", Form.NUMBER),
    ],
)
def test_an_answer_is_found_in_any_known_form(text: str, answer: str, form: Form) -> None:
    found = find_answer(text)
    assert found is not None
    assert (found.answer, found.form, text[found.start : found.end]) == (answer, form, answer)


@pytest.mark.parametrize(
    "text",
    ["", "Nobody knows.", "<think>The answer is 12", "(A) one\n(B) two\nWho knows", r"\boxed{}", "the answer is"],
)
def test_where_there_is_none_none_is_found(text: str) -> None:
    assert find_answer(text) is None


def test_the_style_of_the_run_comes_first() -> None:
    text = r"\boxed{3}" + "\nAnswer: 4"
    found = find_answer(text, "4")
    assert found is not None
    assert (found.answer, found.form, found.start) == ("4", Form.STYLE, len(text) - 1)
    assert find_answer(text, None) == find_answer(text, "no such text")


@given(st.text(alphabet=st.sampled_from("the answer is#\\boxed{}<think>/AB()1.5\n *"), max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    found = find_answer(text)
    assert found is None or text[found.start : found.end] == found.answer
