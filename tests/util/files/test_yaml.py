"""YAML is read within bounds: what would take long, or cannot be read, is a sentence at once."""

from __future__ import annotations

import time

import pytest

from tunixrt_core.util.files.yaml import MOST_DEPTH, NotYaml, load_yaml

LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
)
SENTENCES = {
    "[" * 3_000: "nest",
    "[" * 900_000: "nest",
    "{" * 5_000: "nest",
    "- " * 5_000: "nested more than 20",
    "x" * (2 << 20): "longer than",
    "a: 2026-99-99": "line 1: '2026-99-99' is not a valid timestamp",
    "a: 1\nb: 2026-01-01 00:00:00 +99:99": "line 2: .* is not a valid timestamp",
    "a: " + "9" * 5_000: "more than 40 digits",
    "a: 0x" + "f" * 5_000: "more than 40 digits",
    "a: 1" + ":59" * 5_000: "more than 40 digits",
    "a: !!float abc": "'abc' is not a valid float",
    "a: !!int abc": "'abc' is not a valid int",
    "a: !!bool maybe": "'maybe' is not a valid bool",
    "a: !!timestamp x": "'x' is not a valid timestamp",
    "a: !!python/object/apply:os.system [id]": "could not determine a constructor",
    "a: &x [*x]": "within its own anchor",
    "x: &a\n  <<: *a": "within its own anchor",
    "name: &a [x]\nb: *c": "undefined alias",
    LAUGHS: "holds more than 20,000 values",
    "? [a]\n: b": "unhashable key",
    "<<: 3": "expected a mapping",
    "a: 1\n---\nb: 2": "another document",
    "\0": "control characters",
    "\ud800": "surrogate",
    "a: [1": "line 2: did not find",
}


@pytest.mark.parametrize("text", SENTENCES, ids=lambda text: repr(text)[:30])
def test_what_cannot_be_read_is_one_sentence_at_once(text: str) -> None:
    began = time.process_time()
    with pytest.raises(NotYaml, match=SENTENCES[text]) as raised:
        load_yaml(text)
    assert time.process_time() - began < 1
    assert "\n" not in str(raised.value)


def test_a_document_within_the_bounds_reads_as_it_always_did() -> None:
    text = "a: &d {b: 1, c: 1.5, e: 2026-11-30}\nf: *d\ng: [yes, null, '07', 0x1f, 1e3]\n"
    loaded = load_yaml(text)
    assert loaded["f"] == loaded["a"]
    assert loaded["g"] == [True, None, "07", 31, "1e3"]
    assert load_yaml("[" * MOST_DEPTH + "]" * MOST_DEPTH)
    assert load_yaml("") is None
