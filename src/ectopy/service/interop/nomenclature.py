"""Codes of ISO/IEEE 11073-10101 (MDC) for leads, alarms and measurements.

Sources: DICOM PS3.16, context groups 3001 (leads) and 3038 (events of monitoring), which reprint the codes; HL7 FHIR's
own example of an ECG. A code is the partition times 65,536, plus the number in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ectopy.monitor.conditions import AlarmType, Condition

MDC_URI = "urn:iso:std:iso:11073:10101"


@dataclass(frozen=True, slots=True)
class Code:
    """A code and its reference identifier."""

    code: int
    name: str


ALERT = Code(196616, "MDC_EVT_ALARM")
ECG = Code(131328, "MDC_ECG_ELEC_POTL")
HEART_RATE = Code(147842, "MDC_ECG_HEART_RATE")
PLETHYSMOGRAM = Code(150452, "MDC_PULS_OXIM_PLETH")
ARTERIAL_PRESSURE = Code(150032, "MDC_PRESS_BLD_ART")
PER_MINUTE = Code(264864, "MDC_DIM_BEAT_PER_MIN")
ALERT_SOURCE = Code(68480, "MDC_ATTR_ALERT_SOURCE")
EVENT_PHASE = Code(68481, "MDC_ATTR_EVENT_PHASE")
ALARM_STATE = Code(68482, "MDC_ATTR_ALARM_STATE")
INACTIVATION_STATE = Code(68483, "MDC_ATTR_ALARM_INACTIVATION_STATE")
ALARM_PRIORITY = Code(68484, "MDC_ATTR_ALARM_PRIORITY")
ALERT_TYPE = Code(68485, "MDC_ATTR_ALERT_TYPE")

_ARRHYTHMIA = Code(199874, "MDC_EVT_ECG_ARRHY")
_EVENTS = {
    "asystole": Code(199684, "MDC_EVT_ECG_ASYSTOLE"),
    "irregular rhythm": Code(199726, "MDC_EVT_ECG_RR_IRREG"),
}

_LEADS = {
    **{"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8},
    **{"III": 61, "aVR": 62, "aVL": 63, "aVF": 64},
    **{"MCL1": 92, "MCL6": 97},
}
_BY_NAME = {name.lower(): (number, name) for name, number in _LEADS.items()}


def lead_code(lead: str) -> Code | None:
    """Return the code of a lead by its name, in any case; None if no published table has one, as for MLII."""
    entry = _BY_NAME.get(lead.strip().lower())
    return entry and Code(ECG.code + entry[0], f"{ECG.name}_{entry[1].upper()}")


def event_code(condition: Condition) -> Code:
    """Return the code of a condition, or a general one if no published table has its own."""
    general = _ARRHYTHMIA if condition.kind is AlarmType.PHYSIOLOGICAL else ALERT
    return _EVENTS.get(condition.code, general)
