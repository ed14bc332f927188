"""Learning rates of a run, and what a resume with more train steps does to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any, Literal, get_args

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.training_sections import Extension, ScheduleKind

ScheduleChoice = Literal["stretch", "keep", "restart"]
CHOICES: tuple[ScheduleChoice, ...] = get_args(ScheduleChoice)
CHOICE_WORDS: dict[ScheduleChoice, str] = {
    "stretch": "one schedule over all train steps, as if the run had been planned so",
    "keep": "the last rate to the end",
    "restart": "a new schedule, warm-up included, over the new train steps",
}
# numbers, computed without the device: there they would be queued behind the current train step
NUMBERS = SimpleNamespace(
    clip=lambda value, low, high: min(max(value, low), high),
    cos=math.cos,
    where=lambda condition, yes, no: yes if condition else no,
)


@dataclass(frozen=True, slots=True)
class RateChange:
    """The learning rate before and after a resume: of the train step `train_step`, and of the next one.

    `choices` has the rate of that next one by choice; `schedule` is the one that is made.
    """

    schedule: ScheduleChoice
    kind: str
    train_step: int
    before: float
    after: float
    choices: dict[ScheduleChoice, float]

    @property
    def words(self) -> str:
        """A sentence for a person, with the other choices."""
        others = "; ".join(
            f"{name}: {rate:.3g}, {CHOICE_WORDS[name]}" for name, rate in self.choices.items() if name != self.schedule
        )
        return (
            f"The learning rate is {self.before:.3g} in train step {self.train_step:,} and {self.after:.3g} in the "
            f"next one ({self.schedule}: {CHOICE_WORDS[self.schedule]}; the schedule is {self.kind}). "
            f"Other choices: {others}."
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def learning_rate(manifest: RunManifest, total: int, done: Any, xp: Any = NUMBERS) -> Any:
    """The learning rate by the number of train steps already done, 0 for the first, of a run of `total`.

    It rises in equal parts over the warm-up, is full on the train step after it, and ends at
    final_share x learning_rate on the last one. From each of `schedule.extensions` on it is kept, or starts again.
    `xp` has `clip`, `cos` and `where`, for `done` of its kind.
    """
    return _rate(manifest, manifest.schedule.extensions, total, done, xp)


def _rate(manifest: RunManifest, extensions: Sequence[Extension], total: int, done: Any, xp: Any) -> Any:
    if not extensions:
        return _piece(manifest, total, done, xp)
    *earlier, last = extensions
    before = _rate(manifest, earlier, last.total, done, xp)
    if last.then == "keep":
        after = _rate(manifest, earlier, last.total, last.after - 1, NUMBERS)
    else:
        after = _piece(manifest, max(1, total - last.after), done - last.after, xp)
    return xp.where(done < last.after, before, after)


def _piece(manifest: RunManifest, total: int, done: Any, xp: Any) -> Any:
    peak, section = manifest.optimizer.learning_rate, manifest.schedule
    warm_up = min(int(section.warmup_share * total), total - 1)
    final = section.final_share
    rising = (done + 1) / (warm_up + 1)
    share = xp.clip((done - warm_up) / max(1, total - 1 - warm_up), 0.0, 1.0)
    if section.kind is ScheduleKind.COSINE:
        falling = final + (1 - final) * 0.5 * (1 + xp.cos(math.pi * share))
    elif section.kind is ScheduleKind.LINEAR:
        falling = final + (1 - final) * (1 - share)
    else:
        falling = 1.0
    return peak * xp.where(done < warm_up, rising, falling)


def with_schedule(manifest: RunManifest, done: int, planned: int, choice: ScheduleChoice) -> RunManifest:
    """The manifest whose schedule continues so after `done` train steps of a run that was planned for `planned`.

    `manifest` may be that of more train steps already. Before the first train step every choice is `stretch`.
    """
    extensions: tuple[Extension, ...] = ()
    if choice != "stretch" and done:
        earlier = tuple(each for each in manifest.schedule.extensions if each.after < done)
        extensions = (*earlier, Extension(after=done, total=max(planned, done), then=choice))
    return manifest.model_copy(update={"schedule": manifest.schedule.model_copy(update={"extensions": extensions})})


def rate_change(before: RunManifest, after: RunManifest, *, done: int, planned: int, total: int) -> RateChange | None:
    """What happens to the learning rate where a run of `planned` train steps, `done` of them made, continues with
    another manifest to `total`; None before the first train step.
    """
    if not done:
        return None
    made: ScheduleChoice = next((each.then for each in after.schedule.extensions if each.after == done), "stretch")
    rates = {
        choice: float(learning_rate(with_schedule(after, done, planned, choice), total, done)) for choice in CHOICES
    }
    return RateChange(
        made,
        after.schedule.kind.value,
        done,
        float(learning_rate(before, planned, done - 1)),
        float(learning_rate(after, total, done)),
        rates,
    )
