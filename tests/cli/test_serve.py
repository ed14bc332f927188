"""`tunixrt serve` has the options of `python -m app`, and finds the dashboard beside the core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from tests.conftest import REPOSITORY
from tests.helpers.command import tunixrt_process
from tunixrt_core.cli.main import app
from tunixrt_core.cli.serve import dashboard_folder
from tunixrt_core.errors import NotFound
from tunixrt_core.settings import OPTIONS


def test_it_has_an_option_for_every_setting() -> None:
    commands: Any = typer.main.get_command(app)
    names = {name for option in commands.commands["serve"].params for name in option.opts}
    assert names == {option.name for option in OPTIONS.values()} | {"--no-auth"}


def test_a_wrong_option_is_named_as_by_the_server_itself(tmp_path: Path) -> None:
    done = tunixrt_process("serve", "--port", "8501", "--allow-host", "http://tpu.lan", home=tmp_path / "home")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --allow-host")


def test_the_dashboard_is_found_in_a_checkout_and_missed_where_others_have_an_app(tmp_path: Path) -> None:
    assert dashboard_folder() == REPOSITORY
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").touch()
    with pytest.raises(NotFound, match="Install the wheel again"):
        dashboard_folder(tmp_path)
