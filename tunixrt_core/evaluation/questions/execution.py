"""One question in the calling thread, for queue and command."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tunixrt_core.errors import Busy
from tunixrt_core.evaluation.harvest import model_label, read_output
from tunixrt_core.evaluation.planning import longest_row
from tunixrt_core.evaluation.questions.question import Answered, Question
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.training.backend import Backend
from tunixrt_core.training.base_model import require_same_base
from tunixrt_core.training.trainer import Generation, Generator

OnPhase = Callable[[Target, str], None]


@dataclass(frozen=True, slots=True)
class AskedRun:
    """The run that a question is about."""

    name: str  # its id, or the name of its folder where there is no database
    manifest: RunManifest
    folder: RunDir

    def train_step(self, target: Target, checkpoint: str) -> int | None:
        """The train step of the weights that would answer; None for the base model. Raises NotFound."""
        return self.folder.checkpoint_step(checkpoint) if target == "tuned" else None


# folder, manifest, train step: they identify the model
_Key = tuple[Path, str, int | None]


class LoadedModels:
    """The base and the tuned model of one run, kept in memory between questions.

    `using` gives them to one thread at a time; they are closed after `idle_seconds` without it.
    """

    def __init__(self, backend: Backend, idle_seconds: float = 600.0) -> None:
        self._backend = backend
        self.idle_seconds = idle_seconds
        self._in_use = threading.Lock()
        self._idle: threading.Timer | None = None
        self._held: dict[Target, tuple[_Key, Generator]] = {}
        self._on_phase: OnPhase = lambda target, phase: None

    @property
    def held(self) -> tuple[Target, ...]:
        """The models in memory."""
        return tuple(self._held)

    def listen(self, on_phase: OnPhase) -> None:
        """Send the phases of all models, also those loaded for earlier questions, to this callback from now on."""
        self._on_phase = on_phase

    def take(self, asked: AskedRun, target: Target, checkpoint: str) -> Generator:
        """The model, loaded unless it is in memory. Models of another run or checkpoint are closed first."""
        wanted = self._key(asked, target, checkpoint)
        for held, (key, _) in list(self._held.items()):
            if key[:2] != wanted[:2] or (held == target and key != wanted):
                self._drop(held)
        if target not in self._held:
            self._on_phase(target, "loading")
            require_same_base(asked.folder, asked.manifest, self._backend.base_directory(asked.manifest))
            path = asked.folder.checkpoint(checkpoint) if target == "tuned" else None
            load = self._backend.load_generator()
            found = load(asked.manifest, path, on_phase=lambda phase: self._on_phase(target, phase))
            self._held[target] = wanted, found
        return self._held[target][1]

    @contextmanager
    def using(self) -> Iterator[LoadedModels]:
        """The models, for this thread alone. After an error, such as for lack of memory, none of them is kept."""
        self._stay()
        with self._in_use, ExitStack() as after_an_error:
            after_an_error.callback(self.close)
            yield self
            after_an_error.pop_all()
        self._idle = threading.Timer(self.idle_seconds, self._leave)
        self._idle.daemon = True
        self._idle.start()

    def make_room(self) -> None:
        """Close them, when nobody uses them any more."""
        self._stay()
        with self._in_use:
            self.close()

    def release(self) -> None:
        """Close them now. Raises Busy while they are used."""
        if not self._in_use.acquire(blocking=False):
            raise Busy("A question is being answered. Stop it, or wait for its end, and free the memory then.")
        try:
            self._stay()
            self.close()
        finally:
            self._in_use.release()

    def close(self) -> None:
        """Release the memory. For who has them alone."""
        for target in list(self._held):
            self._drop(target)

    def _leave(self) -> None:
        with suppress(Busy):  # a question came meanwhile, and will close them later
            self.release()

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()

    def _drop(self, target: Target) -> None:
        _, generator = self._held.pop(target)
        generator.close()

    @staticmethod
    def _key(asked: AskedRun, target: Target, checkpoint: str) -> _Key:
        return asked.folder.path, asked.manifest.content_hash, asked.train_step(target, checkpoint)


def execute_question(
    question: Question,
    asked: AskedRun,
    models: LoadedModels,
    *,
    on_phase: OnPhase = lambda target, phase: None,
    on_answer: Callable[[Answered], None] = lambda answered: None,
    on_text: Callable[[Target, str], None] | None = None,
    stop: threading.Event | None = None,
) -> tuple[Answered, ...]:
    """One answer per selected model; fewer where `stop` ended it. Errors are raised.

    `on_text` gets what a model has written so far, behind what was begun, every few tokens.
    """
    models.listen(on_phase)
    answers: list[Answered] = []
    for target in question.targets:
        if stop and stop.is_set():
            break
        generator = models.take(asked, target, question.checkpoint)
        on_phase(target, "generating")
        answered = _answer(question, asked, target, generator, on_text, stop)
        if answered is not None:
            answers.append(answered)
            on_answer(answered)
    return tuple(answers)


def _answer(
    question: Question,
    asked: AskedRun,
    target: Target,
    generator: Generator,
    on_text: Callable[[Target, str], None] | None,
    stop: threading.Event | None,
) -> Answered | None:
    began, compiles = time.perf_counter(), generator.compiles
    prompt = asked.manifest.rendering.prompt(question.prompt, question.system, question.conversation)
    found = generator.generate(
        [prompt + question.begun],
        max_new_tokens=question.max_new_tokens or longest_row(asked.manifest, asked.folder),
        sampling=question.sampling,
        on_text=None if on_text is None else lambda texts: on_text(target, question.begun + texts[0]),
        stop=stop,
    )
    seconds = time.perf_counter() - began
    if not found:
        return None
    whole = replace(found[0], text=question.begun + found[0].text)
    return _answered(asked, target, question.checkpoint, whole, seconds, generator.compiles > compiles)


def _answered(
    asked: AskedRun, target: Target, checkpoint: str, found: Generation, seconds: float, compiled: bool
) -> Answered:
    train_step = asked.train_step(target, checkpoint)
    parsed = read_output(found.text, asked.manifest.rendering.reasoning)
    return Answered(
        target=target,
        train_step=train_step,
        model=model_label(asked.manifest, asked.name, train_step),
        output=found.text,
        steps=parsed.steps,
        answer=parsed.answer,
        prompt_tokens=found.prompt_tokens,
        tokens=found.tokens,
        hit_limit=found.hit_limit,
        seconds=seconds,
        compiled=compiled,
    )
