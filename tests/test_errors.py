"""The tree that errors.py draws is the tree of its classes, with what can be retried marked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tunixrt_core import errors

NODE = re.compile(r"^    ((?:│   |    )*)(?:[├└]── )?(\w+)\s+(\(\*\))?")


def drawn() -> Iterator[tuple[str, str, bool]]:
    """Base, class and mark of every line under the root."""
    lines = (errors.__doc__ or "").split("\n\n")[1].splitlines()
    above = ["TunixRTError"]
    for line in lines[1:]:
        found = NODE.match(line)
        assert found, line
        depth = len(found[1]) // 4 + 1
        yield above[depth - 1], found[2], bool(found[3])
        above[depth:] = [found[2]]


def classes(base: type[errors.TunixRTError]) -> Iterator[tuple[str, str, bool]]:
    for sub in base.__subclasses__():
        if sub.__module__ == errors.__name__:
            yield base.__name__, sub.__name__, sub.retryable
            yield from classes(sub)


def test_the_tree_that_is_drawn_is_that_of_the_classes() -> None:
    assert sorted(drawn()) == sorted(classes(errors.TunixRTError))


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [getattr(errors, name).code for _, name, _ in classes(errors.TunixRTError)]
    assert len(codes) == len(set(codes))
