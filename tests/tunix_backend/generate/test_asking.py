"""A question to a real model: loaded and compiled once, answered again at once, and closed with its memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.evaluation.questions.execution import AskedRun, LoadedModels, execute_question
from tunixrt_core.evaluation.questions.question import Question
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.tunix_backend.backend import TunixBackend

pytestmark = pytest.mark.tunix


def test_the_second_question_loads_and_compiles_nothing(tmp_path: Path, models_dir: Path) -> None:
    models = LoadedModels(TunixBackend(models_dir))
    asked = AskedRun("r-0001", make_manifest(tmp_path), RunDir(tmp_path / "run"))
    phases: list[str] = []

    def ask(prompt: str) -> tuple[str, bool, int]:
        question = Question(run_id="r-0001", prompt=prompt, targets=("base",), max_new_tokens=6)
        (found,) = execute_question(question, asked, models, on_phase=lambda target, phase: phases.append(phase))
        assert found.tokens <= 6
        return found.output, found.compiled, found.prompt_tokens

    first = ask("2 + 2 is?")
    assert (first[1], phases) == (True, ["loading", "loading", "generating", "compiling"])
    phases.clear()
    assert ask("2 + 3 is?")[1:] == (False, first[2])
    assert phases == ["generating", "generating"]
    assert ask("2 + 2 is?") == (first[0], False, first[2])
    models.close()
    assert models.held == ()
    assert ask("2 + 2 is?")[0] == first[0]
    models.close()
