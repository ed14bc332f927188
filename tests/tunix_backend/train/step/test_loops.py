"""On several devices the fused loss is that of one, and no loop of a train step gathers anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import QUICK_COMPILE
from tests.helpers.machines import forked
from tests.tunix_backend.helpers.loops import LOSSES, collectives_in_loops, compare_losses

pytestmark = [pytest.mark.tunix, pytest.mark.slow]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("loops")
    log = folder / "log"
    flags = f"{QUICK_COMPILE} --xla_force_host_platform_device_count=4"
    process = forked.start(compare_losses, folder / "found.json", log=log, XLA_FLAGS=flags, JAX_PLATFORMS="cpu")
    assert forked.end(process, within=280) == 0, log.read_text()[-2000:]
    return dict(json.loads((folder / "found.json").read_text()))


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_and_its_gradients_are_those_of_one_device(found: dict[str, Any], name: str) -> None:
    assert found[name]["off"] < 3e-6


@pytest.mark.parametrize("name", [*LOSSES, "a train step"])
def test_no_loop_gathers_the_head_or_anything_else(found: dict[str, Any], name: str) -> None:
    assert found[name]["gathers"] == []


def test_a_gather_in_a_loop_would_be_found() -> None:
    program = """HloModule m
%body (p: f32[4]) -> f32[4] {
  %x = f32[4] fusion(%p), calls=%inner
}

%inner (q: f32[1]) -> f32[4] {
  %g = f32[4]{0} all-gather(%q), dimensions={0}
}

%cond (p: f32[4]) -> pred[] {
}

ENTRY %main (a: f32[4]) -> f32[4] {
  %o = f32[8]{0} all-gather(%a), dimensions={0}
  ROOT %w = f32[4] while(%a), condition=%cond, body=%body
}
"""
    assert collectives_in_loops(program) == ["f32[4]{0}"]
