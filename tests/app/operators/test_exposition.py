"""Metrics are written as Prometheus reads them."""

from __future__ import annotations

from app.operators.exposition import Family, Sample, gauge, text_of


def test_a_family_is_its_help_its_type_and_a_line_per_sample() -> None:
    runs = Family("runs", "gauge", "Runs.", [Sample(2, {"status": "failed"}), Sample(0.5, {"status": "a"})])
    assert text_of([runs, gauge("up", "Up.", 1)]).splitlines() == [
        "# HELP runs Runs.",
        "# TYPE runs gauge",
        'runs{status="failed"} 2',
        'runs{status="a"} 0.5',
        "# HELP up Up.",
        "# TYPE up gauge",
        "up 1",
    ]


def test_an_unknown_value_is_left_out() -> None:
    assert text_of([gauge("loss", "Loss.", None), gauge("up", "Up.", 1)]).count("# TYPE") == 1


def test_what_would_end_a_value_is_escaped() -> None:
    assert r'info{run="a\"b\\c\nd"} 1' in text_of([gauge("info", "Info.", 1, run='a"b\\c\nd')])
