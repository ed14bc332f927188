"""Tests that pass without Tunix and never ask for it: beside Tunix they cannot come out otherwise, so they run once.

A test is proven where Tunix is not installed, if it passes, and neither looks for a module or a package that is missing
nor starts a process, nor uses a shared fixture or is in a file that did. Left out is what is true of all tests alike:
what libraries look for when they are imported, and the processes of `tunixrt_core.util.processes.worker`, which outlive
a test and need no Tunix. Pytest's cache keeps the proven tests, with the hash of their sources.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import REPOSITORY

KEY = "tunixrt/proven"
PROPERTY = "proven"
_STARTS = ("subprocess.Popen", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.exec", "os.system")
_OF_TUNIX = frozenset(
    ("tunix", "jax", "jaxlib", "qwix", "flax", "optax", "orbax", "tokenizers", "safetensors", "huggingface_hub")
)
_WORKER = ["-m", "tunixrt_core.util.processes.worker"]


class Asking:
    """Notes what asks for a missing module or package, as the last finder of imports, and what starts a process."""

    def __init__(self, of_tunix: frozenset[str]) -> None:
        self.noted = False
        self._of_tunix = of_tunix
        sys.meta_path.append(self)
        sys.addaudithook(self._heard)

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        modules = _imported_now()
        if modules and name.partition(".")[0] not in self._of_tunix:
            return
        self.noted = True
        for module in modules:
            shared = module.partition(".")[0] in ("tunixrt_core", "app") or module.endswith("conftest")
            assert not shared, f"{module} asks for {name} when it is imported, which is once for all tests"

    def find_distributions(self, context: object = None) -> Iterator[Any]:
        self.noted = True
        return iter(())

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STARTS and not (event == "subprocess.Popen" and list(arguments[1])[1:3] == _WORKER):
            self.noted = True

    @contextmanager
    def listening(self) -> Iterator[list[bool]]:
        """Begins with nothing noted. Afterwards the list holds whether it noted, and what was noted before is again."""
        before, self.noted = self.noted, False
        found: list[bool] = []
        try:
            yield found
        finally:
            found.append(self.noted)
            self.noted = self.noted or before


class Proving:
    """The plugin that a run without Tunix has, in each of its processes."""

    def __init__(self, of_tunix: frozenset[str] = _OF_TUNIX) -> None:
        self.asking = Asking(of_tunix)
        self.shared: set[str] = set()  # fixtures of more than a test, and files
        self.found: set[str] = set()  # proven tests, if they are not among the others
        self.others: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        with self.asking.listening() as found:
            report = yield
        if any(found):
            self.shared.add(collector.nodeid)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        with self.asking.listening():
            try:
                return (yield)
            finally:
                if self.asking.noted and fixturedef.scope != "function":
                    self.shared.add(fixturedef.argname)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        self.asking.noted = False
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        try:
            return (yield)
        finally:
            around = {item.nodeid.partition("::")[0], *getattr(item, "fixturenames", ())}
            item.user_properties.append((PROPERTY, not self.asking.noted and not around & self.shared))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        is_proven = dict(report.user_properties).get(PROPERTY, False)  # known at the end of its teardown
        if report.passed and report.when == "teardown" and is_proven:
            self.found.add(report.nodeid)
        elif not report.passed or report.when == "teardown":
            self.others.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):
            keep(session.config, sorted((proven(session.config) | self.found) - self.others))


def proven(config: pytest.Config) -> set[str]:
    """The ids of the tests that are proven of the sources as they are now."""
    kept = _cache(config).get(KEY, {})
    return set(kept["tests"]) if kept and kept["sources"] == sources() else set()


def keep(config: pytest.Config, tests: list[str]) -> None:
    _cache(config).set(KEY, {"sources": sources(), "tests": tests})


def sources() -> str:
    """The hash of all files of the repository and of Python's version. Without git one that no other is equal to."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY, capture_output=True
    )
    if listed.returncode:
        return os.urandom(32).hex()
    digest = hashlib.sha256(sys.version.encode())
    for name in sorted(filter(None, listed.stdout.decode().split("\0"))):
        path = REPOSITORY / name
        digest.update(f"\0{name}\0".encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def _cache(config: pytest.Config) -> pytest.Cache:
    assert config.cache is not None
    return config.cache


def _imported_now() -> list[str]:
    """The modules that are being imported by whom asks."""
    found = []
    frame = sys._getframe(1)
    while outer := frame.f_back:
        if frame.f_code.co_name == "<module>" and outer.f_code.co_name in ("_call_with_frames_removed", "exec_module"):
            found.append(str(frame.f_globals["__name__"]))
        frame = outer
    return found
