"""Routes of one part of the API, found by the part's prefix."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class Part(APIRouter):
    """Routes below a prefix, whose patterns are tried for addresses below it alone: there are over a hundred."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not scope["path"].startswith(self.prefix, len(scope.get("root_path", ""))):
            return Match.NONE, {}
        return super().matches(scope)
