"""Paths that never answer, in a stuck network folder or as a pipe: each reader of a path that a user names ends with a
sentence, and so does the server.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.fakes import FakeBackend
from tests.helpers.machines.stuck_folder import stuck_folder
from tests.pipeline.test_pipeline import manifest_of, open_with
from tunixrt_core.cli.build import _from_file
from tunixrt_core.datasets.eval_files.prompts import EvalFile
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.manifest.data_file import check_data_unchanged, describe_data
from tunixrt_core.manifest.manifest import RunManifest, check_model_id, load_manifest
from tunixrt_core.manifest.models import model_directory
from tunixrt_core.manifest.presets import preset
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.tunix_backend.backend import TunixBackend
from tunixrt_core.util.files import disks

Reader = Callable[[Pipeline, Path], object]


def with_data(rt: Pipeline, path: Path) -> RunManifest:
    manifest = RunManifest.from_dict(rt.runs.page().items[0].manifest)
    data = manifest.data.model_copy(update={"path": str(path)})
    return manifest.model_copy(update={"data": data, "output_dir": "r-0009"})


def with_model(rt: Pipeline, path: Path) -> RunManifest:
    manifest = RunManifest.from_dict(rt.runs.page().items[0].manifest)
    model = manifest.model.model_copy(update={"id": str(path)})
    return manifest.model_copy(update={"model": model, "output_dir": "r-0009"})


def with_tokenizer(rt: Pipeline, path: Path) -> RunManifest:
    manifest = RunManifest.from_dict(rt.runs.page().items[0].manifest)
    tokenizer = manifest.tokenizer.model_copy(update={"path": str(path)})
    return manifest.model_copy(update={"tokenizer": tokenizer, "output_dir": "r-0009"})


def evaluated(rt: Pipeline, path: Path) -> object:
    return rt.evaluations.start(rt.runs.page().items[0].id, request=EvalRequest(eval_file=path))


def imported_in_background(rt: Pipeline, path: Path) -> object:
    task = rt.traces.imports.begin("import", path)
    return rt.traces.imports.wait(task.id, 60).value()


GATED = DatasetSpec("b", gates={"contamination": "warn"})
READERS: dict[str, Reader] = {
    "import": lambda rt, path: rt.traces.ingest(path),
    "import of several": lambda rt, path: rt.traces.ingest([path, path]),
    "import in the background": imported_in_background,
    "preview": lambda rt, path: rt.traces.preview(path),
    "check": lambda rt, path: rt.traces.diagnose(path),
    "data of a start": lambda rt, path: rt.runs.start(with_data(rt, path)),
    "model of a start": lambda rt, path: rt.runs.start(with_model(rt, path)),
    "tokenizer of a start": lambda rt, path: rt.runs.start(with_tokenizer(rt, path)),
    "data of a preflight": lambda rt, path: rt.manifests.preflight(with_data(rt, path)),
    "data of a manifest": lambda rt, path: describe_data(path),
    "data before a training": lambda rt, path: check_data_unchanged(with_data(rt, path).data),
    "model": lambda rt, path: model_directory(str(path), rt.settings.models_dir),
    "model of a new manifest": lambda rt, path: check_model_id(str(path)),
    "model's presets": lambda rt, path: preset(str(path)),
    "model's memory": lambda rt, path: TunixBackend(rt.settings.models_dir).memory_estimate(with_model(rt, path)),
    "manifest": lambda rt, path: load_manifest(path),
    "dataset spec": lambda rt, path: _from_file(path),
    "eval file": lambda rt, path: rt.evaluations.check_file(path),
    "eval file of an evaluation": evaluated,
    "eval file of a gate": lambda rt, path: rt.datasets.build(GATED, eval_file=EvalFile(path.name, path)),
}


@pytest.fixture(scope="module")
def stuck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with stuck_folder(tmp_path_factory.mktemp("net") / "folder") as folder:
        yield folder


@pytest.fixture(scope="module")
def rt(tmp_path_factory: pytest.TempPathFactory, stuck: Path) -> Iterator[Pipeline]:
    home = tmp_path_factory.mktemp("home") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disks, "SECONDS", 0.5)
        patch.setattr(disks, "_pool", [])  # a pool that another test began waits as long as it began with
        with open_with(Settings.from_env({"TUNIXRT_HOME": str(home)}), FakeBackend()) as pipeline:
            pipeline.runs.start(manifest_of(pipeline, 2))
            assert pipeline.queue.wait(30)
        allowed = Settings.from_env({"TUNIXRT_HOME": str(home), "TUNIXRT_ALLOW": f"{stuck},{home.parent}"})
        with open_with(allowed, FakeBackend()) as pipeline:
            yield pipeline


@pytest.mark.parametrize("reader", READERS)
def test_a_stuck_network_folder_is_a_sentence(reader: str, rt: Pipeline, stuck: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(stuck / "file")
    disks._stuck.clear()
    began = time.monotonic()
    with pytest.raises(TunixRTError, match=r"does not answer within 0\.5 s: the network folder"):
        READERS[reader](rt, link)
    assert time.monotonic() - began < 30


def test_a_path_elsewhere_works_while_an_allowed_folder_is_stuck(rt: Pipeline, tmp_path: Path) -> None:
    manifest = RunManifest.from_dict(rt.runs.page().items[0].manifest)
    started = rt.runs.start(manifest.model_copy(update={"output_dir": "r-0020"}))
    assert rt.queue.wait(30)
    assert rt.runs.get(started.id).status == "succeeded"


# a command reads what is piped to it, and waits for it as every command does
PIPED = {"import", "import of several", "import in the background", "preview", "check"}
# in a pipe there is no model, which the preflight says
NO_SENTENCE = {"model", "model's presets", "model of a start", "tokenizer of a start"}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("reader", sorted(READERS.keys() - PIPED - NO_SENTENCE))
def test_a_pipe_is_a_sentence(reader: str, rt: Pipeline, tmp_path: Path) -> None:
    pipe = rt.settings.home.parent / f"pipe-{reader.replace(' ', '-')}"
    os.mkfifo(pipe)
    with pytest.raises(TunixRTError):
        READERS[reader](rt, pipe)


@pytest.mark.tunix
@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "generation_config.json",
        "special_tokens_map.json",
        "chat_template.jinja",
        "model.safetensors",
        "model.safetensors.index.json",
    ],
)
def test_a_pipe_in_a_model_directory_keeps_nothing(name: str, rt: Pipeline) -> None:
    from tunixrt_core.tunix_backend.model.tiny import write_builtin_model

    folder = rt.settings.home.parent / f"model-{name}"
    shutil.copytree(write_builtin_model("tiny-micro", rt.settings.models_dir / "tiny-micro"), folder)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    manifest = with_model(rt, folder)
    backend = TunixBackend(rt.settings.models_dir)
    try:
        found = backend.preflight(manifest, rt.runs.folder("r-0001"), is_new=False)
    except TunixRTError:
        return
    assert found.findings


def test_local_disks_alone_start_no_process(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    line = "36 35 98:0 / /data rw,noatime shared:1 - {} /dev/sda1 rw\n"
    mounts.write_text("".join(line.format(kind) for kind in ("ext4", "overlay", "tmpfs", "proc", "cgroup2")))
    assert not disks.any_remote(mounts)
    for kind in ("nfs4", "cifs", "fuse.sshfs", "fuse", "9p", "lustre"):
        mounts.write_text(line.format("ext4") + line.format(kind))
        assert disks.any_remote(mounts)
