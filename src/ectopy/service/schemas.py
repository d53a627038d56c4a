"""Schemas of requests and answers about the service itself: keys, audit, errors, health; the base of all requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ectopy.service.access import Scope
from ectopy.service.openapi_examples import example_config, with_example
from ectopy.service.storage import StoredKey


class RequestBody(BaseModel):
    """The body of a request: JSON without unknown fields."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


@with_example(
    id=2,
    name="strap of bed 3",
    scopes=["send"],
    created_time=1767225600.0,
    patients=["bed 3"],
    devices=[],
    expires_time=None,
    key="ectopy_...",
)
@dataclass(frozen=True, kw_only=True)
class NewKeyShape(StoredKey):
    """A new key, with its secret, which is shown this once."""

    key: str


@with_example(
    id=4711,
    time=1767225600.0,
    who="desk of ward 3",
    what="acknowledged alarm",
    patient="bed 3",
    detail="7 pulse is there",
)
class AuditShape(TypedDict):
    """An entry of the audit log; later entries have greater ids."""

    id: int
    time: float
    who: str
    what: str
    patient: str
    detail: str


class ProblemShape(TypedDict):
    """The reason of an error, in one sentence."""

    detail: str


class HealthShape(TypedDict):
    """The service answers."""

    status: str
    version: str


class ReadinessShape(TypedDict):
    """Readiness of the service, and its checks."""

    ready: bool
    checks: dict[str, bool]


class BundleShape(TypedDict):
    """The detector: its digest, threshold and model card."""

    sha256: str
    threshold: float
    model_card: dict[str, Any]


class ConditionShape(TypedDict):
    """A condition for which an alarm can be raised."""

    code: str
    title: str
    type: str
    priority: str
    definition: str
    source: str
    advice: str


class LimitShape(TypedDict):
    """The range of a limit; `whole`: only whole numbers; `group` is its heading in a form."""

    name: str
    least: float
    most: float
    whole: bool
    label: str
    unit: str
    group: str


class AboutShape(TypedDict):
    """Version, detector, conditions, limits and the statements that go with them."""

    version: str
    bundle: BundleShape
    conditions: list[ConditionShape]
    profiles: list[str]
    limits: list[LimitShape]
    statements: list[str]


class SignIn(RequestBody):
    """A key."""

    model_config = example_config(key="ectopy_...")

    key: Annotated[str, Field(min_length=1, max_length=200)]


class SessionShape(TypedDict):
    """The account that has signed in; `csrf` goes into the header X-CSRF-Token of requests that change data."""

    name: str
    scopes: list[str]
    csrf: str | None


_Names = Annotated[set[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=200)]


class NewKey(RequestBody):
    """Name, scopes and expiry of a new key.

    A key that may send names the patients for whom it does, or the devices as which it does. Only where `any_patient`
    says so it sends for everybody.
    """

    model_config = example_config(name="strap of bed 3", scopes=["send"], patients=["bed 3"])

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: Annotated[set[Scope], Field(min_length=1)]
    patients: _Names = set()
    devices: _Names = set()
    any_patient: bool = False
    expires_time: Annotated[float | None, Field(description="Seconds since 1970; null = it does not end.")] = None
