"""A TraceQuery as SQL: the leading index and the checks per row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, exists, func, literal_column, select

from tunixrt_core.store.query import TraceQuery
from tunixrt_core.store.sql.dialects import Dialect, Narrowed
from tunixrt_core.store.sql.reading import WHOLE
from tunixrt_core.store.sql.tables import trace_notes, trace_scores, trace_tags, traces
from tunixrt_core.traces.scores import PREFERRED, VERDICTS

RARE = 2_000  # as many ids are gathered and sorted in about a millisecond
_CHECKS = 8  # checking a trace for words is this many times as fast as fetching one that the index found


@dataclass(frozen=True)
class Filter:
    """One filter. `ids` finds its traces through an index; `check` tests a row and leaves the planner no index.

    `lead` narrows a select so that the index gives rows in the order of their ids, however many there are; None
    where the index is in another order.
    """

    ids: Select[Any]
    check: ColumnElement[bool]
    lead: Callable[[Select[Any]], Narrowed] | None = None


def narrow(connection: Connection, dialect: Dialect, query: Select[Any], wanted: TraceQuery) -> Narrowed:
    """The select narrowed to the traces that are wanted, and the id by which to order and to page it.

    A rare filter leads, and the few traces that it leaves are checked for the words one by one; then the words, which
    FTS5 returns in order; then a filter whose index is in order. All other queries read from the newest trace on, as
    their filters match many.
    """
    filters = list(_filters(wanted))
    leading = _rarest(connection, dialect, filters, wanted.text) if dialect.plans else None
    key: ColumnElement[int] = traces.c.id
    searches = bool(wanted.text.strip())
    if leading is not None:
        query = query.where(key.in_(leading.ids))
        query = dialect.checking(query, wanted.text) if searches else query
    elif searches:
        query, key = dialect.matching(query, wanted.text)
    else:
        leading = next((one for one in filters if one.lead), None)
        query, key = leading.lead(query) if leading and leading.lead else (query, key)
    rest = [one for one in filters if one is not leading]
    if _could_be_gone(wanted):
        query = query.where(traces.c.deleted_at.is_(None))
    return query.where(*(one.check for one in rest)), key


def _could_be_gone(wanted: TraceQuery) -> bool:
    """Whether a tombstone could match. It has no words, source, steps or tags; only what it lacks, and its time."""
    lacks = {"judged": False, "noted": False, "negative": False, "after": wanted.after, "before": wanted.before}
    return all(name in lacks and lacks[name] == value for name, value in wanted.asked().items())


def _rarest(connection: Connection, dialect: Dialect, filters: list[Filter], text: str) -> Filter | None:
    """The filter that leaves the fewest traces, if they are few, and the words are not much rarer."""
    counted = [(_at_most(connection, one.ids, RARE), one) for one in filters]
    number, fewest = min(counted, key=lambda pair: pair[0], default=(RARE + 1, None))
    if number > RARE:
        return None
    if text.strip() and (few := number // _CHECKS) >= 1:
        hits, _ = dialect.matching(select(traces.c.id), text)
        if _at_most(connection, hits, few) <= few:
            return None
    return fewest


def _at_most(connection: Connection, ids: Select[Any], most: int) -> int:
    some = ids.limit(most + 1).subquery()
    number: int = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return number


def _filters(wanted: TraceQuery) -> Iterator[Filter]:
    for column, value in (
        (traces.c.source, wanted.source),
        (traces.c.model, wanted.model),
        (traces.c.group_key, wanted.group),
    ):
        if value is not None:
            yield Filter(_ids(column == value), func.coalesce(column, "") == value, _leads(column == value))
    if wanted.correct is not None:
        yield _correct(traces.c.correct == int(wanted.correct), int(wanted.correct))
    for column, low, high in (
        (traces.c.step_count, wanted.min_steps, wanted.max_steps),
        (traces.c.size, wanted.min_length, wanted.max_length),
    ):
        if low is not None or high is not None:
            yield _between(column, low, high)
    if wanted.after is not None or wanted.before is not None:
        yield _stored(wanted)
    yield from _said(wanted)


def _said(wanted: TraceQuery) -> Iterator[Filter]:
    """What people and scorers said, and what nobody could say."""
    if wanted.judged is False:
        yield _correct(traces.c.correct.is_(None) & traces.c.deleted_at.is_(None), -1)
    elif wanted.judged:
        yield Filter(_ids(traces.c.correct >= 0), func.coalesce(traces.c.correct, -1) >= 0)
    if wanted.negative is not None:
        yield _negative(wanted.negative)
    for tag in wanted.tags:
        yield _tagged(tag)
    if wanted.score is not None or wanted.score_kind is not None:
        yield _scored(wanted)
    if wanted.noted is not None:
        yield _noted(wanted.noted)


def _negative_ids() -> Select[Any]:
    """The ids of negative examples, by the rule of `traces.scores.is_negative`."""
    score = trace_scores.c
    human = case((score.kind == "human", score.value))
    least = func.coalesce(func.min(human), func.min(score.value))
    most = func.coalesce(func.max(human), func.max(score.value))
    judged = select(score.trace_id).where(score.name.in_(VERDICTS), score.step == WHOLE)
    return judged.group_by(score.trace_id, score.name).having(case((score.name == PREFERRED, least), else_=most) <= 0)


_NEGATIVES = _negative_ids()
# hidden from the planner, which would else read the rows of a table once for each of them
IS_NEGATIVE = func.coalesce(traces.c.id, -1).in_(_NEGATIVES)


def _negative(negative: bool) -> Filter:
    if negative:
        return Filter(_NEGATIVES, IS_NEGATIVE)
    return Filter(select(traces.c.id).where(traces.c.id.not_in(_NEGATIVES)), ~IS_NEGATIVE)


def _correct(plain: ColumnElement[bool], value: int) -> Filter:
    return Filter(_ids(plain), func.coalesce(traces.c.correct, -1) == value, _leads(plain))


def _between(column: ColumnElement[Any], low: object, high: object) -> Filter:
    hidden = func.coalesce(column, -1)
    indexed: list[ColumnElement[bool]] = [column.is_not(None)]
    checked: list[ColumnElement[bool]] = [hidden >= 0]
    if low is not None:
        indexed.append(column >= low)
        checked.append(hidden >= low)
    if high is not None:
        indexed.append(column <= high)
        checked.append(hidden <= high)
    return Filter(_ids(*indexed), _all(checked))


def _stored(wanted: TraceQuery) -> Filter:
    column, hidden = traces.c.created_at, func.coalesce(traces.c.created_at, literal_column("''"))
    indexed: list[ColumnElement[bool]] = []
    checked: list[ColumnElement[bool]] = []
    if wanted.after is not None:
        indexed.append(column >= wanted.after)
        checked.append(hidden >= wanted.after)
    if wanted.before is not None:
        indexed.append(column < wanted.before)
        checked.append(hidden < wanted.before)
    return Filter(_ids(*indexed), _all(checked))


def _tagged(tag: str) -> Filter:
    mine = trace_tags.c.tag == tag
    # correlated with the traces alone: another tag may lead the query
    has = exists().where(mine, trace_tags.c.trace_id == traces.c.id).correlate(traces)

    def lead(query: Select[Any]) -> Narrowed:
        return query.join_from(trace_tags, traces, traces.c.id == trace_tags.c.trace_id).where(
            mine
        ), trace_tags.c.trace_id

    return Filter(select(trace_tags.c.trace_id).where(mine), has, lead)


def _scored(wanted: TraceQuery) -> Filter:
    conditions: list[ColumnElement[bool]] = []
    if wanted.score is not None:
        conditions.append(trace_scores.c.name == wanted.score)
    if wanted.min_score is not None:
        conditions.append(trace_scores.c.value >= wanted.min_score)
    if wanted.max_score is not None:
        conditions.append(trace_scores.c.value <= wanted.max_score)
    if wanted.score_kind is not None:
        conditions.append(trace_scores.c.kind == wanted.score_kind)
    has = exists().where(*conditions, trace_scores.c.trace_id == traces.c.id).correlate(traces)
    return Filter(select(trace_scores.c.trace_id).where(*conditions).distinct(), has)


def _noted(noted: bool) -> Filter:
    has = exists().where(trace_notes.c.trace_id == traces.c.id).correlate(traces)
    if not noted:
        return Filter(select(traces.c.id), ~has)

    def lead(query: Select[Any]) -> Narrowed:
        return query.join_from(trace_notes, traces, traces.c.id == trace_notes.c.trace_id), trace_notes.c.trace_id

    return Filter(select(trace_notes.c.trace_id), has, lead)


def _ids(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(traces.c.id).where(*conditions)


def _leads(condition: ColumnElement[bool]) -> Callable[[Select[Any]], Narrowed]:
    return lambda query: (query.where(condition), traces.c.id)


def _all(conditions: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    first, *rest = conditions
    for one in rest:
        first = first & one
    return first
