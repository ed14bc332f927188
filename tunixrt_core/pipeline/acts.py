"""What changes a home: who may do it, and the line of the audit log about it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

from tunixrt_core.errors import NotAllowed, TunixRTError
from tunixrt_core.home.audit import AuditEntry, AuditLog, Outcome
from tunixrt_core.util.actors import Actor, acting_as, current_actor

T = TypeVar("T")
Given = Mapping[str, Any]  # the arguments of a call, by their names

# true while an action is done: what it uses is a part of it
_within: ContextVar[bool] = ContextVar("tunixrt_within_an_act", default=False)


@dataclass(frozen=True, slots=True)
class Act:
    """An action. `of` is the argument that names its object, `made` names it by the result.

    `reads`: who may only read may do it. `begins`: it takes long, and is recorded at its start. `starts` another one in
    the background, which is recorded in its place.
    """

    action: str | Callable[[Given], str]
    kind: str
    of: str | Callable[[Given], str] = ""
    made: Callable[[Any], str] | None = None
    reads: bool | Callable[[Given], bool] = False
    begins: bool = False
    starts: bool = False


def _name(value: object) -> str:
    """The name of an object, as an argument gives it."""
    for attribute in ("id", "name"):
        value = getattr(value, attribute, value)
    return ", ".join(map(_name, value)) if isinstance(value, list | tuple) else str(value)


def _source(given: Given) -> str:
    """The name of what is imported: an upload has one that its sender gave."""
    source = given["source"]
    named = given.get("words", {}).get("name")
    return str(named or (_name(source) if isinstance(source, Path | list | tuple) else "upload"))


def _version(given: Given) -> str:
    version = given["version"]
    return str(given["name"]) if version is None else f"{given['name']} v{version}"


def _annotation(given: Given) -> str:
    archived = given["archived"]
    return "annotate" if archived is None else "archive" if archived else "unarchive"


def _folder(given: Given) -> str:
    return str(given["folder"].path.name)


def _ids(made: Any) -> str:
    return ", ".join(one.id for one in made)


_RUN, _TRACE, _JOB = (
    partial(Act, kind="run", of="run_id"),
    partial(Act, kind="trace", of="ref"),
    partial(Act, kind="job"),
)

# every method of a namespace that changes something, and those readings that are recorded
ACTS: dict[str, dict[str, Act]] = {
    "traces": {
        "begin": Act("import", "file", _source, reads=lambda given: given["kind"] == "check", starts=True),
        "stop_import": Act("stop", "import", "task_id"),
        "ingest": Act("import", "file", _source),
        "ingest_examples": Act("import", "file", lambda given: "bundled examples"),
        "add_many": Act("import", "traces", "name"),
        "add": Act("import", "trace", made=lambda new: "new" if new else "stored already"),
        "tag": _TRACE("annotate"),
        "untag": _TRACE("annotate"),
        "note": _TRACE("annotate"),
        "score": _TRACE("annotate"),
        "unscore": _TRACE("annotate"),
        "delete": _TRACE("delete"),
        "delete_matching": Act("delete", "traces", made=lambda deleted: f"{deleted} that matched a filter"),
    },
    "datasets": {
        "build": Act("build", "dataset", "spec", made=lambda version: f"{version.name} v{version.version}"),
        "start_build": Act("build", "dataset", "spec", starts=True),
        "stop_build": Act("stop", "build", "task_id"),
    },
    "exports": {
        "blocks": Act("export", "dataset", _version, reads=True),
        "traces": Act("export", "traces", reads=True),
        "write": Act("export", "dataset", _version),
        "write_split_files": Act("export", "dataset", _version),
    },
    "manifests": {
        "start_dry_run": _JOB("start", made=_name),
        "stop_dry_run": _JOB("stop", of="dry_run_id"),
        "start_slice_report": _JOB("start", of="name"),
        "stop_slice_report": _JOB("stop", of="task_id"),
    },
    "runs": {
        "start": Act("start", "run", "manifest", made=_name),
        "resume": _RUN("resume"),
        "stop": _RUN("stop"),
        "save_checkpoint": _RUN("save"),
        "tag": _RUN("annotate"),
        "untag": _RUN("annotate"),
        "note": _RUN("annotate"),
        "annotate": _RUN(_annotation),
        "archive": _RUN(_annotation),
        "accept_base": _RUN("accept base"),
        "move_aside": _RUN("move aside"),
    },
    "queue": {"remove": _JOB("remove", of="job_id"), "move": _JOB("move", of="job_id")},
    "model_exports": {
        "start": _RUN("export"),
        "archive": _RUN("download", reads=True),
    },
    "evaluations": {
        "start": _RUN("evaluate", made=_ids),
        "score_again": Act("score again", "evaluation", "eval_id"),
        "stop": Act("stop", "evaluation", "eval_id"),
        "keep_predictions": Act("import", "evaluation", "eval_id"),
        "keep_file": Act("import", "eval file", "name"),
    },
    "playground": {
        "ask": Act("ask", "run", lambda given: given["question"].run_id),
        "stop": Act("stop", "question", "question_id"),
        "keep": Act("import", "question", "question_id"),
        "release": Act("release", "models"),
    },
    "home": {
        "mark_seen": Act("mark as seen", "items"),
        "empty_compile_cache": Act("empty", "compile cache"),
        "start_check": Act("check", "database", starts=True),
        "stop_check": Act("stop", "check", "task_id"),
        "check_store": Act("check", "database"),
        "repair": Act("repair", "home"),
        "backup": Act("back up", "database", "path"),
    },
    "users": {"add": Act("add", "access token", "name"), "revoke": Act("revoke", "access token", "name")},
    "asking": {"stop": Act("stop", "run", _folder), "save": Act("save", "run", _folder)},
    "foreground": {
        "train": Act("train", "run", _folder, begins=True),
        "evaluate": Act("evaluate", "run", lambda given: str(given["plan"].run_folder.path.name), begins=True),
        "export_model": Act("export", "run", _folder, begins=True),
        "ask": Act("ask", "run", _folder),
    },
}


class Acts:
    """Lets an actor act on one home, or refuses it, and records both."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def guard(self, name: str, space: T) -> T:
        """The object whose actions ACTS lists under this name; they go through here from now on."""
        for method, act in ACTS[name].items():
            setattr(space, method, self._guarded(act, getattr(space, method)))
        return space

    def _guarded(self, act: Act, method: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(method)

        @wraps(method)
        def acted(*args: Any, **kwargs: Any) -> Any:
            if _within.get():
                return method(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return self._do(act, bound.arguments, lambda: method(*args, **kwargs))

        return acted

    def _do(self, act: Act, given: Given, work: Callable[[], T]) -> T:
        actor = current_actor()
        action = act.action if isinstance(act.action, str) else act.action(given)
        about = act.of(given) if callable(act.of) else _name(given[act.of]) if act.of else ""
        tell = partial(self._record, actor, action, act.kind)
        if not (actor.writes or (act.reads if isinstance(act.reads, bool) else act.reads(given))):
            refusal = _refusal(actor, f" ({action} {act.kind})")
            tell(about, "refused", refusal)
            raise NotAllowed(refusal)
        if act.begins:
            tell(about, "begun")
        within = _within.set(not act.starts)
        try:
            with acting_as(actor):
                result = work()
        except (TunixRTError, OSError) as error:
            tell(about, "failed", str(error))
            raise
        finally:
            _within.reset(within)
        if not (act.begins or act.starts):
            tell(act.made(result) if act.made else about, "done")
        return result

    def _record(self, actor: Actor, action: str, kind: str, about: str, outcome: Outcome, why: str = "") -> None:
        at = datetime.now(UTC)
        self._log.add(AuditEntry(at, actor.name, actor.via, action, kind, about, outcome, why, actor.address))


def require_write() -> None:
    """Raises NotAllowed for who may only read. For requests that do not come to an action, such as invalid ones."""
    if not (actor := current_actor()).writes:
        raise NotAllowed(_refusal(actor))


def _refusal(actor: Actor, what: str = "") -> str:
    return (
        f"{actor.name} may only read: nothing was changed{what}. Ask for the role write: a token of "
        "`tunixrt users add NAME --role write`, or TUNIXRT_OIDC_WRITE."
    )
