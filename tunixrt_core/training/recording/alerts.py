"""Alerts of a run: condition, evidence and one change to try."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterator
from typing import Any

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.metrics import Alert, CompileMetric, EvalMetric, Metric, TrainMetric

WINDOW = 50  # train steps that a new one is compared with
_FIRST = 20  # first train steps, which raise no alerts
_QUIET = 50  # train steps without a sign, after which the same sign raises an alert again
_GUESSES = 10  # train steps in a row at the loss of a uniform guess, or two evaluations
_AS_GUESSED = 1e-3  # share by which such a loss may differ
_SLOW_EVERY = 10  # train steps between checks of what changes slowly


_UNTRAINED = "Nothing was trained yet, so the base is the cause: check its weights, or compute in float32."


class Watch:
    """Reads every record of a run, in order. A sign raises one alert, and another only after an absence.

    Alerts: nan, uniform_guess, loss_spike, gradient_explosion, plateau, overfitting, stalled_input, slow_steps,
    recompile and disk_filling. A record costs some microseconds: only short windows and the evaluations are kept.
    """

    def __init__(self, manifest: RunManifest) -> None:
        self._manifest = manifest
        self._total = 0
        self._guess = math.inf  # the loss of a uniform guess over the vocabulary, in nats
        self._guessed = {"train": 0, "eval": 0}  # records in a row with that loss
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._norms: deque[float] = deque(maxlen=WINDOW)
        self._waits: deque[tuple[float, float]] = deque(maxlen=_FIRST)  # waited for rows, step, seconds
        self._speeds: deque[float] = deque(maxlen=_FIRST)
        self._best_speed = 0.0
        self._long = _LongMean(WINDOW)
        self._evals: list[tuple[int, float, float]] = []  # train step, eval loss, train loss then
        self._seen: dict[str, int] = {}  # alert -> last train step with its sign

    @property
    def kept_checkpoints(self) -> int:
        return self._manifest.cadence.keep_checkpoints

    def plan(self, total_train_steps: int, vocab_size: int | None = None) -> None:
        """The planned length of the run: sets what counts as a long time without progress; and the tokens to guess."""
        self._total = total_train_steps
        self._guess = math.log(vocab_size) if vocab_size else math.inf
        self._long = _LongMean(max(100, total_train_steps // 10))

    def see(self, record: Metric) -> list[Alert]:
        """The alerts that this record raises."""
        match record:
            case TrainMetric():
                return list(self._train(record))
            case EvalMetric():
                return list(self._eval(record))
            case CompileMetric():
                return list(self._compile(record))
        return []

    def disk(self, train_step: int, *, free: int, needed: int) -> list[Alert]:
        """After a checkpoint: bytes free in the run's folder, and bytes that the next checkpoints take before any old
        one is deleted."""
        if not self._news("disk_filling", train_step, holds=needed > free, quiet=0):
            return []
        keep = self.kept_checkpoints
        return [
            _alert(
                "disk_filling",
                train_step,
                f"{_gigabytes(free)} are free for checkpoints, and the next ones need {_gigabytes(needed)}",
                {"keep_checkpoints": 1} if keep > 1 else "Free disk space, or set another output_dir in the clone.",
            )
        ]

    # --- train steps --------------------------------------------------------------------------------------------

    def _train(self, record: TrainMetric) -> Iterator[Alert]:
        step, loss, norm = record.train_step, record.loss, record.grad_norm
        for name, value in (("loss", loss), ("gradient norm", norm)):
            if value is not None and not math.isfinite(value) and self._news("nan", step):
                words = f"the {name} is {value} at train step {step:,}"
                yield _alert("nan", step, words, self._gentler(step) if step > 1 else _UNTRAINED)
        yield from self._guessing(record, _GUESSES)
        yield from self._spike(step, loss)
        yield from self._explosion(step, norm)
        self._note_pace(record)
        if step % _SLOW_EVERY == 0:
            yield from self._stalled(step)
            yield from self._slow(step)
            yield from self._plateau(step)

    def _guessing(self, record: TrainMetric | EvalMetric, least: int) -> Iterator[Alert]:
        """A loss that stays where a uniform guess has it: the model's output does not depend on its input."""
        step, kind = record.train_step, record.kind
        off = math.inf if record.loss is None else abs(record.loss - self._guess)
        self._guessed[kind] = self._guessed[kind] + 1 if off < _AS_GUESSED * self._guess else 0
        if self._news("uniform_guess", step, holds=self._guessed[kind] >= least):
            yield _alert(
                "uniform_guess",
                step,
                f"the {kind} loss stays at {self._guess:.3f}, that of a uniform guess over the vocabulary, up to train "
                f"step {step:,}",
                "Check the base's weights: such a model has learned nothing, or all zeros let no gradient through.",
            )

    def _spike(self, step: int, loss: float | None) -> Iterator[Alert]:
        if loss is None or not math.isfinite(loss):
            return
        if len(self._losses) >= _FIRST:
            middle, spread = _middle_and_spread(self._losses)
            high = loss - middle > max(8 * spread, 0.3 * middle, 0.2)
            if self._news("loss_spike", step, holds=high):
                words = (
                    f"loss {loss:.2f} at train step {step:,}, median of the last {len(self._losses)} is {middle:.2f}"
                )
                yield _alert("loss_spike", step, words, self._gentler(step))
        self._losses.append(loss)
        self._long.add(loss)

    def _explosion(self, step: int, norm: float | None) -> Iterator[Alert]:
        if norm is None or not math.isfinite(norm):
            return
        if len(self._norms) >= _FIRST:
            middle, spread = _middle_and_spread(self._norms)
            high = norm > 10 * middle and norm - middle > max(20 * spread, 1.0)
            if self._news("gradient_explosion", step, holds=high):
                clipped = self._manifest.optimizer.max_grad_norm
                yield _alert(
                    "gradient_explosion",
                    step,
                    f"gradient norm {norm:.3g} at train step {step:,}, median of the last {len(self._norms)} is "
                    f"{middle:.3g}" + ("" if clipped else "; gradients are not clipped"),
                    self._gentler(step) if clipped else {"max_grad_norm": 1.0},
                )
        self._norms.append(norm)

    def _note_pace(self, record: TrainMetric) -> None:
        seconds, waited = record.step_seconds, record.input_wait_seconds
        if seconds and waited is not None:
            self._waits.append((waited, seconds))
        if speed := record.tokens_per_second:
            self._speeds.append(speed)

    def _stalled(self, step: int) -> Iterator[Alert]:
        if len(self._waits) < _FIRST:
            return
        waited, took = (sum(column) for column in zip(*self._waits, strict=True))
        if self._news("stalled_input", step, holds=waited > 0.3 * took):
            n = len(self._waits)
            yield _alert(
                "stalled_input",
                step,
                f"the device waited {waited / took:.0%} of the last {n} train steps for rows "
                f"({waited / n:.3g} s of {took / n:.3g} s per train step)",
                "The host makes batches slower than the device uses them: end other programs that use its processors.",
            )

    def _slow(self, step: int) -> Iterator[Alert]:
        if len(self._speeds) < _FIRST:
            return
        speed = statistics.median(self._speeds)
        self._best_speed = max(self._best_speed, speed)
        if self._news("slow_steps", step, holds=speed < 0.5 * self._best_speed):
            yield _alert(
                "slow_steps",
                step,
                f"{speed:,.0f} trained tokens/s, median of the last {len(self._speeds)} train steps up to {step:,}; "
                f"it was {self._best_speed:,.0f}",
                "Check for other programs on this machine, or an overheated device.",
            )

    def _plateau(self, step: int) -> Iterator[Alert]:
        means = self._long.means()
        if means is None:
            return
        before, now = means
        # near the planned end, ending early saves nothing
        flat = now > 0.999 * before and now > 0.05 and step + self._long.width < (self._total or math.inf)
        if self._news("plateau", step, holds=flat, quiet=self._long.width):
            words = (
                f"mean train loss {now:.3f} over the last {self._long.width:,} train steps, {before:.3f} before them"
            )
            yield _alert("plateau", step, words, self._end_sooner(step))

    # --- evaluations and compilations ---------------------------------------------------------------------------

    def _eval(self, record: EvalMetric) -> Iterator[Alert]:
        step, loss = record.train_step, record.loss
        if loss is None or not math.isfinite(loss):
            if self._news("nan", step):
                words = f"the eval loss is {loss} at train step {step:,}"
                yield _alert("nan", step, words, self._gentler(step) if step else _UNTRAINED)
            return
        yield from self._guessing(record, 2)
        train = statistics.fmean(list(self._losses)[-_FIRST:]) if self._losses else math.nan
        self._evals.append((step, loss, train))
        best_step, best, train_then = min(self._evals, key=lambda each: each[1])
        later = [each[1] for each in self._evals if each[0] > best_step]
        rising = len(later) >= 2 and min(later) > 1.02 * best and later[-1] >= later[-2]
        since = f"eval loss {loss:.3f} at train step {step:,}, {best:.3f} at {best_step:,}"
        if self._news("overfitting", step, holds=rising and train < train_then, quiet=0):
            words = f"{since}, while the train loss fell from {train_then:.3f} to {train:.3f}"
            yield _alert(
                "overfitting",
                step,
                words,
                {"train_steps": best_step} if best_step else {"learning_rate": self._rate() / 2},
            )
        flat = len(later) >= 4 and not rising
        if self._news("eval_plateau", step, holds=flat, quiet=0):
            words = f"{since}: {len(later)} evaluations without a lower one"
            yield _alert("plateau", step, words, self._end_sooner(step))

    def _compile(self, record: CompileMetric) -> Iterator[Alert]:
        step = record.train_step
        if record.expected or not self._news("recompile", step):
            return
        buckets = self._manifest.batch.length_buckets
        yield _alert(
            "recompile",
            step,
            f"rows of {record.length:,} tokens were compiled again after train step {step:,}, "
            f"which took {record.seconds:.1f} s",
            {"length_buckets": 1} if buckets > 1 else "Report this: with one row length, nothing is compiled twice.",
        )

    # --- what to try --------------------------------------------------------------------------------------------

    def _rate(self) -> float:
        return self._manifest.optimizer.learning_rate

    def _gentler(self, step: int) -> dict[str, Any]:
        early = bool(self._total) and step < 0.1 * self._total
        if early and self._manifest.schedule.warmup_share == 0:
            return {"warmup_share": 0.1}
        return {"learning_rate": self._rate() / 2}

    def _end_sooner(self, step: int) -> dict[str, Any]:
        if self._manifest.data.eval_rows and self._manifest.cadence.early_stopping is None:
            return {"early_stopping": 3}
        return {"train_steps": step}

    def _news(self, alert: str, step: int, *, holds: bool = True, quiet: int = _QUIET) -> bool:
        """Whether a present sign was absent long enough to raise an alert."""
        seen = self._seen.get(alert)
        if holds:
            self._seen[alert] = step
            return seen is None
        if seen is not None and step - seen >= quiet:
            del self._seen[alert]
        return False


def _alert(alert: str, train_step: int, evidence: str, change: dict[str, Any] | str) -> Alert:
    return Alert(alert=alert, train_step=train_step, evidence=evidence, change=change)


class _LongMean:
    """Means of the last `width` values and of the `width` before them, in constant time per value."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._new: deque[float] = deque()
        self._old: deque[float] = deque()
        self._sums = [0.0, 0.0]

    def add(self, value: float) -> None:
        self._new.append(value)
        self._sums[0] += value
        if len(self._new) > self.width:
            moved = self._new.popleft()
            self._old.append(moved)
            self._sums[0] -= moved
            self._sums[1] += moved
        if len(self._old) > self.width:
            self._sums[1] -= self._old.popleft()

    def means(self) -> tuple[float, float] | None:
        """Before, now; None until there are enough values."""
        if len(self._old) < self.width:
            return None
        return self._sums[1] / self.width, self._sums[0] / self.width


def _middle_and_spread(values: deque[float]) -> tuple[float, float]:
    """Median, and the median distance from it as a standard deviation would be: few outliers change neither."""
    middle = statistics.median(values)
    return middle, 1.4826 * statistics.median(abs(value - middle) for value in values)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
