"""Log file of the server: rotated, private, without secrets."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import threading
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tunixrt_core.errors import OutputError
from tunixrt_core.home.redaction import Redactor, known_secrets
from tunixrt_core.settings import Settings
from tunixrt_core.util.files.private import make_private

MOST_BYTES = 5 << 20
OLDER_FILES = 3
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_SERVERS = frozenset({"streamlit", "uvicorn", "websockets", "asyncio"})
log = logging.getLogger(__name__)


def log_to_file(settings: Settings, environ: Mapping[str, str]) -> logging.Handler:
    """Also write log records from now on, and errors that end a thread, to `logs/server.log` of the home; where another
    server of the home writes that, to `logs/server-8502.log`, by the port of this one.

    Raises OutputError if the file cannot be written.
    """
    path = settings.server_log
    try:
        make_private(settings.home)
        make_private(path.parent)
        if not _is_first(settings.home / "log.lock"):
            path = path.with_name(f"{path.stem}-{settings.port}.log")
        handler = _PrivateFile(path)
    except OSError as error:
        raise OutputError(
            f"The log {path} cannot be written ({error.strerror or error}). Fix the permissions of the home."
        ) from None
    handler.setFormatter(_Redacting(Cleaner(settings, environ)))
    handler.addFilter(_wanted)
    logging.getLogger().addHandler(handler)
    threading.excepthook = _log_thread
    return handler


def _is_first(lock: Path) -> bool:
    """Whether no other process writes the log, which one alone may rotate, until this one ends. Raises OSError."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    return True


def note(handler: logging.Handler, text: str) -> None:
    """A line for the file only: stderr stays silent without errors."""
    handler.handle(logging.LogRecord("app", logging.INFO, __file__, 0, text, None, None))


def follow_server(handler: logging.Handler, form: logging.Formatter) -> None:
    """Add the file to the loggers of Streamlit and uvicorn, which do not propagate. Call after their setup.

    Errors of uvicorn, such as the traceback of an answer 500, go to stderr too, in this form.
    """
    for name, logger in list(logging.root.manager.loggerDict.items()):
        theirs = name.partition(".")[0] in _SERVERS
        if theirs and isinstance(logger, logging.Logger) and not logger.propagate:
            logger.addHandler(handler)  # no effect if already added
    errors = logging.StreamHandler()
    errors.setLevel(logging.ERROR)
    errors.setFormatter(form)
    server = logging.getLogger("uvicorn.error")
    if not server.propagate and not any(type(each) is logging.StreamHandler for each in server.handlers):
        server.addHandler(errors)


def _wanted(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in _SERVERS


class _PrivateFile(RotatingFileHandler):
    """Readable by its owner only from the first byte, whatever the umask."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MOST_BYTES, backupCount=OLDER_FILES, encoding="utf-8")

    def _open(self) -> io.TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.fchmod(handle, 0o600)
        return open(handle, "a", encoding="utf-8")


class Cleaner:
    """Removes the secrets of this server from text, and what looks like one."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings, self._environ = settings, environ
        self._redactor: Redactor | None = None

    def __call__(self, text: str) -> str:
        redactor = self._redactor
        if redactor is None:
            redactor = Redactor(known_secrets(self._settings, self._environ))
            # the token may be created after the first line is written
            self._redactor = redactor if self._settings.token or self._settings.token_file.exists() else None
        return redactor.text(text)


class _Redacting(logging.Formatter):
    """Removes secrets from all records, tracebacks included."""

    def __init__(self, clean: Cleaner) -> None:
        super().__init__(FORMAT)
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        return self._clean(super().format(record))


def _log_thread(ended: threading.ExceptHookArgs) -> None:
    """Log the error that ended a thread; otherwise it would be on stderr only."""
    if ended.exc_type is not SystemExit and ended.exc_value is not None:
        name = ended.thread.name if ended.thread else "a thread"
        trace = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        log.error("%s ended with an error", name, exc_info=trace)
