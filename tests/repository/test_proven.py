"""A test that asks for a missing package, or starts a process, is not taken for one that Tunix does not matter to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.repository.proven import KEY, sources

FILES = {
    "pytest.ini": f"[pytest]\npythonpath = {REPOSITORY}\n",
    "conftest.py": """
from tests.repository.proven import Proving

def pytest_configure(config):
    config.pluginmanager.register(Proving(frozenset({"not_installed"})))
""",
    "asks.py": "import importlib.util; importlib.util.find_spec('not_installed')",
    "asks_as_conftest.py": "import importlib.util; importlib.util.find_spec('not_installed')",
    "test_file.py": "import asks\ndef test_in_a_file_that_asked(): pass",
    "test_library.py": "import importlib.util; importlib.util.find_spec('another')\ndef test_of_all_alike(): pass",
    "test_one.py": """
import subprocess, sys
from importlib import metadata
from importlib.util import find_spec
import pytest
def test_plain(): pass
def test_asks(): assert find_spec("not_installed") is None
def test_asks_for_a_version():
    with pytest.raises(metadata.PackageNotFoundError): metadata.version("not-installed")
def test_starts(): subprocess.run([sys.executable, "--version"], check=True)
def test_is_skipped(): pytest.skip()
def test_fails(): assert False

@pytest.fixture(scope="session")
def shared(): return find_spec("not_installed")
@pytest.fixture
def through(shared): return shared
def test_first_with_a_fixture_that_asked(shared): pass
def test_second_with_a_fixture_that_asked(through): pass
@pytest.fixture
def asks_at_its_end():
    yield
    find_spec("not_installed")
def test_that_ends_with_a_question(asks_at_its_end): pass
def test_another(): pass
def test_a_shared_module_asks_when_it_is_imported():
    with pytest.raises(AssertionError, match="asks_as_conftest asks for not_installed when it is imported"):
        import asks_as_conftest
""",
}


def test_only_what_passes_and_asks_nothing_is_proven(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:schemathesis", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "1 failed, 11 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    kept = json.loads((tmp_path / ".pytest_cache" / "v" / KEY).read_text())
    proven = ["test_library.py::test_of_all_alike", "test_one.py::test_another", "test_one.py::test_plain"]
    assert kept == {"sources": sources(), "tests": proven}
