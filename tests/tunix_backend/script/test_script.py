"""The stand-alone script trains as the project does, and without it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import LONG
from tests.helpers.conversations import CALL, TOOL, called, calling, talk
from tests.tunix_backend.conftest import KeptReports, make_manifest, train, write_rows
from tests.tunix_backend.helpers.families import KINDS, write_checkpoint
from tunixrt_core.errors import InvalidManifest, ModelError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.traces.conversation import Conversation, Message, calls_text
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.layout import Layout
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.context import EarlierThinking, TrainOn, unfit
from tunixrt_core.traces.rendering.row import TurnOptions, render
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.trace import Step, Trace
from tunixrt_core.tunix_backend.model.families import FAMILIES
from tunixrt_core.tunix_backend.model.models import resolve_model
from tunixrt_core.tunix_backend.script.script import notebook, standalone_script

pytestmark = pytest.mark.tunix

# Ends with what a run without the project must not have loaded.
RUNNER = """
import runpy, sys
runpy.run_path("train.py", run_name="__main__")
loaded = {name.split(".")[0] for name in sys.modules}
assert not loaded & {"tunixrt_core", "app", "pages"}, "the script needs the project"
"""

ROUNDS_AS_THE_SCRIPT = {"dtype": "bfloat16", "attention": "reference", "loss": "plain"}


def run_alone(script: str, folder: Path) -> tuple[dict[int, float], dict[int, float]]:
    """The train and eval losses, by train step, that the script prints in a process of its own."""
    assert "tunixrt_core" not in script
    folder.mkdir()
    (folder / "train.py").write_text(script, encoding="utf-8")
    (folder / "runner.py").write_text(RUNNER)
    # -I: neither this folder nor PYTHONPATH leads to the project
    done = subprocess.run([sys.executable, "-I", "runner.py"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return losses("^train step", done.stdout), losses("^eval after train step", done.stdout)


def losses(what: str, text: str) -> dict[int, float]:
    return {int(step): float(loss) for step, loss in re.findall(rf"{what} (\d+) loss (\S+)$", text, re.MULTILINE)}


def script_of(manifest: RunManifest, models_dir: Path) -> str:
    return standalone_script(manifest, resolve_model(manifest.model.id, models_dir))


@pytest.mark.parametrize(
    "hyper",
    [
        pytest.param(
            {"method": "lora", "lora_rank": 4, "learning_rate": 0.05}
            | {"packing": True, "gradient_accumulation": 2, "epochs": 3},
            id="lora, packed",
        ),
        pytest.param(
            {"method": "full", "packing": True, "gradient_accumulation": 2, "epochs": 3}, id="full, packed", marks=LONG
        ),
        pytest.param({"method": "full", "epochs": 2, "chat": "qwen3", "train_on": "all"}, id="conversations"),
        pytest.param(
            {"method": "lora", "lora_rank": 4, "train_steps": 5, "learning_rate": 0.05},
            id="lora, unpacked",
            marks=LONG,
        ),
        *(
            pytest.param(
                # attention and loss as the script has them: others round otherwise, and five train steps add that up
                {"method": method, "train_steps": 5, "lora_rank": 4} | ROUNDS_AS_THE_SCRIPT,
                id=f"{method}, bfloat16",
                marks=LONG,
            )
            for method in ("lora", "full")
        ),
    ],
)
def test_the_script_gives_the_losses_of_the_run(hyper: dict[str, Any], tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path, batch_size=4, max_seq_length=256, eval_every=2, seed=3, **hyper)
    if "train_on" in hyper:
        rows = [one for i in range(8) for one in (talk(i), called(i))]
        write_rows(Path(manifest.data.path), rows[2:], rows[:2])
    reports = KeptReports()
    train(manifest, models_dir, reports)
    trained, evaluated = run_alone(script_of(manifest, models_dir), tmp_path / "alone")
    assert len(trained) > 1
    assert trained == pytest.approx(reports.of("train"), abs=1e-5)
    assert evaluated == pytest.approx(reports.of("eval"), abs=1e-5)
    assert (Path(manifest.output_dir) / "script-checkpoints" / str(max(trained))).is_dir()


@pytest.fixture(scope="module", params=[kind for kind in KINDS if FAMILIES[kind].corrected is None])
def scripts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Scripts of one family, together of every kind of row, method and duration."""
    folder = tmp_path_factory.mktemp("family")
    scaling = {"rope_scaling": {"rope_type": "linear", "factor": 2.0}} if request.param != "gemma2" else {}
    write_checkpoint(folder / "model", request.param, **scaling)
    hypers: tuple[dict[str, Any], ...] = (
        {"packing": True, "method": "full", "epochs": 1.5},
        {"length_buckets": 3, "method": "qlora", "tile_size": 8, "epochs": 2, "early_stopping": 2},
        {"method": "lora", "too_long": "drop_steps", "max_grad_norm": None, "gradient_accumulation": 2},
        {"method": "full", "dtype": "bfloat16"},
        {"method": "lora", "dtype": "bfloat16"},
    )
    made = [make_manifest(folder / str(i), model=str(folder / "model"), **hyper) for i, hyper in enumerate(hypers)]
    return [script_of(manifest, folder) for manifest in made]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if FAMILIES[kind].corrected is not None])
