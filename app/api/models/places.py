"""Answers of the routes of places."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Place(BaseModel):
    kind: Literal["run", "dataset", "trace", "setting"]
    name: str
    detail: str
    address: str = Field(description="Path and query in the dashboard, such as `/run?run=…`.")


class PlaceList(BaseModel):
    places: list[Place]
