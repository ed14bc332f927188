"""Form fields of hyperparameters, from their table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.ui.forms.fields import choice_field, number_field, toggle_field
from app.ui.forms.source import NULL, Label
from tunixrt_core.manifest.hyperparameters import range_words
from tunixrt_core.manifest.manifest import HYPERPARAMETERS
from tunixrt_core.manifest.sections import LengthPolicy, Method, Remat
from tunixrt_core.traces.rendering.context import EarlierThinking, TrainOn
from tunixrt_core.traces.rendering.styles import ReasoningStyle

STYLE_WORDS = {
    ReasoningStyle.TAGS: "Steps, then answer (tags)",
    ReasoningStyle.THINK: "Steps, then answer (<think>)",
    ReasoningStyle.NUMBERED: "Numbered steps, then answer",
    ReasoningStyle.PLAIN: "Steps, then answer (####)",
    ReasoningStyle.ANSWER: "Answer only",
}
LENGTH_WORDS = {LengthPolicy.DROP_ROW: "Leave the row out", LengthPolicy.DROP_STEPS: "Drop middle steps"}
METHOD_WORDS = {Method.FULL: "All weights", Method.LORA: "LoRA", Method.QLORA: "QLoRA"}
REMAT_WORDS = {Remat.NONE: "Nothing", Remat.BLOCK: "Attention of each layer", Remat.DECODER: "Each layer"}
TRAIN_ON_WORDS = {
    TrainOn.LAST: "Last turn",
    TrainOn.ALL: "All turns of the assistant",
    TrainOn.MARKED: "Turns that the data marks",
}
THINKING_WORDS = {
    EarlierThinking.TEMPLATE: "As the model's template",
    EarlierThinking.KEEP: "Keep",
    EarlierThinking.DROP: "Drop",
}
# words for a field's value, in the field and in the list of changes
FIELD_WORDS: dict[str, Callable[[Any], str]] = {
    "reasoning": lambda name: STYLE_WORDS[ReasoningStyle(name)],
    "too_long": lambda name: LENGTH_WORDS[LengthPolicy(name)],
    "train_on": lambda name: TRAIN_ON_WORDS[TrainOn(name)],
    "earlier_thinking": lambda name: THINKING_WORDS[EarlierThinking(name)],
    "method": lambda name: METHOD_WORDS[Method(name)],
    "schedule": str.capitalize,
    "remat": lambda name: REMAT_WORDS[Remat(name)],
}


def first_value(name: str) -> Any:
    """The default of a hyperparameter's field, unless a preset sets it."""
    default = HYPERPARAMETERS[name].default
    return NULL[name] if default is None and name in NULL else default


@dataclass(frozen=True, slots=True)
class HyperFields:
    """The fields of one form. `label` marks a field that was changed; `search` are words to find a setting by."""

    prefix: str
    label: Label
    model_id: str
    method: Method
    search: str = ""

    def found(self, name: str) -> bool:
        """Whether a setting is searched for: every word is in its label, its key or its help."""
        row, words = HYPERPARAMETERS[name], self.search.casefold().split()
        text = f"{row.label} {row.key} {row.help}".casefold()
        return bool(words) and all(word in text for word in words)

    def number(
        self, name: str, low: float | None = None, *, high: float | None = None, **options: Any
    ) -> float | int | None:
        """`low` and `high` if the table's bound is not a value itself, as in `above 0`. None for a zero that
        means none.
        """
        row = HYPERPARAMETERS[name]
        least = NULL.get(name, row.least) if low is None else low
        most = row.most if high is None else high
        assert least is not None
        value: float | int | None = number_field(
            self._label(name),
            row.type(least),
            None if most is None else row.type(most),
            key=self._key(name),
            help=self._help(name),
            **options,
        )
        return None if name in NULL and not value else value

    def choice(self, name: str) -> Any:
        return choice_field(
            self._label(name),
            HYPERPARAMETERS[name].choices,
            format_func=FIELD_WORDS.get(name, str),
            key=self._key(name),
            help=self._help(name),
        )

    def toggle(self, name: str) -> Any:
        return toggle_field(self._label(name), key=self._key(name), help=self._help(name))

    def _label(self, name: str) -> str:
        text = self.label(name, HYPERPARAMETERS[name].label)
        return f":blue-background[{text}]" if self.found(name) else text

    def _key(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def _help(self, name: str) -> str:
        row = HYPERPARAMETERS[name]
        usual = row.usual(self.method.value, self.model_id)
        text = row.help.replace("null", "0") if name in NULL else row.help
        return f"{text} Usual: {range_words(usual)}." if usual else text
