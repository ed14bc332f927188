"""Reports of TPU slices: compiled in a process of their own, or kept from before."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tunixrt_core.errors import JobFailed, ModelError, Stopped
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.models import HubName, model_directory, parse_model_name
from tunixrt_core.training.ahead.costs import STEPS, SliceReport, StepKind
from tunixrt_core.training.ahead.slices import Slice
from tunixrt_core.tunix_backend.ahead.environment import compiler_environ, require_compiler, versions
from tunixrt_core.tunix_backend.ahead.worker import REFUSED, Request
from tunixrt_core.tunix_backend.model.files.hub import config_alone
from tunixrt_core.tunix_backend.model.models import local_model
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.hashing import content_hash
from tunixrt_core.util.tasks import Progress

# Parts of a manifest that change no compiled program. The data decides the length of the rows.
_IRRELEVANT = ("name", "output_dir", "tracking", "cadence", "dataset", "seed", "manifest_version")
_TICK = 0.2  # seconds between looks at the stop
_LAST_LINES = 40  # of what the process writes to standard error
_LAST_WORDS = 5.0  # seconds that they may take to arrive behind its end


class SliceCompiler:
    """Compiles manifests for TPU slices. What was compiled is kept in `folder`, by the hash of all that decides it.

    A program is compiled up to its schedule and its buffers, which decide all figures. With `machine_code` the rest is
    compiled too, which takes many times as long and proves that there is a program.
    """

    def __init__(self, models_dir: Path, folder: Path, *, machine_code: bool = False) -> None:
        self._models_dir = models_dir
        self._folder = folder
        self._machine_code = machine_code

    def model(self, manifest: RunManifest) -> Path:
        """The directory with the config.json of the manifest's model; of one that only a hub has, that file is fetched.

        Raises ModelError where there is no such model, or no connection.
        """
        if (name := self._on_the_hub(manifest)) is not None:
            return config_alone(name, self._config_of(name))
        return local_model(manifest.model.id, self._models_dir)

    def _model_here(self, manifest: RunManifest) -> Path | None:
        """As `model`; None where its config.json was not fetched yet. Raises ModelError."""
        if (name := self._on_the_hub(manifest)) is None:
            return local_model(manifest.model.id, self._models_dir)
        return folder if ((folder := self._config_of(name)) / "config.json").is_file() else None

    def _on_the_hub(self, manifest: RunManifest) -> HubName | None:
        """The name of a model of the hub that is not on this machine."""
        name = parse_model_name(manifest.model.id)
        here = model_directory(manifest.model.id, self._models_dir) is not None
        return None if here or not isinstance(name, HubName) else name

    def _config_of(self, name: HubName) -> Path:
        return self._folder / "configs" / name.directory

    def kept(self, manifest: RunManifest, on: Slice, kinds: tuple[StepKind, ...] = STEPS) -> SliceReport | None:
        """The report from before; None where there is none for this manifest, slice and these versions. Asks no hub.

        Raises ModelError where there is no such model.
        """
        model = self._model_here(manifest)
        return None if model is None else self._read(self._file(manifest, model, on, kinds))

    @staticmethod
    def _read(file: Path) -> SliceReport | None:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            return SliceReport.from_dict(found)
        except (OSError, ValueError, KeyError, TypeError):  # missing, cut, or of another version
            return None

    def report(
        self,
        manifest: RunManifest,
        on: Slice,
        kinds: tuple[StepKind, ...] = STEPS,
        *,
        progress: Progress,
        stop: threading.Event,
    ) -> SliceReport:
        """The report of a slice. Of the model config.json is read, not its weights.

        `progress` gets the phase, the seconds that passed and those that are expected. Raises CompilerMissing,
        ModelError, Stopped and JobFailed.
        """
        model = self.model(manifest)
        file = self._file(manifest, model, on, kinds)
        if (found := self._read(file)) is not None:
            return found
        require_compiler()
        pace = _Pace(self._folder / "pace.json", kinds)
        parts = [self._compiled(manifest, model, on, kind, pace, progress, stop) for kind in kinds]
        steps = tuple(step for part in parts for step in part.steps)
        seconds = sum(part.seconds for part in parts)
        report = replace(parts[0], steps=steps, seconds=seconds, versions=versions())
        pace.keep(report)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, asdict(report))
        return report

    def _compiled(
        self,
        manifest: RunManifest,
        model: Path,
        on: Slice,
        kind: StepKind,
        pace: _Pace,
        progress: Progress,
        stop: threading.Event,
    ) -> SliceReport:
        """One step, in a process that ends as soon as its figures are known."""
        with tempfile.TemporaryDirectory(prefix="tunixrt-slice-") as folder:
            request = Request(
                manifest=manifest.to_dict(),
                model=str(model.absolute()),
                models_dir=str(self._models_dir.absolute()),
                slice=on.name,
                kind=kind,
                read_rows=_has_rows(manifest, model),
                folder="" if self._machine_code else folder,
            )
            pace.begin(kind)
            for event in _events(request, stop, pace.tick(progress)):
                if event["event"] == "phase":
                    pace.phase = event["phase"]
                elif event["event"] == "error":
                    raise ModelError(event["message"])
                else:
                    return SliceReport.from_dict({**event["report"], "versions": {}})
        raise JobFailed(f"{on.name}: the compiler ended without a result. Try again, or another slice.")

    def _file(self, manifest: RunManifest, model: Path, on: Slice, kinds: tuple[StepKind, ...]) -> Path:
        relevant = {key: value for key, value in manifest.to_dict().items() if key not in _IRRELEVANT}
        relevant["data"] = manifest.data.sha256
        relevant["model"] = {**relevant["model"], "id": (model / "config.json").read_text(encoding="utf-8")}
        decides = [relevant, versions(), on.name, list(kinds), _has_rows(manifest, model), _own_version()]
        decides.append(self._machine_code)
        return self._folder / f"{content_hash(decides)[:32]}.json"


def _events(request: Request, stop: threading.Event, tick: Any) -> Iterator[Mapping[str, Any]]:
    """What the process says, until it ends. It is killed where `stop` is set or this generator is closed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tunixrt_core.tunix_backend.ahead.worker"],
        env=compiler_environ(os.environ, Path(request.folder) if request.folder else None),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdin, "a pipe"
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    tail: deque[str | None] = deque(maxlen=_LAST_LINES)
    said = threading.Thread(target=_read, args=(process.stderr, tail.append), daemon=True)
    for reader in (threading.Thread(target=_read, args=(process.stdout, lines.put), daemon=True), said):
        reader.start()
    try:
        with suppress(BrokenPipeError):  # it has ended already, and has said why
            process.stdin.write(json.dumps(asdict(request)) + "\n")
            process.stdin.flush()
        while True:
            if stop.is_set():
                raise Stopped("Stopped. Nothing was kept of what was being compiled.")
            try:
                line = lines.get(timeout=_TICK)
            except queue.Empty:
                tick()
                continue
            if line is None:
                break
            if line.startswith('{"event"'):
                yield json.loads(line)
        if (code := process.wait()) not in (0, REFUSED):
            said.join(_LAST_WORDS)
            raise JobFailed(
                f"{request.slice}: the steps could not be compiled ({_last(list(tail), code)}).",
                details={"output": "".join(line for line in tail if line)},
            )
    finally:
        process.kill()
        process.wait()


