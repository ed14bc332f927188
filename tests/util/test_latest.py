"""States are kept by id, the newest of them; what is under way is never forgotten."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tunixrt_core.errors import Conflict, NotFound
from tunixrt_core.util.latest import Latest


@dataclass(frozen=True)
class State:
    id: str
    over: bool = False
    note: str = ""


def test_the_newest_are_kept_and_those_under_way_however_old() -> None:
    latest: Latest[State] = Latest("thing", keep=3)
    for i in range(6):
        latest.add(lambda i=i: State(f"t-{i}", over=i != 1))  # type: ignore[misc]
    assert [state.id for state in latest.all()] == ["t-5", "t-4", "t-1"]
    with pytest.raises(NotFound, match="no thing 't-0'"):
        latest.get("t-0")
    latest.change("t-0", note="is ignored")
    assert latest.find("t-0") is None


def test_a_state_changes_under_its_id() -> None:
    latest: Latest[State] = Latest("thing")
    first, _ = latest.add(lambda: State("t-1"))
    latest.change("t-1", note="done", over=True)
    assert (first.note, latest.get("t-1")) == ("", State("t-1", True, "done"))
    assert latest.last(lambda state: state.note == "done") == latest.get("t-1")
    latest.forget("t-1")
    assert latest.all() == []


def test_the_same_under_way_is_given_back_and_a_refusal_keeps_nothing() -> None:
    latest: Latest[State] = Latest("thing")
    first, is_new = latest.add(lambda: State("t-1", note="a"))
    assert is_new
    assert latest.add(lambda: State("t-2", note="a"), unless=lambda known: known.note == "a") == (first, False)
    latest.change("t-1", over=True)
    assert latest.add(lambda: State("t-2", note="a"), unless=lambda known: known.note == "a") == (
        State("t-2", note="a"),
        True,
    )

    def refuse() -> State:
        raise Conflict("not now")

    with pytest.raises(Conflict):
        latest.add(refuse)
    assert [state.id for state in latest.all()] == ["t-2", "t-1"]
