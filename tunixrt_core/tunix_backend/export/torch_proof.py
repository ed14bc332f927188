"""Logits of an export by transformers or peft, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tunixrt_core.errors import ModelError
from tunixrt_core.training.model_export import ExportLayout
from tunixrt_core.tunix_backend.export.proof import Outputs

_NEEDED = {
    ExportLayout.MERGED: ("torch", "transformers"),
    ExportLayout.PEFT: ("torch", "transformers", "peft"),
}
READER = {ExportLayout.MERGED: "transformers", ExportLayout.PEFT: "peft"}


def why_not(layout: ExportLayout, asked: bool | None) -> str:
    """Why this check will not run; empty where it will.

    Raises ModelError where `asked` is true and packages are missing. None: check where the packages are installed.
    """
    if asked is False:
        return "not requested"
    missing = [name for name in _NEEDED[layout] if find_spec(name) is None]
    if missing and asked:
        raise ModelError(
            f"The check with {READER[layout]} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} "
            f"not installed. Install with: pip install {' '.join(missing)}"
        )
    if missing:
        return f"{', '.join(missing)} not installed"
    broken = next((f"{name} cannot be imported ({why})" for name in _NEEDED[layout] if (why := _refusal(name))), "")
    if broken and asked:
        raise ModelError(
            f"The check with {READER[layout]} cannot run: {broken}. "
            f"Install matching versions with: pip install --upgrade {' '.join(_NEEDED[layout])}"
        )
    return broken


def _refusal(name: str) -> str:
    """The error of a package that cannot be imported beside the other installed ones; empty where it can."""
    try:
        import_module(name)
    except (ImportError, RuntimeError, OSError, ValueError, AttributeError) as error:
        return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
    return ""


def torch_outputs(
    layout: ExportLayout, folder: Path, base: Path, prompts: Sequence[Sequence[int]], scores: Sequence[Any]
) -> Outputs:
    """Outputs for the prompts, computed in float32 with the experts that these scores choose, where there are any.

    `base` is the base model of an adapter.
    """
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    source = folder if layout is ExportLayout.MERGED else base
    model = transformers.AutoModelForCausalLM.from_pretrained(
        str(source), dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    if layout is ExportLayout.PEFT:
        import peft

        model = peft.PeftModel.from_pretrained(model, str(folder))
    model.eval()
    logits: list[Any] = []
    noted: list[Any] = []
    with torch.no_grad():
        for number, prompt in enumerate(prompts):
            with _routed(model, scores[number] if scores else ()) as found:
                logits.append(model(torch.tensor([list(prompt)])).logits[0].float().numpy())
            noted.extend([np.stack(found)] if found else ())
    return Outputs(logits, noted)


@contextmanager
def _routed(model: Any, scores: Any) -> Iterator[list[Any]]:
    """As routing.routing, for one prompt and a model of transformers: `scores` [layers, tokens, experts]."""
    import torch

    noted: list[Any] = []

    def routed(router: Any, given: Any, output: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        own, shares, places = output
        order = np.argsort(-scores[len(noted)][: len(own)], kind="stable")  # of equal ones the first, as JAX has it
        places = torch.tensor(order[:, : places.shape[-1]])
        noted.append(own.numpy())
        best = own.softmax(-1).gather(-1, places)
        return own, (best / best.sum(-1, keepdim=True)).to(shares.dtype), places

    routers = [each for each in model.modules() if type(each).__name__.endswith("TopKRouter")] if len(scores) else []
    hooks = [router.register_forward_hook(routed) for router in routers]
    try:
        yield noted
    finally:
        for hook in hooks:
            hook.remove()
