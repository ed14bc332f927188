"""Two traces side by side: steps find their counterparts, words are marked, nothing of the text is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunixrt_core.traces.diff import TraceDiff, diff_traces, diff_words
from tunixrt_core.traces.trace import Step, Trace


def trace(*steps: str, answer: str = "1", prompt: str = "p") -> Trace:
    return Trace(prompt, tuple(Step(i, step) for i, step in enumerate(steps)), answer)


def numbers(diff: TraceDiff) -> list[tuple[int | None, int | None]]:
    return [(pair.a.i if pair.a else None, pair.b.i if pair.b else None) for pair in diff.pairs]


def test_equal_traces_do_not_diverge() -> None:
    diff = diff_traces(trace("a", "b"), trace("a", "b"))
    assert (diff.divergence, diff.same_prompt, diff.same_answer) == (None, True, True)
    assert all(pair.same for pair in diff.pairs)


def test_the_first_pair_that_differs_is_the_divergence() -> None:
    diff = diff_traces(trace("plan it", "2 times 89 is 178"), trace("plan it", "2 times 84 is 168", answer="2"))
    assert (diff.divergence, diff.same_answer) == (1, False)
    assert [piece.text for piece in diff.pairs[1].a_pieces if not piece.same] == ["89", "178"]
    assert [piece.text for piece in diff.pairs[1].b_pieces if not piece.same] == ["84", "168"]


def test_a_step_more_moves_the_others_down_and_not_apart() -> None:
    a = trace("buy six apples", "look at the clock", "eat two of the apples", "four apples are left")
    b = trace("buy six apples", "eat two of the pears", "four apples are left")
    assert numbers(diff_traces(a, b)) == [(0, 0), (1, None), (2, 1), (3, 2)]
    assert numbers(diff_traces(b, a)) == [(0, 0), (None, 1), (1, 2), (2, 3)]


def test_steps_that_have_nothing_in_common_stand_beside_each_other_whole() -> None:
    diff = diff_traces(trace("one two three", "four"), trace("completely other words here"))
    assert numbers(diff) == [(0, 0), (1, None)]
    assert [piece.same for piece in diff.pairs[0].a_pieces] == [False]


def test_the_same_words_under_another_type_are_a_difference() -> None:
    a, b = Trace("p", (Step(0, "same", "plan"),), "1"), Trace("p", (Step(0, "same", "check"),), "1")
    assert diff_traces(a, b).divergence == 0


def test_traces_without_steps_and_of_very_many_are_compared() -> None:
    assert diff_traces(trace(), trace()).pairs == ()
    assert numbers(diff_traces(trace(), trace("a"))) == [(None, 0)]
    many = diff_traces(trace(*(f"a {n}" for n in range(400))), trace(*(f"b {n}" for n in range(399))))
    assert len(many.pairs) == 400


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_pieces_of_each_side_are_its_text(a: str, b: str) -> None:
    left, right = diff_words(a, b)
    assert "".join(piece.text for piece in left) == a
    assert "".join(piece.text for piece in right) == b
    assert [p.text for p in left if p.same] == [p.text for p in right if p.same]


_STEPS = st.lists(st.text("ab ", min_size=1, max_size=6).filter(str.strip), max_size=7)


@given(_STEPS, _STEPS)
def test_every_step_of_both_stands_in_one_pair_and_in_order(a: list[str], b: list[str]) -> None:
    diff = diff_traces(trace(*a), trace(*b))
    assert [left for left, _ in numbers(diff) if left is not None] == list(range(len(a)))
    assert [right for _, right in numbers(diff) if right is not None] == list(range(len(b)))
    assert (diff.divergence is None) == (a == b)
    assert diff.to_dict()["divergence"] == diff.divergence
