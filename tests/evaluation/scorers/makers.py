"""Answers to score, and an installed package that offers scorers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.evaluation.scorers.scorer import Answer
from tunixrt_core.traces.rendering.styles import ReasoningStyle, render_completion

TAGS = ReasoningStyle.TAGS


def answer_of(output: str, reference: str = "5", style: ReasoningStyle = TAGS, tokens: int = 7) -> Answer:
    return Answer("p", output, reference, style, tokens, hit_limit=False)


def said(given: str, reference: str = "5", *steps: str, style: ReasoningStyle = TAGS) -> Answer:
    """An answer in the right structure."""
    return answer_of(render_completion(steps, given, style), reference, style)


def install(monkeypatch: pytest.MonkeyPatch, site: Path, package: str, code: str, **scorers: str) -> None:
    """What pip leaves behind for a package of one module with entry points: `scorers` maps names to functions."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {package}:{function}" for name, function in scorers.items()]
    (info / "entry_points.txt").write_text("\n".join(["[tunixrt.scorers]", *lines, ""]))
    (site / f"{package}.py").write_text(code)
    monkeypatch.syspath_prepend(site)
