"""What an actor that does or leads a job keeps for the agent that follows it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from tunixrt_core.errors import Stopped, Superseded, TunixRTError
from tunixrt_core.jobs.spec import JobSpec, WorkerLost

log = logging.getLogger(__name__)

_PATIENCE = 1.0  # seconds that a question for news waits for some


class Ended(NamedTuple):
    """How a job ended, and the sentence about it, which may be empty."""

    how: Literal["done", "failed", "superseded", "stopped", "lost"]
    why: str = ""


class News:
    """The news of a job and how it ended, for an agent that follows it now or after a restart."""

    def __init__(self) -> None:
        self._news: list[Mapping[str, Any]] = []
        self._ended: Ended | None = None
        self._changed = threading.Condition()
        self.first_ended: Ended | None = None  # how the first of several processes says that it ended

    def follow(self, since: int) -> tuple[list[Mapping[str, Any]], Ended | None]:
        """The news after the first `since` ones, and how the job ended; waits a second for some."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._news) > since or self._ended, _PATIENCE)
            return self._news[since:], self._ended

    def tell(self, news: Mapping[str, Any]) -> None:
        """Keep news of the job."""
        with self._changed:
            self._news.append(dict(news))
            self._changed.notify_all()

    @property
    def is_waiting(self) -> bool:
        """Whether none of several processes has begun."""
        return all("waits" in news for news in self._news)

    def say_ended(self, how: Ended) -> None:
        """The first of several processes has ended."""
        self.first_ended = how

    def end(self, how: Ended) -> None:
        """The job has ended: as the first of several processes said, unless another one was lost."""
        with self._changed:
            self._ended = self.first_ended if how.how == "done" and self.first_ended else how
            self._changed.notify_all()


def outcome(spec: JobSpec, do: Callable[[], None]) -> Ended:
    """How a job ended that is done in this thread."""
    try:
        do()
    except WorkerLost as error:
        return Ended("lost", str(error))
    except Superseded as error:
        return Ended("superseded", str(error))
    except Stopped as error:
        return Ended("stopped", str(error))
    except TunixRTError as error:
        return Ended("failed", str(error))
    except Exception as error:  # the worker's outermost frame: its server must get any error
        log.exception("job for %s failed", spec.run)
        return Ended("failed", f"{type(error).__name__}: {error}")
    return Ended("done")
