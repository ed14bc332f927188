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
    """Why no such check will be made; empty where one will be.

    Raises ModelError where it was `asked` for and packages are missing; where that is None, what is installed decides.
    """
    if asked is False:
        return "not asked for"
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
            f"The check with {READER[layout]} cannot be made: {broken}. "
            f"Install what fits together with: pip install --upgrade {' '.join(_NEEDED[layout])}"
        )
    return broken


def _refusal(name: str) -> str:
    """What a package says that refuses to be imported beside the others that are installed; empty where it does not."""
    try:
        import_module(name)
    except (ImportError, RuntimeError, OSError, ValueError, AttributeError) as error:
        return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
    return ""


def torch_logits(layout: ExportLayout, folder: Path, base: Path, prompts: Sequence[Sequence[int]]) -> list[Any]:
    """Logits [tokens, vocabulary] of each prompt, computed in float32. `base` is what an adapter is put on."""
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
