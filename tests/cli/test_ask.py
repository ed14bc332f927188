"""`tunixrt ask` puts one prompt to a run's models, without a database, and says who holds the accelerator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt
from tests.tunix_backend.conftest import make_manifest
from tunixrt_core.cli.exit_codes import ExitCode
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.settings import Settings

pytestmark = pytest.mark.tunix


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two train steps."""
    path = tmp_path_factory.mktemp("ask")
    (path / "m.yaml").write_text(make_manifest(path, train_steps=2).to_yaml())
    done = tunixrt("train", path / "m.yaml", "--output-dir", path / "run", "--json", home=path / "home")
    assert done.returncode == 0, done.stderr
    trained = json.loads(done.stdout)
    assert (trained["run"], trained["status"], trained["train_step"]) == ("run", "succeeded", 2)
    return path


def test_both_models_answer_as_json_and_no_database_is_made(folder: Path) -> None:
    asked = ("ask", folder / "run", "-", "--max-new-tokens", 6, "--begin", "It ends", "--json")
    done = tunixrt(*asked, home=folder / "home", stdin=b"Where does the dial end?")
    assert done.returncode == 0, done.stderr
    base, tuned = json.loads(done.stdout)
    assert (base["target"], base["train_step"], base["model"]) == ("base", None, "tiny-micro")
    assert (tuned["target"], tuned["train_step"], tuned["model"]) == ("tuned", 2, "run tuned, train step 2")
    assert base["tokens"] <= 6
    assert base["output"].startswith("It ends")
    assert base["prompt_tokens"] == tuned["prompt_tokens"] > 5
    assert not (folder / "home" / "tunixrt.db").exists()


def test_earlier_turns_come_from_a_file(folder: Path) -> None:
    told = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    (folder / "talk.json").write_text(json.dumps(told))
    options = ("--target", "base", "--max-new-tokens", 2, "--json")
    lengths = []
    for more in ((), ("--messages", folder / "talk.json")):
        done = tunixrt("ask", folder / "run", "Where?", *more, *options, home=folder / "home")
        assert done.returncode == 0, done.stderr
        lengths.append(json.loads(done.stdout)[0]["prompt_tokens"])
    assert lengths[1] > lengths[0] + 2
    refused = tunixrt("ask", folder / "run", "--messages", folder / "talk.json", *options, home=folder / "home")
    assert refused.returncode == 1
    assert "must end with a turn of the user" in refused.stderr


def test_an_export_says_as_json_where_it_is_and_who_checked_it(folder: Path) -> None:
    options = ("-o", folder / "model", "--no-check-with-transformers", "--json")
    done = tunixrt("export-model", folder / "run", *options, home=folder / "home")
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)["exports"]
    assert (report["path"], report["layout"]) == (str(folder / "model"), "merged")
    assert [check["by"] for check in report["checks"]] == ["tunix"]


def test_one_model_and_its_checkpoint_are_named_in_words(folder: Path) -> None:
    options = ("--target", "tuned", "--checkpoint", 2, "--temperature", 0.5, "--seed", 3, "--max-new-tokens", 4)
    done = tunixrt("ask", folder / "run", "Where?", *options, home=folder / "home")
    assert done.returncode == 0, done.stderr
    assert "Tuned: run tuned, train step 2" in done.stdout
    assert "Base:" not in done.stdout
    assert "4 tokens, cut at the limit" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ((" ",), "The prompt is empty"),
        (("a", "--checkpoint", 7), "There are 2"),
        (("a", "--top-p", 0), "top_p is 0.0"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(folder: Path, wrong: tuple[object, ...], says: str) -> None:
    done = tunixrt("ask", folder / "run", *wrong, home=folder / "home")
    assert (done.returncode, says in done.stderr) == (1, True), done.stderr


def test_while_something_else_holds_the_accelerator_it_is_named(tmp_path: Path) -> None:
    settings = Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})
    run = RunDir(tmp_path / "run")
    run.create()
    run.manifest_file.write_text(make_manifest(tmp_path).to_yaml())
    run.write_state(RunState(status=RunStatus.SUCCEEDED))
    held = Accelerator(settings.accelerator_lock).take("r-0007", "train")
    assert held is not None
    done = tunixrt("ask", run.path, "Where?", home=settings.home)
    held.release()
    assert (done.returncode, "which trains r-0007 since" in done.stderr) == (ExitCode.RETRY, True), done.stderr
