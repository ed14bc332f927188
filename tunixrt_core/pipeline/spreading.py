"""Whether the traces of a dataset build are checked here or by a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tunixrt_core.datasets.facts import asks_for_facts
from tunixrt_core.datasets.gates.check import Spread

if TYPE_CHECKING:
    from tunixrt_core.datasets.building import Progress
    from tunixrt_core.datasets.spec import DatasetSpec
    from tunixrt_core.settings import Settings

BLOCK = 1 << 20  # bytes of traces that travel together
WORTH = 50_000  # traces from which the start of workers costs less than it saves


@contextmanager
def spread_of(
    settings: Settings,
    spec: DatasetSpec,
    *,
    count: Callable[[int], int],
    bodies: Callable[[Iterable[str]], Iterator[bytes]],
    told: Progress,
    beat: Callable[[], None],
) -> Iterator[Spread | None]:
    """What checks the traces of a build in the cluster of TUNIXRT_EXECUTOR; None for one that stays here.

    `count` tells how many traces match, up to a number; `bodies` is as of Spread. `told` gets the progress; `beat`
    raises where the build must end. Raises JobFailed where the cluster lets nobody in.
    """
    looks = bool(spec.gates) or asks_for_facts(spec) or spec.split_by == "near_duplicate"
    if settings.executor is None or not looks:
        yield None
        return
    from tunixrt_core.jobs.ray_cluster.address import Cluster
    from tunixrt_core.jobs.ray_cluster.blocks import RayBlocks

    cluster = Cluster.parse(settings.executor)
    if not cluster.builders or count(WORTH) < WORTH:
        yield None
        return
    told("connecting", 0, 0)
    with RayBlocks(cluster, settings.home / "logs" / "ray-blocks.log", beat) as blocks:
        yield Spread(blocks, bodies, BLOCK)
