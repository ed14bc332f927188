"""`tunixrt traces` and `tunixrt db`: what the dashboard does with traces, from a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import tunixrt
from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.pipeline.pipeline import open_pipeline
from tunixrt_core.settings import Settings
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.trace import Step, Trace

A = Trace("6 * 7?", (Step(0, "six sevens", "plan"), Step(1, "that is 42")), "42", reference_answer="42", source="one")
B = Trace("6 * 7?", (Step(0, "six sevens", "plan"), Step(1, "that is 41")), "41", reference_answer="42", source="two")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(tmp_path / "home")})) as rt:
        rt.traces.add_many([A, B])
    return tmp_path / "home"


def test_traces_are_listed_by_filters(home: Path) -> None:
    shown = tunixrt("traces", "list", "--wrong", "--min-steps", 2, home=home).stdout
    assert B.content_hash[:12] in shown
    assert A.content_hash[:12] not in shown
    assert "1 of 1 traces" in shown
    found = json.loads(tunixrt("traces", "list", "--text", "sevens", "--json", home=home).stdout)
    assert [item["trace"]["final_answer"] for item in found["traces"]] == ["41", "42"]
    assert (found["count"], found["exact"]) == (2, True)


def test_a_conversation_is_shown_around_its_prompt_and_written_with_it(home: Path) -> None:
    talk = Conversation(
        messages=(Message("user", "Hello."), Message("assistant", "Hi.", reasoning="Greet.")),
        turns=(
            Message("assistant", calls=(Call("times", {"a": 6}, "c1"),)),
            Message("tool", "forty-two", call_id="c1"),
        ),
    )
    trace = Trace("6 * 7?", (), "42", source="talks", conversation=talk)
    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)})) as rt:
        rt.traces.add(trace)
        rt.datasets.build(DatasetSpec("talks", source="talks"))
    shown = tunixrt("traces", "show", trace.content_hash, home=home).stdout
    parts = ("Hello.", "Greet.", "Hi.", "6 * 7?", '{"name": "times", "arguments": {"a": 6}}', "forty-two", "Answer")
    assert (places := [shown.index(part) for part in parts]) == sorted(places)
    found = json.loads(tunixrt("traces", "show", trace.content_hash, "--json", home=home).stdout)
    assert found["trace"]["messages"][1]["reasoning"] == "Greet."
    assert "differ" in tunixrt("traces", "diff", A.content_hash, trace.content_hash, home=home).stdout
    refused = tunixrt("export", "talks", "--format", "prompt_completion", "--turns", "text", home=home)
    assert "1 with a conversation, which a prompt of text cannot hold" in refused.stderr


def test_a_trace_is_tagged_noted_scored_and_shown(home: Path) -> None:
    ref = A.content_hash[:10]
    assert "good, hard" in tunixrt("traces", "tag", ref, "hard", "good", home=home).stdout
    assert "hard" not in tunixrt("traces", "tag", ref, "hard", "--remove", home=home).stdout
    assert tunixrt("traces", "note", ref, "look again", home=home).returncode == 0
    assert tunixrt("traces", "score", ref, "quality", 0.5, "--step", 2, "--scorer", "ann", home=home).returncode == 0
    shown = tunixrt("traces", "show", ref, home=home).stdout
    for words in ("that is 42", "quality 0.5 (ann)", "good", "look again", A.content_hash, "right"):
        assert words in shown
    assert "1 of 1" in tunixrt("traces", "list", "--tag", "good", "--score", "quality", home=home).stdout
    failed = tunixrt("traces", "score", ref, "quality", 1, "--step", 3, home=home)
    assert (failed.returncode, "no step 2; its steps are 0 to 1" in failed.stderr) == (1, True)


def test_two_traces_are_compared_and_grouped_by_their_prompt(home: Path) -> None:
    shown = tunixrt("traces", "diff", A.content_hash[:8], B.content_hash[:8], home=home).stdout
    assert "First divergence" in shown
    assert "that is [-42-]" in shown
    assert "that is {+41+}" in shown
    groups = tunixrt("traces", "groups", home=home).stdout
    assert "50%" in groups
    assert A.content_hash[:12] in groups


def test_deleting_by_filters_says_how_many_before_it_does(home: Path) -> None:
    said = tunixrt("traces", "delete", "--source", "one", "--before", "2999-01-01", "--dry-run", home=home).stdout
    assert said == "1 trace would be deleted\n"
    assert tunixrt("traces", "delete", home=home).returncode != 0
    assert tunixrt("traces", "delete", "--source", "one", home=home, stdin=b"n\n").returncode != 0
    assert tunixrt("traces", "delete", "--source", "one", "--yes", home=home).stdout == "1 deleted\n"
    assert tunixrt("traces", "delete", B.content_hash, "--yes", home=home).stdout == "1 deleted\n"
    assert "0 of 0" in tunixrt("traces", "list", home=home).stdout


def test_a_deletion_names_the_versions_and_they_say_what_is_missing(home: Path) -> None:
    assert tunixrt("dataset", "build", "mine", home=home).returncode == 0
    refused = tunixrt("traces", "delete", A.content_hash, home=home, stdin=b"n\n")
    assert "Dataset mine v1 lists 1 of them." in refused.stderr
    told = json.loads(tunixrt("traces", "delete", "--source", "one", "--yes", "--json", home=home).stdout)
    assert told["held_by"] == [{"name": "mine", "version": 1, "rows": 1, "runs": [], "evaluations": []}]
    words = "1 row is missing: its trace was deleted. No run was made from it."
    assert f"mine v1: {words}" in " ".join(tunixrt("dataset", "list", home=home).stderr.split())
    assert words in " ".join(tunixrt("dataset", "show", "mine", home=home).stderr.split())
    assert json.loads(tunixrt("dataset", "show", "mine", "--json", home=home).stdout)["missing"]["rows"] == 1


def test_a_store_is_backed_up_checked_and_restored(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "b.db"
    assert "2 traces" in tunixrt("db", "backup", copy, home=home).stdout
    assert tunixrt("db", "backup", copy, home=home).returncode == 1
    tunixrt("traces", "delete", A.content_hash, "--yes", home=home)
    assert "1 traces and 1 tombstones read: sound" in tunixrt("db", "check", home=home).stdout
    refused = tunixrt("db", "restore", copy, home=home)
    assert (refused.returncode, "--force" in refused.stderr) == (1, True)
    assert "2 traces restored" in tunixrt("db", "restore", copy, "--force", home=home).stdout
    assert len(list(home.glob("tunixrt.db.before-*"))) == 1
    assert "2 of 2" in tunixrt("traces", "list", home=home).stdout
