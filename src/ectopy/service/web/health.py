"""Whether the service is well, and its figures."""

from __future__ import annotations

from fastapi import APIRouter, Response
from typing_extensions import TypedDict

from ectopy import __version__
from ectopy.service.web.door import Viewing
from ectopy.service.web.parts import MetricsDep, ReadinessDep

router = APIRouter(tags=["health"])


class Health(TypedDict):
    """The service answers."""

    status: str
    version: str


class Readiness(TypedDict):
    """Whether everything that it needs does too."""

    ready: bool
    checks: dict[str, bool]


@router.get("/health")
async def health() -> Health:
    """Whether the service answers; open to all."""
    return Health(status="ok", version=__version__)


@router.get("/health/ready", responses={503: {"model": Readiness}})
async def ready(readiness: ReadinessDep, response: Response) -> Readiness:
    """Whether patients are watched and what is found can be stored; open to all."""
    checks = await readiness.look()
    if not all(checks.values()):
        response.status_code = 503
    return Readiness(ready=all(checks.values()), checks=checks)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(caller: Viewing, figures: MetricsDep) -> Response:
    """Figures for Prometheus."""
    return Response(figures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
