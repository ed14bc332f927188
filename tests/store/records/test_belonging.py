"""A database of a server belongs to one home, and what another home is told.

Needs a server in POSTGRES_TEST_URL: `.ci/with-postgres pytest tests/store/records -k postgres`.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.helpers.command import tunixrt, tunixrt_process
from tests.store.conftest import needs_server
from tunixrt_core.errors import InvalidSettings
from tunixrt_core.store.store import open_store
from tunixrt_core.util.files.home_id import home_id, id_file


def test_a_database_in_a_file_belongs_to_whoever_has_the_file(tmp_path: Path, url: str) -> None:
    for name in ("a", "b"):
        open_store(url, home=tmp_path / name).close()
        assert not id_file(tmp_path / name).exists()


@needs_server
def test_postgresql_a_database_belongs_to_the_home_that_used_it_first(tmp_path: Path, server_url: str) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    open_store(server_url, home=home).close()
    open_store(server_url).close()
    with pytest.raises(InvalidSettings) as refused:
        open_store(server_url, home=other)
    said = str(refused.value)
    assert said.startswith("TUNIXRT_DATABASE_URL: postgresql+psycopg://")
    assert f" belongs to another home (its id is {home_id(home)}) than {other}. Share the folder" in said
    home.rename(tmp_path / "moved")
    open_store(server_url, home=tmp_path / "moved").close()
    id_file(other).write_text(home_id(tmp_path / "moved") + "\n")  # as the sentence says
    open_store(server_url, home=other).close()


@needs_server
def test_postgresql_of_two_homes_that_come_at_once_one_gets_the_database(tmp_path: Path, server_url: str) -> None:
    with open_store(server_url) as store:
        for number in range(10):
            with store._database.write() as connection:
                connection.execute(text("DELETE FROM properties"))
            begin, answers = threading.Barrier(2), list[str]()

            def come(home: Path, at: threading.Barrier = begin, into: list[str] = answers) -> None:
                home_id(home)
                at.wait()
                try:
                    open_store(server_url, home=home).close()
                    into.append("ours")
                except InvalidSettings:
                    into.append("of the other one")

            threads = [threading.Thread(target=come, args=(tmp_path / f"{number}-{name}",)) for name in "ab"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(answers) == ["of the other one", "ours"]


@needs_server
def test_postgresql_server_commands_and_doctor_say_it(tmp_path: Path, server_url: str) -> None:
    environ = {"TUNIXRT_DATABASE_URL": server_url}
    open_store(server_url, home=tmp_path / "home").close()
    served = tunixrt_process("serve", "--port", "1", "--no-auth", home=tmp_path / "other", **environ)
    assert (served.returncode, served.stdout) == (2, "")
    assert served.stderr.startswith("error: TUNIXRT_DATABASE_URL: postgresql+psycopg://")
    for words in (("runs", "list"), ("doctor", "home")):
        done = tunixrt(*words, home=tmp_path / "other", **environ)
        assert (done.returncode, "belongs to another home" in done.stderr) == (1, True), words
    checked = tunixrt("doctor", home=tmp_path / "other", **environ)
    assert (checked.returncode, "belongs to another home" in checked.stdout) == (1, True)
    assert tunixrt("doctor", home=tmp_path / "home", **environ).returncode == 0
