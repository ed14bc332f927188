"""The preflight of a run: data file, model and machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tunixrt_core.errors import InvalidManifest, ModelError
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.training.estimates.memory import MemoryNeed
from tunixrt_core.training.preflight.report import Finding, Preflight, RowView, blocking, in_order
from tunixrt_core.tunix_backend.data.rows import load_tokenizer, tokenizer_directory
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.memory.count import sizes_of
from tunixrt_core.tunix_backend.model.models import local_model
from tunixrt_core.tunix_backend.preflight import chat_template, totals
from tunixrt_core.tunix_backend.preflight.faults import memory as memory_faults
from tunixrt_core.tunix_backend.preflight.faults import model as model_faults
from tunixrt_core.tunix_backend.preflight.faults import rows as row_faults
from tunixrt_core.tunix_backend.preflight.faults import run as run_faults
from tunixrt_core.tunix_backend.preflight.faults import weights as weight_faults
from tunixrt_core.tunix_backend.preflight.faults.model import ModelFacts
from tunixrt_core.tunix_backend.preflight.machine import Machine, this_machine
from tunixrt_core.tunix_backend.preflight.rows import FileRows, Progress, encode_file
from tunixrt_core.tunix_backend.preflight.views import RowViewer


def run_preflight(
    manifest: RunManifest,
    folder: RunDir,
    models_dir: Path,
    *,
    is_new: bool = True,
    sample_rows: int = 1,
    machine: Machine | None = None,
    on_progress: Progress = lambda done, total: None,
) -> Preflight:
    """Run every check that does not need JAX. Reads the whole data file; never raises for a fault in it.

    `is_new`: the run's folder must not hold a run yet; `sample_rows`: how many rows of each pick are shown completely.
    """
    began = time.perf_counter()
    check = _Check(manifest, folder, models_dir, machine or this_machine(), on_progress)
    check.make(is_new=is_new)
    found = check.result(sample_rows)
    return replace(found, seconds=round(time.perf_counter() - began, 3))


def show_rows(manifest: RunManifest, models_dir: Path, numbers: Sequence[int]) -> list[RowView]:
    """Rows by their line in the data file; missing lines are left out.

    Raises InvalidManifest for data that changed, ModelError without a tokenizer, InvalidTrace for a broken row.
    """
    check_data_unchanged(manifest.data)
    return RowViewer(manifest, load_tokenizer(manifest, models_dir)).show(numbers)


@dataclass(slots=True)
class _Check:
    manifest: RunManifest
    folder: RunDir
    models_dir: Path
    machine: Machine
    on_progress: Progress
    findings: list[Finding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    rows: FileRows | None = None
    tokenizer: TextTokenizer | None = None
    facts: ModelFacts | None = None
    need: MemoryNeed | None = None

    def make(self, *, is_new: bool) -> None:
        manifest, machine = self.manifest, self.machine
        directory = self._read_model()
        if self._data_is_there() and self.tokenizer is not None:
            self.rows = encode_file(manifest, self.tokenizer, self.on_progress)
            same = not any(finding.code == "data_changed" for finding in self.findings)
            faults = row_faults.row_faults(manifest, self.tokenizer, self.rows, same_file=same)
            self._add(row_faults.CHECKED, faults)
            beside = tokenizer_directory(manifest, self.models_dir)
            self._add(chat_template.CHECKED, chat_template.template_faults(manifest, beside, self.tokenizer, self.rows))
        if self.facts is not None and self.tokenizer is not None and directory is not None:
            longest = max(self.rows.train.longest, self.rows.eval.longest) if self.rows else 0
            self._add(
                model_faults.checked(manifest),
                model_faults.model_faults(manifest, directory, self.tokenizer, self.facts, longest),
            )
            self._add(weight_faults.CHECKED, weight_faults.weight_faults(manifest, directory))
            if self.rows:
                dead = weight_faults.embedding_faults(directory, self.tokenizer, self.rows)
                self._add(weight_faults.CHECKED_WITH_ROWS, dead)
            if not any(finding.code == "lora_matches_nothing" for finding in self.findings):
                self._add(("disk",), run_faults.disk_faults(manifest, self.folder, self.facts, machine))
        self._add(("mesh",), run_faults.mesh_faults(manifest, machine))
        self._add(("output_dir",), run_faults.place_faults(self.folder, is_new=is_new))
        self._add(("device",), run_faults.device_faults(machine))

    def result(self, sample_rows: int) -> Preflight:
        self._add(("unusual_value",), run_faults.value_faults(self.manifest))
        if self.rows is None or self.tokenizer is None:
            return self._preflight()
        return self._with_numbers(self.rows, self.tokenizer, sample_rows)

    def _with_numbers(self, rows: FileRows, tokenizer: TextTokenizer, sample_rows: int) -> Preflight:
        manifest = self.manifest
        cut = sum(finding.row_count for finding in self.findings if finding.code == "answer_cut")
        counted = totals.totals_of(manifest, rows, tokenizer, cut)
        if counted.train_steps:
            self._add(("warm_up",), run_faults.warm_up_faults(manifest, counted.train_steps))
        self._look_at_memory(counted.batch_lengths)
        picks = totals.picks_of(manifest, rows, self.findings)
        shown = dict.fromkeys(number for numbers in picks.values() for number in numbers[:sample_rows])
        return replace(
            self._preflight(),
            totals=counted,
            histogram=totals.histogram_of(rows),
            policies=totals.policies_of(manifest, rows, tokenizer),
            picks=picks,
            memory=self.need,
            views=tuple(RowViewer(manifest, tokenizer).show(list(shown))),
        )

    def _look_at_memory(self, lengths: Sequence[int]) -> None:
        manifest = self.manifest
        if self.facts is None or not lengths or any(f.code == "lora_matches_nothing" for f in self.findings):
            return
        sizes = sizes_of(self.facts.architecture, manifest)
        found = memory_faults.memory_need(manifest, sizes, self.machine, lengths[-1])
        if found is not None:
            self.need, devices = found
            self._add(("memory",), memory_faults.memory_faults(self.need, manifest, sizes, devices))

    def _preflight(self) -> Preflight:
        return Preflight(self.manifest.content_hash, in_order(self.findings), tuple(self.checked))

    def _read_model(self) -> Path | None:
        self.checked += ["model", "model_config"]
        directory: Path | None = None
        try:
            directory = local_model(self.manifest.model.id, self.models_dir)
            self.tokenizer = load_tokenizer(self.manifest, self.models_dir)
        except ModelError as error:
            self.findings.append(blocking("model", str(error), keys=("model.id", "tokenizer.path")))
        if directory is not None:
            try:
                self.facts = model_faults.read_model(directory)
            except ModelError as error:
                self.findings.append(blocking("model_config", str(error), keys=("model.id",)))
        return directory

    def _data_is_there(self) -> bool:
        self.checked.append("data_changed")
        try:
            check_data_unchanged(self.manifest.data)
        except InvalidManifest as error:
            self.findings.append(blocking("data_changed", f"{error}.", keys=(error.key,)))
            return Path(self.manifest.data.path).is_file()  # the current file can be shown
        return True

    def _add(self, codes: Sequence[str], findings: Iterator[Finding]) -> None:
        self.checked += [code for code in codes if code not in self.checked]
        self.findings += findings
