"""The theme that is sent from memory is the one that Streamlit works out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit import config
from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

from app.server import theme_message
from app.server.server import HERE
from app.server.theme_message import remembering, send_theme_from_memory

SECTIONS = {
    "theme": lambda msg: msg,
    "theme.light": lambda msg: msg.light,
    "theme.dark": lambda msg: msg.dark,
    "theme.sidebar": lambda msg: msg.sidebar,
    "theme.light.sidebar": lambda msg: msg.light.sidebar,
    "theme.dark.sidebar": lambda msg: msg.dark.sidebar,
}


def options(section: dict[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from options(value, f"{name}.{key}")
        else:
            yield f"{name}.{key}", value


@pytest.fixture
def themed() -> Iterator[None]:
    """The dashboard's theme, set as the options of this process."""
    theme = tomllib.loads((HERE / "theme.toml").read_text(encoding="utf-8"))["theme"]
    found = {name: value for name, value in options(theme, "theme") if name in config.get_config_options()}
    before = {name: config.get_option(name) for name in found}
    for name, value in found.items():
        config.set_option(name, value)
    yield
    for name, value in before.items():
        config.set_option(name, value)


def message(fill: theme_message.Fill) -> bytes:
    made = CustomThemeConfig()
    for section, part in SECTIONS.items():
        fill(part(made), section)
    return made.SerializeToString(deterministic=True)


@pytest.mark.usefixtures("themed")
def test_it_is_the_same_each_time() -> None:
    expected = message(app_session._populate_theme_msg)
    assert len(expected) > 500, "colors, fonts, and both modes"
    fill = remembering(app_session._populate_theme_msg)
    assert [message(fill) for _ in range(3)] == [expected] * 3


def test_a_section_without_options_is_not_sent() -> None:
    assert message(remembering(lambda msg, section: None)) == b""


@pytest.mark.usefixtures("themed")
def test_it_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fill(msg: CustomThemeConfig, section: str) -> None:
        asked.append(section)

    monkeypatch.setattr(theme_message, "_fill", fill)
    monkeypatch.setattr(app_session, "_populate_theme_msg", app_session._populate_theme_msg)
    send_theme_from_memory()
    for _ in range(3):
        message(app_session._populate_theme_msg)
    assert asked == list(SECTIONS), "by what Streamlit calls"
