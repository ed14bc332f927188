"""The README is short, its links work and its example runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.tools.reference import FOLDER, PAGES
from tests.conftest import AS_A_USER, LONG, REPOSITORY

README = REPOSITORY / "README.md"
FEWER_ROWS = {"batch_size": 4, "train_steps": 450, "eval_every": 450, "sample_prompts": 0}
MOST_LINES = 150  # a newcomer reads it in three minutes


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_every_link_to_a_file_leads_somewhere() -> None:
    generated = {FOLDER / name for name in PAGES}  # by `make docs`
    for path in (README, REPOSITORY / "CONTRIBUTING.md", *(REPOSITORY / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            file = (path.parent / target).resolve()
            assert file.exists() or file in generated, f"{path.name} links to {target}"


def test_every_file_that_a_recipe_names_is_there() -> None:
    recipes = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_.]+/[\w./-]+\.\w+)`", recipes))
    assert "tunixrt_core/cli/main.py" in named
    missing = [name for name in sorted(named) if "NAME" not in name and not (REPOSITORY / name).exists()]
    assert missing == []


@pytest.mark.tunix
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "settings",
    [
        # a sixth of the rows in all, and of the time; answers and evaluations during it are not what is asked
        pytest.param(f", hyperparams={FEWER_ROWS}", id="of-fewer-rows"),
        pytest.param("", id="unchanged", marks=LONG),
    ],
)
def test_the_example_in_the_readme_learns_the_task(tmp_path: Path, settings: str) -> None:
    example = README.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert 'model_id="tiny")' in example
    example = example.replace('model_id="tiny"', f'model_id="tiny"{settings}')
    environ = {**os.environ, **AS_A_USER, "TUNIXRT_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", example], cwd=REPOSITORY, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    printed = done.stdout.strip().splitlines()[-1]
    found = re.search(r"'tuned': ([\d.]+)", printed)
    base = re.search(r"'base': ([\d.]+)", printed)
    assert found is not None, printed
    assert base is not None, printed
    assert float(base[1]) <= 0.05
    assert float(found[1]) >= 0.8, printed
    assert float(printed.split()[-1]) < 0.001, "McNemar's p"
