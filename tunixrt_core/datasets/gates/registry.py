"""All gates in order, and their settings in a dataset spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunixrt_core.datasets.gates.check import Gate
from tunixrt_core.datasets.gates.findings import ACTIONS, Action
from tunixrt_core.datasets.gates.rules import (
    answer,
    contamination,
    control,
    conversation,
    exact,
    length,
    near,
    reasoning,
    support,
    tags,
)
from tunixrt_core.errors import InvalidDataset

# rows for themselves first, then rows among each other, then train against eval
GATES: dict[str, Gate] = {
    gate.name: gate
    for gate in (
        answer.GATE,
        support.GATE,
        reasoning.GATE,
        tags.GATE,
        control.GATE,
        conversation.GATE,
        length.GATE,
        exact.GATE,
        near.GATE,
        contamination.GATE,
    )
}


@dataclass(frozen=True, slots=True)
class GateChoice:
    """A gate that is on: whether it warns or excludes, and all its settings."""

    gate: Gate
    action: Action
    settings: Mapping[str, Any]


def chosen_gates(gates: Mapping[str, Any]) -> list[GateChoice]:
    """The gates that are on, in the order in which they are applied, settings filled up with defaults."""
    return [
        GateChoice(gate, gates[name]["action"], {**_defaults(gate), **_settings_of(gates[name])})
        for name, gate in GATES.items()
        if name in gates
    ]


def normal_gates(gates: object) -> dict[str, dict[str, Any]]:
    """`{name: action}` or `{name: {action, setting: value}}` in one form, sorted, without what changes nothing.

    Gates that are off and settings at their default are left out. Raises InvalidDataset, which names the key.
    """
    if not isinstance(gates, Mapping):
        raise InvalidDataset("gates: must be an object of gate names and actions.")
    made = {str(name): _normal(str(name), value) for name, value in sorted(gates.items(), key=lambda i: str(i[0]))}
    return {name: value for name, value in made.items() if value["action"] != "off"}


def _normal(name: str, value: object) -> dict[str, Any]:
    gate = GATES.get(name)
    if gate is None:
        raise InvalidDataset(f"gates.{name}: is not a gate. Known are {', '.join(GATES)}.")
    given = dict(value) if isinstance(value, Mapping) else {"action": value}
    action = _word(given.get("action", "warn"))
    if action not in ACTIONS:
        raise InvalidDataset(f"gates.{name}: {action!r} is not one of {', '.join(ACTIONS)}.")
    settings = {key: _word(chosen) for key, chosen in _settings_of(given).items()}
    for key, chosen in settings.items():
        if key not in gate.settings:
            known = ", ".join(gate.settings) or "none"
            raise InvalidDataset(f"gates.{name}.{key}: is not a setting of this gate. Its settings: {known}.")
        gate.settings[key].check(f"gates.{name}.{key}", chosen)
    changed = {key: chosen for key, chosen in sorted(settings.items()) if chosen != gate.settings[key].default}
    return {"action": action, **changed}


def _word(value: object) -> object:
    """YAML reads the bare words on and off as true and false; no setting of a gate is either."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a gate, at the top level or in an object `settings`."""
    nested = given.get("settings") or {}
    flat = {key: value for key, value in given.items() if key not in ("action", "settings")}
    return {**flat, **nested} if isinstance(nested, Mapping) else {**flat, "settings": nested}


def _defaults(gate: Gate) -> dict[str, Any]:
    return {key: setting.default for key, setting in gate.settings.items()}
