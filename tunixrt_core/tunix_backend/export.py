"""The tuned model of a run as a Hugging Face directory, loaded again and compared before it appears."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tunixrt_core.errors import OutputError, TrainingError
from tunixrt_core.manifest import RunManifest
from tunixrt_core.manifest_sections import Method
from tunixrt_core.render import render_prompt
from tunixrt_core.rows import read_rows
from tunixrt_core.runs import write_json
from tunixrt_core.trainer import ExportReport
from tunixrt_core.tunix_backend.checkpoints import restore_weights
from tunixrt_core.tunix_backend.data import load_tokenizer
from tunixrt_core.tunix_backend.models import LoadedModel, load_model, make_mesh, resolve_model
from tunixrt_core.tunix_backend.weights import TrainedWeights

PROMPTS = 8
_LONGEST = 128  # tokens of a prompt that are compared: whole logits are kept, and vocabularies are large
# Allowed differences, as shares of the largest logit (of 1 where that is smaller). With files and training in float32
# only the order of additions differs, as LoRA is merged. Where either has 16 bits, each weight is off by up to 0.4 %
# (a bfloat16 keeps 8 bits), which adds up: 1 to 3 % were measured; a tensor in a wrong place is off by about 100 %.
TOLERANCE = 1e-4
COARSE_TOLERANCE = 0.1

_COPIED_SUFFIXES = {".json", ".txt", ".model", ".jinja", ".tiktoken"}
_COPIED_NAMES = ("LICENSE", "NOTICE", "USE_POLICY")
_TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.jinja")


@dataclass(frozen=True, slots=True)
class _Written:
    train_step: int
    dtype: str
    bytes: int
    files: int
    logits: Sequence[Any]  # [tokens, vocabulary] for each prompt, of the trained model


def export_model(
    manifest: RunManifest,
    checkpoints: Path,
    target: Path,
    *,
    models_dir: Path,
    card: Callable[[ExportReport], str],
    on_phase: Callable[[str], None] = lambda phase: None,
) -> ExportReport:
    """Write the model of the last checkpoint to `target` (LoRA merged), with the base's names, shapes, type and files.

    The directory appears whole, and only after its logits were compared with the trained model's; `card` writes its
    README. Raises OutputError where `target` exists or cannot be written, TrainingError where there is no fitting
    checkpoint or where the export does not say what the trained model says, ModelError for the base model.
    """
    refuse_existing(target)
    on_phase("loading")
    base = resolve_model(manifest.model.id, models_dir)
    prompts = _prompts(manifest, models_dir)
    with _appears_whole(target) as folder:
        written = _write(manifest, checkpoints, base, folder, models_dir, prompts, on_phase)
        on_phase("checking")
        report = _check(manifest, folder, target, models_dir, prompts, written)
        write_json(folder / "export.json", {**asdict(report), "path": target.name})
        (folder / "README.md").write_text(card(report), encoding="utf-8")
    return report


def refuse_existing(target: Path) -> None:
    """Raises OutputError where there is something at `target` already: an export replaces nothing."""
    if os.path.lexists(target):
        raise OutputError(f"{target} exists already. Choose another directory, or move that one away.")


@contextmanager
def _appears_whole(target: Path) -> Iterator[Path]:
    """A directory beside the target: renamed to it where the body ends well, removed where it does not."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise _unwritable(target, error) from None
    try:
        folder.chmod(0o755)
        yield folder
        refuse_existing(target)
        folder.rename(target)
    except (OSError, SafetensorError) as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unwritable(target: Path, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or error
    return OutputError(f"The model cannot be written to {target} ({reason}). Choose another directory, or make room.")


def _write(
    manifest: RunManifest,
    checkpoints: Path,
    base: Path,
    folder: Path,
    models_dir: Path,
    prompts: Sequence[Sequence[int]],
    on_phase: Callable[[str], None],
) -> _Written:
    """Fill the folder from the last checkpoint. The trained model is gone when this returns, its logits are kept."""
    lora = manifest.method.adapts
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        loaded = load_model(manifest, models_dir, mesh)
        step = restore_weights(loaded.model, checkpoints, lora=lora)
        logits = _logits(loaded, prompts)
    on_phase("writing")
    weights = TrainedWeights(loaded.model, manifest.lora.alpha / manifest.lora.rank)
    files = sorted(base.glob("*.safetensors"))
    dtype = ""
    for file in files:
        dtype = _write_file(weights, file, folder / file.name)
    if left := weights.unread():
        raise TrainingError(
            f"{len(left)} weights of the trained model have no place in the files of {base}, such as {left[0]}. "
            "Nothing was exported; the weights are safe in the run's checkpoints."
        )
    _copy_files(base, Path(manifest.tokenizer.path).expanduser() if manifest.tokenizer.path else None, folder)
    size = sum((folder / file.name).stat().st_size for file in files)
    return _Written(step, dtype, size, len(files), logits)


def _write_file(weights: TrainedWeights, source: Path, target: Path) -> str:
    """One weight file like its source: a tensor the model does not have (such as a vision tower's) is copied."""
    tensors: dict[str, Any] = {}
    dtype = ""
    with safe_open(str(source), framework="numpy") as handle:
        for name in handle.keys():  # noqa: SIM118 - not a mapping
            old = handle.get_tensor(name)
            new = weights.tensor(name)
            if new is not None and new.shape != old.shape:
                raise TrainingError(
                    f"{name} has the shape {new.shape} in the trained model and {old.shape} in {source}. "
                    "The base model has changed since the training; put the old files back."
                )
            tensors[name] = old if new is None else np.ascontiguousarray(new.astype(old.dtype))
            dtype = str(old.dtype)
        metadata = handle.metadata()
    save_file(tensors, str(target), metadata=metadata)
    return dtype


def _copy_files(base: Path, tokenizer: Path | None, folder: Path) -> None:
    """Config, index, tokenizer and license. Where the run had a tokenizer of its own, that one and none of the base."""
    for path in sorted(base.iterdir()):
        other_weights = path.name.endswith(".index.json") and ".safetensors" not in path.name
        wanted = path.suffix in _COPIED_SUFFIXES or path.name.startswith(_COPIED_NAMES)
        if wanted and path.is_file() and not other_weights and not (tokenizer and _is_tokenizer_file(path)):
            shutil.copyfile(path, folder / path.name)
    for path in sorted(tokenizer.iterdir()) if tokenizer else ():
        if path.is_file() and _is_tokenizer_file(path):
            shutil.copyfile(path, folder / path.name)


def _is_tokenizer_file(path: Path) -> bool:
    return any(path.match(pattern) for pattern in _TOKENIZER_FILES)


def _check(
    manifest: RunManifest,
    folder: Path,
    target: Path,
    models_dir: Path,
    prompts: Sequence[Sequence[int]],
    written: _Written,
) -> ExportReport:
    """Load what was written as any model is loaded, and compare what it says with what the trained model said."""
    model = manifest.model.model_copy(update={"id": str(folder.absolute())})
    plain = manifest.model_copy(update={"model": model, "method": Method.FULL})
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        exported = _logits(load_model(plain, models_dir, mesh), prompts)
    coarse = {written.dtype, manifest.model.dtype.value} != {"float32"}
    largest = max(float(np.abs(logits).max()) for logits in written.logits)
    tolerance = (COARSE_TOLERANCE if coarse else TOLERANCE) * max(1.0, largest)
    pairs = list(zip(written.logits, exported, strict=True))
    difference = float(np.max([np.abs(a - b).max() for a, b in pairs]))
    agreement = float(np.mean(np.concatenate([_agrees(a, b, 0.0 if coarse else tolerance) for a, b in pairs])))
    # written so that a NaN fails
    if not (difference <= tolerance and (coarse or agreement == 1.0)):
        raise TrainingError(
            f"The exported model does not say what the trained one says: logits differ by up to {difference:.2g} "
            f"(allowed are {tolerance:.2g}) and the best token is the same in {agreement:.1%}. Nothing was exported; "
            "the weights are safe in the run's checkpoints."
        )
    return ExportReport(
        path=target,
        train_step=written.train_step,
        dtype=written.dtype,
        files=written.files,
        bytes=written.bytes,
        prompts=len(prompts),
        tokens=sum(len(prompt) for prompt in prompts),
        largest_difference=difference,
        tolerance=tolerance,
        agreement=agreement,
    )


def _agrees(trained: Any, exported: Any, tie: float) -> Any:
    """For each token whether both rank the same next one first; two that the trained model has level are the same."""
    rows = np.arange(len(trained))
    best, other = trained.argmax(-1), exported.argmax(-1)
    return (best == other) | (trained[rows, best] - trained[rows, other] <= tie)


def _prompts(manifest: RunManifest, models_dir: Path) -> list[list[int]]:
    """Token ids of the first prompts of the data file, rendered as in training."""
    tokenizer, rendering = load_tokenizer(manifest, models_dir), manifest.rendering
    rows = islice(read_rows(Path(manifest.data.path)), PROMPTS)
    texts = [
        render_prompt(
            row.trace.prompt, rendering.chat, rendering.reasoning, system=row.trace.system or rendering.system
        )
        for row in rows
    ]
    return [tokenizer.encode_prompt(text)[:_LONGEST] for text in texts]


@nnx.jit
def _forward(model: Any, tokens: Any) -> Any:
    count, length = tokens.shape
    positions = jnp.broadcast_to(jnp.arange(length), (count, length))
    causal = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (count, length, length))
    return model(tokens, positions, None, causal)[0]


def _logits(loaded: LoadedModel, prompts: Sequence[Sequence[int]]) -> list[Any]:
    """Logits [tokens, vocabulary] of each prompt, in float32; the loaded model's mesh must be entered."""
    length = max(len(prompt) for prompt in prompts)
    size = int(loaded.mesh.shape["fsdp"])  # rows at once: as few as can be spread over the mesh
    tokens: Any = np.zeros((-(-len(prompts) // size) * size, length), np.int32)
    for row, prompt in zip(tokens, prompts, strict=False):
        row[: len(prompt)] = prompt  # what stands behind a prompt cannot be seen from it
    done: list[Any] = []
    # accelerators round float32 products to fewer bits where they are not told
    with jax.default_matmul_precision("highest"):
        for first in range(0, len(tokens), size):
            done.extend(np.asarray(_forward(loaded.model, jnp.asarray(tokens[first : first + size])), np.float32))
    return [logits[: len(prompt)] for logits, prompt in zip(done, prompts, strict=False)]
