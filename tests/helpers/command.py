"""The `tunixrt` command as a shell would run it: in the process of the test, or in one of its own."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO, TextIOWrapper
from pathlib import Path

from tests.conftest import COMPILED, QUICK_COMPILE, REPOSITORY
from tunixrt_core.util import actors

COMPILES_QUICKLY = {"XLA_FLAGS": QUICK_COMPILE, COMPILED: os.environ[COMPILED]}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


def environment(home: Path) -> dict[str, str]:
    """All that a command of a test gets of the variables around it."""
    measured = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    own = {"PATH": "/usr/bin:/bin", "TUNIXRT_HOME": str(home), "JAX_PLATFORMS": "cpu", "COLUMNS": "200"}
    return {**measured, **own}


def tunixrt_process(
    *arguments: object, home: Path, stdin: bytes | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own: for what only a process can prove.

    It compiles as slowly as for a user, unless `environ` says how, as COMPILES_QUICKLY does.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tunixrt_core", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=REPOSITORY,
        env={**environment(home), **environ},
        timeout=300,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def tunixrt(*arguments: object, home: Path, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command's real `main` in this process, which spares the start of Python: a second, and three with JAX.

    What a new process would not know of this one is hidden from it, and what it changes is put back. An error that
    `main` does not turn into a sentence, a traceback in a shell, is raised.
    """
    words = list(map(str, arguments))
    with ExitStack() as stack:
        out, err = (stack.enter_context(_stream(handling)) for handling in ("surrogateescape", "backslashreplace"))
        stack.enter_context(_process({**environment(home), **environ}))
        sys.argv = ["tunixrt", *words]
        sys.stdin = TextIOWrapper(BytesIO(stdin), encoding="utf-8", errors="surrogateescape")
        sys.stdout, sys.stderr = out, err
        stack.enter_context(_consoles())
        code = _main()
        return subprocess.CompletedProcess(words, code, _written(out), _written(err))


def _main() -> int:
    # first imported here: Typer looks at the variables when it is imported
    from tunixrt_core.cli.main import main

    try:
        main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


@contextmanager
def _stream(handling: str) -> Iterator[TextIOWrapper]:
    """A stream of text over a file, which has a number as that of a process has."""
    with tempfile.TemporaryFile() as file, TextIOWrapper(file, encoding="utf-8", errors=handling) as text:
        yield text


def _written(text: TextIOWrapper) -> str:
    text.flush()
    return os.pread(text.fileno(), os.fstat(text.fileno()).st_size, 0).decode()


@contextmanager
def _process(environ: dict[str, str]) -> Iterator[None]:
    """While inside, this process has these variables and no handler of logs, and works in the repository."""
    names = ("argv", "stdin", "stdout", "stderr", "excepthook")
    before = {name: getattr(sys, name) for name in names}
    variables, folder, root = dict(os.environ), Path.cwd(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    found_by = actors._find
    caught = {number: signal.getsignal(number) for number in SIGNALS}
    # JAX looks at them once, for all tests of this process
    kept = {name: value for name, value in variables.items() if name in ("XLA_FLAGS", COMPILED)}
    try:
        _replace_variables({**environ, **kept})
        os.chdir(REPOSITORY)
        root.handlers[:] = []
        with warnings.catch_warnings():
            yield
    finally:
        for name, value in before.items():
            setattr(sys, name, value)
        _replace_variables(variables)
        actors.find_actors_by(found_by)
        os.chdir(folder)
        root.handlers[:] = handlers
        root.setLevel(level)
        for number, handler in caught.items():
            signal.signal(number, handler)


def _replace_variables(environ: dict[str, str]) -> None:
    for name in set(os.environ) - set(environ):
        del os.environ[name]
    os.environ.update(environ)


@contextmanager
def _consoles() -> Iterator[None]:
    """While inside, the two consoles are those of a process that starts now: they look at the terminal when made."""
    from tunixrt_core.cli.show import terminal

    spec = importlib.util.find_spec("tunixrt_core.cli.show.terminal")
    assert spec is not None
    assert spec.loader is not None
    new = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(new)
    before = [(console, dict(vars(console))) for console in (terminal.out, terminal.err)]
    try:
        vars(terminal.out).update(vars(new.out))
        vars(terminal.err).update(vars(new.err))
        yield
    finally:
        for console, values in before:
            vars(console).clear()
            vars(console).update(values)
