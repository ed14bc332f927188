"""Questions to a run's models, and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tunixrt_core.errors import InvalidEvaluation, InvalidTrace
from tunixrt_core.runs.evaluation_record import TARGETS, Target
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation, check_conversation
from tunixrt_core.traces.trace import MAX_TRACE_BYTES
from tunixrt_core.training.trainer import GREEDY, Sampling
from tunixrt_core.util.hashing import check_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One prompt to one run. Raises InvalidEvaluation for invalid values.

    `system`: None for the manifest's, an empty text for none. `checkpoint`: `last`, `best` or a train step, of the
    tuned model. `max_new_tokens`: None for the length of the longest row trained on. `conversation`: the turns around
    the prompt, and tools. `begun`: the beginning of the answer; the model goes on behind it.
    """

    run_id: str
    prompt: str
    system: str | None = None
    targets: tuple[Target, ...] = TARGETS
    checkpoint: str = "last"
    sampling: Sampling = GREEDY
    max_new_tokens: int | None = None
    conversation: Conversation = NO_CONVERSATION
    begun: str = ""

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise InvalidEvaluation("The prompt is empty. Write a question.")
        if not self.targets or set(self.targets) - set(TARGETS) or len(set(self.targets)) < len(self.targets):
            raise InvalidEvaluation(
                f"targets is {', '.join(self.targets) or 'empty'}. Name base, tuned or both, each once."
            )
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            raise InvalidEvaluation(f"max_new_tokens is {self.max_new_tokens}. Set it to at least 1.")
        for name, text in (("prompt", self.prompt), ("system", self.system or ""), ("begun", self.begun)):
            _check(name, text)
        try:
            check_conversation(self.conversation)
        except InvalidTrace as error:
            raise InvalidEvaluation(f"{error}.") from None
        if self.conversation.calls:
            raise InvalidEvaluation("calls: are what the model is to write. Leave them out, or put them into turns.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"conversation": self.conversation.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Question:
        """The question of a `to_dict`."""
        return msgspec.convert(data, cls)


class AskedIn(NamedTuple):
    """The prompt with what is around it. `system` is None where the messages hold none."""

    prompt: str
    system: str | None
    conversation: Conversation


def asked_in(messages: Any, tools: Any = None) -> AskedIn:
    """What messages ask, in any form that an import reads. They end with the user's, or with the result of a tool.

    `tools` are definitions, as OpenAI, Anthropic or Gemini write them. Raises InvalidEvaluation.
    """
    from tunixrt_core.ingest.formats.prompt_completion import prompt_of
    from tunixrt_core.ingest.reasoning.calls import read_tools

    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise InvalidEvaluation("messages: must be a list with at least one message. Write each as an object.")
    try:
        found = prompt_of(list(messages), "messages")
    except InvalidTrace as error:
        raise InvalidEvaluation(f"{error}.") from None
    talk = found.conversation
    if tools:
        read = read_tools(tools)
        if read is None:
            raise InvalidEvaluation("tools: hold no definitions. Write a list of objects with `name` and `parameters`.")
        talk = replace(talk, tools=read)
    return AskedIn(found.prompt, found.system, talk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answer of one model. `train_step` is None for the base model; `model` is the model name of a saved trace.

    `answer` is None where none could be read. `output` includes what was begun, `tokens` does not. `seconds` is the
    time of generating, without loading; `compiled` says whether it includes compiling.
    """

    target: Target
    train_step: int | None
    model: str
    output: str
    steps: tuple[str, ...]
    answer: str | None
    prompt_tokens: int  # 0: unknown
    tokens: int
    hit_limit: bool
    seconds: float
    compiled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionState:
    """One question in progress. `target` is the model of `phase`; answers are added as they come.

    `written` is what that model has written so far.
    """

    id: str
    question: Question
    status: RunStatus = RunStatus.QUEUED
    phase: str = ""  # loading, compiling, generating
    target: Target | None = None
    message: str = ""  # reason of a failure
    answers: tuple[Answered, ...] = ()
    written: str = ""

    @property
    def over(self) -> bool:
        return self.status.over

    def answer_of(self, target: Target) -> Answered | None:
        """The answer of a model; None where it has not answered, or was not asked."""
        return next((found for found in self.answers if found.target == target), None)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "question": self.question.to_dict(), "status": self.status.value}


def _check(name: str, text: str) -> None:
    try:
        check_text(text, name)
    except ValueError as error:
        raise InvalidEvaluation(f"{error}.") from None
    if (size := len(text.encode())) > MAX_TRACE_BYTES:
        raise InvalidEvaluation(
            f"{name} is {size:,} bytes long, but at most {MAX_TRACE_BYTES:,} are allowed. Shorten it."
        )
