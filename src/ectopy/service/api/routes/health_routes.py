"""Health, readiness and metrics of the service."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ectopy import __version__
from ectopy.service import schemas
from ectopy.service.api.dependencies import MetricsDep, ReadinessDep
from ectopy.service.api.middleware.access_control import Viewing

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> schemas.HealthShape:
    """Answer whenever the service runs; open to all."""
    return schemas.HealthShape(status="ok", version=__version__)


@router.get("/health/ready", responses={503: {"model": schemas.ReadinessShape}})
async def ready(readiness: ReadinessDep, response: Response) -> schemas.ReadinessShape:
    """Say whether patients are watched and results can be stored; open to all."""
    checks = await readiness.look()
    if not all(checks.values()):
        response.status_code = 503
    return schemas.ReadinessShape(ready=all(checks.values()), checks=checks)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(caller: Viewing, figures: MetricsDep) -> Response:
    """Figures for Prometheus."""
    return Response(figures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
