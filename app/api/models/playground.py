"""Requests and responses of the playground."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from app.api.models.bodies import AnsweringBody, Body
from tunixrt_core.errors import InvalidEvaluation
from tunixrt_core.evaluation.questions.question import AskedIn, Question, asked_in
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.traces.conversation import conversation_of


class ConversationBody(Body):
    """The turns around the prompt, and tools, as in a trace."""

    messages: list[dict[str, Any]] = Field([], description="Turns before the prompt, without the system prompt.")
    turns: list[dict[str, Any]] = Field([], description="Calls of the assistant and results of tools behind it.")
    tools: list[dict[str, Any] | str] = Field(
        [], description="Definitions of tools that the model may call, as objects or their JSON text."
    )


class QuestionBody(AnsweringBody):
    """One prompt to one run. By default both models answer greedily."""

    run_id: str = Field(max_length=120)
    prompt: str | None = Field(None, min_length=1, description="Prompt; behind `messages` where there are some.")
    messages: list[dict[str, Any]] = Field(
        [], description="Chat messages, with roles and tool calls as OpenAI writes them, instead of `conversation`."
    )
    tools: list[dict[str, Any]] = Field([], description="Definitions of tools beside `messages`.")
    system: str | None = Field(None, description="System prompt. Null: that of the manifest. Empty: none.")
    conversation: ConversationBody = ConversationBody()
    begun: str = Field("", description="Beginning of the answer; the model goes on behind it.")

    def question(self) -> Question:
        """Raises InvalidEvaluation, InvalidTrace."""
        asked = self._asked()
        return Question(
            run_id=self.run_id,
            prompt=asked.prompt,
            system=asked.system if self.system is None else self.system,
            targets=tuple(self.targets),
            checkpoint=self.checkpoint,
            sampling=self.sampling(),
            max_new_tokens=self.max_new_tokens,
            conversation=asked.conversation,
            begun=self.begun,
        )

    def _asked(self) -> AskedIn:
        if self.messages or self.tools:
            last = [] if self.prompt is None else [{"role": "user", "content": self.prompt}]
            if self.conversation != ConversationBody():
                raise InvalidEvaluation("conversation: is given beside messages. Put all turns into one of them.")
            return asked_in([*self.messages, *last], self.tools)
        return AskedIn(self.prompt or "", None, conversation_of(self.conversation.model_dump()))


class KeepBody(Body):
    """The answer to keep as a trace."""

    target: Target
    final_answer: str | None = Field(
        None, min_length=1, description="Final answer, for an output that has no readable one."
    )
    reference_answer: str | None = Field(None, min_length=1, description="Correct answer, if known.")


class KeepPredictionsBody(Body):
    only_correct: bool = True
    scorer: str = Field(
        "exact_match",
        max_length=200,
        description="Scorer that decides which answers are correct; its score is kept with the trace.",
    )


class SamplingUsed(BaseModel):
    temperature: float
    top_p: float
    top_k: int | None
    seed: int


class AskedQuestion(BaseModel):
    run_id: str
    prompt: str
    system: str | None
    targets: list[Target]
    checkpoint: str
    sampling: SamplingUsed
    max_new_tokens: int | None
    conversation: ConversationBody
    begun: str


class ModelAnswer(BaseModel):
    target: Target
    train_step: int | None = Field(description="Train step of the checkpoint; null for the base model.")
    model: str = Field(description="Model name recorded in a kept trace.")
    output: str = Field(description="What the model wrote, behind what was begun.")
    steps: list[str]
    answer: str | None = Field(description="Null if no final answer can be read.")
    prompt_tokens: int
    tokens: int
    hit_limit: bool = Field(description="Whether the output ended at max_new_tokens.")
    seconds: float
    compiled: bool = Field(description="Whether the time includes compiling.")


class QuestionAnswered(BaseModel):
    id: str
    question: AskedQuestion
    status: str = Field(description="queued, loading, compiling, running, succeeded, failed or stopped.")
    phase: str = Field(description="Current phase of `target`: loading, compiling, generating.")
    target: Target | None
    message: str = Field(description="Reason for a failure.")
    answers: list[ModelAnswer] = Field(description="Answers so far.")
    written: str = Field(description="What `target` has written so far, while it is generating.")


class KeptTrace(BaseModel):
    id: str = Field(description="Hash of the trace.")
    new: bool = Field(description="False if the trace already exists.")
