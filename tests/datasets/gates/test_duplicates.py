"""Exact and near-duplicates: the pair, how alike it is, which one stays, and nothing where rows only look alike."""

from __future__ import annotations

import random
from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.datasets.gates.makers import run_gate, trace
from tunixrt_core.datasets.gates.minhash import BANDS, Sketches, bands_of, jaccard, shingles
from tunixrt_core.datasets.gates.texts import whole_text
from tunixrt_core.traces.trace import Trace

RNG = random.Random(3)
WORDS = [f"w{n}" for n in range(3_000)]


def prose(count: int) -> list[str]:
    return RNG.choices(WORDS, k=count)


ROWS = [trace(" ".join(prose(40)), str(n), None, (" ".join(prose(120)), f"so {n}")) for n in range(60)]


def altered(row: Trace, changes: int) -> Trace:
    words = row.steps[0].content.split()
    for n in range(changes):
        words[7 + 20 * n] = "other"
    return trace(row.prompt, row.final_answer, None, (" ".join(words), row.steps[1].content))


def test_the_same_row_in_other_case_and_spacing_is_found_and_one_stays() -> None:
    twin = trace(ROWS[0].prompt.upper(), ROWS[0].final_answer, None, (f" {ROWS[0].steps[0].content}", "so  0"))
    first, second = sorted([ROWS[0].content_hash, twin.content_hash])
    for rows in ([*ROWS, twin], [twin, *ROWS]):
        found = run_gate("exact_duplicate", rows).findings
        assert [(f.hash, f.detail["other"]) for f in found] == [(second, first)]


def test_another_reasoning_to_the_same_answer_is_only_the_same_where_asked() -> None:
    other = trace(ROWS[0].prompt, ROWS[0].final_answer, None, ("another way",))
    assert run_gate("exact_duplicate", [*ROWS, other]).findings == []
    assert len(run_gate("exact_duplicate", [*ROWS, other], of="answer").findings) == 1


def test_a_row_that_is_gone_already_makes_no_other_one_a_duplicate() -> None:
    twin = trace(ROWS[0].prompt.upper(), ROWS[0].final_answer, None, [s.content for s in ROWS[0].steps])
    for gate in ("exact_duplicate", "near_duplicate"):
        assert len(run_gate(gate, [*ROWS, twin]).findings) == 1
        assert run_gate(gate, [*ROWS, twin], gone=[ROWS[0].content_hash]).findings == []


def test_a_near_duplicate_names_its_pair_and_the_true_likeness() -> None:
    near = altered(ROWS[4], 2)
    kept, gone = sorted([ROWS[4], near], key=lambda t: t.content_hash)
    (finding,) = run_gate("near_duplicate", [*ROWS, near]).findings
    assert (finding.hash, finding.detail["other"]) == (gone.content_hash, kept.content_hash)
    likeness = jaccard(shingles(whole_text(near), 3), shingles(whole_text(ROWS[4]), 3))
    assert finding.detail["jaccard"] == round(likeness, 4)
    assert 0.85 <= likeness < 1


def test_rows_below_the_threshold_are_left_alone() -> None:
    assert run_gate("near_duplicate", [*ROWS, altered(ROWS[4], 6)]).findings == []
    assert run_gate("near_duplicate", ROWS).findings == []


def test_of_a_cluster_one_row_stays_whatever_the_order() -> None:
    cluster = [ROWS[9], *(altered(ROWS[9], n) for n in (1, 2))]
    stays = min(one.content_hash for one in cluster)
    for seed in range(4):
        rows = random.Random(seed).sample([*ROWS, *cluster[1:]], 62)
        found = {f.hash for f in run_gate("near_duplicate", rows, threshold=0.8).findings}
        assert found == {one.content_hash for one in cluster} - {stays}


def test_prompts_alone_can_be_compared() -> None:
    other = trace(ROWS[2].prompt, "77", None, (" ".join(prose(120)),))
    assert run_gate("near_duplicate", [*ROWS, other]).findings == []
    assert len(run_gate("near_duplicate", [*ROWS, other], of="prompt").findings) == 1


def test_a_thousand_alike_cost_a_few_pairs_each_not_half_a_million() -> None:
    sketches = Sketches()
    for _ in range(1_000):
        sketches.add(bands_of("the same words each time and again", 3))
    assert len(list(sketches.candidates(array("i", range(1_000))))) < 2_000


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 3))
def test_pairs_well_over_the_threshold_are_candidates(seed: int, changes: int) -> None:
    rng = random.Random(seed)
    words = rng.choices(WORDS, k=200)
    other = list(words)
    for _ in range(changes):
        other[rng.randrange(200)] = "other"
    sketches = Sketches()
    sketches.add(bands_of(" ".join(words), 3))
    sketches.add(bands_of(" ".join(other), 3))
    assert jaccard(shingles(" ".join(words), 3), shingles(" ".join(other), 3)) > 0.9
    assert list(sketches.candidates(array("i", [0, 1]))) == [(0, 1)]


def test_sketches_are_the_same_in_every_process() -> None:
    # pinned: other values would only mean that other pairs are looked at, but then a version could not be made again
    values = array("Q", bands_of("a b c d e f", 3))
    assert values[:2].tolist() == [16656234400684357288, 4227160903208500080]
    assert len(values) == BANDS
