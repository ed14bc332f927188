"""`python -m tests.browser.screenshots`: pictures of every page in light and dark, from real data."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.browser.helpers.seeding import TRAIN_STEPS, seed_home
from tests.browser.helpers.visitor import Visitor, browsing, visiting
from tests.conftest import REPOSITORY
from tests.helpers.servers import Server, serving

IMAGES = REPOSITORY / "docs" / "images"
LONGEST = 2600  # pixels; what is longer is cut
QUESTION = "A dial from 0 to 9 shows 4. Turn it 3 forward, 5 back, 1 back, 2 forward, 4 forward. What does it show?"


def _nothing(visitor: Visitor) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its file name, the address, what must be on the page, and what is done there first."""

    name: str
    path: str
    key: str
    act: Callable[[Visitor], None] = _nothing
    whole: bool = True  # the window as tall as the page; otherwise 900 pixels, for what fills any window


def _ask(visitor: Visitor) -> None:
    box = visitor.page.locator(".st-key-play-prompt textarea").first
    box.fill(QUESTION)
    box.press("Control+Enter")
    visitor.settle()
    visitor.press("ask")
    visitor.page.locator(".st-key-play-1-keep button").first.wait_for(timeout=180_000)


EMPTY = (Shot("overview-empty", "", "empty-home"),)
SHOTS = (
    Shot("overview", "", "recent-runs"),
    Shot("traces", "traces", "reader"),
    Shot("trace-groups", "traces?view=Prompt+groups", "view"),
    Shot("import", "import", "source"),
    Shot("datasets", "datasets?dataset=dial:2", "split"),
    Shot("dataset-new", "datasets?new=1", "build-dataset"),
    Shot("manifest", "tunix?dataset=dial:2", "download-yaml"),
    Shot("preflight", "preflight?run=r-0037", "preflight-rows"),
    Shot("new-run", "new-run?dataset=dial:2", "start-run"),
    Shot("runs", "run", "runs", whole=False),
    Shot("run", "run?run=r-0037", "charts-r-0037"),
    Shot("run-samples", "run?run=r-0037&tab=Samples", "tab"),
    Shot("run-log", "run?run=r-0037&tab=Log", "tab"),
    Shot("run-config", "run?run=r-0038&tab=Config", "run-plan"),
    Shot("run-export", "run?run=r-0037&tab=Export", "tab"),
    Shot("run-failed", "run?run=r-0040", "more-run"),
    Shot("compare", "run?runs=r-0037,r-0038,r-0039", "runs", whole=False),
    Shot("evaluations", "evaluations?run=r-0037", "comparison"),
    Shot("evaluation-new", "evaluations?new=1&run=r-0038", "eval-form"),
    Shot("playground", "playground?run=r-0037", "ask", _ask),
    Shot("system", "system", "settings"),
)


def take(server: Server, shots: tuple[Shot, ...], folder: Path, *, width: int, dark: bool) -> list[str]:
    """Draw these pages into `folder`. What the browser complained about, as lines."""
    with browsing() as browser, visiting(browser, server.url, size=(width, 900), dark=dark) as visitor:
        visitor.page.goto(server.greeting.split()[-1])  # signs in, where a token is required
        visitor.page.locator("h1, .st-key-empty-home").first.wait_for()
        for shot in shots:
            _take(visitor, shot, folder / f"{shot.name}-{'dark' if dark else 'light'}.png", width)
        return visitor.watch.problems


def _take(visitor: Visitor, shot: Shot, file: Path, width: int) -> None:
    visitor.page.set_viewport_size({"width": width, "height": 900})
    visitor.open(shot.path)
    visitor.sees_key(shot.key)
    shot.act(visitor)
    visitor.drawn()  # charts take their height when they are drawn
    # the page scrolls inside of its frame: the window is made as tall as what is in it
    if shot.whole:
        page = "() => document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"
        height = int(visitor.page.evaluate(page)) + 8
        visitor.page.set_viewport_size({"width": width, "height": min(LONGEST, max(900, height))})
    visitor.settle()
    visitor.page.mouse.move(0, 0)
    visitor.drawn()
    visitor.page.wait_for_timeout(700)  # tables and charts are drawn a moment after the script has ended
    visitor.page.screenshot(path=str(file))
    if (over := visitor.overflow()) > 0:
        print(f"{file.name}: scrolls sideways by {over} pixels", file=sys.stderr)


def take_sign_in(server: Server, folder: Path, *, width: int, dark: bool) -> None:
    with browsing() as browser, visiting(browser, server.url, size=(width, 900), dark=dark) as visitor:
        visitor.page.goto(f"{server.url}/")
        visitor.page.locator("input[name=token]").wait_for()
        visitor.page.screenshot(path=str(folder / f"sign-in-{'dark' if dark else 'light'}.png"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder of the pictures (default: docs/images)")
    parser.add_argument("--width", type=int, default=1440, help="of the window in pixels (default: 1440)")
    parser.add_argument(
        "--home", type=Path, help="a home seeded before; a copy of it is used (default: seed a new one)"
    )
    parser.add_argument("--train-steps", type=int, default=TRAIN_STEPS, help="of the longest run of a new home")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        return _draw(options, Path(scratch))


def _draw(options: argparse.Namespace, scratch: Path) -> int:
    home = scratch / ".tunixrt"
    os.environ["HOME"] = str(scratch)  # so that the pictures name it ~/.tunixrt
    if options.home:
        shutil.copytree(options.home, home)
    else:
        seed_home(home, options.train_steps)
    problems: list[str] = []

    def wanted(shots: tuple[Shot, ...]) -> tuple[Shot, ...]:
        return tuple(shot for shot in shots if not options.only or shot.name in options.only)

    for place, shots, flags in ((home, SHOTS, ["--no-auth"]), (scratch / "empty", EMPTY, [])):
        if not (chosen := wanted(shots)):
            continue
        with serving(place, *flags) as server:
            for dark in (False, True):
                if server.token:
                    take_sign_in(server, options.out, width=options.width, dark=dark)
                problems += take(server, chosen, options.out, width=options.width, dark=dark)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
