"""Memory of a train step per device, and what would lower it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tunixrt_core.manifest.manifest import RunManifest, change_manifest
from tunixrt_core.manifest.sections import Attention, Dtype, Method, Remat
from tunixrt_core.manifest.training_sections import LossKind
from tunixrt_core.training.estimates.loss_layout import loss_layout

# Bytes of one device's memory, by the common names of the devices.
DEVICE_MEMORY: dict[str, int] = {
    "v4": 32_000_000_000,
    "v5e": 16_000_000_000,
    "v5p": 95_000_000_000,
    "v6e": 32_000_000_000,
    "t4": 16_000_000_000,
    "l4": 24_000_000_000,
    "a100-40": 40_000_000_000,
    "a100-80": 80_000_000_000,
    "h100": 80_000_000_000,
    "h200": 141_000_000_000,
}
GPUS = frozenset({"t4", "l4", "a100-40", "a100-80", "h100", "h200"})  # JAX takes only a share of their memory

# How many arrays of a shape are alive at once, fitted to what XLA counts for Qwen 3 of several sizes.
_OF_REFERENCE = 4  # rows x heads x length x length, in each layer, with attention: reference
_OF_BLOCKS = 4  # rows x heads x block x block, once: attention computes its scores again
_BLOCK = 256  # tokens, as in model/attention/blockwise.py
_OF_MLP = 4  # rows x length x hidden
_OF_HIDDEN = 7  # rows x length x embed
_OF_TOKENS = 4  # rows x length x per_token
_LOGITS_PLAIN = 2  # rows x length x vocabulary
_LOGITS_FUSED = 2  # rows x chunk x vocabulary
_GRADIENTS = 1  # of each trained weight
_ACCUMULATED = 4  # bytes: gradients are summed in float32 whatever the weights are held in
_COMPUTED = 4  # bytes: attention and loss are float32 whatever the weights are, and on a CPU everything is


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """The sizes of a model. `adapted` are the weights of the modules with LoRA, `lora` the weights that it adds.

    `per_token`: numbers per token that are computed once for all layers, besides the layers' own.
    """

    layers: int
    vocab: int
    embed: int
    hidden: int
    heads: int
    parameters: int
    kv_heads: int
    head_dim: int
    adapted: int = 0
    lora: int = 0
    per_token: int = 0


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Bytes on one device in one train step.

    `activations` is all intermediate values, including gradients. `copies`: the batch, and the new weights while the
    old ones are still held. `compiled_for` is the platform that a compiler counted for; None: a closed form.
    """

    weights: int
    optimizer: int
    activations: int
    copies: int
    devices: int
    row_length: int
    compiled_for: str | None = None

    @property
    def total(self) -> int:
        return self.weights + self.optimizer + self.activations + self.copies

    @property
    def source(self) -> str:
        """The source of the figures, in words."""
        if self.compiled_for is None:
            return "estimated from config.json"
        if self.compiled_for == "cpu":
            return "compiled for CPU: an upper estimate for a TPU or GPU"
        return f"compiled for {self.compiled_for.upper()}"


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """A report compared with the available memory: `need` and `limit` are bytes of one device, or of the whole host."""

    report: MemoryReport
    need: int
    limit: int
    where: str

    @property
    def fits(self) -> bool:
        return self.need <= self.limit

    @property
    def sentence(self) -> str:
        """`about 1.2 GB of 24.0 GB on this machine`."""
        return f"about {byte_words(self.need)} of {byte_words(self.limit)} on {self.where}"


@dataclass(frozen=True, slots=True)
class Advice:
    """Hyperparameters to change, by flat name, in words, and the estimate in bytes with this and all before it."""

    changes: dict[str, Any]
    words: str
    total: int


