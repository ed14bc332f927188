"""Answers that all routes share: errors, and whether Tunix is installed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ErrorInfo(BaseModel):
    code: str = Field(description="A fixed word such as not_found.")
    message: str = Field(description="A sentence that says what is wrong and what to do.")
    retryable: bool = Field(description="True: the same request can succeed later; see Retry-After. False: final.")
    details: dict[str, Any] | None = None


class Error(BaseModel):
    error: ErrorInfo


class TunixStatus(BaseModel):
    available: bool
    version: str | None
    jax_version: str | None
    install: str = Field(description="The line that installs Tunix.")
    device: str = Field(description="TPU, GPU or CPU, as this machine's device files tell.")
