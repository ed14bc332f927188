"""Questions to a base model in its own words: a plain instruction, no format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tunixrt_core.evaluation.sets.eval_set import EvalRow
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.conversation import Message, calls_text
from tunixrt_core.traces.rendering.context import Asked
from tunixrt_core.training.backend import Backend
from tunixrt_core.training.trainer import Generation

# neither a format nor a way to think: docs/reference/evaluation.md has what others cost a small model
INSTRUCTION = "End with the final answer."

_QUESTION, _ANSWER = "Question:", "Answer:"
_NAMES = {"user": _QUESTION, "assistant": _ANSWER, "tool": "Result:", "system": "Note:"}


@dataclass(frozen=True, slots=True)
class OwnPrompts:
    """The prompts of an evaluation. `plain`: the model has no chat template, so they are text."""

    texts: Sequence[str]
    plain: bool

    def ended(self, found: Generation) -> Generation:
        """An answer to plain text ends where the model goes on to write the next question by itself."""
        if not self.plain:
            return found
        said, next_question, _ = found.text.partition(f"\n{_QUESTION}")
        return replace(found, text=said, hit_limit=found.hit_limit and not next_question)


def own_prompts(backend: Backend, manifest: RunManifest, rows: Sequence[EvalRow]) -> OwnPrompts:
    """The prompts of these rows in the base model's own chat template; plain text where it has none.

    Raises ModelError where the template cannot be rendered.
    """
    asked = [asked_plainly(row) for row in rows]
    rendered = backend.own_prompts(manifest, asked)
    return OwnPrompts([*map(plain_text, asked)] if rendered is None else rendered, plain=rendered is None)


def asked_plainly(row: EvalRow) -> Asked:
    """The row with the plain instruction below its prompt.

    What belongs to the row stays: its own system text and the turns of its conversation. The run's system prompt is
    left out, as it may demand the format of the run, and the instruction where a tool may be called instead.
    """
    prompt = row.prompt if row.conversation.tools else f"{row.prompt}\n\n{INSTRUCTION}"
    return Asked(prompt=prompt, system=row.system or "", conversation=row.conversation)


def plain_text(asked: Asked) -> str:
    """A prompt for a model without a chat template: questions and answers, each after its name."""
    return "\n\n".join(_plain_parts(asked))


def _plain_parts(asked: Asked) -> Iterator[str]:
    talk = asked.conversation
    if asked.system:
        yield asked.system
    if talk.tools:
        yield "\n".join(("Tools:", *map(str, talk.tools)))
    for message in (*talk.messages, Message("user", asked.prompt), *talk.turns):
        said = [text for text in (message.content, calls_text(message.calls) if message.calls else "") if text]
        yield " ".join((_NAMES[message.role], "\n".join(said)))
    yield _ANSWER
