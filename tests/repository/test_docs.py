"""The docs name every setting, every address and every error as the code has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.api.application import build_api
from app.api.errors import status_of
from tests.conftest import REPOSITORY
from tests.repository.test_architecture import entries
from tunixrt_core.cli.exit_codes import markdown_table
from tunixrt_core.errors import InvalidInput, InvalidSettings, JobFailed, TunixRTError
from tunixrt_core.ingest.formats.detect import FORMATS
from tunixrt_core.settings import OPTIONS, VARIABLES

DOCS = REPOSITORY / "docs"
CONFIGURATION = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
API = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
OPERATIONS = [
    f"{method.upper()} /api{path}" for path, methods in build_api(1).openapi()["paths"].items() for method in methods
]


def subclasses(kind: type[TunixRTError]) -> list[type[TunixRTError]]:
    return [one for sub in kind.__subclasses__() for one in (sub, *subclasses(sub))]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without backticks."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_every_setting_stands_in_the_docs_with_its_option_default_and_meaning() -> None:
    written = {cells[0]: cells[1:] for cells in rows(CONFIGURATION) if cells[0].startswith("TUNIXRT_")}
    assert written == {name: [OPTIONS[name][0], *VARIABLES[name]] for name in VARIABLES}


def test_the_exit_codes_in_the_docs_are_those_of_the_command() -> None:
    assert markdown_table() in (DOCS / "reference" / "exit-codes.md").read_text(encoding="utf-8")


def test_the_docs_name_no_setting_that_is_not_there() -> None:
    for path in (*DOCS.rglob("*.md"), REPOSITORY / "README.md"):
        found = set(re.findall(r"\bTUNIXRT_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8")))
        assert found <= set(VARIABLES), path.name


def test_the_contents_and_the_menu_list_every_page_of_a_user() -> None:
    folders = ("how-to", "reference", "explanation")
    pages = {str(page.relative_to(DOCS)) for folder in folders for page in (DOCS / folder).glob("*.md")}
    contents, menu = (DOCS / "index.md").read_text(encoding="utf-8"), (REPOSITORY / "zensical.toml").read_text()
    assert sorted(pages - set(re.findall(r"\]\(([\w/-]+\.md)\)", contents))) == []
    assert sorted(pages - set(re.findall(r'"([\w/-]+\.md)"', menu))) == []


def test_the_architecture_has_a_row_for_every_part_of_the_core() -> None:
    table = (DOCS / "architecture.md").read_text(encoding="utf-8").partition("| folder |")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name.strip("/") for cell in cells for name in re.findall(r"`([\w./]+)`", cell)}
    assert named == set(entries(REPOSITORY / "tunixrt_core")) - {"py.typed"}


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/own-data.md"])
def test_a_page_counts_the_formats_of_an_import_right(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    assert re.findall(r"\b(\d+) formats", text) == [str(len(FORMATS))]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_address_has_its_section_with_an_example(operation: str) -> None:
    section = API.partition(f"### `{operation}`\n")[2].partition("\n##")[0]
    assert "```sh\ncurl" in section


def test_the_docs_describe_no_address_that_is_not_there() -> None:
    assert set(re.findall(r"^### `([A-Z]+ /api\S+)`$", API, re.MULTILINE)) == set(OPERATIONS)


def test_every_error_of_the_core_stands_in_the_docs_with_its_status() -> None:
    written = {
        (int(cells[0]), code) for cells in rows(API) for code in re.split(r"`?, `?", cells[1]) if cells[0].isdigit()
    }
    raised = [kind for kind in subclasses(TunixRTError) if kind not in {InvalidInput, JobFailed, InvalidSettings}]
    for kind in raised:
        assert (status_of(kind), kind.code) in written
    retryable = re.search(r"`retryable` is true for ([^.]*)\.", API)
    assert retryable
    assert set(re.findall(r"`(\w+)`", retryable[1])) == {kind.code for kind in raised if kind.retryable}


@pytest.mark.parametrize("path", [*sorted(DOCS.rglob("*.md")), REPOSITORY / "README.md"], ids=lambda path: path.name)
def test_pictures_are_there_in_light_and_dark_and_are_said_in_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    light = re.findall(r'<img alt="([^"]+)" src="([^"]+-light\.png)">', text)
    dark = re.findall(r'srcset="([^"]+-dark\.png)"', text)
    assert [name.replace("-light", "-dark") for _, name in light] == dark
    assert text.count("<img") == len(light)
    for name in (*(name for _, name in light), *dark):
        assert (path.parent / name).is_file(), name
