"""Records are written and read by type; files of earlier and later versions are read too."""

from __future__ import annotations

import math

import msgspec
import pytest

from app.ui.charts.curves import EVAL_METRICS, SAMPLE_METRICS, TRAIN_METRICS
from tunixrt_core.runs.metrics import (
    KINDS,
    Alert,
    CheckpointMetric,
    CompileMetric,
    EvalMetric,
    Known,
    OtherMetric,
    SampleAnswer,
    SamplesMetric,
    TrainMetric,
    read_answers,
    read_metric,
    read_metrics,
    to_dict,
    to_line,
)

# written by the first version, which had no types
EARLIER = (
    b'{"kind":"compile","train_step":0,"length":96,"seconds":1.5,"expected":true,"time":2.5}\n'
    b'{"kind":"train","train_step":1,"loss":null,"perplexity":null,"learning_rate":0.0002,"grad_norm":0.5,'
    b'"tokens_per_second":812.5,"step_seconds":0.25,"input_wait_seconds":0.001,"memory_bytes":1024,'
    b'"peak_memory_bytes":2048,"trained_tokens":203,"tokens":300,"padding_share":0.1,"epoch":0.5,'
    b'"parts":{"format":0.1,"answer":null},"types":{"compute":2},"time":3.0}\n'
    b'{"kind":"eval","train_step":1,"loss":2,"perplexity":7.4,"trained_tokens":99,"parts":{},"types":{},'
    b'"seconds":0.1,"best":false,"time":3.1}\n'
    b'{"kind":"samples","train_step":1,"exact_match":null,"format_valid":1.0,"repetition":0.0,"mean_tokens":24.0,'
    b'"hit_limit":0.5,"rows":2,"compiles":1,"seconds":0.5,"time":3.6}\n'
    b'{"kind":"checkpoint","train_step":1,"reason":"best","seconds":0.2,"time":3.8}\n'
    b'{"kind":"alert","train_step":1,"alert":"nan","evidence":"x","change":{"learning_rate":0.0001},"time":3.8}\n'
)


def test_a_file_of_the_first_version_is_read() -> None:
    compiled, train, evaluation, samples, checkpoint, alert = read_metrics(EARLIER)
    assert compiled == CompileMetric(train_step=0, length=96, seconds=1.5, time=2.5)
    assert isinstance(train, TrainMetric)
    assert (train.loss, train.grad_norm, train.peak_memory_bytes, train.mfu) == (None, 0.5, 2048, None)
    assert (train.parts, train.types) == ({"format": 0.1, "answer": None}, {"compute": 2.0})
    assert evaluation == EvalMetric(train_step=1, loss=2.0, perplexity=7.4, trained_tokens=99, seconds=0.1, time=3.1)
    assert isinstance(samples, SamplesMetric)
    assert (samples.exact_match, samples.rows) == (None, 2)
    assert checkpoint == CheckpointMetric(train_step=1, reason="best", seconds=0.2, time=3.8)
    assert isinstance(alert, Alert)
    assert alert.change == {"learning_rate": 0.0001}


def test_what_is_written_is_read_again_and_what_is_not_a_number_is_null() -> None:
    for record in read_metrics(EARLIER):
        assert not isinstance(record, OtherMetric)
        assert read_metrics(to_line(record)) == [record]
        assert to_line(record).startswith(f'{{"kind":"{record.kind}","train_step":'.encode())
    line = to_line(TrainMetric(train_step=1, loss=math.nan, perplexity=math.inf, parts={"answer": math.nan}))
    assert line == b'{"kind":"train","train_step":1,"loss":null,"perplexity":null,"parts":{"answer":null}}\n'


def test_kinds_and_fields_of_a_later_version_are_passed_over() -> None:
    later = b'{"kind":"rollout","train_step":4,"reward":0.5,"time":9.0}\n{"kind":"eval","train_step":4,"new":[1]}\n'
    other, known = read_metrics(later)
    assert (other, other.kind) == (OtherMetric(kind="rollout", train_step=4, time=9.0), "rollout")
    assert known == EvalMetric(train_step=4)


@pytest.mark.parametrize("line", [b'{"kind":"train","train_step":"four"}\n', b'{"kind":"train","tra\n', b"[]\n"])
def test_a_line_that_is_no_record_hides_no_other_one(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_metric(line.strip())
    whole = to_line(EvalMetric(train_step=4))
    assert read_metrics(whole + line + whole) == 2 * [EvalMetric(train_step=4)]


def test_an_answer_is_a_line_of_its_own_file() -> None:
    answer = SampleAnswer(train_step=4, id="a", prompt="2 + 2?", output="4", answer="4", scores={"exact_match": 1.0})
    assert read_answers(to_line(answer)) == [answer]


def test_the_api_is_given_every_field_with_the_kind_first() -> None:
    found = to_dict(EvalMetric(train_step=4, loss=2.0))
    assert next(iter(found)) == "kind"
    assert (found["kind"], found["best"], found["seconds"]) == ("eval", False, None)


def test_what_charts_show_are_fields() -> None:
    for names, kind in ((TRAIN_METRICS, TrainMetric), (EVAL_METRICS, EvalMetric), (SAMPLE_METRICS, SamplesMetric)):
        assert set(names) <= set(kind.__struct_fields__)
    assert {kind.__struct_config__.tag for kind in Known.__args__} == set(KINDS)
