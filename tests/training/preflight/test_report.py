"""A preflight says what blocks, lets pass what was allowed, and is plain JSON."""

from __future__ import annotations

import orjson
import pytest

from tests.conftest import REPOSITORY
from tunixrt_core.errors import PreflightFailed
from tunixrt_core.training.preflight.checks import CHECKS
from tunixrt_core.training.preflight.report import (
    MOST_NAMED,
    Fate,
    Preflight,
    RowView,
    Severity,
    TokenView,
    about_rows,
    blocking,
    in_order,
    warning,
)

CUT = blocking("answer_cut", "The answer of 1 row is not trained on.", "Leave it out.", **about_rows([7]))
FULL = blocking("disk", "There is no room.", keys=("output_dir",))
TWICE = warning("duplicates", "2 rows repeat an earlier one.", **about_rows([3, 2]))


def test_what_blocks_is_raised_as_one_sentence_with_its_rows_and_keys() -> None:
    with pytest.raises(PreflightFailed) as caught:
        Preflight("hash", (CUT, FULL, TWICE)).require()
    assert str(caught.value) == (
        "2 checks block training: The answer of 1 row is not trained on. Leave it out. There is no room."
    )
    findings = caught.value.details["findings"]
    assert [(f["code"], f["rows"], f["keys"]) for f in findings] == [
        ("answer_cut", [7], []),
        ("disk", [], ["output_dir"]),
    ]


def test_warnings_do_not_stop_a_run() -> None:
    Preflight("hash", (TWICE,)).require()


def test_what_is_allowed_becomes_a_warning_and_stays_visible() -> None:
    found = Preflight("hash", (CUT, FULL)).allowing(["answer_cut"])
    assert [finding.code for finding in found.blocking] == ["disk"]
    assert [(finding.code, finding.allowed) for finding in found.warnings] == [("answer_cut", True)]


def test_a_check_that_was_made_and_found_nothing_has_passed() -> None:
    found = Preflight("hash", (TWICE,), checked=("bos", "duplicates"))
    assert found.passed == ("bos",)


def test_blocking_findings_come_first() -> None:
    assert [finding.code for finding in in_order([TWICE, FULL, CUT])] == ["answer_cut", "disk", "duplicates"]


def test_a_finding_names_some_rows_in_order_and_counts_all() -> None:
    found = warning("no_steps", "Many.", **about_rows(range(500, 0, -1)))
    assert (found.rows[:3], len(found.rows), found.row_count) == ((1, 2, 3), MOST_NAMED, 500)


def test_it_is_plain_json() -> None:
    view = RowView(1, "train", Fate.KEPT, 2, 1, 0, (TokenView(5, "a", "step", 1, trained=True),))
    found = Preflight("hash", (CUT,), checked=("bos",), picks={"longest": (1,)}, views=(view,))
    back = orjson.loads(orjson.dumps(found.to_dict()))
    assert back["findings"][0]["severity"] == Severity.BLOCKING.value
    assert back["views"][0]["tokens"][0] == {
        "id": 5,
        "text": "a",
        "part": "step",
        "step": 1,
        "special": False,
        "trained": True,
        "cut": False,
    }
    assert back["passed"] == ["bos"]
    assert "views" not in found.summary()


def test_every_check_stands_in_the_docs() -> None:
    text = (REPOSITORY / "docs" / "reference" / "preflight.md").read_text(encoding="utf-8")
    assert [code for code in CHECKS if f"`{code}`" not in text] == []
