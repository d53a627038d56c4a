"""What Ectopy is, and is not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from typing_extensions import TypedDict

from ectopy import __version__
from ectopy.monitor.conditions import CONDITIONS
from ectopy.service.web.door import AnyCaller
from ectopy.service.web.parts import WardDep
from ectopy.statements import STATEMENTS

router = APIRouter(prefix="/api/about", tags=["about"])


class BundleShape(TypedDict):
    """The detector: the digest that names it, and what is known of its making."""

    sha256: str
    threshold: float
    model_card: dict[str, Any]


class ConditionShape(TypedDict):
    """What an alarm can be raised for."""

    code: str
    title: str
    type: str
    priority: str
    definition: str
    source: str
    advice: str


class About(TypedDict):
    """Versions, the detector, what is watched for, and the statements that go with all of it."""

    version: str
    bundle: BundleShape
    conditions: list[ConditionShape]
    statements: list[str]


@router.get("")
async def about(ward: WardDep, caller: AnyCaller) -> About:
    """What Ectopy is, and is not."""
    detector = ward.detector
    return About(
        version=__version__,
        bundle=BundleShape(sha256=ward.bundle, threshold=detector.threshold, model_card=asdict(detector.card)),
        conditions=[
            ConditionShape(
                code=one.code,
                title=one.title,
                type=one.kind.value,
                priority=one.priority.name.lower(),
                definition=one.definition,
                source=one.source,
                advice=one.advice,
            )
            for one in CONDITIONS.values()
        ],
        statements=list(STATEMENTS),
    )
