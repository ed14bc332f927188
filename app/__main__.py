"""`python -m app`: options, checks and start of the server."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence

from app.server.log_file import FORMAT, Cleaner, follow_server, log_to_file, note
from app.server.ports import CannotListen, check_can_listen, is_any, is_loopback
from tunixrt_core import __version__
from tunixrt_core.errors import InvalidSettings, TunixRTError
from tunixrt_core.settings import NO_AUTH_HELP, OPTIONS, Settings, option_help


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Read the options and serve until told to stop. Returns an exit code, as `start` does."""
    options = vars(_parser().parse_args(argv))
    return start(options, no_auth=options["no_auth"], environ=environ)


def start(
    given: Mapping[str, str | list[str] | None], *, no_auth: bool = False, environ: Mapping[str, str] = os.environ
) -> int:
    """Serve until told to stop. `given` maps settings to option values, which override `environ`.

    Returns 2 for a wrong setting, 1 if the server cannot start.
    """
    try:
        settings = read_settings(given, environ)
        if no_auth and not is_loopback(settings.host):
            raise InvalidSettings(
                f"--no-auth requires a loopback address, and {settings.host} is open to other machines. "
                "Leave out --no-auth, or use --host 127.0.0.1 and an SSH tunnel."
            )
    except InvalidSettings as error:
        return _fail(error, 2)
    form = _log_to_stderr(settings, environ)
    try:
        # before the heavy imports, so that common mistakes are reported at once
        check_can_listen(settings.host, settings.port)
        log_file = log_to_file(settings, environ)
        from app.server.server import serve

        note(log_file, f"Tunix RT {__version__} begins on {settings.host}:{settings.port}, home {settings.home}")
        serve(settings, auth=not no_auth, on_start=lambda address: _greet(settings, address, log_file, form))
    except (TunixRTError, CannotListen) as error:
        return _fail(error, 2 if isinstance(error, InvalidSettings) else 1)
    return 0


def read_settings(given: Mapping[str, str | list[str] | None], environ: Mapping[str, str]) -> Settings:
    """The environment overridden by the options. InvalidSettings names the option that is wrong."""
    values = {
        name: ",".join(value) if isinstance(value, list) else value
        for name in OPTIONS
        if (value := given.get(name)) is not None
    }
    try:
        return Settings.from_env({**environ, **values})
    except InvalidSettings as error:
        message = str(error)
        for name in values:
            message = re.sub(rf"\b{name}\b", OPTIONS[name].name, message)
        raise InvalidSettings(message) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app",
        description="Start the Tunix RT dashboard and its JSON API on one port.",
        epilog="An option overrides its environment variable.",
    )
    for setting, option in OPTIONS.items():
        parser.add_argument(
            option.name,
            dest=setting,
            metavar=option.metavar,
            action="append" if option.repeated else "store",
            help=option_help(setting).replace("%", "%%"),
        )
    parser.add_argument("--no-auth", action="store_true", help=NO_AUTH_HELP)
    return parser


def _greet(settings: Settings, address: str, log_file: logging.Handler, form: logging.Formatter) -> None:
    follow_server(log_file, form)
    print(f"Tunix RT is ready. Open {address}", flush=True)
    if is_any(settings.host):
        print(
            "It listens on all addresses of this machine. From another machine, use this machine's IP address instead.",
            flush=True,
        )


def _log_to_stderr(settings: Settings, environ: Mapping[str, str]) -> logging.Formatter:
    """Log to stderr from now on, in the returned form."""
    form = logging.Formatter(FORMAT)
    if settings.log == "json":
        from app.operators.json_log import JsonLines

        form = JsonLines(Cleaner(settings, environ))
    stderr = logging.StreamHandler()
    stderr.setFormatter(form)
    logging.basicConfig(level=logging.WARNING, handlers=[stderr])
    for package in ("app", "tunixrt_core"):
        logging.getLogger(package).setLevel(settings.log_level)
    return form


def _fail(error: Exception, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
