"""What can be downloaded is told from what can only be a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.manifest.models import HubName, KaggleName, missing_model, model_directory, parse_model_name


@pytest.mark.parametrize(
    ("reference", "name", "directory"),
    [
        ("Qwen/Qwen3-0.6B", HubName("Qwen/Qwen3-0.6B"), "Qwen/Qwen3-0.6B"),
        ("org/name@v1.0", HubName("org/name", "v1.0"), "org/name@v1.0"),
        ("kaggle:google/gemma/transformers/2b", KaggleName("google/gemma/transformers/2b"), "kaggle/google/gemma"),
        ("kaggle:a/b/c/d/3", KaggleName("a/b/c/d/3"), "kaggle/a/b/c/d/3"),
    ],
)
def test_names_of_hubs_say_where_the_model_lies(reference: str, name: HubName | KaggleName, directory: str) -> None:
    found = parse_model_name(reference)
    assert found == name
    assert found.directory.as_posix().startswith(directory)


@pytest.mark.parametrize(
    "reference",
    ["tiny", "./org/name", "/org/name", "~/name", "a/b/c", "org/..", "../name", "org/name@", "kaggle:a/b", "", "a\\b"],
)
def test_everything_else_is_no_name(reference: str) -> None:
    assert parse_model_name(reference) is None


def test_a_model_is_found_by_its_path_its_name_or_its_folder_in_the_home(tmp_path: Path) -> None:
    for name in ("org/name@v1", "mine"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").touch()
    assert model_directory(str(tmp_path / "mine"), tmp_path / "models") == tmp_path / "mine"
    for name in ("org/name@v1", "mine", "tiny"):
        assert model_directory(name, tmp_path) == tmp_path / name
    for name in ("org/name", "other"):
        assert model_directory(name, tmp_path) is None


def test_a_missing_model_is_said_with_what_to_do() -> None:
    assert missing_model("org/name").endswith("Download it with: tunixrt models get org/name")
    assert missing_model("nonesuch").startswith("There is no model in nonesuch: a directory with config.json")
