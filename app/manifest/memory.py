"""Memory of a train step, as pages show it."""

from __future__ import annotations

from app.ui import blocks
from app.ui.blocks import BLUE, TEAL
from tunixrt_core.training.estimates.memory import MemoryNeed


def show_memory(need: MemoryNeed) -> None:
    """A bar of the expected device memory by use, in MB, and the same in words."""
    report = need.report
    share = need.need // max(1, report.total)
    kept, passing = report.weights + report.optimizer, report.activations + report.copies
    blocks.key_values([("Memory", need.sentence)])
    blocks.segments(
        [
            ("Weights and optimizer, MB", share * kept // 1_000_000, BLUE),
            ("Activations, MB", share * passing // 1_000_000, TEAL),
            ("Free, MB", max(0, need.limit - need.need) // 1_000_000, "rgba(124, 135, 151, 0.25)"),
        ],
        f"Memory: {need.sentence}",
    )
