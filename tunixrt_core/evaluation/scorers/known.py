"""All scorers: built in, with a setting, and from users' packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.scorers import final, length, repetition, search, steps, structure
from tunixrt_core.evaluation.scorers.own import OwnScorer, own_scorers, usable
from tunixrt_core.evaluation.scorers.scorer import Scorer, Unit

BUILT_IN: dict[str, Scorer] = {
    scorer.name: scorer for module in (final, structure, steps, repetition, length) for scorer in module.SCORERS
}
TEMPLATES: dict[str, search.Template] = {template.name: template for template in search.TEMPLATES}


@dataclass(frozen=True, slots=True)
class KnownScorer:
    """A scorer for a list. `setting` is empty where it takes none; `package` is that of a user's own scorer, and
    `problem` the reason why it cannot be used.
    """

    name: str
    version: int
    about: str
    unit: Unit = "share"
    higher_is_better: bool | None = True
    setting: str = ""
    package: str = ""
    problem: str = ""

    @property
    def usage(self) -> str:
        """The form that selects it: `format_valid`, `contains=TEXT`."""
        return f"{self.name}={self.setting}" if self.setting else self.name


def known_scorers() -> tuple[KnownScorer, ...]:
    """Every usable scorer, and the user's own that cannot be used, with the reason. Imports the user's packages.

    Names are unique: a user's own scorer whose name is taken is listed with its package after the name.
    """
    own = own_scorers(_taken()).values()
    return (
        *(_known(scorer) for scorer in BUILT_IN.values()),
        *(KnownScorer(t.name, t.version, t.about, setting=t.setting) for t in TEMPLATES.values()),
        *(_known(one.scorer, one.package) for one in own if one.scorer),
        *(_unusable(one) for one in own if not one.scorer),
    )


def chosen_scorers(names: Sequence[str] = ()) -> tuple[Scorer, ...]:
    """Scorers by name or `name=setting`, each once; without names, those of Tunix RT that need no setting.

    Raises InvalidEvaluation for an unknown name and for an invalid setting.
    """
    found = [_chosen(name) for name in dict.fromkeys(names)] if names else list(BUILT_IN.values())
    return tuple(found)


def _chosen(asked: str) -> Scorer:
    name, sign, setting = asked.partition("=")
    if name in TEMPLATES:
        if not setting:
            usage = f"{name}={TEMPLATES[name].setting}"
            raise InvalidEvaluation(f"The scorer {name} needs a setting. Write {usage}.")
        return TEMPLATES[name].scorer(setting)
    if name in BUILT_IN and not sign:
        return BUILT_IN[name]
    own = {} if name in BUILT_IN else own_scorers(_taken())
    if sign and (name in BUILT_IN or name in own):
        raise InvalidEvaluation(f"The scorer {name} takes no setting. Write {name} alone.")
    if name in own:
        return usable(own[name])
    there = (*BUILT_IN, *(f"{t.name}={t.setting}" for t in TEMPLATES.values()), *own)
    raise InvalidEvaluation(f"There is no scorer {asked!r}. Choose one of {', '.join(there)}.")


def _taken() -> frozenset[str]:
    return frozenset(BUILT_IN) | frozenset(TEMPLATES)


def _unusable(own: OwnScorer) -> KnownScorer:
    name = f"{own.name} ({own.package})" if own.name in _taken() else own.name
    return KnownScorer(name, 0, "", package=own.package, problem=own.problem)


def _known(scorer: Scorer, package: str = "") -> KnownScorer:
    return KnownScorer(scorer.name, scorer.version, scorer.about, scorer.unit, scorer.higher_is_better, package=package)
