"""`tunixrt serve`: dashboard and API, from a wheel or a checkout."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tunixrt_core.errors import NotFound
from tunixrt_core.settings import NO_AUTH_HELP, OPTIONS, option_help

_INSTALLED = "tunixrt_dashboard"  # the folder of the wheel that holds `app` and `pages`


def _option(variable: str) -> Any:
    option = OPTIONS[variable]
    return typer.Option(option.name, metavar=option.metavar, help=option_help(variable), show_default=False)


def serve(
    home: Annotated[str | None, _option("TUNIXRT_HOME")] = None,
    database_url: Annotated[str | None, _option("TUNIXRT_DATABASE_URL")] = None,
    host: Annotated[str | None, _option("TUNIXRT_HOST")] = None,
    port: Annotated[str | None, _option("TUNIXRT_PORT")] = None,
    token: Annotated[str | None, _option("TUNIXRT_TOKEN")] = None,
    max_upload_mb: Annotated[str | None, _option("TUNIXRT_MAX_UPLOAD_MB")] = None,
    log_level: Annotated[str | None, _option("TUNIXRT_LOG_LEVEL")] = None,
    allow_host: Annotated[list[str] | None, _option("TUNIXRT_ALLOWED_HOSTS")] = None,
    allow: Annotated[list[str] | None, _option("TUNIXRT_ALLOW")] = None,
    webhook: Annotated[str | None, _option("TUNIXRT_WEBHOOK")] = None,
    log: Annotated[str | None, _option("TUNIXRT_LOG")] = None,
    metrics: Annotated[str | None, _option("TUNIXRT_METRICS")] = None,
    executor: Annotated[str | None, _option("TUNIXRT_EXECUTOR")] = None,
    bucket: Annotated[str | None, _option("TUNIXRT_BUCKET")] = None,
    url: Annotated[str | None, _option("TUNIXRT_URL")] = None,
    oidc_issuer: Annotated[str | None, _option("TUNIXRT_OIDC_ISSUER")] = None,
    oidc_client_id: Annotated[str | None, _option("TUNIXRT_OIDC_CLIENT_ID")] = None,
    oidc_client_secret: Annotated[str | None, _option("TUNIXRT_OIDC_CLIENT_SECRET")] = None,
    oidc_read: Annotated[list[str] | None, _option("TUNIXRT_OIDC_READ")] = None,
    oidc_write: Annotated[list[str] | None, _option("TUNIXRT_OIDC_WRITE")] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help=NO_AUTH_HELP)] = False,
) -> None:
    """Start the dashboard and its JSON API on one port. An option overrides its environment variable.

    Exits with 0 when stopped by SIGTERM or Ctrl-C.
    """
    given = {
        "TUNIXRT_HOME": home,
        "TUNIXRT_DATABASE_URL": database_url,
        "TUNIXRT_HOST": host,
        "TUNIXRT_PORT": port,
        "TUNIXRT_TOKEN": token,
        "TUNIXRT_MAX_UPLOAD_MB": max_upload_mb,
        "TUNIXRT_LOG_LEVEL": log_level,
        "TUNIXRT_ALLOWED_HOSTS": allow_host or None,
        "TUNIXRT_ALLOW": allow or None,
        "TUNIXRT_WEBHOOK": webhook,
        "TUNIXRT_LOG": log,
        "TUNIXRT_METRICS": metrics,
        "TUNIXRT_EXECUTOR": executor,
        "TUNIXRT_BUCKET": bucket,
        "TUNIXRT_URL": url,
        "TUNIXRT_OIDC_ISSUER": oidc_issuer,
        "TUNIXRT_OIDC_CLIENT_ID": oidc_client_id,
        "TUNIXRT_OIDC_CLIENT_SECRET": oidc_client_secret,
        "TUNIXRT_OIDC_READ": oidc_read or None,
        "TUNIXRT_OIDC_WRITE": oidc_write or None,
    }
    # `app` and `pages` are names that others use too: only this process finds them
    sys.path.insert(0, str(dashboard_folder()))
    raise typer.Exit(importlib.import_module("app.__main__").start(given, no_auth=no_auth))


def dashboard_folder(packages: Path = Path(__file__).parents[2]) -> Path:
    """The folder that holds `app` and `pages`. Raises NotFound.

    `packages` is the folder of `tunixrt_core`: site-packages for a wheel, or a checkout.
    """
    for folder in (packages / _INSTALLED, packages):
        if (folder / "app" / "server" / "server.py").is_file() and (folder / "pages").is_dir():
            return folder
    raise NotFound("dashboard", str(packages / _INSTALLED), "Install the wheel again: pip install --force-reinstall.")