def test_a_family_whose_code_is_corrected_has_no_script(kind: str, tmp_path: Path, models_dir: Path) -> None:
    write_checkpoint(tmp_path / "model", kind)
    with pytest.raises(ModelError, match=r"A script cannot train (Qwen 3 MoE|Gemma 4 .*): .* Use `tunixrt train`"):
        script_of(make_manifest(tmp_path, model=str(tmp_path / "model")), models_dir)


def test_the_script_of_every_family_is_python_in_ruffs_own_form(scripts: list[str], tmp_path: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    for number, text in enumerate(scripts):
        (tmp_path / f"{number}.py").write_text(text, encoding="utf-8")
    for command in (["format", "--diff"], ["check", "--select", "E,F,I,B", "--ignore", "E501"]):
        done = subprocess.run([ruff, *command, "--isolated", tmp_path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def parts_of(script: str, *cells: str) -> dict[str, Any]:
    """What these cells of a script define, without the model and the training."""
    chosen = [cell for cell in script.split("# %% ") if cell.startswith(cells)]
    space: dict[str, Any] = {}
    exec("\n".join(cell.partition("\n")[2] for cell in chosen), space)
    return space


@pytest.mark.parametrize(
    "hyper",
    [{"packing": True}, {"length_buckets": 3}, {"length_buckets": 1}, {"length_buckets": 2}],
    ids=["packed", "buckets", "plain", "buckets, but rows of one length"],
)
def test_the_script_makes_the_batches_of_the_run(hyper: dict[str, Any], tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.data.batches import eval_batches, total_train_steps, train_batches
    from tunixrt_core.tunix_backend.data.rows import load_data

    long = [spread(trace) if i % 2 else trace for i, trace in enumerate(example_traces(29))]
    short = [] if hyper.get("length_buckets") == 2 else [Trace(f"{i}" * i, (), "0") for i in range(1, 12)]
    rows = write_rows(tmp_path / "rows.jsonl", [*long[:20], *short], [*long[20:], *short])
    manifest = make_manifest(
        tmp_path,
        rows=rows,
        batch_size=4,
        max_seq_length=72,
        too_long="drop_steps",
        epochs=2.3,
        reasoning="think",
        **hyper,
    )
    data = load_data(manifest, models_dir)
    assert data.shortened, "some rows were meant to lose steps"
    space = parts_of(script_of(manifest, models_dir), "Settings", "A row", "Text", "Rows as")
    rows, evals = space["read_rows"]("train"), space["read_rows"]("eval")
    assert [row.ids for row in rows] == [row.tokens.tolist() for row in data.train.rows]
    lengths = [len(row.ids) for row in rows]
    batches = train_batches(data.train.rows, manifest.batch, max_length=72, seed=manifest.seed, pad_id=data.pad_id)
    total = total_train_steps(manifest, batches)
    assert space["total_train_steps"](lengths) == total
    for k, plan in zip(range(3 * total), space["train_plans"](lengths), strict=False):
        same_batch(batches.batch(k), space["fill"](rows, *plan))
    plans = list(space["eval_plans"]([len(row.ids) for row in evals]))
    found = list(eval_batches(data.eval.rows, manifest.batch, max_length=72, pad_id=data.pad_id))
    assert len(plans) == len(found)
    for plan, batch in zip(plans, found, strict=True):
        same_batch(batch, space["fill"](evals, *plan))


def spread(trace: Trace) -> Trace:
    """The same trace with blank lines between its steps, the last of which is behind the reasoning."""
    layout = Layout(("  ", *["\n\n"] * (len(trace.steps) - 2), " "), solution=1, before_answer=" = ")
    return replace(trace, layout=layout)


def same_batch(ours: Any, scripts: Any) -> None:
    from tunixrt_core.tunix_backend.data.encoding import FIRST_TRAINED

    assert np.array_equal(ours.segments, scripts.segments)
    assert np.array_equal(ours.positions, scripts.positions)
    assert np.array_equal(ours.parts >= FIRST_TRAINED, scripts.trained)
    real = ours.segments > 0
    assert np.array_equal(ours.tokens[real], scripts.tokens[real])


def test_the_cells_of_the_notebook_are_the_script(tmp_path: Path, models_dir: Path) -> None:
    script = script_of(make_manifest(tmp_path), models_dir)
    made = json.loads(notebook(script))
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    assert "".join("".join(cell["source"]) for cell in made["cells"]) == script
    assert len(made["cells"]) == 1 + script.count("\n# %% ")
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])


@pytest.mark.parametrize("chat", list(ChatFormat))
@pytest.mark.parametrize("style", list(ReasoningStyle))
def test_the_script_writes_the_text_of_the_run(
    chat: ChatFormat, style: ReasoningStyle, tmp_path: Path, models_dir: Path
) -> None:
    manifest = make_manifest(tmp_path, chat=chat.value, reasoning=style.value)
    space = parts_of(script_of(manifest, models_dir), "Settings", "A row")
    spaced = Trace(" two\n", (Step(0, "\n a"), Step(1, "b \n")), "\n 2 \n")
    said = replace(spaced, steps=(*spaced.steps, Step(2, "It is \n 2 \n.")), layout=Layout(("  ", "\n\n", "\n"), 1, 6))
    boxed = replace(spaced, steps=(), layout=Layout(("\n \n",), before_answer="[", after_answer="]\n"))
    example = next(iter(example_traces(1)))
    for trace in (example, spread(example), spaced, replace(spaced, steps=()), said, boxed):
        for system in (None, 'Say it\'s "so".\n'):
            ours = render(trace, style, chat, system=system)
            assert space["prompt_text"](trace.prompt, system) == ours.prompt
            steps = [step.content for step in trace.steps]
            layout = trace.to_dict().get("layout", {})
            assert space["completion_text"](steps, trace.final_answer, layout) == ours.completion


TALKING = [chat for chat in ChatFormat if chat is not ChatFormat.GEMMA4]


def fitting(chat: ChatFormat) -> list[Trace]:
    """Traces with conversations that a chat format can write."""
    thought = Message("assistant", "<think>\nso\n</think>\n\nHi.\n", train=True)
    earlier = Conversation(
        (Message("user", " Hello \n"), thought, Message("user", "And?"), Message("assistant", " No. "))
    )
    system = Conversation((Message("user", "a"), Message("assistant", "b", train=False), Message("system", " Now. ")))
    beside = Message("assistant", "I look.", reasoning="Which?", calls=(CALL, CALL))
    two = Conversation((*earlier.messages,), (beside, Message("tool", "1"), Message("tool", '"2"\n')), (TOOL, TOOL))
    all_calls = replace(calling(), conversation=Conversation(turns=two.turns, tools=(TOOL,), calls=(CALL, CALL)))
    said = replace(calling(), final_answer="I ask.")
    found = [talk(), talk(system="Be short.\n"), called(), calling(), said]
    found += [talk(conversation=each) for each in (earlier, system, two)]
    found.append(replace(all_calls, final_answer=calls_text([CALL, CALL])))
    return [trace for trace in found if unfit(trace.conversation, chat) is None]


@pytest.mark.parametrize("chat", TALKING)
@pytest.mark.parametrize(("train_on", "thinking"), list(zip(TrainOn, EarlierThinking, strict=True)))
def test_the_script_encodes_conversations_as_the_run(
    chat: ChatFormat, train_on: TrainOn, thinking: EarlierThinking, tmp_path: Path, models_dir: Path
) -> None:
    for style in (ReasoningStyle.THINK, ReasoningStyle.TAGS):
        hyper = {"train_on": train_on.value, "earlier_thinking": thinking.value, "too_long": "drop_steps"}
        manifest = make_manifest(tmp_path / style, chat=chat.value, reasoning=style.value, **hyper)
        traces = [*fitting(chat), *example_traces(1)]
        write_rows(Path(manifest.data.path), traces, [])
        space = parts_of(script_of(manifest, models_dir), "Settings", "A row", "Text", "Rows as")
        turns = TurnOptions(train_on=train_on, thinking=thinking)
        for trace in traces:
            ours = render(trace, style, chat, system="S", turns=turns)
            talk = trace.to_dict()
            pieces = space["stretches"](space["context"](trace.prompt, trace.system or "S", talk))
            assert [(each.text, each.trained) for each in ours.stretches[:-1]] == list(map(tuple, pieces))
            steps = [step.content for step in trace.steps]
            assert space["last_text"](steps, trace.final_answer, talk.get("layout", {}), talk) == ours.completion


def test_a_script_for_conversations_of_gemma_4_is_refused(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path, chat="gemma4")
    write_rows(Path(manifest.data.path), fitting(ChatFormat.GEMMA4), [])
    with pytest.raises(InvalidManifest, match="no conversations of Gemma 4"):
        script_of(manifest, models_dir)


def test_scripts_with_conversations_are_python_in_ruffs_own_form(tmp_path: Path, models_dir: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    for number, (chat, thinking) in enumerate(zip(TALKING, [*EarlierThinking] * 3, strict=False)):
        manifest = make_manifest(
            tmp_path / str(number), chat=chat.value, train_on="all", earlier_thinking=thinking.value
        )
        write_rows(Path(manifest.data.path), fitting(chat), [])
        (tmp_path / f"{number}.py").write_text(script_of(manifest, models_dir), encoding="utf-8")
    for command in (["format", "--diff"], ["check", "--select", "E,F,I,B", "--ignore", "E501"]):
        done = subprocess.run(
            [ruff, *command, "--isolated", *tmp_path.glob("*.py")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_the_script_trains_the_tokens_of_the_run(tmp_path: Path, models_dir: Path) -> None:
    from tunixrt_core.tunix_backend.data.batches import total_train_steps, train_batches
    from tunixrt_core.tunix_backend.data.rows import load_data

    manifest = make_manifest(
        tmp_path,
        chat="qwen3",
        reasoning="think",
        train_on="all",
        packing=True,
        max_seq_length=300,
        too_long="drop_steps",
    )
    write_rows(Path(manifest.data.path), fitting(ChatFormat.QWEN3), [talk(9)])
    data = load_data(manifest, resolve_model(manifest.model.id, models_dir))
    space = parts_of(script_of(manifest, models_dir), "Settings", "A row", "Text", "Rows as")
    rows = space["read_rows"]("train")
    assert any(row.replies for row in rows)
    assert [row.ids for row in rows] == [row.tokens.tolist() for row in data.train.rows]
    batches = train_batches(data.train.rows, manifest.batch, max_length=300, seed=manifest.seed, pad_id=data.pad_id)
    plans = space["train_plans"]([len(row.ids) for row in rows])
    for k, plan in zip(range(total_train_steps(manifest, batches)), plans, strict=False):
        same_batch(batches.batch(k), space["fill"](rows, *plan))


def test_conversations_that_the_format_cannot_write_are_refused(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path, chat="gemma")
    space = parts_of(script_of(manifest, models_dir), "Settings", "A row", "Text", "Rows as")
    write_rows(Path(manifest.data.path), [*example_traces(1), called()], [])
    with pytest.raises(InvalidManifest, match=r"data\.path: line 2 holds tools"):
        script_of(manifest, models_dir)
    with pytest.raises(SystemExit, match="holds conversations"):  # the data came after the script
        space["read_rows"]("train")


@pytest.mark.parametrize(
    ("hyper", "differs"),
    [
        ({"dtype": "bfloat16"}, True),
        (ROUNDS_AS_THE_SCRIPT | {"attention": "auto"}, True),
        (ROUNDS_AS_THE_SCRIPT | {"loss": "fused"}, True),
        (ROUNDS_AS_THE_SCRIPT, False),
        ({"dtype": "float32"}, False),
    ],
)
def test_a_script_that_rounds_otherwise_than_the_run_says_so(
    hyper: dict[str, Any], differs: bool, tmp_path: Path, models_dir: Path
) -> None:
    script = script_of(make_manifest(tmp_path, **hyper), models_dir)
    assert ("otherwise in bfloat16" in script) is differs


def test_lora_that_matches_nothing_is_refused(tmp_path: Path, models_dir: Path) -> None:
    manifest = make_manifest(tmp_path, method="lora", lora_modules="nothing")
    with pytest.raises(ModelError, match="matches no module"):
        script_of(manifest, models_dir)
