"""The steps of a run as compiled programs, from shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.ahead.costs import StepCost, StepKind
from tunixrt_core.tunix_backend.ahead.hlo_flops import attention_flops
from tunixrt_core.tunix_backend.ahead.hlo_live import peak_bytes
from tunixrt_core.tunix_backend.ahead.hlo_text import parse
from tunixrt_core.tunix_backend.ahead.hlo_work import Work, work_of
from tunixrt_core.tunix_backend.ahead.model_flops import attended_share, model_flops
from tunixrt_core.tunix_backend.ahead.schedule import Compile, NotEnoughMemory, compile_whole, needed_bytes
from tunixrt_core.tunix_backend.generate.decoding import Decoder
from tunixrt_core.tunix_backend.generate.prompt_batches import MOST_PROMPTS, padded
from tunixrt_core.tunix_backend.memory.abstract_step import (
    AbstractRun,
    abstract_batch,
    bytes_of,
    lower_train_step,
    make_abstract,
)
from tunixrt_core.tunix_backend.memory.constraints import constrained
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.models import LoadedModel, model_config
from tunixrt_core.tunix_backend.train.step.loss import eval_function

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Planned:
    """What to compile: a manifest over an architecture, rows of `row_length` tokens with `parts` parts, on a mesh."""

    manifest: RunManifest
    architecture: Architecture
    mesh: Any
    row_length: int
    parts: int


def step_costs(
    plan: Planned, kinds: tuple[StepKind, ...], on_step: OnStep, build: Compile = compile_whole
) -> Iterator[StepCost]:
    """Compile the steps with `build` and count their costs. `on_step` gets the step before it is compiled.

    Raises ModelError for a manifest that cannot be used.
    """
    with plan.mesh:
        run = make_abstract(plan.manifest, plan.architecture, plan.mesh, plan.parts)
        if "train" in kinds:
            on_step("train")
            yield _cost(plan, "train", run, build, lower_train_step(run, plan.manifest, plan.mesh, plan.row_length))
        if "evaluation" in kinds:
            on_step("evaluation")
            batch = abstract_batch(plan.mesh, plan.manifest.batch.size, plan.row_length)
            with constrained():
                lowered = eval_function(run.loss).lower(run.model, batch)
            yield _cost(plan, "evaluation", run, build, lowered)
        if "generation" in kinds:
            yield from _generation(plan, run, on_step, build)


def _generation(plan: Planned, run: AbstractRun, on_step: OnStep, build: Compile) -> Iterator[StepCost]:
    """One token of each prompt; its temporary memory is that of the prompts too, which are read first."""
    prompt = padded(max(1, plan.row_length // 2))
    new = max(1, plan.row_length - prompt)
    decoder, params, state = _decoder(plan, run, prompt, new)
    on_step("prompts")
    with constrained():
        first = decoder._compiled_prefill_fn.lower(params, state, None, False)
    began = time.perf_counter()
    refused, read = "", 0
    try:
        compiled = build(first)
    except NotEnoughMemory as error:
        refused = str(error)
    else:  # each next step gets the arrays where this one leaves them
        read = compiled.buffers.temporary
        state = jax.tree.map(
            lambda leaf, at: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=at),
            state,
            compiled.output_shardings(plan.mesh.devices.flat),
        )
    on_step("generation")
    with constrained():
        lowered = decoder._compiled_decode_fn.lower(params, state)
    kept = bytes_of(state.cache)
    cost = _cost(plan, "generation", run, build, lowered, cache=kept, weights=bytes_of(params), refused=refused)
    yield replace(cost, temporary=max(cost.temporary, read), seconds=time.perf_counter() - began)


class _Ids:
    """A tokenizer of ids alone, as Tunix's Sampler wants one."""

    def encode(self, text: str, **more: Any) -> list[int]:
        raise NotImplementedError

    def decode(self, ids: list[int], **more: Any) -> str:
        raise NotImplementedError

    def bos_id(self) -> int:
        return 1

    def eos_id(self) -> int:
        return 2

    def pad_id(self) -> int:
        return 0


def _decoder(plan: Planned, run: AbstractRun, prompt: int, new: int) -> tuple[Any, Any, Any]:
    """The product's decoder over shapes, its weights, and its state before the prompts are read."""
    config = model_config(plan.manifest, plan.architecture)
    dtype = jnp.dtype(plan.manifest.model.dtype.value)
    loaded = LoadedModel(run.model, config, dtype, plan.mesh, Path(), plan.architecture, 0, 0)
    decoder = Decoder(loaded, _Ids(), prompt, new)  # type: ignore[arg-type]
    decoder.eos_ids = np.array([2], np.int32)

    def begin(ids: Any, seed: Any) -> Any:
        return decoder.init_sample_state(
            ids, prompt + new, False, None, temperature=0.0, top_p=None, top_k=None, seed=seed, beam_size=None
        )

    ids = jax.ShapeDtypeStruct((MOST_PROMPTS, prompt), jnp.int32)
    state = jax.eval_shape(begin, ids, jax.ShapeDtypeStruct((2,), jnp.uint32))
    # a loaded model is held in the type that it computes in
    params = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, dtype if leaf.dtype == jnp.float32 else leaf.dtype, sharding=leaf.sharding
        ),
        decoder.transformer_state,
    )
    return decoder, params, state.replace(num_input_tokens=prompt)


def _cost(
    plan: Planned,
    kind: StepKind,
    run: AbstractRun,
    build: Compile,
    lowered: Any,
    *,
    cache: int = 0,
    weights: int | None = None,
    refused: str = "",
) -> StepCost:
    """The costs of a step; `refused` is why a program that belongs to it has no place."""
    began = time.perf_counter()
    held = bytes_of(run.model) if weights is None else weights
    optimizer = run.optimizer_bytes if kind == "train" else 0
    rows = MOST_PROMPTS if kind == "generation" else plan.manifest.batch.size
    tokens = rows if kind == "generation" else rows * plan.row_length
    known: dict[str, Any] = {"kind": kind, "tokens": tokens, "weights": held, "optimizer": optimizer, "cache": cache}
    known["model_flops"] = model_flops(plan.architecture, plan.manifest, kind, rows, plan.row_length)
    arrays = held + optimizer + cache
    try:
        compiled = build(lowered)
    except NotEnoughMemory as error:
        refused, needed = str(error), error.needed
    else:
        needed = needed_bytes(refused)
    if refused:
        seconds = time.perf_counter() - began
        return StepCost(**known, temporary=max(0, needed - arrays), refused=refused, seconds=seconds)
    program = parse(compiled.text)
    work = work_of(program, plan.mesh.devices.size)
    return StepCost(
        **known,
        temporary=compiled.buffers.temporary,
        passing=max(0, compiled.buffers.passed - arrays),
        flops=work.flops + _kernel_flops(work, plan),
        hbm=work.hbm,
        links=dict(work.links),
        looped={name: count for name, count in work.looped.items() if count},
        kernels=sum(kernel.calls for kernel in work.kernels),
        live=peak_bytes(program),
        seconds=time.perf_counter() - began,
    )


def _kernel_flops(work: Work, plan: Planned) -> float:
    share = attended_share(plan.architecture, plan.row_length)
    found = ((k.calls, attention_flops(k.name, k.operands, k.results, share)) for k in work.kernels)
    return sum(calls * (flops or 0.0) for calls, flops in found)
