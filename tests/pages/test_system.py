"""System: versions and settings, and never a secret."""

from __future__ import annotations

from dataclasses import replace

from tests.pages.conftest import open_page, words
from tunixrt_core.pipeline import Pipeline


def test_every_setting_is_shown_and_no_secret(rt: Pipeline) -> None:
    rt.settings = replace(rt.settings, token="s3cret-token", database_url="postgresql+psycopg://me:s3cret@db:5432/rt")
    text = words(open_page("system.py"))
    assert "TUNIXRT_HOME" in text
    assert "postgresql+psycopg://me:…@db:5432/rt" in text
    assert "s3cret" not in text


def test_versions_are_shown(rt: Pipeline) -> None:
    text = words(open_page("system.py"))
    assert "Streamlit" in text
    assert "1.67.0" in text
