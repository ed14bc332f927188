"""Every page begins with our title, our icon and our script; what is no page is left to Streamlit."""

from __future__ import annotations

import httpx
import pytest

from app.server.index_page import index_page
from app.ui.navigation import PAGES
from tests.helpers.servers import START_SECONDS, Server, get


@pytest.mark.parametrize("path", ["/", *(f"/{spec.key}" for spec in PAGES)])
def test_a_page_begins_with_our_title_icon_and_script(server: Server, path: str) -> None:
    with httpx.Client(
        base_url=server.url, headers={"authorization": f"Bearer {server.token}"}, timeout=START_SECONDS
    ) as visitor:
        answer = visitor.get(path)
        assert answer.text == index_page()
        assert answer.headers["cache-control"] == "no-cache"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "<title>Tunix RT</title>" in answer.text
        for address in ("/app/static/before.js", "/app/static/favicon.png"):
            assert f'"{address}"' in answer.text
            assert visitor.get(address).status_code == 200


def test_our_script_runs_before_streamlits(server: Server) -> None:
    text = index_page()
    assert text.index("before.js") < text.index('type="module"')
    kind = get(f"{server.url}/app/static/before.js", headers={"authorization": f"Bearer {server.token}"})
    assert "javascript" in kind.headers["content-type"]


def test_an_address_without_a_page_is_left_to_streamlit(server: Server) -> None:
    answer = get(f"{server.url}/no-such-page", headers={"authorization": f"Bearer {server.token}"})
    assert answer.status_code == 200
    assert "before.js" not in answer.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/compare?runs=r-0001,r-0002&along=Time&log=true", "run?runs=r-0001,r-0002&log=true&x=time"),
        ("/compare?runs=r-0001&raw=true&other=1", "run?runs=r-0001&smoothing=0"),
        ("/compare", "run"),
        ("/runs", "run"),
    ],
)
def test_a_link_to_the_old_comparison_and_a_guess_lead_to_the_runs(server: Server, old: str, new: str) -> None:
    answer = get(f"{server.url}{old}", headers={"authorization": f"Bearer {server.token}"})
    assert (answer.status_code, answer.headers["location"]) == (307, new)
