"""`python -m app`: read settings and options, check them, start the server."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Mapping, Sequence

from app.server.log_file import FORMAT, follow_server, log_to_file, note
from app.server.ports import CannotListen, check_can_listen, is_any, is_loopback
from tunixrt_core import __version__
from tunixrt_core.errors import InvalidSettings, TunixRTError
from tunixrt_core.settings import LOG_LEVELS, VARIABLES, Settings

# setting -> (option, what stands for its value in --help)
OPTIONS: dict[str, tuple[str, str]] = {
    "TUNIXRT_HOME": ("--home", "DIR"),
    "TUNIXRT_DATABASE_URL": ("--database-url", "URL"),
    "TUNIXRT_HOST": ("--host", "ADDRESS"),
    "TUNIXRT_PORT": ("--port", "N"),
    "TUNIXRT_TOKEN": ("--token", "TEXT"),
    "TUNIXRT_MAX_UPLOAD_MB": ("--max-upload-mb", "N"),
    "TUNIXRT_LOG_LEVEL": ("--log-level", "|".join(LOG_LEVELS)),
    "TUNIXRT_ALLOWED_HOSTS": ("--allow-host", "NAME"),
}


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Serve until told to stop. Returns 2 for a wrong setting, 1 where the server cannot start."""
    options = _parser().parse_args(argv)
    try:
        settings = read_settings(options, environ)
        if options.no_auth and not is_loopback(settings.host):
            raise InvalidSettings(
                f"--no-auth goes with a loopback address only, and {settings.host} is open to other machines. "
                "Leave out --no-auth, or use --host 127.0.0.1 and an SSH tunnel."
            )
    except InvalidSettings as error:
        return _fail(error, 2)
    _log_to_stderr(settings.log_level)
    try:
        # before anything heavy is imported: the common mistakes answer at once
        check_can_listen(settings.host, settings.port)
        log_file = log_to_file(settings, environ)
        from app.server.server import serve

        note(log_file, f"Tunix RT {__version__} begins on {settings.host}:{settings.port}, home {settings.home}")
        serve(settings, auth=not options.no_auth, on_start=lambda address: _greet(settings, address, log_file))
    except (TunixRTError, CannotListen) as error:
        return _fail(error, 1)
    return 0


def read_settings(options: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """The environment with the options over it. InvalidSettings names the option where that is what is wrong."""
    given = {name: value for name in VARIABLES if (value := getattr(options, name)) is not None}
    if isinstance(hosts := given.get("TUNIXRT_ALLOWED_HOSTS"), list):
        given["TUNIXRT_ALLOWED_HOSTS"] = ",".join(hosts)
    try:
        return Settings.from_env({**environ, **given})
    except InvalidSettings as error:
        message = str(error)
        for name in given:
            message = message.replace(name, OPTIONS[name][0])
        raise InvalidSettings(message) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app",
        description="Start the Tunix RT dashboard and its JSON API on one port.",
        epilog="An option wins over its environment variable.",
    )
    for name, (option, metavar) in OPTIONS.items():
        default, meaning = VARIABLES[name]
        many = name == "TUNIXRT_ALLOWED_HOSTS"
        parser.add_argument(
            option,
            dest=name,
            metavar=metavar,
            action="append" if many else "store",
            help=f"{meaning}{'; may be repeated' if many else ''} ({name}; default: {default})".replace("%", "%%"),
        )
    parser.add_argument("--no-auth", action="store_true", help="ask for no access token; on a loopback address only")
    return parser


def _greet(settings: Settings, address: str, log_file: logging.Handler) -> None:
    follow_server(log_file)
    print(f"Tunix RT is ready. Open {address}", flush=True)
    if is_any(settings.host):
        print("It listens on all addresses of this machine; from elsewhere, put its IP address there.", flush=True)


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=logging.WARNING, format=FORMAT)
    for package in ("app", "tunixrt_core"):
        logging.getLogger(package).setLevel(level)


def _fail(error: Exception, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
