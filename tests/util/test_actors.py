"""Everything is done by somebody: the innermost actor, also in background tasks, or else the system user."""

from __future__ import annotations

import getpass

from tunixrt_core.util.actors import Actor, acting_as, current_actor
from tunixrt_core.util.tasks import Tasks

ANA, BEN = Actor("ana", "API"), Actor("ben", "page", writes=False)


def test_the_innermost_actor_acts_and_without_one_the_system_user() -> None:
    assert current_actor() == Actor(f"system user {getpass.getuser()}", "script")
    with acting_as(ANA):
        with acting_as(BEN):
            assert current_actor() == BEN
        assert current_actor() == ANA


def test_a_background_task_acts_for_who_started_it() -> None:
    tasks: Tasks[Actor] = Tasks("import")
    with acting_as(ANA):
        started = tasks.start(lambda on_progress, stop: current_actor())
    assert tasks.wait(started.id, 10).value() == ANA
