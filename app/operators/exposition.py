"""Text format of Prometheus, version 0.0.4.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """One value with its labels; `suffix` is that of a histogram's parts."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its samples. Units are base units, named in the metric: seconds, bytes."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[Sample]


def gauge(name: str, help: str, value: float | None, **labels: str) -> Family:
    """A gauge of one value; of none where it is unknown."""
    return Family(name, "gauge", help, () if value is None else (Sample(value, labels),))


def text_of(families: Iterable[Family]) -> str:
    """The families as text; those without a sample are left out."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines += (f"# HELP {family.name} {_escaped(family.help)}", f"# TYPE {family.name} {family.kind}")
            lines += (_line(family.name, sample) for sample in family.samples)
    return "\n".join(lines) + "\n"


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{_quoted(value)}"' for key, value in sample.labels.items())
    return (
        f"{name}{sample.suffix}{{{labels}}} {sample.value!r}" if labels else f"{name}{sample.suffix} {sample.value!r}"
    )


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
