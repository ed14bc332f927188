"""What is asked of an export and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunixrt_core.training.model_export import ExportCheck, ExportLayout, ExportReport, folder_name, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("5GB", 5 * 10**9), ("500 MB", 5 * 10**8), ("2GiB", 2 << 30), ("1.5kb", 1500), ("1000", 1000), ("1T", 10**12)],
)
def test_a_size_is_read_in_the_units_that_people_write(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "0", "-1GB", "5 GB free", "5PB", "GB"])
def test_what_is_no_size_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size\. Use one such as 5GB"):
        parse_size(text)


def test_a_report_names_its_directory_without_the_way_to_it() -> None:
    check = ExportCheck("tunix", 1e-6, 1e-5, 1.0)
    report = ExportReport(
        Path("/home/me/out"), ExportLayout.PEFT, 7, "float32", 1, 9, 8, 80, (check,), {"peft": "torch not installed"}
    )
    told = report.to_dict()
    assert (told["path"], told["layout"]) == ("out", "peft")
    assert told["checks"] == [{"by": "tunix", "largest_difference": 1e-6, "tolerance": 1e-5, "agreement": 1.0}]
    assert told["not_checked"] == {"peft": "torch not installed"}


def test_each_layout_has_a_folder_of_its_own() -> None:
    assert {folder_name(layout) for layout in ExportLayout} == {"model", "adapter"}