def estimate(sizes: ModelSizes, manifest: RunManifest, *, row_length: int, devices: int = 1) -> MemoryReport:
    """A closed form of the compiler's count; `devices` is used if the mesh takes all of them."""
    mesh = mesh_of(manifest, devices)
    parts = mesh[0] * mesh[1]
    each = bytes_of(manifest.trained_dtype)
    trained = sizes.lora if manifest.method.adapts else sizes.parameters
    weights = _weight_bytes(sizes, manifest)
    # weights that are held in another type than they are computed in are cast for each train step
    cast = 0 if manifest.trained_dtype is manifest.model.dtype else trained * bytes_of(manifest.model.dtype)
    accumulates = manifest.batch.gradient_accumulation > 1
    rows = -(-manifest.batch.size // mesh[0])
    tokens = 4 * 4 * rows * row_length
    return MemoryReport(
        weights=weights // parts,
        optimizer=(2 * each + (_ACCUMULATED if accumulates else 0)) * trained // parts,
        activations=(_GRADIENTS * trained * each + cast) // parts
        + _activations(sizes, manifest, rows, row_length, mesh),
        copies=weights // parts + tokens,
        devices=parts,
        row_length=row_length,
    )


def byte_words(count: float) -> str:
    """`1.2 GB`; a GB is 1000 MB."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def need_of(report: MemoryReport, limit: int, where: str, *, shared: bool) -> MemoryNeed:
    """`shared`: the devices are parts of one host's CPU and share its memory, which is the limit."""
    return MemoryNeed(report, report.total * (report.devices if shared else 1), limit, where)


def mesh_of(manifest: RunManifest, devices: int) -> tuple[int, int]:
    """fsdp and tp of the mesh over this many devices, as the trainer chooses them."""
    return manifest.mesh.shape_over(devices, manifest.batch.size)


def advise(need: MemoryNeed, manifest: RunManifest, sizes: ModelSizes, devices: int = 1) -> list[Advice]:
    """Changes, the cheapest first, until the estimate is within the limit; empty if it is already.

    The closed form is off by some factor: it is scaled so that it agrees with the report on the manifest as it is.
    """
    report = need.report
    limit = need.limit * report.total // max(1, need.need)  # of one device

    def closed(changed: RunManifest) -> int:
        return estimate(sizes, changed, row_length=report.row_length, devices=devices).total

    scale, total = report.total / max(1, closed(manifest)), report.total
    found: list[Advice] = []
    while total > limit:
        for changes, words in _changes(manifest, devices):
            changed = change_manifest(manifest, changes)
            if (less := int(scale * closed(changed))) < total:
                manifest, total = changed, less
                found.append(Advice(changes, words, total))
                break
        else:
            words = "Use devices with more memory, more devices, a smaller model, or a smaller max_seq_length."
            return [*found, Advice({}, words, total)]
    return found


def _changes(manifest: RunManifest, devices: int) -> Iterator[tuple[dict[str, Any], str]]:
    """Options not set yet, the cheapest first: those that keep all numbers equal, then those that keep most equal."""
    model, batch, mesh = manifest.model, manifest.batch, manifest.mesh
    if manifest.loss.kind is not LossKind.FUSED:
        yield {"loss": LossKind.FUSED.value}, "Use the fused loss, which never holds all logits."
    if model.remat is not Remat.DECODER:
        yield {"remat": Remat.DECODER.value}, "Recompute each layer in the backward pass; it takes more time."
    if model.dtype is not Dtype.BFLOAT16:
        yield {"dtype": Dtype.BFLOAT16.value}, "Compute in bfloat16, with frozen weights held in it."
    if batch.size % 2 == 0 and (batch.size // 2) % (mesh.fsdp or 1) == 0:
        less = {"batch_size": batch.size // 2, "gradient_accumulation": batch.gradient_accumulation * 2}
        yield less, "Halve the batch and accumulate twice as many: the rows of a train step stay the same."
    if manifest.method is Method.FULL:
        yield {"method": Method.LORA.value}, "Train LoRA instead of all weights; it needs a higher learning rate."
    if manifest.method is Method.LORA:
        yield {"method": Method.QLORA.value}, "Quantise the base weights with QLoRA."
    fsdp, tp = mesh_of(manifest, devices)
    if 2 * fsdp * tp <= devices:
        yield {"mesh_fsdp": fsdp, "mesh_tp": 2 * tp}, "Split the model over more devices."


def bytes_of(dtype: Dtype) -> int:
    """Of one number."""
    return 2 if dtype is Dtype.BFLOAT16 else 4


def _weight_bytes(sizes: ModelSizes, manifest: RunManifest) -> int:
    each, trained = bytes_of(manifest.model.dtype), bytes_of(manifest.trained_dtype)
    if manifest.method is Method.FULL:
        return sizes.parameters * trained
    if manifest.method is Method.LORA:
        return sizes.parameters * each + sizes.lora * trained
    # JAX gives a value of 4 bits a byte where the device has no such type; scales are of the weights' type
    quantised = sizes.adapted + sizes.adapted * each // manifest.lora.tile_size
    return (sizes.parameters - sizes.adapted) * each + sizes.lora * trained + quantised


def _activations(sizes: ModelSizes, manifest: RunManifest, rows: int, length: int, parts: tuple[int, int]) -> int:
    tokens, tp = rows * length, parts[1]
    attention, once = _attention(sizes, manifest, rows, length, tp)
    mlp = _OF_MLP * tokens * sizes.hidden // tp * _COMPUTED
    hidden = tokens * sizes.embed * _COMPUTED
    layer = attention + mlp + _OF_HIDDEN * hidden
    loss = _loss_bytes(sizes, manifest, length, parts) + _OF_TOKENS * tokens * sizes.per_token * _COMPUTED
    # recomputed values are alive when the loss no longer is
    return (
        once
        + {
            Remat.NONE: sizes.layers * layer + loss,
            Remat.BLOCK: sizes.layers * (layer - attention) + max(attention, loss),
            Remat.DECODER: sizes.layers * hidden + max(layer, loss),
        }[manifest.model.remat]
    )


def _attention(sizes: ModelSizes, manifest: RunManifest, rows: int, length: int, tp: int) -> tuple[int, int]:
    """What each layer keeps for the backward pass, and what one of them needs while it is computed."""
    if manifest.model.attention is Attention.REFERENCE:
        return _OF_REFERENCE * rows * sizes.heads * length * length // tp * _COMPUTED, 0
    inputs = rows * length * (sizes.heads + 2 * sizes.kv_heads) * sizes.head_dim
    result = rows * length * sizes.heads * sizes.head_dim
    scores = _OF_BLOCKS * rows * sizes.heads * min(_BLOCK, length) ** 2
    return (inputs + result) // tp * _COMPUTED, (inputs + scores) // tp * _COMPUTED


def _loss_bytes(sizes: ModelSizes, manifest: RunManifest, length: int, mesh: tuple[int, int]) -> int:
    batch, (fsdp, tp) = manifest.batch.size, mesh
    if manifest.loss.kind is LossKind.PLAIN:
        return _LOGITS_PLAIN * -(-batch // fsdp) * length * sizes.vocab * _COMPUTED
    part = loss_layout(manifest.loss, batch=batch, length=length, vocabulary=sizes.vocab or 1, fsdp=fsdp, tp=tp)
    heads = (fsdp * tp > 1) + (
        not manifest.method.adapts
    )  # laid out for the loss; its gradient, summed while it is made
    logits = _LOGITS_FUSED * part.rows * part.chunk * part.vocabulary
    return (logits + heads * part.vocabulary * sizes.embed + part.rows * length * sizes.embed) * _COMPUTED
