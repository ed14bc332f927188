"""Answers of the routes of users and of the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tunixrt_core.home.audit import Outcome

Role = Literal["read", "write"]


class Me(BaseModel):
    name: str = Field(description="`access token` for the server's own token.")
    role: Role


class Entry(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    at: datetime
    who: str
    via: Literal["page", "API", "command", "script"]
    action: str = Field(description="start, stop, resume, delete, archive, import, export, ...")
    kind: str = Field(description="Of the object: run, trace, dataset, ...")
    object: str = Field(description="Id or name; empty where it has none.")
    outcome: Outcome
    why: str = Field(description="The sentence of a refusal or a failure.")
    address: str = Field(description="Of the client, where it came over the network.")


class EntryList(BaseModel):
    entries: list[Entry] = Field(description="Newest first.")
