"""A user's token is known once, stored as a hash, and revoked by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.homes import fake_home
from tunixrt_core.errors import Conflict, InvalidInput, NotFound
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.util.actors import Actor, acting_as


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with fake_home(tmp_path / "home") as opened:
        yield opened


def test_a_token_is_nowhere_in_the_home(rt: Pipeline) -> None:
    with acting_as(Actor("root", "command")):
        made = rt.users.add("ana@example.org", "write")
    (user,) = rt.users.all()
    assert (user.name, user.role, user.created_by, user.revoked_at) == ("ana@example.org", "write", "root", None)
    assert "hash" not in user.to_dict()
    for path in rt.settings.home.rglob("*"):
        assert not path.is_file() or made.token.encode() not in path.read_bytes(), path


def test_a_name_has_one_token_and_gets_another_after_the_first_is_revoked(rt: Pipeline) -> None:
    first = rt.users.add("ana")
    with pytest.raises(Conflict, match="users revoke ana"):
        rt.users.add("ana", "write")
    rt.users.revoke("ana")
    with pytest.raises(NotFound, match="ana"):
        rt.users.revoke("ana")
    assert rt.users.all()[0].revoked_at is not None
    assert rt.users.add("ana", "write").token != first.token
    assert [(user.role, user.revoked_at) for user in rt.users.all()] == [("write", None)]


@pytest.mark.parametrize("name", ["", "a b", "-a", "a:b", "ä", "x" * 81, "a\n"])
def test_a_name_that_a_cookie_or_a_line_cannot_hold_is_refused(rt: Pipeline, name: str) -> None:
    with pytest.raises(InvalidInput, match="a name is"):
        rt.users.add(name)


def test_a_role_is_read_or_write(rt: Pipeline) -> None:
    with pytest.raises(InvalidInput, match="read or write"):
        rt.users.add("ana", "admin")  # type: ignore[arg-type]
