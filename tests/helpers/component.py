"""What AppTest can see of the dashboard's own component: the data that Python hands to its parts."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def parts(app: AppTest, kind: str) -> list[dict[str, Any]]:
    """The data of every part of a kind, in the order of the page."""
    found = [json.loads(one.proto.json) for one in app.get("bidi_component")]
    return [data for data in found if data["kind"] == kind]


def readings(app: AppTest) -> list[dict[str, Any]]:
    """What the readers of the page show, of those that get it from Python."""
    return [data["reading"] for data in parts(app, "reader") if "reading" in data]