def _read(stream: Any, take: Any) -> None:
    for line in stream:
        take(line)
    take(None)


def _last(lines: list[str | None], code: int) -> str:
    """The last line that a process said before it ended, and the signal that ended it."""
    said = [line.strip() for line in lines if line and line.strip()]
    words = said[-1][:300] if said else "it ended without a message"
    if code >= 0:
        return words
    killed = f"it was ended by {signal.Signals(-code).name}"
    killed += ", as where the memory of this machine runs out" if -code == signal.SIGKILL else ""
    return f"{killed}; the last words: {words}" if said else killed


def _has_rows(manifest: RunManifest, model: Path) -> bool:
    """Whether the rows can be read: the data is here, and a tokenizer is."""
    tokenizer = Path(manifest.tokenizer.path).expanduser() if manifest.tokenizer.path else model
    return Path(manifest.data.path).is_file() and (tokenizer / "tokenizer.json").is_file()


def _own_version() -> str:
    from tunixrt_core import __version__

    return __version__


class _Pace:
    """How long steps took to compile on this machine, to say how long the next ones will."""

    def __init__(self, file: Path, kinds: Sequence[StepKind]) -> None:
        self._file = file
        self._kinds = list(kinds)
        self._known: dict[str, float] = self._read()
        self._kind, self._began, self._before = "", time.monotonic(), 0.0
        self.phase = ""

    def begin(self, kind: StepKind) -> None:
        now = time.monotonic()
        self._before += now - self._began
        self._kind, self._began, self.phase = kind, now, "tracing"
        self._kinds.remove(kind)

    def tick(self, progress: Progress) -> Any:
        def tell() -> None:
            passed = time.monotonic() - self._began
            expected = max(self._expected(self._kind), passed * 1.1)
            rest = sum(self._expected(kind) for kind in self._kinds)
            progress(self.phase, round(self._before + passed), max(1, round(self._before + expected + rest)))

        return tell

    def keep(self, report: SliceReport) -> None:
        """Remember seconds of each step."""
        self._known |= {step.kind: step.seconds for step in report.steps if step.seconds}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._file, self._known)

    def _expected(self, kind: str) -> float:
        return _SECONDS_BESIDES + self._known.get(kind, _SECONDS)

    def _read(self) -> dict[str, float]:
        try:
            return {str(k): float(v) for k, v in json.loads(self._file.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}


_SECONDS = 60.0  # of a step, on one core of a server, until it was measured here
_SECONDS_BESIDES = 15.0  # importing Tunix and tracing
