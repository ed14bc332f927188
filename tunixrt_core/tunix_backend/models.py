"""A model reference -> a Tunix model on a mesh, with LoRA where asked for."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.host import device_kind
from tunixrt_core.manifest import RunManifest
from tunixrt_core.manifest_sections import LoraSection, MeshSection
from tunixrt_core.tunix_backend.devices import check_device
from tunixrt_core.tunix_backend.families import FAMILIES, Shapes, family_of, rope_frequencies
from tunixrt_core.tunix_backend.rope import TUNIX_THETA, inverse_frequencies, use_frequencies
from tunixrt_core.tunix_backend.tiny import BUILTIN_MODELS, write_builtin_model


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to train or to generate. `config` is Tunix's, `mesh` the one its weights lie on."""

    model: Any
    config: Any
    mesh: Any
    directory: Path
    trainable_parameters: int
    total_parameters: int

    @property
    def vocab_size(self) -> int:
        """Rows of the embedding table."""
        return int(self.config.num_embed if hasattr(self.config, "num_embed") else self.config.vocab_size)


def resolve_model(reference: str, models_dir: Path) -> Path:
    """The directory of a model: built in (written on first use), a path, or `org/name` under `models_dir`.

    Raises ModelError where there is no config.json, and says where to put it.
    """
    if reference in BUILTIN_MODELS:
        return write_builtin_model(reference, models_dir / reference)
    path = Path(reference).expanduser()
    if (path / "config.json").is_file():
        return path.absolute()
    looks_like_path = reference.startswith(("/", ".", "~")) or reference.count("/") != 1
    if looks_like_path:
        raise ModelError(
            f"There is no model in {reference}: a directory with config.json, tokenizer.json and *.safetensors is "
            f"needed. Built in are {', '.join(BUILTIN_MODELS)}."
        )
    local = models_dir / reference
    if (local / "config.json").is_file():
        return local
    raise ModelError(
        f"The model {reference} is not on this machine. Put its files there with: "
        f"hf download {reference} --local-dir {local}"
    )


