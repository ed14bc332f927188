"""A report is compiled in a process of its own, stopped with it, and kept for the second look."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.training.ahead.test_costs import cost, report
from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.fake_hub import FakeHub, serve
from tunixrt_core.errors import JobFailed, ModelError, Stopped
from tunixrt_core.manifest.manifest import RunManifest, manifest_without_data
from tunixrt_core.training.ahead.costs import STEPS
from tunixrt_core.training.ahead.slices import find_slice
from tunixrt_core.tunix_backend.ahead import compile as compiling
from tunixrt_core.tunix_backend.ahead.compile import SliceCompiler
from tunixrt_core.tunix_backend.ahead.environment import versions
from tunixrt_core.util.processes.identity import resident_bytes

pytestmark = pytest.mark.tunix

CONFIG = {
    **{"model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "head_dim": 16},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512, "rms_norm_eps": 1e-6, "rope_theta": 1e6},
    "tie_word_embeddings": True,
}
ON = find_slice("v6e-4")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of which only config.json is here."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


@pytest.fixture
def compiler(tmp_path: Path) -> SliceCompiler:
    return SliceCompiler(tmp_path / "models", tmp_path / "slices")


def of(model: Path, **hyper: Any) -> RunManifest:
    return manifest_without_data(str(model), {"max_seq_length": 64, **hyper})


def keep(compiler: SliceCompiler, manifest: RunManifest, model: Path) -> None:
    file = compiler._file(manifest, model, ON, ("train",))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(report(versions=versions()))))


def test_what_was_compiled_is_found_again_whatever_the_run_is_called(compiler: SliceCompiler, model: Path) -> None:
    keep(compiler, of(model), model)
    again = of(model, name="another", checkpoint_every=7)
    found = compiler.report(again, ON, ("train",), progress=lambda *_: None, stop=threading.Event())
    assert found.sentence.startswith("On v6e-4: fits")


def test_what_changes_a_program_is_compiled_again(
    compiler: SliceCompiler, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(compiler, of(model), model)
    for other in (of(model, batch_size=8), of(model, lora_rank=2), of(model, remat="block")):
        assert compiler.kept(other, ON, ("train",)) is None
    assert compiler.kept(of(model), find_slice("v6e-8"), ("train",)) is None
    code = SliceCompiler(model.parent / "models", model.parent / "slices", machine_code=True)
    assert code.kept(of(model), ON, ("train",)) is None
    (model / "config.json").write_text(json.dumps(CONFIG | {"num_hidden_layers": 3}))
    assert compiler.kept(of(model), ON, ("train",)) is None
    (model / "config.json").write_text(json.dumps(CONFIG))
    assert compiler.kept(of(model), ON, ("train",)) is not None
    monkeypatch.setattr(compiling, "versions", lambda: {"libtpu": "9"})
    assert compiler.kept(of(model), ON, ("train",)) is None


def test_a_broken_report_is_none(compiler: SliceCompiler, model: Path) -> None:
    keep(compiler, of(model), model)
    compiler._file(of(model), model, ON, ("train",)).write_text('{"slice": "v6e-4"')
    assert compiler.kept(of(model), ON, ("train",)) is None


def test_the_process_ends_where_it_is_stopped(
    compiler: SliceCompiler, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "require_compiler", lambda: None)
    started: list[Any] = []
    popen = compiling.subprocess.Popen
    monkeypatch.setattr(compiling.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    with pytest.raises(Stopped, match="Nothing was kept"):
        compiler.report(of(model), ON, ("train",), progress=lambda *_: None, stop=stop)
    assert time.monotonic() - began < 10
    assert resident_bytes(started[0].pid) is None
    assert not list((model.parent / "slices").glob("*.json"))


def test_the_last_words_of_a_process_that_dies_are_in_the_error(
    compiler: SliceCompiler, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = "sys.stderr.write('a line\\n' * 9999 + 'libtpu: no room\\n')"
    (model / "sitecustomize.py").write_text(f"import os, sys\n{says}\nsys.stderr.flush()\nos.kill(os.getpid(), 9)\n")
    monkeypatch.setenv("PYTHONPATH", f"{model}:{Path.cwd()}")
    monkeypatch.setattr(compiling, "require_compiler", lambda: None)
    with pytest.raises(
        JobFailed, match=r"ended by SIGKILL, as where the memory .* last words: libtpu: no room"
    ) as error:
        compiler.report(of(model), ON, ("train",), progress=lambda *_: None, stop=threading.Event())
    assert error.value.details["output"].count("\n") <= compiling._LAST_LINES


def test_a_mesh_that_the_slice_does_not_have_is_refused_in_a_sentence(tmp_path: Path, model: Path) -> None:
    """The part that needs no libtpu: what the process says before it compiles."""
    from tunixrt_core.tunix_backend.model.models import mesh_over

    manifest = of(model, mesh_fsdp=8, batch_size=8)
    with pytest.raises(ModelError, match="8 x 1 = 8 devices, but JAX finds 4"):
        mesh_over([None] * 4, manifest.mesh, manifest.batch.size)


def test_of_a_model_on_the_hub_the_config_alone_is_fetched(
    tmp_path: Path, compiler: SliceCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"config.json": json.dumps(CONFIG).encode(), "model.safetensors": b"never read"}
    with serve(FakeHub({"org/name": files})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", "mine")
        found = compiler.model(manifest_without_data("org/name", {}))
        again = compiler.model(manifest_without_data("org/name", {}))
        assert again == found
        assert sum("GET config.json" in request for request in hub.requests) == 1
        assert not any("safetensors" in request for request in hub.requests)
        assert sorted(file.name for file in found.iterdir()) == ["config.json"]
        keep(compiler, manifest_without_data("org/name", {}), found)
        asked = len(hub.requests)
        assert compiler.kept(manifest_without_data("org/name", {}), ON, ("train",)) is not None
        assert compiler.kept(manifest_without_data("org/third", {}), ON, ("train",)) is None
        assert len(hub.requests) == asked, "a page looks for a report at every rerun"
        with pytest.raises(ModelError, match="The hub has no model org/other"):
            compiler.model(manifest_without_data("org/other", {}))


def test_the_rows_of_the_data_are_read_where_there_is_a_tokenizer(tmp_path: Path, model: Path) -> None:
    manifest = make_manifest(tmp_path)
    assert not compiling._has_rows(manifest, model)
    (model / "tokenizer.json").write_text("{}")
    assert compiling._has_rows(manifest, model)
    assert not compiling._has_rows(of(model), model)


def test_the_time_left_is_that_of_steps_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(compiling.time, "monotonic", lambda: now[0])
    told: list[tuple[str, int, int]] = []
    pace = compiling._Pace(tmp_path / "pace.json", STEPS)
    pace.keep(report(cost(seconds=56.0)))

    pace = compiling._Pace(tmp_path / "pace.json", ("train", "evaluation"))
    pace.begin("train")
    now[0] += 4
    pace.tick(lambda *values: told.append(values))()
    pace.begin("evaluation")
    pace.phase = "evaluation"
    now[0] += 1
    pace.tick(lambda *values: told.append(values))()
    besides, unknown = compiling._SECONDS_BESIDES, compiling._SECONDS
    assert told[0] == ("tracing", 4, round(besides + 56 + besides + unknown))
    assert told[1] == ("evaluation", 5, round(4 + besides + unknown))
