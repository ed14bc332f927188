"""Hyperparameters: name, path, type, unit, default, usual range, help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.models import BUILTIN_MODEL_IDS

ANY, BUILT_IN = "any", "built-in"  # keys of Hyper.usual besides the methods
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Hyper:
    """Marks a field of a manifest section as a hyperparameter, and holds its other properties.

    `name` is the flat name that forms, the API and the command use. `usual` holds ranges, ends included, by method, or
    under ANY; one under BUILT_IN applies to the built-in models, whatever the method. `too_low` and `too_high` say what
    a value outside that range leads to.
    """

    name: str
    label: str = ""
    unit: str = ""
    usual: Mapping[str, Range] = field(default_factory=dict)
    too_low: str = ""
    too_high: str = ""


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One row of the table. `default` is as in the manifest's JSON; presets may start from another value."""

    path: tuple[str, ...]
    default: Any
    mark: Hyper
    field: FieldInfo

    @property
    def name(self) -> str:
        return self.mark.name

    @property
    def key(self) -> str:
        """`optimizer.learning_rate`."""
        return ".".join(self.path)

    @property
    def label(self) -> str:
        """Of its form field."""
        return self.mark.label or self.name.replace("_", " ").capitalize()

    @property
    def help(self) -> str:
        return self.field.description or ""

    @property
    def type(self) -> type:
        """Of its values; null aside."""
        kinds = [kind for kind in get_args(self.field.annotation) if kind is not type(None)]
        kind = kinds[0] if kinds else self.field.annotation
        assert isinstance(kind, type)
        return kind

    @property
    def nullable(self) -> bool:
        return type(None) in get_args(self.field.annotation)

    @property
    def choices(self) -> tuple[str, ...]:
        """Values of an enumeration; empty for every other type."""
        return tuple(str(each.value) for each in self.type) if issubclass(self.type, StrEnum) else ()

    def bound(self, kind: str) -> float | None:
        """The `ge`, `gt`, `le` or `lt` of its values, where there is one."""
        found = (getattr(item, kind, None) for item in self.field.metadata)
        return next((value for value in found if value is not None), None)

    @property
    def least(self) -> float | None:
        """The smallest value, where there is one: `above 0` has none."""
        return self.bound("ge")

    @property
    def most(self) -> float | None:
        """The largest value, where there is one."""
        below = self.bound("lt")
        return below - 1 if below is not None and self.type is int else self.bound("le")

    def usual(self, method: str, model_id: str) -> Range | None:
        """The range in which its values are usual for a method and a model, ends included."""
        keys = (*((BUILT_IN,) if model_id in BUILTIN_MODEL_IDS else ()), method, ANY)
        return next((self.mark.usual[key] for key in keys if key in self.mark.usual), None)

    def schema(self) -> dict[str, Any]:
        """JSON Schema of its values."""
        found = TypeAdapter(self.field.rebuild_annotation()).json_schema()
        return {**found, "title": self.label, "description": self.help, "default": self.default}


class Unusual(NamedTuple):
    """A value outside of the usual range of its hyperparameter, and its consequence."""

    parameter: Hyperparameter
    value: float
    usual: Range
    effect: str


class Hyperparameters(dict[str, Hyperparameter]):
    """The table by flat name, in the order of the manifest's keys."""

    def __init__(self, manifest: type[BaseModel]) -> None:
        super().__init__((row.name, row) for row in _rows(manifest, (), None))

    def write(self, data: dict[str, Any], values: Mapping[str, Any], *, where: str) -> None:
        """Write values by flat name into a manifest's dictionary. A new duration replaces the other one.

        Raises InvalidManifest, naming it in `where`, for an unknown hyperparameter.
        """
        for name, value in values.items():
            if name not in self:
                raise InvalidManifest(f"{where}.{name}", f"is not a hyperparameter; known are {', '.join(self)}")
            *sections, last = self[name].path
            section = data
            for key in sections:
                section = section.setdefault(key, {})
            section[last] = value
        for name, other in (("train_steps", "epochs"), ("epochs", "train_steps")):
            if values.get(name) is not None and other not in values:
                data["duration"][other] = None

    def read(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a whole manifest's dictionary by flat name."""
        found: dict[str, Any] = {}
        for name, row in self.items():
            value: Any = data
            for key in row.path:
                value = value[key]
            found[name] = value
        return found

    def unusual(self, data: Mapping[str, Any]) -> Iterator[Unusual]:
        """The values of a whole manifest's dictionary that lie outside of their usual range."""
        for name, value in self.read(data).items():
            row = self[name]
            usual = row.usual(data["method"], data["model"]["id"])
            if usual is not None and value is not None and not usual[0] <= value <= usual[1]:
                yield Unusual(row, value, usual, row.mark.too_low if value < usual[0] else row.mark.too_high)


def range_words(usual: Range) -> str:
    """`0.1 to 20`."""
    return f"{usual[0]:g} to {usual[1]:g}"


def _rows(model: type[BaseModel], path: tuple[str, ...], start: BaseModel | None) -> Iterator[Hyperparameter]:
    """The hyperparameters of a section and of those in it. `start` is the default of the section."""
    for name, info in model.model_fields.items():
        default = getattr(start, name) if start is not None else info.default
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _rows(info.annotation, (*path, name), default if isinstance(default, BaseModel) else None)
        for mark in info.metadata:
            if isinstance(mark, Hyper):
                plain = default.value if isinstance(default, Enum) else default
                yield Hyperparameter((*path, name), plain, mark, info)
