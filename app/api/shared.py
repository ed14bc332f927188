"""Shared parts of the routes: the Pipeline and the Idempotency-Key header."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header

from app.state import get_pipeline
from tunixrt_core.pipeline.pipeline import Pipeline


async def pipeline_of_process() -> Pipeline:
    """A coroutine: FastAPI runs plain functions in threads, and this one hands out what the server has opened."""
    return get_pipeline()


Pipe = Annotated[Pipeline, Depends(pipeline_of_process)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="A key of your choice. The same request sent again under it starts nothing and returns the result "
        "of the first; a different request under it is 422. Kept for 30 days.",
    ),
]
