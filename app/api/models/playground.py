"""Requests and responses of the playground."""

from __future__ import annotations

from pydantic import BaseModel, Field

from app.api.models.bodies import AnsweringBody, Body
from tunixrt_core.evaluation.questions import Question
from tunixrt_core.runs.evaluation_record import Target


class QuestionBody(AnsweringBody):
    """One prompt to one run. Without more, both models answer greedily."""

    run_id: str = Field(max_length=120)
    prompt: str = Field(min_length=1)
    system: str | None = Field(None, description="Null is the manifest's system prompt, an empty text is none.")

    def question(self) -> Question:
        """Raises InvalidEvaluation."""
        return Question(
            run_id=self.run_id,
            prompt=self.prompt,
            system=self.system,
            targets=tuple(self.targets),
            checkpoint=self.checkpoint,
            sampling=self.sampling(),
            max_new_tokens=self.max_new_tokens,
        )


class KeepBody(Body):
    """Which of the answers becomes a trace."""

    target: Target
    final_answer: str | None = Field(None, min_length=1, description="For an answer in which none can be read.")
    reference_answer: str | None = Field(None, min_length=1, description="What the answer should be, where known.")


class KeepPredictionsBody(Body):
    only_correct: bool = True
    scorer: str = Field("exact_match", max_length=200, description="Tells what is correct, and goes along as a score.")


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


class ModelAnswer(BaseModel):
    target: Target
    train_step: int | None = Field(description="Of the checkpoint; null for the base model.")
    model: str = Field(description="What a kept trace names as its model.")
    output: str
    steps: list[str]
    answer: str | None = Field(description="Null where no final answer can be read.")
    prompt_tokens: int
    tokens: int
    hit_limit: bool = Field(description="It ended at max_new_tokens.")
    seconds: float
    compiled: bool = Field(description="Compiling is in the seconds.")


class QuestionAnswered(BaseModel):
    id: str
    question: AskedQuestion
    status: str = Field(description="queued, loading, compiling, running, succeeded, failed or stopped.")
    phase: str = Field(description="What `target` is doing: loading, compiling, generating.")
    target: Target | None
    message: str = Field(description="Why it failed.")
    answers: list[ModelAnswer] = Field(description="As they come.")


class KeptTrace(BaseModel):
    id: str = Field(description="Hash of the trace.")
    new: bool = Field(description="False where it was there already.")
