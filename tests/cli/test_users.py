"""Access tokens of users and the audit log, from a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt
from tests.helpers.homes import empty_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return empty_home(tmp_path / "home").home


def test_a_token_is_printed_alone_and_shown_in_no_list(home: Path) -> None:
    made = tunixrt("users", "add", "ana", "--role", "write", home=home)
    token = made.stdout.strip()
    assert token.startswith("trt_")
    assert "not shown again" in made.stderr
    listed = tunixrt("users", "list", home=home).stdout
    assert "ana" in listed
    assert token not in listed
    assert tunixrt("users", "revoke", "ana", home=home).returncode == 0
    (user,) = json.loads(tunixrt("users", "list", "--json", home=home).stdout)["users"]
    assert user["revoked_at"]
    assert "hash" not in user


def test_a_mistake_is_a_sentence(home: Path) -> None:
    assert "read or write" in tunixrt("users", "add", "ana", "--role", "root", home=home).stderr
    assert "There is no access token of 'ana'" in tunixrt("users", "revoke", "ana", home=home).stderr


def test_the_audit_log_names_the_system_user_and_the_command(home: Path) -> None:
    tunixrt("users", "add", "ana", home=home)
    tunixrt("users", "add", "ana", home=home)
    done, failed = (
        json.loads(tunixrt("audit", "--outcome", outcome, "--since", "1h", "--json", home=home).stdout)["entries"]
        for outcome in ("done", "failed")
    )
    assert [(one["action"], one["object"], one["via"]) for one in done] == [("add", "ana", "command")]
    assert done[0]["who"].startswith("system user ")
    assert "already" in failed[0]["why"]
    assert "add access token  ana     done" in tunixrt("audit", "--who", done[0]["who"], home=home).stdout
    assert "is no moment" in tunixrt("audit", "--since", "once", home=home).stderr
