"""Samplers in workers of a Ray cluster, for one evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunixrt_core.errors import ModelError, TunixRTError
from tunixrt_core.jobs.ray_cluster.spread import Places, SamplerLost, SpreadGenerator
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.trainer import Generation, Generator, LoadGenerator, Sampling
from tunixrt_core.tunix_backend.backend import TunixBackend

_RESTARTS = 3  # of one sampler by Ray
_BACK_SECONDS = 600.0  # that a sampler has to be started again


class Loaded:
    """The actor: a generator in a process of its own."""

    def __init__(self, place: Mapping[str, str | None], manifest: Mapping[str, Any], checkpoints: str | None) -> None:
        backend = backend_of(place)
        load = backend.load_generator()
        self._generator = load(
            RunManifest.from_dict(dict(manifest)),
            Path(checkpoints) if checkpoints else None,
            on_phase=lambda name: None,
        )

    def plan(self, prompts: Sequence[str], max_new_tokens: int) -> list[Places]:
        return self._generator.plan(prompts, max_new_tokens)

    def answer(
        self, prompts: Sequence[str], places: Places, max_new_tokens: int, sampling: Sampling
    ) -> dict[int, Generation]:
        wanted = frozenset(places)
        others = [place for place in range(len(prompts)) if place not in wanted]
        return self._generator.generate(prompts, max_new_tokens=max_new_tokens, sampling=sampling, skip=others)

    def compiles(self) -> int:
        return self._generator.compiles


def backend_of(place: Mapping[str, str | None]) -> TunixBackend:
    """The backend of a worker. `place`: the folders of models and of compiled programs."""
    compiled = place["compiled_dir"]
    return TunixBackend(Path(place["models_dir"] or ""), Path(compiled) if compiled else None)


class RaySampler:
    """spread.Sampler of one actor."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray = ray
        self._actor = actor
        self._sent: tuple[Sequence[str], Any] | None = None  # prompts, and the reference to their copy in the cluster

    def plan(self, prompts: Sequence[str], max_new_tokens: int) -> list[Places]:
        found: list[Places] = self._get(self._actor.plan.remote(self._copy_of(prompts), max_new_tokens))
        return found

    def answer(
        self, prompts: Sequence[str], places: Places, *, max_new_tokens: int, sampling: Sampling
    ) -> dict[int, Generation]:
        asked = self._actor.answer.remote(self._copy_of(prompts), places, max_new_tokens, sampling)
        found: dict[int, Generation] = self._get(asked)
        return found

    def compiles(self) -> int:
        return int(self._get(self._actor.compiles.remote()))

    def come_back(self) -> bool:
        """While Ray starts an actor again, calls of it fail one after the other; this one waits."""
        try:
            self._ray.get(self._actor.__ray_ready__.remote(), timeout=_BACK_SECONDS)
        except (self._ray.exceptions.RayError, self._ray.exceptions.GetTimeoutError):
            return False
        return True

    def close(self) -> None:
        self._ray.kill(self._actor)

    def _copy_of(self, prompts: Sequence[str]) -> Any:
        if self._sent is None or self._sent[0] is not prompts:
            self._sent = prompts, self._ray.put(list(prompts))
        return self._sent[1]

    def _get(self, ref: Any) -> Any:
        try:
            return self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, TunixRTError):
                raise cause from None
            raise ModelError(f"A sampler failed: {str(cause).splitlines()[0]}") from None
        except self._ray.exceptions.RayError as error:
            raise SamplerLost(str(error).splitlines()[0]) from None


class SpreadBackend(TunixBackend):
    """A backend whose generators are spread over actors, which end with this process."""

    def __init__(self, place: Mapping[str, Any], options: Mapping[str, Any], count: int) -> None:
        """`options`: what one actor takes of a machine, as of Ray."""
        super().__init__(Path(place["models_dir"]), Path(place["compiled_dir"]))
        self._place, self._options, self._count = place, options, count

    def load_generator(self) -> LoadGenerator:
        import ray

        make = ray.remote(Loaded).options(max_restarts=_RESTARTS, scheduling_strategy="SPREAD", **self._options)

        def load(manifest: RunManifest, checkpoints: Path | None, *, on_phase: Callable[[str], None]) -> Generator:
            on_phase("loading")
            given = (self._place, manifest.to_dict(), str(checkpoints) if checkpoints else None)
            samplers = [RaySampler(ray, make.remote(*given)) for _ in range(self._count)]
            on_phase("generating")
            return SpreadGenerator(samplers)

        return load
