"""Diagnostics bundle: a zip without secrets and without trace text."""

from __future__ import annotations

import os
import platform
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from tunixrt_core import __version__
from tunixrt_core.errors import BrokenFile
from tunixrt_core.home import doctor
from tunixrt_core.home.disk import measure
from tunixrt_core.home.redaction import REMOVED, Redactor, known_secrets, names_secret
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.waiting.job import Queue
from tunixrt_core.runs.folder import RunDir, find_run_dirs
from tunixrt_core.settings import Settings
from tunixrt_core.util.files.archive import Sink
from tunixrt_core.util.files.regular import open_regular, read_regular
from tunixrt_core.util.files.tails import tail
from tunixrt_core.util.files.yaml import NotYaml, load_yaml

NEWEST_RUNS = 5
RUN_LOG_LINES = 200
SERVER_LOG_LINES = 2_000
_ENVIRONMENT = ("TUNIXRT_", "JAX_", "XLA_", "LIBTPU_", "TPU_")
_MOST_ALERTS = 200
_ABOUT = """Tunix RT diagnostics, {now:%Y-%m-%d %H:%M} UTC

versions.json     Tunix RT, Python, the platform, every installed package
environment.json  variables that begin with {names}
settings.json     settings of this server
doctor.txt        output of `tunixrt doctor`
database.json     result of the last check of the database
disk.json         bytes of each part of the home
queue.json        holder of the accelerator, and waiting jobs
server.log        its last {server_lines:,} lines
runs/             of the {runs} newest runs: state, environment, manifest, last {run_lines} log lines, alerts

Left out: the access token, passwords, keys, and what looks like one; traces, prompts, answers of models, long quoted
texts. Review it before you share it: it holds paths and names of this machine.
"""


def diagnostics(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    queue: Queue | None = None,
    runs: Iterable[str] = (),
    now: datetime | None = None,
) -> Iterator[bytes]:
    """The zip, piece by piece as it is made. Works where the database cannot be opened.

    `runs` are folders of runs besides those in the home. Without a `queue`, the lock of the home tells the holder.
    """
    redactor = Redactor(known_secrets(settings, environ))
    made = now or datetime.now(UTC)
    sink = Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in _files(settings, environ, redactor, queue, runs, made):
            entry = zipfile.ZipInfo(f"tunixrt-diagnostics/{name}", made.timetuple()[:6])
            entry.external_attr = 0o600 << 16
            # known secrets are removed even where the steps above missed them
            bundle.writestr(entry, redactor.without_known(content), zipfile.ZIP_DEFLATED)
            yield sink.taken()
    yield sink.taken()


def file_name(now: datetime | None = None) -> str:
    return f"tunixrt-diagnostics-{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"


def _files(
    settings: Settings,
    environ: Mapping[str, str],
    redactor: Redactor,
    queue: Queue | None,
    runs: Iterable[str],
    now: datetime,
) -> Iterator[tuple[str, str]]:
    yield "README.txt", _about(now)
    yield "versions.json", _json(versions())
    yield "environment.json", _json(environment(environ, redactor))
    yield "settings.json", _json(settings_told(settings, redactor))
    checks = "".join(f"{c.state:<5}{c.name}: {c.detail}\n" for c in doctor.checks(settings))
    yield "doctor.txt", redactor.text(checks)
    never = _json({"checked": "never; run tunixrt db check"})
    yield "database.json", _redacted_json(settings.check_file, redactor) or never
    yield "disk.json", _json(asdict(measure(settings)))
    yield "queue.json", _json(redactor.value(_queue(settings, queue)))
    yield "server.log", redactor.text(tail(settings.server_log, SERVER_LOG_LINES))
    for folder in newest_runs(settings.runs_dir, runs):
        for name, content in _of_run(folder, redactor):
            yield f"runs/{folder.path.name}/{name}", content


def _about(now: datetime) -> str:
    return _ABOUT.format(
        now=now,
        names=", ".join(_ENVIRONMENT),
        server_lines=SERVER_LOG_LINES,
        runs=NEWEST_RUNS,
        run_lines=RUN_LOG_LINES,
    )


