"""Traces: found by words and source, paged, read one by one, deleted."""

from __future__ import annotations

from html import escape

from tests.pages.conftest import checked, keys, open_page, press, words
from tunixrt_core.pipeline.pipeline import Pipeline
from tunixrt_core.traces.conversation import Call, Conversation, Message
from tunixrt_core.traces.trace import Step, Trace


def test_an_empty_store_says_what_a_trace_is_and_where_to_get_some(rt: Pipeline) -> None:
    app = open_page("traces.py")
    assert "No traces yet" in words(app)
    assert press(app, "go-examples").title[0].value == "Import traces"


def test_the_newest_trace_is_read_first_and_the_arrows_lead_on(filled: Pipeline) -> None:
    newest, second = (item.trace for item in filled.traces.page(limit=2).items)
    app = open_page("traces.py")
    assert newest.prompt in words(app)
    app = press(app, "next-trace")
    assert second.prompt in words(app)
    assert app.query_params["trace"] == second.content_hash
    assert newest.prompt in words(press(app, "previous-trace"))


def test_an_address_leads_to_one_trace(filled: Pipeline) -> None:
    some = filled.traces.page(limit=30).items[29]
    assert some.trace.prompt in words(open_page("traces.py", trace=some.id))


def test_paging_goes_forward_and_back_and_stands_in_the_address(filled: Pipeline) -> None:
    app = open_page("traces.py")
    first = list(app.dataframe[0].value["prompt"])
    app = press(app, "older-page")
    second = list(app.dataframe[0].value["prompt"])
    assert not set(first) & set(second)
    assert "after" in app.query_params
    app = press(app, "newer-page")
    assert list(app.dataframe[0].value["prompt"]) == first


def test_a_search_without_hits_offers_to_clear_the_filters(filled: Pipeline) -> None:
    app = open_page("traces.py")
    app.text_input(key="q").set_value("xyzzy")
    app = checked(app.run())
    assert "No traces match “xyzzy”" in words(app)
    app = press(app, "clear-filters")
    assert app.text_input(key="q").value == ""
    assert app.dataframe


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
    assert list(app.dataframe[0].value["prompt"]) == ["Name a bird.", "Name a fish."]
    app.text_input(key="q").set_value("whale")
    app = press(checked(app.run()), "clear-filters")
    assert "source" not in app.query_params
    assert app.selectbox(key="source").value == "All sources"


def test_a_search_and_a_source_narrow_the_list(filled: Pipeline) -> None:
    filled.traces.add_many([Trace("Name a fish.", (Step(0, "Think of *water*."),), "carp", source="pets")])
    app = open_page("traces.py")
    app.selectbox(key="source").set_value("pets")
    app = checked(app.run())
    assert list(app.dataframe[0].value["prompt"]) == ["Name a fish."]
    app.selectbox(key="source").set_value("All sources")
    app.text_input(key="q").set_value("carp")
    assert list(checked(app.run()).dataframe[0].value["prompt"]) == ["Name a fish."]


def test_markup_in_a_trace_stays_text(rt: Pipeline) -> None:
    rt.traces.add_many([Trace("<img src=x onerror=alert(1)>", (Step(0, "<b>bold</b>"),), "<script>1</script>")])
    blocks = "".join(str(block.value) for block in open_page("traces.py").html)
    assert "&lt;img src=x onerror=alert(1)&gt;" in blocks
    assert "&lt;b&gt;bold&lt;/b&gt;" in blocks
    assert "<script>" not in blocks


def test_a_doubtful_trace_says_why(rt: Pipeline) -> None:
    rt.traces.add_many([Trace("2 + 2?", (), "5", reference_answer="4")])
    text = words(open_page("traces.py"))
    assert "differs from the reference" in text
    assert "no reasoning steps" in text


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
    assert list(checked(app.run()).dataframe[0].value["steps"]) == [2]
    app.button_group(key="chips").set_value(["No reference"])
    assert list(checked(app.run()).dataframe[0].value["prompt"]) == ["a colour?"]


def test_steps_are_scored_one_after_the_other_and_the_score_is_shown(rt: Pipeline) -> None:
    one = answers(rt)[0]
    app = open_page("traces.py", trace=one.content_hash)
    app = press(press(press(app, "target-down"), "grade-bad"), "grade-good")
    scores = {s.given.step: (s.given.value, s.given.kind) for s in rt.traces.get(one.content_hash).scores}
    assert scores == {0: (0.0, "human"), 1: (1.0, "human")}
    assert "quality <b>1</b>" in words(app)
    app = press(press(app, "target-up"), "ungrade")
    assert len(rt.traces.get(one.content_hash).scores) == 1


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


def test_compare_leads_from_the_reader_to_another_trace_of_the_prompt(rt: Pipeline) -> None:
    a, *_ = answers(rt)
    app = press(open_page("traces.py", trace=a.content_hash), "compare-trace")
    assert "The traces diverge at" in words(app)
    assert app.query_params["with"] != a.content_hash


def test_prompt_groups_say_how_often_a_prompt_is_answered_right(rt: Pipeline) -> None:
    answers(rt)
    table = open_page("traces.py", view="Prompt groups").dataframe[0].value
    assert list(table["prompt"]) == ["6 * 7?"]
    assert list(table["pass"]) == ["66.7%"]
    assert list(table["answers"]) == [2]


def test_a_group_in_the_address_lists_its_traces_until_it_is_left(rt: Pipeline) -> None:
    one = answers(rt)[0]
    app = open_page("traces.py", group=one.group_key)
    assert len(app.dataframe[0].value) == 3
    assert len(press(app, "leave-group").dataframe[0].value) == 4


def test_a_conversation_is_read_around_its_prompt_as_text_alone(filled: Pipeline) -> None:
    said = "<b>Hello</b> <script>alert(1)</script>"
    call = Call("weather", {"city": "Köln"}, "c1")
    talk = Conversation(
        messages=(Message("user", "Hi there"), Message("assistant", said, reasoning="Be polite.", train=False)),
        turns=(Message("assistant", calls=(call,)), Message("tool", "x" * 700, call_id="c1", name="weather")),
        tools=({"type": "function", "function": {"name": "weather"}},),
        calls=(Call("say", {"text": "sun"}),),
    )
    trace = Trace("Which weather?", (Step(0, "Look."),), "sun", conversation=talk)
    filled.traces.add(trace)
    shown = words(open_page("traces.py", trace=trace.content_hash))
    places = [
        shown.index(text) for text in ("Hi there", "Be polite.", "Which weather?", "Köln", "700 characters", "sun")
    ]
    assert places == sorted(places)
    assert "not trained" in shown
    assert escape(said) in shown
    assert shown.count("<script>") == 1, "in its JSON alone, which is code"
