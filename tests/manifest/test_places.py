"""What others send names files of the home and of allowed folders, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.makers import make_manifest
from tunixrt_core.errors import InvalidEvaluation, InvalidManifest
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.places import check_eval_file, check_places
from tunixrt_core.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("home/runs", "home/datasets", "shared"):
        (tmp_path / name).mkdir(parents=True)
    return Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home"), "TUNIXRT_ALLOW": str(tmp_path / "shared")})


@pytest.fixture
def manifest(settings: Settings) -> RunManifest:
    made = make_manifest(settings.exports_dir, train_steps=1)
    return made.model_copy(update={"output_dir": "r-0001"})


def changed(manifest: RunManifest, **values: str) -> RunManifest:
    data = manifest.to_dict()
    for dotted, value in values.items():
        *sections, last = dotted.split("__")
        place = data
        for name in sections:
            place = place[name]
        place[last] = value
    return RunManifest.from_dict(data)


def test_the_home_and_allowed_folders_may_be_used(settings: Settings, manifest: RunManifest, tmp_path: Path) -> None:
    check_places(manifest, settings)
    check_places(changed(manifest, output_dir=str(tmp_path / "shared" / "runs" / "mine")), settings)
    moved = tmp_path / "shared" / "data.jsonl"
    moved.write_bytes(Path(manifest.data.path).read_bytes())
    check_places(changed(manifest, data__path=str(moved)), settings)


@pytest.mark.parametrize(
    "folder", ["/etc", "/root/.ssh", "../../elsewhere", "..", ".", "~/x", "{home}", "{home}/logs", "link/x", "loop/x"]
)
def test_a_run_is_written_nowhere_else(settings: Settings, manifest: RunManifest, folder: str) -> None:
    (settings.runs_dir / "link").symlink_to("/tmp")
    (settings.runs_dir / "loop").symlink_to("loop")
    with pytest.raises(InvalidManifest, match=r"^output_dir: .*--allow DIR"):
        check_places(changed(manifest, output_dir=folder.format(home=settings.home)), settings)


@pytest.mark.parametrize("path", ["/proc/kmsg", "/etc/passwd", "/dev/zero", "{home}/../secret", "{home}/link"])
def test_rows_are_read_from_nowhere_else(settings: Settings, manifest: RunManifest, path: str) -> None:
    (settings.home / "link").symlink_to("/etc/passwd")
    with pytest.raises(InvalidManifest, match=r"^data\.path: .*outside"):
        check_places(changed(manifest, data__path=path.format(home=settings.home)), settings)


def test_a_pipe_in_the_home_is_refused_at_once(settings: Settings, manifest: RunManifest) -> None:
    pipe = settings.exports_dir / "pipe.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(InvalidManifest, match=r"^data\.path: .*is a pipe"):
        check_places(changed(manifest, data__path=str(pipe)), settings)
    with pytest.raises(InvalidEvaluation, match="is a pipe"):
        check_eval_file(pipe, settings)


def test_models_and_tokenizers_are_read_from_nowhere_else(
    settings: Settings, manifest: RunManifest, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.json").write_text("{}")
    for key in ("model__id", "tokenizer__path"):
        with pytest.raises(InvalidManifest, match=key.replace("__", r"\.")):
            check_places(changed(manifest, **{key: str(outside)}), settings)
    check_places(changed(manifest, model__id="org/name"), settings)


def test_an_eval_file_is_in_the_home_wherever_a_link_leads(settings: Settings, tmp_path: Path) -> None:
    inside = settings.exports_dir / "evals.jsonl"
    inside.write_text("{}")
    check_eval_file(inside, settings)
    (tmp_path / "out.jsonl").write_text("{}")
    (settings.exports_dir / "link.jsonl").symlink_to(tmp_path / "out.jsonl")
    for path in (settings.exports_dir / "link.jsonl", tmp_path / "out.jsonl", Path("/etc/passwd")):
        with pytest.raises(InvalidEvaluation, match="outside of the home"):
            check_eval_file(path, settings)


@pytest.mark.parametrize("key", ["output_dir", "data__path", "model__id", "tokenizer__path"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [("a\0b", "NUL"), ("x" * 300, "255 bytes"), ("/x" * 5_000, "4,096 bytes"), ("\ud800", "surrogate")],
    ids=["NUL", "long name", "long path", "surrogate"],
)
def test_text_that_can_be_no_path_is_refused_by_its_key(
    manifest: RunManifest, key: str, text: str, reason: str
) -> None:
    with pytest.raises(InvalidManifest, match=f"^{key.replace('__', '.')}: .*{reason}"):
        changed(manifest, **{key: text})
