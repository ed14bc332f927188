"""First token of an answer: from the model having it to it being drawn in Chromium, beside a bare page's stream.

python benchmarks/first_token.py --browser /usr/bin/chromium

"open": the model compiles, and the page reads its stream already. "at once": everything is loaded and compiled, so that
the token may be there before the page has drawn the click.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.first_page import wait_for  # noqa: E402

BAR = 300.0  # milliseconds
TRIES = 5
FLOOR_PAGE = """
<!doctype html><title>floor</title><p id=box></p><script>
fetch("/text").then(async answer => {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part; !(part = await reader.read()).done;) document.getElementById("box").append(part.value);
});
</script>
"""
# the clock in milliseconds when a text is in one of these, and the frame that shows it has begun
DRAWN = """
selectors => new Promise((done, failed) => {
  const roots = () => [document, ...[...document.querySelectorAll('*')].flatMap(e => e.shadowRoot ?? [])];
  const there = () => roots().some(root => [...root.querySelectorAll(selectors)].some(e => e.textContent));
  const look = () => requestAnimationFrame(() => there() ? requestAnimationFrame(() => done(Date.now())) : look());
  setTimeout(() => failed(new Error('nothing was drawn within 60 s')), 60_000);
  look();
})
"""
OURS = "p[role=log], .reader .item"  # the stream, or what took its place


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", metavar="PATH", default="/usr/bin/chromium")
    for hidden in ("--serve", "--floor", "--home", "--times"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve or options.floor:
        serve_floor(options) if options.floor else serve_dashboard(options)
        return 0
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        train(folder / "home")
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox", "--disable-gpu"])
        with server(folder, "--floor") as (url, times):
            floor = [bare(browser, url, times) for _ in range(TRIES)]
        with server(folder, "--serve", "--home", str(folder / "home")) as (url, times):
            streamed, at_once = playground(browser, url, times)
        browser.close()
    print(f"floor     {told(floor)}: a bare page, a bare stream")
    print(f"open      {told(streamed)}")
    print(f"at once   {told(at_once)}")
    met = max(statistics.median(streamed), statistics.median(at_once)) <= BAR
    print(f"Bar: {BAR:.0f} ms: {'met' if met else 'NOT met'}")
    return 0 if met else 1


def told(found: list[float]) -> str:
    return f"{statistics.median(found):.0f} ms median, {max(found):.0f} ms most"


def train(home: Path) -> None:
    """A run of two train steps, to have a model that can be asked."""
    from tunixrt_core.datasets.spec import DatasetSpec
    from tunixrt_core.pipeline.pipeline import open_pipeline
    from tunixrt_core.settings import Settings

    with open_pipeline(Settings.from_env({"TUNIXRT_HOME": str(home)})) as rt:
        rt.traces.ingest_examples(200)
        rt.datasets.build(DatasetSpec("dial"))
        rt.runs.start(rt.manifests.build("dial", model_id="tiny", hyperparams={"train_steps": 2}))
        rt.queue.wait()


@contextmanager
def server(folder: Path, kind: str, *more: str) -> Iterator[tuple[str, Path]]:
    """Its address, and the file with a line per first token: the clock in milliseconds."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    times = folder / f"times-{port}"
    command = [sys.executable, __file__, kind, port, "--times", str(times), *more]
    with (folder / f"server-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}", times
    finally:
        process.terminate()
        process.wait(30)


def last(times: Path) -> float:
    return float(times.read_text().split()[-1])


def bare(browser: Any, url: str, times: Path) -> float:
    page = browser.new_page()
    page.goto(url)
    drawn = page.evaluate(DRAWN, "#box")
    page.close()
    return float(drawn) - last(times)


def playground(browser: Any, url: str, times: Path) -> tuple[list[float], list[float]]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    streamed, at_once = [], []
    for number in range(TRIES):
        # every prompt falls into another length, for which the model is compiled
        prompt = "The dial shows 4. " + "Turn it 3 forward. " * (4 * number + 1)
        streamed.append(ask(page, url, prompt, times))
        at_once.append(ask(page, url, prompt, times))
    page.close()
    return streamed, at_once


def ask(page: Any, url: str, prompt: str, times: Path) -> float:
    page.goto(f"{url}/playground?models=r-0001:last")
    field = page.locator(".st-key-play-prompt textarea")
    field.fill(prompt)
    field.press("Control+Enter")
    settle(page)
    page.locator(".st-key-ask button").click()
    drawn = page.evaluate(DRAWN, OURS)
    page.locator(".st-key-ask button").wait_for()
    settle(page)
    return float(drawn) - last(times)


def settle(page: Any) -> None:
    page.wait_for_timeout(300)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')


def serve_dashboard(options: argparse.Namespace) -> None:
    """The dashboard, which writes down when a model has the first token of an answer."""
    from app.server.server import serve
    from tunixrt_core.settings import Settings
    from tunixrt_core.tunix_backend.generate.decoding import Decoder

    original = Decoder._decode_in_parts
    times = Path(options.times)

    def timed(self: Decoder, params: Any, state: Any, follow: Any, stops: Any) -> Any:
        told: list[int] = []

        def followed(rows: list[list[int]]) -> bool:
            if not told:
                with times.open("a") as file:
                    told.append(file.write(f"{1000 * time.time()}\n"))
            return bool(follow(rows))

        return original(self, params, state, followed, stops)

    Decoder._decode_in_parts = timed  # type: ignore[method-assign]
    settings = Settings.from_env({"TUNIXRT_PORT": options.serve, "TUNIXRT_HOME": options.home})
    serve(settings, auth=False, on_start=lambda address: None)


def serve_floor(options: argparse.Namespace) -> None:
    """A page of a dozen lines, whose stream sends one word after half a second."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse, Response, StreamingResponse
    from starlette.routing import Route

    async def words() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.5)
        with Path(options.times).open("a") as file:
            file.write(f"{1000 * time.time()}\n")
        yield b"token"

    routes = [
        Route("/", lambda request: HTMLResponse(FLOOR_PAGE)),
        Route("/_stcore/health", lambda request: Response("ok")),
        Route("/text", lambda request: StreamingResponse(words(), media_type="text/event-stream")),
    ]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=int(options.floor), log_level="warning")


if __name__ == "__main__":
    sys.exit(main())
