"""Errors as answers: a status and one sentence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from ectopy.errors import ConflictError, DatabaseError, EctopyError, NotFoundError, StorageError
from ectopy.service import correction_responses, schemas
from ectopy.service.monitoring.senders import OccupiedError
from ectopy.service.monitoring.ward import RefusedError
from ectopy.service.monitoring.write_buffer import sentence
from ectopy.service.recordings.stored_corrections import AuthorError, OutdatedError

_log = logging.getLogger(__name__)

_INTERNAL = "the service has failed at this; who runs it finds the reason in its log."


_DESCRIPTIONS = {
    400: "The body cannot be read at all.",
    401: "No key, or one that is not known.",
    403: "The key does not allow it.",
    404: "Nothing exists at this address.",
    409: "The monitor does not take the order, or what is to be changed has changed meanwhile.",
    413: "The body is too large.",
    415: "The body is encoded, or of another kind.",
    422: "What was sent cannot be taken as it is.",
    429: "Too often; the header Retry-After says when again.",
    503: "The database does not answer, and without it this cannot be done; try again.",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ProblemShape, "description": text} for status, text in _DESCRIPTIONS.items()
}


class DeniedError(HTTPException):
    """A request that is answered with a status, one sentence, and headers."""


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that says what is wrong."""
    return JSONResponse({"detail": detail}, status, headers)


def install(app: FastAPI) -> None:
    """Answer every error of Ectopy in one way, on HTTP and on a WebSocket that is not open yet."""
    invalid = (RequestValidationError, WebSocketRequestValidationError)
    for kind in (EctopyError, *invalid, HTTPException, TimeoutError, Exception):
        app.add_exception_handler(kind, _answer)


async def _answer(connection: HTTPConnection, error: Exception) -> Response:
    match error:
        case NotFoundError():
            return problem(404, str(error))
        case OutdatedError():
            return JSONResponse(correction_responses.outdated(error), 409)
        case AuthorError():
            return JSONResponse(correction_responses.foreign(error), 409)
        case ConflictError() | RefusedError() | OccupiedError():
            return problem(409, str(error))
        case StorageError():
            if isinstance(error, DatabaseError):
                _log.error("a request failed: %s", error)
            return problem(503, sentence(error), {"Retry-After": "1"})
        case TimeoutError():
            return problem(503, "the service has not answered in time; see whether it was done.", {"Retry-After": "1"})
        case EctopyError():
            return problem(422, str(error))
        case ValidationException():
            return problem(422, _sentence(error))
        case HTTPException(status_code=404, detail="Not Found"):
            return problem(404, "nothing exists at this address.")
        case HTTPException(status_code=405):
            method = connection.scope["method"]
            return problem(405, f"this address does not take the method {method}.", error.headers)
        case HTTPException():
            return problem(error.status_code, str(error.detail), error.headers)
    return problem(500, _INTERNAL)


def _sentence(error: ValidationException) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}."
