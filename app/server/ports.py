"""Listen addresses: which are private, and whether the port is free."""

from __future__ import annotations

import errno
import ipaddress
import socket


class CannotListen(OSError):
    """The address or the port cannot be used; the message says what to do."""


def is_ip(host: str) -> bool:
    """Whether this is an IP address, in brackets or not, rather than a name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a server on `host` is reachable from this machine only."""
    return host == "localhost" or (is_ip(host) and ipaddress.ip_address(host.strip("[]")).is_loopback)


def is_any(host: str) -> bool:
    """Whether `host` stands for all addresses of this machine."""
    return is_ip(host) and ipaddress.ip_address(host.strip("[]")).is_unspecified


def in_url(host: str) -> str:
    """The host as in a URL: IPv6 in brackets, and `localhost` for all addresses."""
    if is_any(host):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def check_can_listen(host: str, port: int) -> None:
    """Raises CannotListen if another program uses the port or the address is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # bind as the server does: a port closed a moment ago counts as free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise CannotListen(_sentence(host, port, error)) from None


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        return f"Port {port} on {host} is in use by another program. Choose another one, such as --port {other}."
    if error.errno == errno.EACCES:
        return f"Port {port} is reserved for the system. Choose one above 1023, such as --port 8501."
    return f"{host} is not an address of this machine ({error.strerror or error}). Use --host 127.0.0.1."