def versions() -> dict[str, Any]:
    """This program, Python, the platform without its host name, and every installed package."""
    packages = {str(found.name): str(found.version) for found in metadata.distributions() if found.name}
    return {
        "tunix_rt": __version__,
        "python": sys.version,
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": dict(sorted(packages.items(), key=lambda pair: pair[0].lower())),
    }


def environment(environ: Mapping[str, str], redactor: Redactor) -> dict[str, str]:
    """Variables of Tunix RT and of JAX, secrets removed; no other one, not even its name."""
    told = {name: value for name, value in sorted(environ.items()) if name.startswith(_ENVIRONMENT)}
    return {name: str(redactor.value(value, name)) for name, value in told.items()}


def settings_told(settings: Settings, redactor: Redactor) -> dict[str, Any]:
    """Every setting; of a secret only whether it is set."""
    told: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if names_secret(field.name):
            told[field.name] = "set" if value else "not set"
        else:
            plain = orjson.loads(orjson.dumps(value, default=str))  # paths as text
            told[field.name] = redactor.value(plain, field.name)
    return told


def newest_runs(runs_dir: Path, others: Iterable[str] = (), count: int = NEWEST_RUNS) -> list[RunDir]:
    """The folders of runs that were written last, the newest first."""
    found = {folder.path: folder for folder in find_run_dirs(runs_dir)}
    for other in map(Path, others):
        if other not in found and os.path.lexists(other / "state.json"):
            found[other] = RunDir(other)
    return sorted(found.values(), key=_written, reverse=True)[:count]


def _written(folder: RunDir) -> float:
    try:
        return folder.state_file.lstat().st_mtime
    except OSError:  # of a broken run
        return 0.0


def _queue(settings: Settings, queue: Queue | None) -> dict[str, Any]:
    holder = queue.holder if queue else Accelerator(settings.accelerator_lock).holder()
    waiting = [asdict(job) for job in queue.waiting] if queue else []
    return {"holder": asdict(holder) if holder else None, "waiting": waiting}


def _of_run(folder: RunDir, redactor: Redactor) -> Iterator[tuple[str, str]]:
    yield "state.json", _redacted_json(folder.state_file, redactor)
    yield "env.json", _redacted_json(folder.env_file, redactor)
    yield "manifest.yaml", _manifest(folder, redactor)
    yield "train.log", redactor.text(folder.log_tail(RUN_LOG_LINES))
    alerts = (redactor.value(orjson.loads(line)) for line in _alerts(folder.metrics_file))
    yield "alerts.jsonl", "".join(orjson.dumps(alert).decode() + "\n" for alert in alerts)


def _redacted_json(path: Path, redactor: Redactor) -> str:
    text = _read(path)
    try:
        return _json(redactor.value(orjson.loads(text))) if text else ""
    except orjson.JSONDecodeError:
        return f"{path.name} is not JSON\n"


def _manifest(folder: RunDir, redactor: Redactor) -> str:
    try:
        loaded = load_yaml(_read(folder.manifest_file))
    except NotYaml:
        return "manifest.yaml is not YAML\n"
    if not isinstance(loaded, dict):
        return ""
    rendering = loaded.get("rendering")
    if isinstance(rendering, dict) and rendering.get("system"):
        # text that was given to the model
        rendering["system"] = f"{REMOVED}, {len(str(rendering['system'])):,} characters"
    import yaml

    return yaml.safe_dump(redactor.value(loaded), sort_keys=False, allow_unicode=True)


def _alerts(metrics: Path) -> list[bytes]:
    """The whole lines of alerts, without a parse of the others: a long run has many."""
    try:
        with open_regular(metrics) as file:
            found = [line for line in file if b'"kind":"alert"' in line and line.endswith(b"\n") and _is_json(line)]
    except (OSError, BrokenFile):
        return []
    return found[-_MOST_ALERTS:]


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _read(path: Path) -> str:
    try:
        return read_regular(path).decode(errors="replace")
    except (FileNotFoundError, BrokenFile):
        return ""


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"
