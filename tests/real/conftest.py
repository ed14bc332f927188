"""The real model that these tests share, downloaded once and kept outside of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.smollm2 import NotHere, model_directory


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct as a Hugging Face directory; the test is skipped where it cannot be had."""
    pytest.importorskip("gguf", reason="the package gguf is not installed: make test-real")
    try:
        return model_directory()
    except NotHere as reason:
        pytest.skip(str(reason))
