"""Collectives in the loops of a compiled program, and the fused loss and a train step compiled for four devices."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

_COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.\-]+) \(.*\{$", re.MULTILINE)
_CALLED = re.compile(r"(?:calls|to_apply|body|condition)=%?([\w.\-]+)")


def collectives_in_loops(program: str, kind: str = "all-gather") -> list[str]:
    """The collectives of this kind in loop bodies and what they call, each with its shape."""
    pieces = _COMPUTATION.split(program)[1:]
    computations = dict(zip(pieces[::2], pieces[1::2], strict=True))
    waiting = re.findall(r" while\(.*body=%?([\w.\-]+)", program)
    assert waiting, "the program has no loop"
    seen: set[str] = set()
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            waiting += _CALLED.findall(computations[name])
    found = re.compile(rf"= (\S+) {kind}(?:-start)?\(")
    return [shape for name in sorted(seen) for shape in found.findall(computations[name])]


LOSSES = {
    # vocabulary, whether the head is [vocabulary, dim], soft cap, train the head, fsdp, tp
    "words over all devices": (96, True, 2.0, True, 2, 2),
    "words over all devices, head frozen": (96, False, None, False, 4, 1),
    "rows over fsdp, words over tp": (40, False, 2.0, True, 2, 2),
    "words that no axis divides": (31, True, None, True, 2, 2),
    "more devices than rows": (96, True, None, True, 1, 4),
}


def compare_losses(target: Path) -> None:
    """Of each of LOSSES: the largest difference to one device, and all-gathers in its loops. Needs four devices."""
    found = {name: _compare(*options) for name, options in LOSSES.items()}
    found["a train step"] = {"off": 0.0, "gathers": collectives_in_loops(_train_step(target.parent))}
    target.write_text(json.dumps(found))


def _compare(vocabulary: int, vocab_first: bool, softcap: float | None, full: bool, fsdp: int, tp: int) -> Any:
    import jax
    from jax.sharding import NamedSharding, PartitionSpec

    from tunixrt_core.manifest.sections import MeshSection
    from tunixrt_core.manifest.training_sections import LossSection
    from tunixrt_core.tunix_backend.model.models import make_mesh
    from tunixrt_core.tunix_backend.train.step.fused import Head, nll

    rng = np.random.RandomState(1)
    hidden = rng.standard_normal((4, 12, 32)).astype(np.float32)
    weight = rng.standard_normal((vocabulary, 32)).astype(np.float32) * 0.3
    weight = weight if vocab_first else weight.T
    targets, weights = rng.randint(0, vocabulary, (4, 12)), rng.uniform(size=(4, 12)).astype(np.float32)
    section = LossSection().model_copy(update={"chunk": 5})

    def mean(hidden: Any, weight: Any) -> Any:
        head = Head(weight, vocab_first, softcap)
        total, each = nll(hidden, head, targets, weights, section=section, train_head=full)
        return total / 7, each

    both = jax.value_and_grad(mean, (0, 1) if full else (0,), has_aux=True)
    wanted = jax.jit(both)(hidden, weight)
    mesh = make_mesh(MeshSection(fsdp=fsdp, tp=tp), 4)
    split = ("tp" if vocabulary % tp == 0 else None, "fsdp")  # as Tunix lays out a head
    spec = PartitionSpec(*(split if vocab_first else split[::-1]))
    with mesh:
        given = [
            jax.device_put(hidden, NamedSharding(mesh, PartitionSpec("fsdp"))),
            jax.device_put(weight, NamedSharding(mesh, spec)),
        ]
        compiled = jax.jit(both).lower(*given).compile()
        pairs = zip(jax.tree.leaves(compiled(*given)), jax.tree.leaves(wanted), strict=True)
        off = max(float(np.abs(np.asarray(one) - other).max()) for one, other in pairs)
    return {"off": off, "gathers": collectives_in_loops(compiled.as_text())}


def _train_step(folder: Path) -> str:
    """Full training of one layer over fsdp 2 x tp 2, in blocks and chunks that make loops."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import NamedSharding, PartitionSpec

    from tests.tunix_backend.conftest import make_manifest
    from tests.tunix_backend.helpers.families import config_of
    from tunixrt_core.tunix_backend.memory.abstract_step import make_abstract
    from tunixrt_core.tunix_backend.model.configs.reading import architecture_of
    from tunixrt_core.tunix_backend.model.models import make_mesh
    from tunixrt_core.tunix_backend.train.step.loss import ModelBatch
    from tunixrt_core.tunix_backend.train.step.peft import compiled_step

    manifest = make_manifest(
        folder, method="full", packing=True, batch_size=2, max_seq_length=600, loss_chunk=100, mesh_fsdp=2, mesh_tp=2
    )
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        run = make_abstract(manifest, architecture_of(config_of("qwen3", num_hidden_layers=1)), mesh, 8)
        tokens = jax.ShapeDtypeStruct((2, 600), jnp.int32, sharding=NamedSharding(mesh, PartitionSpec("fsdp")))
        norm = jax.ShapeDtypeStruct((), jnp.float32, sharding=NamedSharding(mesh, PartitionSpec()))
        batch = ModelBatch(tokens, tokens, tokens, tokens, norm)
        step = compiled_step(run.loss, lora=False)
        return str(step.lower(run.model, run.optimizer, batch).compile().as_text())
