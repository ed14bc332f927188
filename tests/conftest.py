"""What all tests share: a home of their own, a few traces, and the marker that skips what Tunix is needed for."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tunixrt_core.tunix_backend.availability import is_tunix_available

REPOSITORY = Path(__file__).parent.parent

# a script's shell ignores SIGINT for what it starts in the background, and every process of a test would inherit that
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# before jax is imported anywhere: tests never take a shared accelerator by accident
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Most of the time of these tests is XLA's: they compile hundreds of programs and run each a few times. The flags of
# optimisation halve the CPU time to the first train step of `tiny`; those of threads spare a tenth of the rest, as each
# test process has one core. Who proves what a user gets, takes `AS_A_USER`.
QUICK_COMPILE = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false"
    " --xla_cpu_multi_thread_eigen=false --xla_cpu_parallel_codegen_split_count=1"
)
os.environ.setdefault("XLA_FLAGS", QUICK_COMPILE)
# no test reads from which line of Python an operation of a compiled program is
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
AS_A_USER = {"XLA_FLAGS": ""}
# what any test or process of a test compiled, every other one finds: as in a home, and several times faster
COMPILED = "JAX_COMPILATION_CACHE_DIR"
os.environ.setdefault(COMPILED, str(REPOSITORY / ".pytest_cache" / "compiled"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# Machines are shared: how long an example takes says nothing about what is tested.
settings.register_profile("few", deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("many", settings.get_profile("few"), max_examples=100)


def examples(many: int) -> int:
    """How many examples a test takes that is worth `many` with --all."""
    return max(5, many * settings().max_examples // 100)


# One case of a long matrix is in `make test`; the others have this mark, and are in `make test-all`.
LONG = pytest.mark.long


def cases(matrix: Iterable[Any], kept: Container[Any]) -> list[Any]:
    """The cases of a matrix for `parametrize`, tuples or values; each that is not in `kept` is long."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=() if case in kept else LONG)
        for case in matrix
    ]


# The folders below the Tunix backend in the layers of pyproject.toml: what they hold cannot know whether Tunix is here.
BELOW_TUNIX = {
    "datasets",
    "evaluation",
    "export",
    "ingest",
    "manifest",
    "runs",
    "store",
    "traces",
    "training",
    "util",
}
LENGTHS = {"browser": 2, "slow": 3, "tunix": 1}  # the first mark that a test has counts


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the long matrices too, the tests marked `long`")
    parser.addoption("--search", action="store_true", help="run the long random searches too, marked `search`")
    parser.addoption(
        "--but-proven", action="store_true", help="leave out what runs without Tunix proved (repository/proven.py)"
    )
    parser.addoption("--aot", action="store_true", help="compile for TPU slices too: the tests marked `aot`")
    parser.addoption("--real", action="store_true", help="run the tests of a real model too, those marked `real`")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("many" if config.getoption("--all") else "few")
    if not is_tunix_available():
        from tests.repository.proven import Proving

        config.pluginmanager.register(Proving())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files of long tests come first: one that comes last keeps one worker busy while the others have nothing to do."""
    shared = [nodeid for nodeid, times in Counter(item.nodeid for item in items).items() if times > 1]
    assert not shared, f"pytest-xdist runs one test of an id and says nothing of the others: {shared}"
    for option, mark in (("--all", "long"), ("--search", "search"), ("--real", "real"), ("--aot", "aot")):
        if not config.getoption(option):
            _leave_out(config, items, [item for item in items if item.get_closest_marker(mark)])
    if config.getoption("--but-proven"):
        from tests.repository.proven import proven

        known = proven(config)
        _leave_out(config, items, [item for item in items if item.nodeid in known])
    for item in items:
        needs = item.get_closest_marker("tunix") or item.get_closest_marker("browser")
        if item.path.relative_to(REPOSITORY / "tests").parts[0] in BELOW_TUNIX and not needs:
            item.add_marker("below_tunix")
    longest: dict[Path, int] = {}
    for item in items:
        longest[item.path] = max(longest.get(item.path, 0), _length(item))
    items.sort(key=lambda item: -longest[item.path])
    if is_tunix_available():
        return
    skip = pytest.mark.skip(reason="google-tunix is not installed")
    for item in items:
        if "tunix" in item.keywords and item.get_closest_marker("tunix"):
            item.add_marker(skip)


def _leave_out(config: pytest.Config, items: list[pytest.Item], left: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=left)
    gone = set(left)
    items[:] = [item for item in items if item not in gone]


def _length(item: pytest.Item) -> int:
    """A rough guess by the marks of a test; the browser's wait until the longest trainings are in progress."""
    return next((length for mark, length in LENGTHS.items() if item.get_closest_marker(mark)), 0)


@pytest.fixture(autouse=True, scope="session")
def _kept_verifiers() -> Iterator[None]:
    from tests.helpers.verifiers import kept_verifiers

    with kept_verifiers():
        yield


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the home of the user who runs it."""
    for name in [name for name in os.environ if name.startswith("TUNIXRT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TUNIXRT_HOME", str(tmp_path / "home"))
