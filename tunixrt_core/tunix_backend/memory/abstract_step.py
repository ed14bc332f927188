"""The real train step compiled from shapes, without weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.estimates.memory import MemoryReport
from tunixrt_core.tunix_backend.memory.constraints import constrained
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.entered import sharding_of
from tunixrt_core.tunix_backend.model.families import FAMILIES
from tunixrt_core.tunix_backend.model.lora.applied import adapt_model
from tunixrt_core.tunix_backend.model.models import model_config
from tunixrt_core.tunix_backend.model.precision import hold
from tunixrt_core.tunix_backend.train.step.loss import LossFunction, ModelBatch, loss_of
from tunixrt_core.tunix_backend.train.step.optimizer import make_optimizer, make_schedule
from tunixrt_core.tunix_backend.train.step.peft import compiled_step

_TRAIN_STEPS = 100  # the schedule's horizon; no array depends on it


@dataclass(frozen=True, slots=True)
class AbstractRun:
    """A model and its optimizer as shapes with shardings, and their loss."""

    model: Any
    optimizer: Any
    loss: LossFunction

    @property
    def optimizer_bytes(self) -> int:
        """Bytes of the optimizer's arrays on one device."""
        return bytes_of(nnx.state(self.optimizer, nnx.optimizer.OptState))


def make_abstract(manifest: RunManifest, architecture: Architecture, mesh: Any, parts: int) -> AbstractRun:
    """The model and optimizer of load_model and Tunix's trainer, as shapes. The mesh must be entered.

    Raises ModelError for a LoRA pattern or a tile size that cannot be used.
    """
    config = model_config(manifest, architecture)
    make = FAMILIES[architecture.kind].model_class()
    adapts = manifest.method.adapts
    held = jnp.dtype(manifest.trained_dtype.value)
    loaded = jnp.dtype(manifest.model.dtype.value) if adapts else held

    def base() -> Any:
        model = make(config, rngs=nnx.Rngs(0))
        # the loader casts every weight that it reads
        hold(model, nnx.Param, loaded)
        return model

    def adapted(model: Any) -> Any:
        model = adapt_model(model, architecture, manifest.lora, manifest.method, manifest.seed)
        hold(model, nnx.LoRAParam, held)
        return model

    model = nnx.eval_shape(base)
    if adapts:  # in a separate trace: qwix follows a value back to its weight, not further
        model = nnx.eval_shape(adapted, model)
    optimizer = nnx.eval_shape(lambda model: with_optimizer(model, manifest), model)
    for made in (model, optimizer):
        state = nnx.state(made)
        specs = nnx.get_partition_spec(state)
        nnx.update(made, jax.tree.map(lambda leaf, spec: _laid_out(leaf, spec, mesh), state, specs))
    return AbstractRun(model, optimizer, loss_of(manifest, config, parts))


def with_optimizer(model: Any, manifest: RunManifest) -> nnx.Optimizer[Any]:
    """The optimizer that Tunix's trainer makes for this model."""
    rule = make_optimizer(manifest, make_schedule(manifest, _TRAIN_STEPS))
    if manifest.batch.gradient_accumulation > 1:
        rule = optax.MultiSteps(rule, manifest.batch.gradient_accumulation).gradient_transformation()
    return nnx.Optimizer(model, rule, wrt=nnx.LoRAParam if manifest.method.adapts else nnx.Param)


def compile_step(
    manifest: RunManifest, architecture: Architecture, mesh: Any, *, row_length: int, parts: int
) -> MemoryReport:
    """The memory of one train step on each device, in bytes, as the compiler counts it. Enters the mesh."""
    with mesh:
        run = make_abstract(manifest, architecture, mesh, parts)
        counted = lower_train_step(run, manifest, mesh, row_length).compile().memory_analysis()
    weights, optimizer = bytes_of(run.model), run.optimizer_bytes
    return MemoryReport(
        weights=weights,
        optimizer=optimizer,
        activations=counted.temp_size_in_bytes,
        # inputs and outputs exist at the same time: Tunix donates only the optimizer's memory
        copies=counted.argument_size_in_bytes
        + counted.output_size_in_bytes
        - counted.alias_size_in_bytes
        - weights
        - optimizer,
        devices=mesh.devices.size,
        row_length=row_length,
        compiled_for=mesh.devices.flat[0].platform,
    )


def lower_train_step(run: AbstractRun, manifest: RunManifest, mesh: Any, row_length: int) -> Any:
    """The train step traced for the entered mesh, ready to compile."""
    batch = abstract_batch(mesh, manifest.batch.size, row_length)
    with constrained():
        return compiled_step(run.loss, lora=manifest.method.adapts).lower(run.model, run.optimizer, batch)


def abstract_batch(mesh: Any, rows: int, row_length: int) -> ModelBatch:
    """The shapes of a batch, with its rows spread over the mesh."""
    tokens = jax.ShapeDtypeStruct((rows, row_length), jnp.int32, sharding=NamedSharding(mesh, PartitionSpec("fsdp")))
    norm = jax.ShapeDtypeStruct((), jnp.float32, sharding=NamedSharding(mesh, PartitionSpec()))
    return ModelBatch(tokens, tokens, tokens, tokens, norm)


def bytes_of(state: Any) -> int:
    """Bytes on one device of the arrays or shapes in a model or a state.

    Where their place is left to the compiler, it puts all of them on every device.
    """
    leaves = jax.tree.leaves(nnx.state(state) if isinstance(state, nnx.Module) else state)
    shapes = [leaf.shape if leaf.sharding is None else leaf.sharding.shard_shape(leaf.shape) for leaf in leaves]
    return sum(math.prod(shape) * leaf.dtype.itemsize for shape, leaf in zip(shapes, leaves, strict=True))


def _laid_out(leaf: Any, spec: Any, mesh: Any) -> Any:
    """A shape with its sharding."""
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding_of(leaf.shape, spec, mesh))
