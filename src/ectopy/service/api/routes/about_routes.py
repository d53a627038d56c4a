"""Version, detector, conditions and limits of Ectopy, and what it is not."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from ectopy import __version__
from ectopy.disclaimers import STATEMENTS
from ectopy.monitor.conditions import CONDITIONS
from ectopy.monitor.limits import PROFILES
from ectopy.service import schemas
from ectopy.service.api.dependencies import WardDep
from ectopy.service.api.middleware.access_control import AnyCaller
from ectopy.service.patient_responses import limits

router = APIRouter(prefix="/api/about", tags=["about"])


@router.get("")
async def about(ward: WardDep, caller: AnyCaller) -> schemas.AboutShape:
    """Version, detector, conditions and limits of Ectopy, and what it is not."""
    detector = ward.detector
    return schemas.AboutShape(
        version=__version__,
        bundle=schemas.BundleShape(sha256=ward.bundle, threshold=detector.threshold, model_card=asdict(detector.card)),
        conditions=[
            schemas.ConditionShape(
                code=condition.code,
                title=condition.title,
                type=condition.kind.value,
                priority=condition.priority.word,
                definition=condition.definition,
                source=condition.source,
                advice=condition.advice,
            )
            for condition in CONDITIONS.values()
        ],
        profiles=list(PROFILES),
        limits=limits(),
        statements=list(STATEMENTS),
    )
