"""Traces: found by words and source, paged, read one by one, deleted."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app import state
from app.api.application import build_api
from app.traces.filters import address_of
from tests.helpers.component import parts
from tests.pages.conftest import checked, keys, open_page, press, words
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.store.query import TraceQuery
from tunixrt_core.traces.trace import Step, Trace


def test_an_empty_store_says_what_a_trace_is_and_where_to_get_some(rt: Pipeline) -> None:
    app = open_page("traces.py")
    assert "No traces yet" in words(app)
    assert press(app, "go-examples").title[0].value == "Import traces"


def read(app: AppTest) -> str:
    """The hash of the trace that the reader shows."""
    (reader,) = parts(app, "reader")
    return str(reader["url"]).split("/")[3]


def listed(rt: Pipeline, app: AppTest) -> list[dict[str, Any]]:
    """The rows that the list loads, by the address that the page gives it."""
    (found,) = parts(app, "tracelist")
    state.set_pipeline(rt)
    rows = TestClient(build_api(1)).get(found["url"].removeprefix("/api")).json()["traces"]
    assert found["total"].split()[0] == str(len(rows))
    return list(rows)


def test_the_newest_trace_is_read_first_and_marked_in_the_list(filled: Pipeline) -> None:
    newest = filled.traces.page(limit=1).items[0].id
    app = open_page("traces.py")
    assert read(app) == newest
    assert parts(app, "tracelist")[0]["shown"] == newest


def test_an_address_leads_to_one_trace(filled: Pipeline) -> None:
    some = filled.traces.page(limit=30).items[29]
    app = open_page("traces.py", trace=some.id[:12])
    assert read(app) == some.id
    assert parts(app, "tracelist")[0]["shown"] == some.id


def test_an_address_of_no_trace_says_so_beside_the_list(filled: Pipeline) -> None:
    app = open_page("traces.py", trace="dead" * 16)
    assert "There is no trace 'deaddead" in words(app)
    assert not parts(app, "reader")
    assert parts(app, "tracelist")


def test_a_search_without_hits_offers_to_clear_the_filters(filled: Pipeline) -> None:
    app = open_page("traces.py")
    app.text_input(key="q").set_value("xyzzy")
    app = checked(app.run())
    assert "No traces match “xyzzy”" in words(app)
    app = press(app, "clear-filters")
    assert app.text_input(key="q").value == ""
    assert parts(app, "tracelist")


def test_a_source_stands_in_the_address_by_its_name_alone(filled: Pipeline) -> None:
    filled.traces.add_many([Trace("Name a fish.", (Step(0, "Think."),), "carp", source="pets", model="m-1")])
    app = open_page("traces.py")
    app.selectbox(key="source").set_value("pets")
    app.selectbox(key="model").set_value("m-1")
    app = checked(app.run())
    assert (app.query_params["source"], app.query_params["model"]) == ("pets", "m-1")
    # the words of the options name counts, which another import changes; a link must not break by that
    filled.traces.add_many([Trace("Name a bird.", (Step(0, "Think."),), "finch", source="pets", model="m-1")])
    app = open_page("traces.py", source="pets", model="m-1")
    assert [row["prompt"] for row in listed(filled, app)] == ["Name a bird.", "Name a fish."]
    app.text_input(key="q").set_value("whale")
    app = press(checked(app.run()), "clear-filters")
    assert "source" not in app.query_params
    assert app.selectbox(key="source").value == "All sources"


def test_a_search_and_a_source_narrow_the_list(filled: Pipeline) -> None:
    filled.traces.add_many([Trace("Name a fish.", (Step(0, "Think of *water*."),), "carp", source="pets")])
    app = open_page("traces.py")
    app.selectbox(key="source").set_value("pets")
    app = checked(app.run())
    assert [row["prompt"] for row in listed(filled, app)] == ["Name a fish."]
    app.selectbox(key="source").set_value("All sources")
    app.text_input(key="q").set_value("carp")
    assert [row["prompt"] for row in listed(filled, checked(app.run()))] == ["Name a fish."]


def test_text_of_a_trace_is_not_part_of_the_page_that_python_sends(rt: Pipeline) -> None:
    rt.traces.add_many([Trace("<img src=x onerror=alert(1)>", (Step(0, "<b>bold</b>"),), "<script>1</script>")])
    text = words(open_page("traces.py"))
    assert "alert(1)" not in text
    assert "bold" not in text


def test_a_trace_is_deleted_only_after_asking(filled: Pipeline) -> None:
    app = press(open_page("traces.py"), "delete-trace")
    assert {"keep-trace", "confirm-delete"} <= keys(app)
    assert "Dataset examples v1 lists 1 of them" in words(app)
    assert filled.traces.count() == 60


def answers(rt: Pipeline) -> list[Trace]:
    """Three answers to one prompt, two of them right, and a trace of another prompt."""
    made = [
        Trace("6 * 7?", (Step(0, "six sevens", "plan"), Step(1, "that is 42")), "42", reference_answer="42"),
        Trace("6 * 7?", (Step(0, "six sevens", "plan"), Step(1, "that is 41, so")), "41", reference_answer="42"),
        Trace("6 * 7?", (Step(0, "known"),), "42.0", reference_answer="42"),
        Trace("a colour?", (Step(0, "think"),), "red"),
    ]
    rt.traces.add_many(made)
    return made


def test_a_chip_narrows_the_list(rt: Pipeline) -> None:
    answers(rt)
    app = open_page("traces.py")
    app.button_group(key="chips").set_value(["Answer differs"])
    assert [row["steps"] for row in listed(rt, checked(app.run()))] == [2]
    app.button_group(key="chips").set_value(["No reference"])
    assert [row["prompt"] for row in listed(rt, checked(app.run()))] == ["a colour?"]


def test_the_judging_bar_scores_the_open_trace_by_name(rt: Pipeline) -> None:
    one = answers(rt)[0]
    judge = parts(open_page("traces.py", trace=one.content_hash), "reader")[0]["judge"]
    assert judge == {"url": f"/api/traces/{one.content_hash}/scores", "name": "quality", "scorer": getpass.getuser()}


def test_tags_and_a_note_are_kept_as_they_are_given(rt: Pipeline) -> None:
    one = answers(rt)[0]
    app = open_page("traces.py", trace=one.content_hash)
    app.text_area(key=f"note-{one.content_hash[:12]}").set_value("look again")
    app = checked(app.run())
    stored = rt.traces.get(one.content_hash)
    assert stored.note is not None
    assert stored.note.text == "look again"
    rt.traces.tag(one.content_hash, ["hard"])
    app = open_page("traces.py", trace=one.content_hash)
    app.multiselect(key=f"tags-{one.content_hash[:12]}").set_value([])
    checked(app.run())
    assert rt.traces.get(one.content_hash).tags == ()


def test_two_traces_stand_side_by_side_with_the_first_divergence_marked(rt: Pipeline) -> None:
    a, b, *_ = answers(rt)
    app = open_page("traces.py", trace=a.content_hash, view="Compare", **{"with": b.content_hash})
    text = words(app)
    assert "The traces diverge at step 2." in text
    assert "First divergence: step 2" in text
    assert "<ins>42</ins>" in text


def test_a_trace_alone_is_compared_with_another_of_its_prompt(rt: Pipeline) -> None:
    a, *_, alone = answers(rt)
    app = open_page("traces.py", trace=a.content_hash, view="Compare")
    assert "The traces diverge at" in words(app)
    assert app.query_params["with"] != a.content_hash
    assert not app.text_input, "comparing asks for no hash"
    app = open_page("traces.py", trace=alone.content_hash, view="Compare")
    assert "Choose two rows of the list" in words(app)
    assert parts(press(app, "choose-others"), "tracelist")


def test_prompt_groups_say_how_often_a_prompt_is_answered_right(rt: Pipeline) -> None:
    answers(rt)
    (listing,) = parts(open_page("traces.py", view="Prompt groups"), "listing")
    assert (listing["what"], listing["url"]) == ("groups", "/api/traces/groups?limit=60")
    assert [one.prompt for one in rt.traces.prompt_groups().items] == ["6 * 7?"]


def test_a_group_in_the_address_lists_its_traces_until_it_is_left(rt: Pipeline) -> None:
    one = answers(rt)[0]
    app = open_page("traces.py", group=one.group_key)
    assert len(listed(rt, app)) == 3
    assert len(listed(rt, press(app, "leave-group"))) == 4


def test_every_filter_reaches_the_address_that_the_list_loads() -> None:
    day = datetime(2026, 11, 21, tzinfo=UTC)
    query = TraceQuery(
        text="a & b", tags=("x", "y"), correct=False, score="quality", min_score=1.0, after=day, before=day
    )
    address = address_of(query)
    assert parse_qs(address.removeprefix("?")) == {
        "q": ["a & b"],
        "tag": ["x", "y"],
        "correct": ["false"],
        "score": ["quality"],
        "min_score": ["1.0"],
        "stored_after": [day.isoformat()],
        "stored_before": [day.isoformat()],
    }
    assert address_of(TraceQuery()) == ""