def make_mesh(section: MeshSection, batch_size: int) -> Any:
    """A mesh with the axes fsdp and tp over this host's devices, so that each fsdp part gets equally many rows.

    Where the manifest leaves fsdp open, it is the most devices that divide the batch. Raises ModelError for more
    devices than there are, and for a batch that cannot be divided: Tunix would give every row to every device.
    """
    import jax

    devices = jax.devices()
    check_device(device_kind(), devices[0].platform, os.environ)
    most = max(1, len(devices) // section.tp)
    fsdp = section.fsdp or max(n for n in range(1, most + 1) if batch_size % n == 0)
    if batch_size % fsdp:
        raise ModelError(
            f"batch.size = {batch_size} cannot be spread over mesh.fsdp = {fsdp} devices. Make it a multiple of {fsdp}."
        )
    wanted = fsdp * section.tp
    if wanted > len(devices):
        raise ModelError(
            f"The mesh asks for {fsdp} x {section.tp} = {wanted} devices, but JAX finds {len(devices)}. "
            "Lower mesh.fsdp or mesh.tp."
        )
    # Auto axes: with Explicit ones, the default of jax.make_mesh, Tunix's models do not trace
    auto = (jax.sharding.AxisType.Auto,) * 2
    return jax.make_mesh((fsdp, section.tp), ("fsdp", "tp"), axis_types=auto, devices=devices[:wanted])


def device_name(mesh: Any) -> str:
    """What the mesh computes on, such as `CPU` or `TPU v5 lite x 8`."""
    first = mesh.devices.flat[0]
    name = "CPU" if first.platform == "cpu" else str(first.device_kind)
    return name if mesh.devices.size == 1 else f"{name} x {mesh.devices.size}"


def load_model(manifest: RunManifest, models_dir: Path, mesh: Any) -> LoadedModel:
    """Weights from disk onto the mesh, with fresh LoRA where the manifest asks for it.

    The mesh must be entered in the calling thread. Raises ModelError for a model that is missing, broken, or of a
    kind that Tunix would train wrongly, and for a LoRA pattern that matches nothing.
    """
    import jax
    import jax.numpy as jnp
    from flax import nnx

    directory = resolve_model(manifest.model.id, models_dir)
    family, text = family_of(read_config(directory))
    shapes = weight_shapes(directory)
    dtype = jnp.dtype(manifest.model.dtype.value)
    module = family.model_module()
    config = family.config(module, text, shapes, dtype)
    try:
        model = family.load(str(directory), config, mesh, dtype)
    except (ValueError, AssertionError, KeyError, AttributeError, TypeError) as error:
        first_line = str(error).split("\n", 1)[0][:300]
        raise ModelError(
            f"The weights in {directory} do not fit their config.json or the mesh ({first_line})."
        ) from error
    if family.ignores_rope:
        frequencies = rope_frequencies(text)
        if frequencies != inverse_frequencies(config.head_dim, TUNIX_THETA, None):
            use_frequencies(model, module, frequencies)
    if manifest.method.adapts:
        model = _with_lora(model, manifest.lora, manifest.seed, mesh)
    kind = nnx.LoRAParam if manifest.method.adapts else nnx.Param

    def count(state: Any) -> int:
        return sum(int(leaf.size) for leaf in jax.tree.leaves(state))

    return LoadedModel(
        model, config, mesh, directory, count(nnx.state(model, kind)), count(nnx.state(model, nnx.Param))
    )


def _with_lora(model: Any, lora: LoraSection, seed: int, mesh: Any) -> Any:
    import qwix
    from flax import nnx
    from tunix.rl.reshard import reshard_model_to_mesh
    from tunix.sft.utils import is_lora_enabled

    provider = qwix.LoraProvider(module_path=lora.modules, rank=lora.rank, alpha=lora.alpha)
    adapted = qwix.apply_lora_to_model(model, provider, rngs=nnx.Rngs(seed), **model.get_model_input())
    if not is_lora_enabled(adapted):
        # Tunix would train every weight of the model instead, without a word
        raise ModelError(
            f"lora.modules = {lora.modules!r} matches no module of the model, so there would be nothing to train. "
            "Use a pattern such as .*q_proj|.*v_proj, or .*q_einsum|.*kv_einsum for Gemma."
        )
    return reshard_model_to_mesh(adapted, mesh)


def read_config(directory: Path) -> dict[str, Any]:
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except ValueError:
        raise ModelError(f"{directory / 'config.json'} is not JSON. Download the model again.") from None
    if not isinstance(config, dict):
        raise ModelError(f"{directory / 'config.json'} is not a model's config.")
    return config


_LAYER = re.compile(r"^(?!.*vision_tower).*\blayers\.(\d+)\.")


def weight_shapes(directory: Path) -> Shapes:
    """Layers and vocabulary from the headers of the weight files.

    Tunix loads a checkpoint with more layers than the config says without a word, and reads every tensor of a file
    with the type of the first one: both raise ModelError here or where the config is read.
    """
    layers, vocab_size, types = -1, 0, set()
    for file in sorted(directory.glob("*.safetensors")):
        for name, entry in weight_header(file):
            types.add(entry["dtype"])
            if found := _LAYER.match(name):
                layers = max(layers, int(found[1]))
            if name.endswith("embed_tokens.weight"):
                vocab_size = int(entry["shape"][0])
    if not types:
        raise ModelError(f"There are no *.safetensors files in {directory}. Download the model's weights.")
    if layers < 0 or not vocab_size:
        raise ModelError(f"The weight files in {directory} hold no known model; {', '.join(FAMILIES)} can be trained.")
    if len(types) > 1:
        raise ModelError(
            f"The weight files in {directory} mix the types {', '.join(sorted(types))}, which Tunix would misread. "
            "Save the model in one type."
        )
    return Shapes(layers + 1, vocab_size)


def weight_header(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with file.open("rb") as handle:
        size = struct.unpack("<Q", handle.read(8).ljust(8, b"\0"))[0]
        try:
            header = json.loads(handle.read(min(size, 100 << 20)))
        except ValueError:
            raise ModelError(f"{file} is not a whole safetensors file. Download it again.") from None
    yield from ((name, entry) for name, entry in header.items() if name != "__metadata__")
