"""Every selection takes what it says, whatever the order of the candidates; groups are never on both sides."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.makers import built, candidates, hash_of, numbers, trace
from tunixrt_core.datasets.pool import Candidate
from tunixrt_core.datasets.selection import build_dataset, draws_eval
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import InvalidDataset
from tunixrt_core.traces.trace import Trace

SOURCES = [trace(n, source="abc"[min(n // 10, 2)], meta={"level": n % 2}) for n in range(50)]  # 10 a, 10 b, 30 c


def per_source(**spec: object) -> dict[str | None, int]:
    made = built(SOURCES, selection="stratified", **spec)
    return dict(Counter(SOURCES[n].source for n in numbers(made, SOURCES)))


def test_strata_get_their_share_or_the_same_each() -> None:
    assert per_source(by="source", limit=10) == {"a": 2, "b": 2, "c": 6}
    assert per_source(by="source", limit=9, allocation="equal") == {"a": 3, "b": 3, "c": 3}
    # what the small ones cannot give is shared out among the others
    assert per_source(by="source", limit=40, allocation="equal") == {"a": 10, "b": 10, "c": 20}
    assert per_source(by="source", limit=500) == {"a": 10, "b": 10, "c": 30}
    assert per_source(by="source", limit=500, allocation="equal") == {"a": 10, "b": 10, "c": 30}


def test_strata_may_be_values_of_meta_or_missing_ones() -> None:
    made = built(SOURCES, selection="stratified", by="meta.level", limit=10)
    assert Counter(SOURCES[n].meta["level"] for n in numbers(made, SOURCES)) == {0: 5, 1: 5}
    some = [one if n % 2 else replace(one, meta={}) for n, one in enumerate(SOURCES)]
    assert len(built(some, selection="stratified", by="meta.level", limit=10).rows) == 10


def test_a_stratum_that_no_trace_has_is_refused_with_the_one_that_may_be_meant() -> None:
    with pytest.raises(InvalidDataset, match=r"no trace that matches has meta\.levle\. Did you mean meta\.level\?"):
        built(SOURCES, selection="stratified", by="meta.levle", limit=10)
    with pytest.raises(InvalidDataset, match=r"has meta\.nothing\. Keys seen: source, model, meta\.level"):
        built(SOURCES, selection="stratified", by="meta.nothing", limit=10)
    with pytest.raises(InvalidDataset, match=r"has model\. Keys seen: source, meta\.level\."):
        built(SOURCES, selection="stratified", by="model", limit=10)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 30), min_size=1), st.integers(1, 120), st.booleans())
def test_strata_add_up_to_the_limit(sizes: dict[str, int], limit: int, equal: bool) -> None:
    stratum = {hash_of(f"{name}{n}"): name for name, size in sizes.items() for n in range(size)}
    pool = [Candidate(0, hash, hash, stratum=name) for hash, name in stratum.items()]
    spec = DatasetSpec(
        "d", selection="stratified", by="source", limit=limit, allocation="equal" if equal else "proportional"
    )
    rows = build_dataset(spec, pool)
    taken = Counter(stratum[row.hash] for row in rows)
    assert len(rows) == min(limit, sum(sizes.values()))
    assert all(taken[name] <= size for name, size in sizes.items())
    if equal:
        full = [name for name, size in sizes.items() if taken[name] < size]
        assert len(full) < 2 or max(taken[n] for n in full) - min(taken[n] for n in full) <= 1


MANY = [
    trace(1, answer="3", meta={"scores": {"quality": 9}}),
    trace(1, steps=("short 2",), meta={"scores": {"quality": 1}}),
    trace(1, steps=("a longer way to 2", "2"), meta={"scores": {"quality": 5}}),
    trace(2, answer="5", meta={"scores": {"quality": 8}}),
    trace(3, meta={"quality": 7}),
]


def test_top_takes_the_highest_scores() -> None:
    assert numbers(built(MANY, selection="top", by="quality", limit=2), MANY) == [0, 3]
    assert numbers(built(MANY, selection="top", by="quality", limit=2, dedupe="prompt"), MANY) == [0, 3]
    with pytest.raises(InvalidDataset, match="no trace that matches has a score"):
        built(MANY, selection="top", by="beauty", limit=2)


def test_best_and_shortest_take_one_right_trace_a_prompt() -> None:
    assert numbers(built(MANY, selection="best", by="quality"), MANY) == [2, 4]
    assert numbers(built(MANY, selection="shortest"), MANY) == [1, 4]
    assert len(built(MANY, selection="shortest", limit=1).rows) == 1
    with pytest.raises(InvalidDataset, match="right by its reference"):
        built([MANY[0], MANY[3]], selection="shortest")


def test_right_may_take_math_verify_to_see() -> None:
    hard = Trace("p", trace(1).steps, r"\frac{\sqrt{8}}{2}", reference_answer=r"\sqrt{2}")
    assert numbers(built([hard, MANY[0]], selection="shortest"), [hard]) == [0]


def test_a_budget_is_filled_in_the_order_of_the_seed_or_of_a_score() -> None:
    words = [trace(n, prompt=f"p{n}", steps=("w " * 8,), answer="x", meta={"scores": {"s": n}}) for n in range(20)]
    assert len(built(words, selection="budget", budget=35, tokens="words").rows) == 3
    assert numbers(built(words, selection="budget", budget=35, tokens="words", by="s"), words) == [17, 18, 19]
    one, same, other = (built(words, selection="budget", budget=100, tokens="words", seed=s).rows for s in (1, 1, 2))
    assert one == same != other
    with pytest.raises(InvalidDataset, match="budget: "):
        built(words, selection="budget", budget=9, tokens="words")
    with pytest.raises(InvalidDataset, match="by: no trace that matches has a score of that name"):
        built(words, selection="budget", budget=35, tokens="words", by="beauty")


@given(st.randoms(use_true_random=False), st.sampled_from(["stratified", "top", "best", "shortest", "budget"]))
def test_the_order_of_the_candidates_decides_nothing(rng: random.Random, selection: str) -> None:
    pool = [
        Candidate(
            n, hash_of(n), hash_of(f"g{n // 3}"), "ab"[n % 2], score=n % 5, size=n % 7, tokens=n % 4, right=n % 3 > 0
        )
        for n in range(40)
    ]
    needs = {"stratified": {"by": "source", "limit": 9}, "top": {"by": "s", "limit": 9}, "best": {"by": "s"}}
    more = needs.get(selection, {"budget": 20} if selection == "budget" else {})
    spec = DatasetSpec.from_dict({"name": "d", "selection": selection, **more})
    assert build_dataset(spec, rng.sample(pool, 40)) == build_dataset(spec, pool)


GROUPS = st.lists(st.integers(0, 60), min_size=1, max_size=120)


def pool_of(groups: list[int]) -> list[Candidate]:
    return [Candidate(i, hash_of(i), hash_of(f"group {g}")) for i, g in enumerate(groups)]


@given(GROUPS, GROUPS, st.integers(0, 99), st.sampled_from([0.05, 0.1, 0.3, 0.5]))
def test_no_group_stands_on_both_sides_and_rows_never_move_when_traces_come(
    first: list[int], more: list[int], seed: int, share: float
) -> None:
    spec = DatasetSpec("d", seed=seed, eval_share=share)
    before_pool, after_pool = pool_of(first), pool_of(first + more)
    before, after = (dict(build_dataset(spec, pool)) for pool in (before_pool, after_pool))
    for pool, rows in ((before_pool, before), (after_pool, after)):
        sides: dict[str, set[str]] = {}
        for one in pool:
            sides.setdefault(one.group_key, set()).add(rows[one.hash])
        assert all(len(side) == 1 for side in sides.values())
    # one exception is promised: where every group falls to the same side, the nearest one is moved over
    drawn = {draws_eval(spec, one.group_key) for one in before_pool}
    if len(drawn) == 2:
        assert {one: after[one] for one in before} == before


def test_prompts_that_are_almost_the_same_stand_on_one_side_where_asked() -> None:
    rng = random.Random(1)
    words = [f"w{n}" for n in range(2_000)]
    base = [" ".join(rng.choices(words, k=40)) for _ in range(30)]
    pairs = [(trace(n, prompt=f"{text} today"), trace(n, prompt=f"{text} now")) for n, text in enumerate(base)]
    every = [one for pair in pairs for one in pair]

    def split_pairs(split_by: str) -> int:
        side = dict(built(every, split_by=split_by, eval_share=0.4).rows)
        return sum(side[a.content_hash] != side[b.content_hash] for a, b in pairs)

    assert split_pairs("prompt") > 0
    assert split_pairs("near_duplicate") == 0
    assert candidates(every)[0].hash == every[-1].content_hash
