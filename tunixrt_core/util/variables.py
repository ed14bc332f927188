"""Values of environment variables: parsers that raise InvalidSettings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tunixrt_core.errors import InvalidSettings
from tunixrt_core.util.files.disks import answers


def server_url(name: str, value: str | None) -> str | None:
    """An address without a path, and without the `/` at its end."""
    if not value:
        return None
    found = urlsplit(value)
    if found.scheme not in ("http", "https") or not found.hostname or found.path not in ("", "/") or found.query:
        raise InvalidSettings(f"{name}: {value!r} is no address of a server. Write https://host or http://host:port.")
    return value.rstrip("/")


def issuer(environ: Mapping[str, str]) -> str | None:
    """The https address of an OpenID provider, or http on this machine, with the variables that belong to it."""
    value = environ.get("TUNIXRT_OIDC_ISSUER")
    if not value:
        return None
    found = urlsplit(value)
    if found.scheme != "https" and found.hostname not in ("localhost", "127.0.0.1"):
        raise InvalidSettings(f"TUNIXRT_OIDC_ISSUER: {value!r} is no https address. Write it with its scheme and host.")
    for name in ("TUNIXRT_OIDC_CLIENT_ID", "TUNIXRT_OIDC_CLIENT_SECRET"):
        if not environ.get(name):
            raise InvalidSettings(f"{name} is missing. Set it as the OpenID provider says.")
    return value


def bucket(environ: Mapping[str, str]) -> str | None:
    """The address of a bucket, which the executor uses."""
    value = environ.get("TUNIXRT_BUCKET") or None
    if value is not None and not environ.get("TUNIXRT_EXECUTOR"):
        raise InvalidSettings("TUNIXRT_BUCKET is for workers on other machines. Set TUNIXRT_EXECUTOR too.")
    return value


def rules(value: str | None) -> tuple[str, ...]:
    """Who has a role: addresses, `@domain`, `claim=value` or `*`; all but claims in lower case."""
    rules = listed(value)
    for rule in rules:
        if rule != "*" and "@" not in rule and "=" not in rule:
            raise InvalidSettings(
                f"TUNIXRT_OIDC_READ, TUNIXRT_OIDC_WRITE: {rule!r} is no address, @domain, claim=value or *."
            )
    return tuple(rule if "=" in rule else rule.lower() for rule in rules)


def webhook(value: str | None) -> str | None:
    """An http or https address."""
    if not value:
        return None
    found = urlsplit(value)
    if found.scheme not in ("http", "https") or not found.hostname:
        # the value may be a secret, so the sentence does not repeat it
        raise InvalidSettings("TUNIXRT_WEBHOOK: this is no http or https address. Write it with its scheme and host.")
    return value


def hosts(value: str | None) -> tuple[str, ...]:
    """Host names in lower case, without scheme and port."""
    names = tuple(name.lower() for name in listed(value))
    for name in names:
        if not set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-"):
            raise InvalidSettings(f"TUNIXRT_ALLOWED_HOSTS: {name!r} is not a host name; leave out scheme and port.")
    return names


def folders(value: str | None) -> tuple[Path, ...]:
    """Absolute paths of folders; one that does not answer may do so later."""
    folders = tuple(Path(part).expanduser() for part in listed(value))
    for folder in folders:
        # one that does not answer now may do so later; until then no path is in it
        if not folder.is_absolute() or (answers(folder) and not folder.is_dir()):
            raise InvalidSettings(f"TUNIXRT_ALLOW: {folder} is not the absolute path of a folder.")
    return folders


def listed(value: str | None) -> list[str]:
    """The parts between commas."""
    return [part.strip() for part in (value or "").split(",") if part.strip()]


def whole(name: str, value: str | None, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise InvalidSettings(f"{name}: {value!r} is not a whole number from {low} to {high}.")
    return int(value)


def one_of(name: str, value: str | None, default: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`, whatever the case."""
    chosen = next((each for each in allowed if each.lower() == (value or default).lower()), None)
    if chosen is None:
        raise InvalidSettings(f"{name}: {value!r} is not one of {', '.join(allowed)}.")
    return chosen
