"""Bounded YAML: depth, size, aliases, numbers and dates."""

from __future__ import annotations

from typing import Any

import yaml

MOST_BYTES = 1 << 20
MOST_DEPTH = 20
MOST_NODES = 20_000  # aliases count as what they stand for
MOST_DIGITS = 40

# the parser in C where PyYAML has it; the one in Python reads the same
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotYaml(Exception):
    """Text that cannot be read as YAML, or is beyond a bound. `line` counts from 1; None if unknown."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line


class _Loader(_Base):  # type: ignore[misc]  # PyYAML gives its loaders no types
    """The safe loader, without numbers that take long to read, and with one error for all that it cannot read."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except NotYaml:
            raise
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
            # what PyYAML raises for an impossible date, `!!float abc`, `!!timestamp x`
            shown, kind = str(node.value)[:40], node.tag.rpartition(":")[2]
            raise NotYaml(f"{shown!r} is not a valid {kind}", _line(node.start_mark)) from None

    def construct_yaml_int(self, node: Any) -> Any:
        if len(node.value) > MOST_DIGITS:
            raise NotYaml(f"an integer has more than {MOST_DIGITS} digits", _line(node.start_mark))
        return super().construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def load_yaml(text: str) -> Any:
    """The value of a YAML or JSON text, read by the safe loader. Raises NotYaml, at once for text beyond a bound."""
    if len(text) > MOST_BYTES:
        raise NotYaml(f"is longer than {MOST_BYTES:,} characters")
    try:
        _check_bounds(text)
        return _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error).partition("\n")[0]
        raise NotYaml(problem, _line(mark)) from None
    except UnicodeEncodeError:
        raise NotYaml("holds a lone surrogate, which is not valid Unicode") from None


def _check_bounds(text: str) -> None:
    """Go through the events of the parser, which builds nothing and does not recurse. Raises NotYaml."""
    open_at: list[tuple[str | None, int]] = []  # each open collection: its anchor, and the nodes before it
    anchors: dict[str, int] = {}  # nodes within each anchor that is complete
    total = 0
    for event in yaml.parse(text, Loader=_Base):
        line = _line(event.start_mark)
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_at.pop()
            anchors |= {anchor: total - before} if anchor else {}
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        total += _nodes_of(event, open_at, anchors, line)
        if isinstance(event, yaml.CollectionStartEvent):
            open_at.append((event.anchor, total - 1))
        elif isinstance(event, yaml.ScalarEvent) and event.anchor:
            anchors[event.anchor] = 1
        if len(open_at) > MOST_DEPTH:
            raise NotYaml(f"is nested more than {MOST_DEPTH} levels deep", line)
        if total > MOST_NODES:
            raise NotYaml(f"holds more than {MOST_NODES:,} values, aliases counted as what they repeat", line)


def _nodes_of(
    event: yaml.NodeEvent, open_at: list[tuple[str | None, int]], anchors: dict[str, int], line: int | None
) -> int:
    """Nodes that an event adds: one, or those of the anchor that an alias repeats. Raises NotYaml."""
    if not isinstance(event, yaml.AliasEvent):
        return 1
    name = str(event.anchor)
    if any(anchor == name for anchor, _ in open_at):
        raise NotYaml(f"the alias *{name} is within its own anchor", line)
    return anchors.get(name, 1)


def _line(mark: Any) -> int | None:
    return None if mark is None else mark.line + 1


class _Blocks(yaml.SafeDumper):
    """Text of several lines as a block, and what is said twice written twice, as by a person."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Blocks.add_representer(str, _text)


def block_yaml(value: object) -> str:
    """A value as YAML for people: keys in their order, text of several lines as blocks."""
    return yaml.dump(value, Dumper=_Blocks, sort_keys=False, allow_unicode=True, width=200)
