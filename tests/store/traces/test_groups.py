"""Prompt groups: many traces of one prompt, how often they are right, and whether they agree."""

from __future__ import annotations

import pytest

from tunixrt_core.errors import InvalidQuery
from tunixrt_core.store.store import Store
from tunixrt_core.traces.trace import Step, Trace


def answer(prompt: str, final: str, *, words: int = 1, reference: str | None = "42") -> Trace:
    return Trace(prompt, (Step(0, "so " * words),), final, reference_answer=reference)


def test_a_group_knows_its_pass_rate_its_shortest_right_trace_and_its_answers(store: Store) -> None:
    short = answer("6 * 7?", "42")
    store.traces.insert(
        [
            answer("6 * 7?", "42.0", words=9),
            short,
            answer(" 6 *  7?", "41"),
            answer("6 * 7?", "x", reference=None),
            answer("alone", "1"),
        ]
    )
    page = store.groups.page()
    (group,) = page.items
    assert page.next is None
    assert (group.key, group.prompt, group.traces) == (short.group_key, "6 * 7?", 4)
    assert (group.right, group.wrong, group.pass_rate) == (2, 1, 2 / 3)
    assert group.answers == 3  # 42 and 42.0 are one
    assert group.shortest_right == short.content_hash


def test_a_group_without_reference_has_no_pass_rate(store: Store) -> None:
    store.traces.insert([answer("p", "a", reference=None), answer("p", "b", reference=None)])
    (group,) = store.groups.page().items
    assert (group.pass_rate, group.shortest_right, group.answers) == (None, None, 2)


def test_groups_are_paged_without_gap_or_repeat_and_lose_deleted_traces(store: Store) -> None:
    made = [answer(f"p{n % 25}", str(n)) for n in range(60)]
    store.traces.insert(made)
    store.traces.delete(made[24].content_hash)
    seen: list[str] = []
    after = None
    while True:
        page = store.groups.page(after=after, limit=7)
        seen += [group.key for group in page.items]
        if (after := page.next) is None:
            break
    expected = {one.group_key for one in made if one.prompt != "p24"}
    assert seen == sorted(expected)
    assert {group.traces for group in store.groups.page(min_traces=3, limit=50).items} == {3}


def test_a_cursor_or_a_size_that_cannot_be_is_refused(store: Store) -> None:
    with pytest.raises(InvalidQuery, match="page cursor"):
        store.groups.page(after="x")
    with pytest.raises(InvalidQuery, match="min_traces"):
        store.groups.page(min_traces=0)
