"""Planted copies are found in scripts without spaces and in Korean, with their places; other rows are left alone."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.datasets.gates.makers import run_gate, trace
from tunixrt_core.datasets.gates.check import Asking, EvalSet
from tunixrt_core.datasets.gates.texts import part, shingles
from tunixrt_core.evaluation.sets.eval_set import EvalRow
from tunixrt_core.evaluation.sets.eval_set import EvalSet as AskedSet
from tunixrt_core.evaluation.sets.leaks import find_leaks
from tunixrt_core.evaluation.sets.setup import EvalSetRef
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest
from tunixrt_core.traces.rows import to_row

# two problems of each script: the first is planted, the second shares its wording and is another one
PROBLEMS = {
    "chinese": (
        "图书馆里有二百本书，周一借走了三十五本，周二还回来一半，请问现在图书馆里还剩多少本书？",
        "水果店里有二百个苹果，上午卖掉了六十个，下午又运来了四十个，请问现在水果店里还剩多少个苹果？",
    ),
    "japanese": (
        "図書館には本が二百冊あります。月曜日に三十五冊が借りられ、火曜日にその半分が返されました。今は何冊ありますか。",
        "果物屋にはりんごが二百個あります。午前中に六十個が売れ、午後に四十個が届きました。今はりんごが何個ありますか。",
    ),
    "korean": (
        "도서관에는 책이 이백 권 있습니다. 월요일에 서른다섯 권을 빌려 갔고 화요일에 그 절반이 돌아왔습니다. "
        "지금은 몇 권이 있습니까?",
        "과일 가게에는 사과가 이백 개 있습니다. 오전에 예순 개를 팔았고 오후에 마흔 개가 들어왔습니다. "
        "지금은 사과가 몇 개 있습니까?",
    ),
    "thai": (
        "ห้องสมุดมีหนังสือสองร้อยเล่ม วันจันทร์มีคนยืมไปสามสิบห้าเล่ม วันอังคารมีคนคืนครึ่งหนึ่ง ตอนนี้ห้องสมุดมีหนังสือกี่เล่ม",
        "ร้านผลไม้มีแอปเปิลสองร้อยลูก ตอนเช้าขายไปหกสิบลูก ตอนบ่ายมีมาส่งอีกสี่สิบลูก ตอนนี้ร้านมีแอปเปิลทั้งหมดกี่ลูก",
    ),
}
scripts = pytest.mark.parametrize("script", PROBLEMS)


@scripts
def test_a_planted_eval_prompt_is_found_in_a_longer_run_with_its_place(script: str) -> None:
    question, other = PROBLEMS[script]
    copied = question.rstrip("。？?")
    planted = trace(other, "1", None, (f"{other}{copied}{other}",))
    given = EvalSet("eval.jsonl", "ab" * 32, lambda: iter([Asking(question)]))
    (finding,) = run_gate("contamination", [trace(other, "2"), planted], eval_set=given).findings
    assert (finding.hash, finding.reason, finding.detail["field"]) == (planted.content_hash, "overlap_file", "steps[0]")
    found = part(planted, "steps[0]")[finding.detail["start"] : finding.detail["end"]]
    assert copied in found
    assert len(found) <= len(copied) + 1
    assert finding.detail["words"] >= 15
    # another problem with the same phrases shares no stretch of 13 words, and none of 8
    assert run_gate("contamination", [trace(other)], eval_set=given, ngram=8).findings == []


def test_a_copy_with_other_spaces_and_unseen_characters_is_found() -> None:
    question = PROBLEMS["korean"][0]
    hidden = "A farmer keeps forty two sheep in a barn with seven doors and twelve win\u00addows and one cat"
    rows = [
        trace(question.replace(" 권", "권").replace("그 절반", "그절반")),
        trace(hidden.replace("sheep", "she\u200bep").replace("barn", "ba\u2060rn"), "7"),
    ]
    given = [trace(question, "1"), trace(hidden.replace("\u00ad", ""), "1")]
    assert len(run_gate("contamination", rows, eval_rows=given).findings) == 2


@scripts
def test_near_duplicates_are_found_and_others_left_alone(script: str) -> None:
    question, other = PROBLEMS[script]
    small = {"chinese": "周三", "japanese": "水曜日", "korean": "수요일", "thai": "วันพุธ"}[script]
    days = {"chinese": "周二", "japanese": "火曜日", "korean": "화요일", "thai": "วันอังคาร"}[script]
    rows = [trace(question), trace(question.replace(days, small)), trace(other)]
    (finding,) = run_gate("near_duplicate", rows, of="prompt", threshold=0.8).findings
    assert {finding.hash, finding.detail["other"]} == {row.content_hash for row in rows[:2]}


def test_shingles_of_plain_words_are_what_they_were() -> None:
    assert shingles("One two, THREE four", 3) == {"one two three", "two three four"}
    assert shingles("Über zwei", 3) == {"über zwei"}
    assert shingles("", 3) == {""}


@pytest.mark.parametrize(
    ("answer", "step"), [("苹果", "所以小明买的是苹果。"), ("東京", "答えは東京です"), ("สีแดง", "ดังนั้นคำตอบคือสีแดงครับ")]
)
def test_an_answer_within_a_sentence_stands_in_the_reasoning(answer: str, step: str) -> None:
    assert run_gate("answer_missing", [trace("q", answer, None, (step,))]).findings == []
    assert len(run_gate("answer_missing", [trace("q", "香蕉", None, (step,))]).findings) == 1


@scripts
def test_a_leak_into_a_run_is_found_with_both_places(script: str, tmp_path: Path) -> None:
    question, other = PROBLEMS[script]
    row = trace(other, "1", None, (f"{other}{question}",))
    path = tmp_path / "data.jsonl"
    path.write_bytes(orjson.dumps(to_row(row, "train")) + b"\n")
    manifest = RunManifest.from_dict(build_sft_manifest(path, "tiny", tmp_path / "run", {"train_steps": 1}))
    asked = AskedSet(
        EvalSetRef("file", "f", "ab" * 32, 2), [EvalRow("r", question, "1"), EvalRow("s", other[::-1], "1")]
    )
    (leak,) = find_leaks(asked, manifest).findings
    assert (leak.row_id, leak.kind, leak.field) == ("r", "overlap", "steps[0]")
    stretch = question[leak.prompt_start : leak.prompt_end]
    assert row.steps[0].content[leak.start : leak.end] == stretch == question.rstrip("。？?")
