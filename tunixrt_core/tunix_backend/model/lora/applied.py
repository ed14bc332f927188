"""LoRA applied to a model, from the shapes of one traced pass.

qwix finds the weights in a pass through the model, which it runs operation by operation: 80 to 300 compilations for
each shape of a model. Here the pass is traced for its shapes alone. The values, which do not depend on the pass, are
then drawn and quantised by one program for each shape.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import qwix
from flax import nnx

from tunixrt_core.manifest.sections import LoraSection, Method
from tunixrt_core.tunix_backend.model.architecture import Architecture
from tunixrt_core.tunix_backend.model.entered import sharding_of
from tunixrt_core.tunix_backend.model.lora.quantized import (
    QuantizingLoraProvider,
    is_quantized,
    quantization,
    quantize,
)
from tunixrt_core.tunix_backend.model.lora.targets import check_tile_size, lora_targets

_FIRST = jax.nn.initializers.he_uniform()  # of the weight that meets the module's inputs; the other one is zero
Path = tuple[Any, ...]  # of a variable in its model


def add_lora(model: Any, architecture: Architecture, section: LoraSection, method: Method, seed: int, mesh: Any) -> Any:
    """The model with fresh LoRA on the section's modules; with method qlora their own weights are quantised.

    Its values are bit for bit those of qwix.apply_lora_to_model with nnx.Rngs(seed). Weights that stay as they are are
    shared with `model`. The mesh must be entered. Raises ModelError as `lora_targets` and `check_tile_size` do.
    """
    draws = _Draws()

    def shaped(model: Any) -> Any:
        remat = model.config.remat_config
        _set_remat(model, type(remat).NONE)  # a weight that is made within a recomputed part leaves it as another one
        adapted = adapt_model(model, architecture, section, method, seed, draws)
        draws.find(adapted)
        _set_remat(adapted, remat)
        return adapted

    adapted = nnx.eval_shape(shaped, model)
    state = nnx.state(adapted)
    leaves = dict(nnx.to_flat_state(state))
    values = {path: variable.get_raw_value() for path, variable in nnx.to_flat_state(nnx.state(model))}
    made = draws.made(seed, {path: leaves[path] for path in draws.of})
    for path, how in _quantized(adapted):
        weight = quantize(values.pop(path), how)
        made |= {(*path, "array", "qvalue"): weight.qvalue, (*path, "array", "scale"): weight.scale}
    specs = dict(nnx.to_flat_state(nnx.get_partition_spec(state)))
    for path, value in made.items():
        values[path] = jax.device_put(value, sharding_of(value.shape, specs[path].get_raw_value(), mesh))
    nnx.update(adapted, nnx.from_flat_state({path: leaves[path].replace(value) for path, value in values.items()}))
    return adapted


def adapt_model(
    model: Any,
    architecture: Architecture,
    section: LoraSection,
    method: Method,
    seed: int,
    draws: _Draws | None = None,
) -> Any:
    """As add_lora by qwix itself, without placement on devices: for a model of shapes only.

    With `draws` the LoRA weights come from there, in place of qwix's own initialisers.
    """
    targets = lora_targets(architecture, section.modules)
    options: dict[str, Any] = {"module_path": section.modules, "rank": section.rank, "alpha": section.alpha}
    if draws is not None:
        options |= {"lora_a_initializer": draws.first, "lora_b_initializer": draws.second}
    if method is Method.QLORA:
        check_tile_size(targets, section.tile_size)
        provider = QuantizingLoraProvider(**options, **quantization(section))
    else:
        provider = qwix.LoraProvider(**options)
    return qwix.apply_lora_to_model(model, provider, rngs=nnx.Rngs(seed), **model.get_model_input())


class _Draws:
    """LoRA weights in the order in which qwix asks for them: the n-th takes the n-th key of its stream."""

    def __init__(self) -> None:
        self._asked: list[tuple[Any, bool]] = []  # each, and whether it is random
        self.of: dict[Path, tuple[int, bool]] = {}  # of each weight of the model: its n, and whether it is random

    def first(self, key: Any, shape: Any, dtype: Any) -> Any:
        """The initialiser of the weight that meets the inputs."""
        return self._ask(shape, dtype, random=True)

    def second(self, key: Any, shape: Any, dtype: Any) -> Any:
        """The initialiser of the other weight."""
        return self._ask(shape, dtype, random=False)

    def _ask(self, shape: Any, dtype: Any, *, random: bool) -> Any:
        value = jnp.zeros(shape, dtype)
        self._asked.append((value, random))
        return value

    def find(self, adapted: Any) -> None:
        """Note which weight of the model each is; in the trace in which they were made."""
        by_id = {id(value): (n, random) for n, (value, random) in enumerate(self._asked)}
        variables = nnx.to_flat_state(nnx.state(adapted, nnx.LoRAParam))
        self.of = {path: by_id[id(variable.get_raw_value())] for path, variable in variables}
        self._asked.clear()

    def made(self, seed: int, shapes: dict[Path, Any]) -> dict[Path, Any]:
        """The weights, drawn."""
        key = jax.random.key(seed)
        made = {}
        for path, leaf in shapes.items():
            n, random = self.of[path]
            made[path] = _draw(key, n, leaf.shape, leaf.dtype) if random else np.zeros(leaf.shape, leaf.dtype)
        return made


def _set_remat(model: Any, remat: Any) -> None:
    """What a model recomputes, in both places where modules of Tunix's families keep it."""
    config = replace(model.config, remat_config=remat)
    for _, module in nnx.iter_modules(model):
        if hasattr(module, "remat_config"):
            module.remat_config = remat
        if hasattr(getattr(module, "config", None), "remat_config"):
            module.config = config


@partial(jax.jit, static_argnums=(2, 3))
def _draw(key: Any, n: int, shape: tuple[int, ...], dtype: Any) -> Any:
    return _FIRST(jax.random.fold_in(key, n), shape, dtype)  # nnx.Rngs: the key of a stream's n-th call


def _quantized(adapted: Any) -> list[tuple[Path, Any]]:
    """Each weight that was replaced by a quantised one, and how it is quantised."""
    return [
        ((*path, name), value.how)
        for path, module in nnx.iter_modules(adapted)
        for name, value in vars(module).items()
        if is_quantized(value)
    ]
