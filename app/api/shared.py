"""What the routes have in common: the Pipeline they work through."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from app.state import get_pipeline
from tunixrt_core.pipeline import Pipeline

Pipe = Annotated[Pipeline, Depends(get_pipeline)]
