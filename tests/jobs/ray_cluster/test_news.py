"""How a job ended is a word and a sentence, which the first of several processes may say for all."""

from __future__ import annotations

import pytest

from tunixrt_core.errors import JobFailed, Stopped, Superseded
from tunixrt_core.jobs.ray_cluster.news import Ended, News, outcome
from tunixrt_core.jobs.spec import JobSpec, WorkerLost

SPEC = JobSpec("r-0001", "r-0001", "train")


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (WorkerLost("it is gone"), "lost"),
        (Superseded("r-0001", 1, 2), "superseded"),
        (Stopped("it is gone"), "stopped"),
        (JobFailed("it is gone"), "failed"),
        (None, "done"),
    ],
)
def test_each_end_has_its_word(error: Exception | None, how: str) -> None:
    def do() -> None:
        if error:
            raise error

    ended = outcome(SPEC, do)
    assert (ended.how, ended.why) == (how, str(error or ""))


def test_an_error_that_is_no_sentence_keeps_its_name() -> None:
    def do() -> None:
        raise ZeroDivisionError("division by zero")

    assert outcome(SPEC, do) == Ended("failed", "ZeroDivisionError: division by zero")


def test_news_are_followed_from_any_number_and_end_once() -> None:
    news = News()
    assert news.is_waiting
    news.tell({"waits": "for machines"})
    assert news.is_waiting
    news.tell({"begun": True})
    assert not news.is_waiting
    assert news.follow(1) == ([{"begun": True}], None)
    news.end(Ended("done"))
    assert news.follow(2) == ([], Ended("done"))


def test_what_the_first_process_said_is_the_end_unless_another_one_was_lost() -> None:
    said, lost = Ended("failed", "The loss became NaN."), Ended("lost", "Process 1 was lost.")
    for last, expected in ((Ended("done"), said), (lost, lost)):
        news = News()
        news.say_ended(said)
        news.end(last)
        assert news.follow(0)[1] == expected
