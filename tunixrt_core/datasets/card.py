"""Dataset card of a version: contents, recipe and gate findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tunixrt_core.datasets.gates.findings import GateOutcome
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.versions import DatasetVersion

_WHAT = {"warn": "kept, named", "exclude": "left out"}


def dataset_card(
    version: DatasetVersion, outcomes: Sequence[GateOutcome] = (), sources: Iterable[tuple[str, int]] = ()
) -> str:
    """Markdown. Depends on nothing but the version, so the same version gives the same card on every machine."""
    share = version.eval_rows / version.rows
    lines = [
        f"# {version.name} v{version.version}",
        "",
        f"{version.rows:,} reasoning traces: {version.train_rows:,} train and {version.eval_rows:,} eval rows "
        f"({share:.1%}). Made with Tunix RT.",
        "",
        f"Content hash: `{version.content_hash}`, sha256 over the spec and every row's hash and split.",
        "",
        "## Split",
        "",
        _split_words(version),
        "",
        *_sources(sources),
        "## Quality gates",
        "",
        *_gates(outcomes),
        "",
        "## Spec",
        "",
        "The same spec on the same traces gives the same version:",
        "",
        "```yaml",
        version.spec.to_yaml().rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def _split_words(version: DatasetVersion) -> str:
    spec = version.spec
    unit = (
        "Prompts that are almost the same share"
        if spec.split_by == "near_duplicate"
        else "All traces of a prompt share"
    )
    return (
        f"{unit} one side, which is decided by a hash of seed {spec.seed} and the normalised prompt: rows do not move "
        "when traces are added."
    )


def _sources(sources: Iterable[tuple[str, int]]) -> list[str]:
    rows = [f"| {name or '–'} | {count:,} |" for name, count in sources]
    return ["## Sources", "", "| source | rows |", "|---|---:|", *rows, ""] if rows else []


def _gates(outcomes: Sequence[GateOutcome]) -> list[str]:
    if not outcomes:
        return ["None was requested."]
    lines = ["| gate | version | rows looked at | rows found | which were |", "|---|---:|---:|---:|---|"]
    for one in outcomes:
        title = GATES[one.gate].title if one.gate in GATES else one.gate
        lines.append(f"| {title} | {one.version} | {one.checked:,} | {one.rows:,} | {_WHAT[one.action]} |")
    for one in outcomes:
        if "eval_sha256" in one.notes:
            lines += [
                "",
                f"Compared with the prompts of `{one.notes['eval_file']}` ({one.notes['eval_rows']} rows, "
                f"sha256 `{one.notes['eval_sha256']}`).",
            ]
    return lines
