"""Chat templates rendered in a process that can be killed.

A template is a program that came with a model: it may loop, divide by zero or build gigabytes of text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, NoReturn, Self

from tunixrt_core.errors import ModelError
from tunixrt_core.traces.answers.pool import VerifyPool

SECONDS, MEGABYTES = 5.0, 512
MOST_TEXT = 4 << 20  # characters of a rendered text

_TARGET = f"{__name__}:render"
_ENDED = {
    "timeout": f"it did not end within {SECONDS:g} s",
    "memory": f"it needed more than {MEGABYTES} MB",
    "crash": "its process ended",
}


class TemplateError(ModelError):
    """A chat template cannot be rendered; the message is the reason."""


class TemplateRenderer:
    """Renders one chat template in a process of its own, which starts with the first text and ends with the block."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._pool = VerifyPool(target=_TARGET, workers=1, seconds=SECONDS, megabytes=MEGABYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()

    def render(self, values: Mapping[str, Any]) -> str:
        """The text with these variables. Raises TemplateError where there is none within SECONDS and MEGABYTES."""
        said = self._pool.submit(self._source, json.dumps(values)).result()
        if said in _ENDED:
            raise TemplateError(_ENDED[said])
        if said.startswith("!"):
            raise TemplateError(said[1:])
        return said[1:]


def render(source: str, values: str) -> str:
    """In the process: `=` and the text, or `!` and the reason why there is none. `values` is a JSON object."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _as_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
    try:
        text = environment.from_string(source).render(**json.loads(values))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a template may raise anything
        return f"!{error or type(error).__name__}"[:_MOST_REASON]
    return f"={text}" if len(text) <= MOST_TEXT else f"!it writes more than {MOST_TEXT:,} characters"


_MOST_REASON = 300


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)


def _as_json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
