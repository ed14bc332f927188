"""HTML blocks: every text from outside is escaped, and differences are marked where they help."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def test_no_block_lets_markup_through() -> None:
    def script() -> None:
        from app.ui import blocks
        from tunixrt_core.training.preflight.report import Fate, RowView, TokenView

        bad = "<img src=x onerror=alert(1)>"
        blocks.prose(bad)
        blocks.segments([(bad, 1, blocks.BLUE)], bad)
        blocks.checks([("pass", bad, bad)])
        blocks.key_values([(bad, bad)])
        blocks.intervals([(bad, bad, 0.1, 0.2, 0.3, blocks.BLUE)], bad)
        blocks.side_by_side((bad, bad + " 1"), (bad, bad + " 2"))
        blocks.side_by_side((bad, bad), (bad, "something else entirely"))
        blocks.tokens(RowView(1, bad, Fate.LEFT_OUT, 1, 0, 0, (TokenView(1, bad, "prompt", cut=True),)), 8)
        blocks.facts(bad, bad, "red", bad)
        blocks.chip(bad)

    app = AppTest.from_function(script).run(timeout=30)
    assert not app.exception
    assert len(app.html) == 10
    assert not [block.value for block in app.html if "<img" in block.value]


def test_only_the_words_that_differ_are_marked() -> None:
    def script() -> None:
        from app.ui import blocks

        blocks.side_by_side(("Base", "3 forward 4 is 8"), ("Tuned", "3 forward 4 is 7"))
        blocks.side_by_side(("Base", "the the the"), ("Tuned", "3 forward 4 is 7"))

    alike, different = (block.value for block in AppTest.from_function(script).run(timeout=30).html)
    assert "3 forward 4 is <ins>8</ins>" in alike
    assert "3 forward 4 is <ins>7</ins>" in alike
    assert "<ins>" not in different


def test_tokens_say_their_part_in_words_and_the_middle_of_very_many_is_not_drawn() -> None:
    def script() -> None:
        from app.ui import blocks
        from tunixrt_core.training.preflight.report import Fate, RowView, TokenView

        few = (
            TokenView(1, "<|im_start|>", "prompt", special=True),
            TokenView(2, "Add", "step", 1, trained=True),
            TokenView(3, "lost", "step", 2, cut=True),
            TokenView(4, "5", "answer", trained=True),
        )
        blocks.tokens(RowView(1, "train", Fate.SHORTENED, 4, 2, 1, few), 8)
        blocks.tokens(
            RowView(2, "train", Fate.LEFT_OUT, 9000, 0, 0, (TokenView(7, "x", "prompt", cut=True),) * 9000), 8
        )

    shortened, long = (block.value for block in AppTest.from_function(script).run(timeout=30).html)
    for words in ("prompt: ", "step 1: ", "step 2, cut: ", "answer: ", "t step cut", "Cut, not seen by the trainer"):
        assert words in shortened
    assert "left out: 9,000 tokens, more than 8" in long
    assert long.count("title='token 7'") == 4000
