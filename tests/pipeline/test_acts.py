"""What changes a home is recorded with who did it, and refused to who may only read; nothing else changes it."""

from __future__ import annotations

import inspect
import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.homes import fake_home
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.errors import Conflict, NotAllowed
from tunixrt_core.pipeline.acts import ACTS
from tunixrt_core.pipeline.asking import Asking
from tunixrt_core.pipeline.foreground import Foreground
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.util.actors import Actor, acting_as

ANA, READER = Actor("ana", "API", address="10.0.0.9"), Actor("rea", "page", writes=False)

# methods that change nothing of a home but what can be computed again
READINGS = {
    "traces": "close count cursor_at diagnose diff formats get held_by models page preview prompt_groups score_names "
    "sources tags",
    "datasets": "card content_now diff findings gates get left_out lengths missing missing_of negatives rebuild_spec "
    "rows versions",
    "exports": "card counts lines name scores_of",
    "manifests": "build clone data dry_run memory_estimate next_run_dir pace preflight preflight_rows",
    "runs": "asked_by base by_request close compare folder get left_in_queue look manifest metrics named page parent "
    "problems rate_change samples state state_of table",
    "queue": "several state wait",
    "model_exports": "file get latest_of left_in_queue of_run",
    "evaluations": "check_file compare comparison files get leaderboard leaks left_in_queue records",
    "playground": "busy close get",
    "home": "attention checked_store diagnostics diagnostics_name disk_use holding host look_through measure_disk "
    "overview server_log tunix_status",
    "users": "all",
    "asking": "",
    # the others of the command do no more than compute and prepare
    "foreground": "dry_run hold join memory plan_evaluations prepare preflight preflight_rows rate_change require "
    "script slice_memory train_along use_cluster",
}
RECORDED_READINGS = [("exports", "blocks"), ("exports", "traces"), ("model_exports", "archive")]


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Pipeline]:
    with fake_home(tmp_path / "home") as opened:
        yield opened


def space(rt: Pipeline, name: str) -> Any:
    alone: dict[str, Any] = {"asking": Asking, "foreground": Foreground}
    return alone[name](rt.settings) if name in alone else getattr(rt, name)


@pytest.mark.parametrize("name", ACTS)
def test_every_method_is_an_action_or_a_reading(rt: Pipeline, name: str) -> None:
    found = {method for method, _ in inspect.getmembers(type(space(rt, name)), inspect.isfunction) if method[0] != "_"}
    assert found == set(ACTS[name]) | set(READINGS[name].split())


@pytest.mark.parametrize("name", ACTS)
def test_who_may_only_read_is_refused_every_action(rt: Pipeline, name: str) -> None:
    refused = [method for method in ACTS[name] if (name, method) not in RECORDED_READINGS]
    for method in refused:
        call(getattr(space(rt, name), method))
    assert [(one.who, one.via, one.outcome) for one in rt.audit.entries()] == [("rea", "page", "refused")] * len(
        refused
    )


def call(action: Any) -> None:
    """As a reader, with anything for the arguments that it needs."""
    anything = SimpleNamespace(id="x", name="x", run_id="r", path=Path("x"), run_folder=SimpleNamespace(path=Path("x")))
    needed = [one for one in inspect.signature(action).parameters.values() if one.default is one.empty]
    given = [anything for one in needed if one.kind is one.POSITIONAL_OR_KEYWORD]
    named = {one.name: anything for one in needed if one.kind is one.KEYWORD_ONLY}
    with acting_as(READER), pytest.raises(NotAllowed, match="rea may only read"):
        action(*given, **named)


def test_who_may_only_read_looks_exports_and_makes_manifests(rt: Pipeline) -> None:
    rt.traces.ingest_examples(20)
    rt.datasets.build(DatasetSpec("mine"))
    with acting_as(READER):
        assert int(rt.traces.count()) == 20
        assert rt.manifests.build("mine", model_id="tiny").name
        assert b"".join(rt.exports.blocks("mine"))
        check = rt.traces.begin("check", io.BytesIO(b'{"prompt": "p", "steps": ["s"], "final_answer": "1"}\n'))
        assert rt.traces.imports.wait(check.id, 30).status == "succeeded"
    assert [(one.action, one.object) for one in rt.audit.entries() if one.who == "rea"] == [("export", "mine")]


def test_an_action_is_recorded_once_with_who_what_and_how_it_went(rt: Pipeline) -> None:
    with acting_as(ANA):
        rt.traces.ingest_examples(20)
        build = rt.datasets.start_build(DatasetSpec("mine"))
        assert rt.datasets.builds.wait(build.id, 30).status == "succeeded"
        run = rt.runs.start(rt.manifests.build("mine", model_id="tiny"))
        assert rt.queue.wait(30)
        with pytest.raises(Conflict):
            rt.runs.stop(run.id)
        rt.runs.annotate(run.id, archived=True)
    found = rt.audit.entries()[::-1]
    assert {(one.who, one.via, one.address) for one in found} == {("ana", "API", "10.0.0.9")}
    assert [(one.action, one.kind, one.object, one.outcome) for one in found] == [
        ("import", "file", "bundled examples", "done"),
        ("build", "dataset", "mine v1", "done"),
        ("start", "run", "r-0001", "done"),
        ("stop", "run", "r-0001", "failed"),
        ("archive", "run", "r-0001", "done"),
    ]
    assert "is over" in found[3].why
