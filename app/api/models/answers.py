"""Answers that all routes share: errors, and whether Tunix is installed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ErrorInfo(BaseModel):
    code: str = Field(description="Stable error code, such as not_found.")
    message: str = Field(description="What is wrong and how to fix it.")
    retryable: bool = Field(
        description="True: the same request can succeed later, see the Retry-After header. False: final."
    )
    details: dict[str, Any] | None = None


class Error(BaseModel):
    error: ErrorInfo


class TunixStatus(BaseModel):
    available: bool
    version: str | None
    jax_version: str | None
    install: str = Field(description="Command that installs Tunix.")
    device: str = Field(description="TPU, GPU or CPU, detected from this machine's device files.")
