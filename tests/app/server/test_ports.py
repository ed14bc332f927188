"""Which addresses are this machine's own, and whether a port is free."""

from __future__ import annotations

import socket

import pytest

from app.server.ports import CannotListen, check_can_listen, in_url, is_any, is_ip, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_addresses_are_private_to_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "tpu.lan", ""])
def test_all_others_are_not(host: str) -> None:
    assert not is_loopback(host)


def test_an_address_is_told_from_a_name() -> None:
    assert is_ip("10.0.0.1")
    assert is_ip("[fe80::1]")
    assert not is_ip("tpu.lan")
    assert is_any("0.0.0.0")
    assert is_any("::")
    assert not is_any("localhost")


def test_an_address_bar_gets_brackets_and_a_name_for_all_addresses() -> None:
    assert (in_url("127.0.0.1"), in_url("::1"), in_url("0.0.0.0")) == ("127.0.0.1", "[::1]", "localhost")


def test_a_free_port_can_be_listened_on_and_stays_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    check_can_listen("127.0.0.1", port)
    check_can_listen("127.0.0.1", port)


def test_a_taken_port_is_a_sentence_that_names_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"{port} .* is taken .* --port {port + 1}|--port"):
            check_can_listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_a_sentence(host: str) -> None:
    with pytest.raises(CannotListen, match="not an address of this machine"):
        check_can_listen(host, 8501)
