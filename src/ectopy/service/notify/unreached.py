"""Alarms that no target has taken are themselves a condition."""

from __future__ import annotations

from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.service.notify.outbox import Outbox

_CONDITION = "nobody reached"


def unreached(outbox: Outbox, now: float, limit_s: float) -> dict[str, ConditionReading]:
    """Return the patients about whom no target could be reached, with the reading for each.

    A message of high priority may wait for `limit_s`. The condition is over as soon as a target has taken that message
    or a later one about the patient.
    """
    oldest: dict[str, float] = {}
    errors: dict[str, set[str]] = {}
    for delivery in outbox.unreached(now, limit_s):
        patient = delivery.patient
        oldest[patient] = min(delivery.created, oldest.get(patient, now))
        errors.setdefault(patient, set()).add(f"{delivery.target}: {delivery.error or 'no attempt has ended'}")
    return {patient: _reading(now - created, limit_s, sorted(errors[patient])) for patient, created in oldest.items()}


def _reading(waited_s: float, limit_s: float, errors: list[str]) -> ConditionReading:
    text = f"No target has taken an alarm for {waited_s:.0f} s, limit {limit_s:g} s: {'; '.join(errors)}."
    return ConditionReading(_CONDITION, present=True, text=text, value=waited_s, limit=limit_s)
