"""Errors as JSON of one shape: `{"error": {"code", "message", "details"?}}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from tunixrt_core import errors
from tunixrt_core.util.files.space import unwritable

# The most specific base class in this table gives the status.
STATUS: dict[type[errors.TunixRTError], int] = {
    errors.InvalidInput: 422,
    errors.InvalidSettings: 500,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.ShuttingDown: 503,
    errors.JobFailed: 422,
    errors.StoreError: 503,
    errors.OutputError: 507,
    errors.TunixMissing: 501,
    errors.CompilerMissing: 501,
    errors.TunixRTError: 500,
}

RETRY_SECONDS = 10  # Retry-After of a retryable error

_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
}
_MESSAGES = {
    404: "No such endpoint. See GET /api/docs.",
    405: "Method not allowed. Use a method listed in the Allow header.",
}


def add_error_handlers(api: FastAPI) -> None:
    api.add_exception_handler(errors.TunixRTError, _known)
    api.add_exception_handler(OSError, _disk)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(Exception, _internal)


def error_body(
    code: str, message: str, details: Mapping[str, Any] | None = None, *, retryable: bool = False
) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "retryable": retryable}
    if details:
        error["details"] = dict(details)
    return {"error": error}


def status_of(kind: type[errors.TunixRTError]) -> int:
    """The HTTP status of an error class."""
    return next(STATUS[cls] for cls in kind.__mro__ if cls in STATUS)


async def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.TunixRTError)
    headers = {"Retry-After": str(RETRY_SECONDS)} if error.retryable else {}
    body = error_body(error.code, str(error), error.details, retryable=error.retryable)
    return JSONResponse(body, status_of(type(error)), headers=headers)


async def _disk(request: Request, error: Exception) -> JSONResponse:
    """A disk that is full or read-only; another error of the system is a bug."""
    if not (why := unwritable(None, error)):
        raise error
    return JSONResponse(error_body(errors.OutputError.code, why), STATUS[errors.OutputError])


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [{"field": _field(item["loc"]), "reason": _reason(item)} for item in error.errors()]
    code = "invalid_json" if error.errors()[0]["type"] == "json_invalid" else "invalid_request"
    message = f"{found[0]['field']}: {found[0]['reason']}" if found[0]["field"] else found[0]["reason"]
    return JSONResponse(error_body(code, message, {"errors": found}), 422)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "http_error")
    message = _MESSAGES.get(error.status_code, str(error.detail))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
    return JSONResponse(error_body(code, message), error.status_code, headers=headers)


async def _internal(request: Request, error: Exception) -> JSONResponse:
    # Starlette raises the error again after this answer, so that the server logs its traceback
    body = error_body("internal", "Internal error. See the server's log for details.")
    return JSONResponse(body, 500, headers={"connection": "close"})  # which uvicorn does after an error


def _allowed(request: Request) -> list[str]:
    """Methods of an address. Starlette reports those of the first matching route only."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = {
        method.upper() for template in paths if compile_path(template)[0].match(path) for method in paths[template]
    }
    found = found or {"GET"}  # the pages of the description are not routes of the description
    return sorted(found | {"HEAD"} if "GET" in found else found)


def _field(location: Sequence[Any]) -> str:
    """`steps[2].content` from `("body", "steps", 2, "content")`."""
    path = ""
    for part in location[1:]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _reason(item: Mapping[str, Any]) -> str:
    if item["type"] == "json_invalid":
        return "The body is not valid JSON."
    if item["type"] == "extra_forbidden":
        return "is not a field of this request"
    if item["type"] == "missing":
        return "is missing" if len(item["loc"]) > 1 else "The request needs a JSON body."
    text = str(item["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
