"""Logits of an export by transformers or peft, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ModelError
from tunixrt_core.training.model_export import ExportLayout

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


def torch_logits(layout: ExportLayout, folder: Path, base: Path, prompts: Sequence[Sequence[int]]) -> list[Any]:
    """Logits [tokens, vocabulary] of each prompt, computed in float32. `base` is the base model of an adapter."""
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
    with torch.no_grad():
        return [model(torch.tensor([list(prompt)])).logits[0].float().numpy() for prompt in prompts]
