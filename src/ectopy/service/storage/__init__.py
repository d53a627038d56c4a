"""Storage: what the service keeps in SQLite or PostgreSQL."""

from ectopy.service.storage.records import (
    Arrival,
    AuditEntry,
    Device,
    Forgotten,
    HandedOrder,
    Patient,
    Restored,
    Stepped,
    StoredAlarm,
    StoredAudit,
    StoredBeat,
    StoredEvent,
    TrendStep,
    Waveform,
)
from ectopy.service.storage.store import MOST_BEATS, MOST_ROWS, Store, check_name

__all__ = [
    "MOST_BEATS",
    "MOST_ROWS",
    "Arrival",
    "AuditEntry",
    "Device",
    "Forgotten",
    "HandedOrder",
    "Patient",
    "Restored",
    "Stepped",
    "Store",
    "StoredAlarm",
    "StoredAudit",
    "StoredBeat",
    "StoredEvent",
    "TrendStep",
    "Waveform",
    "check_name",
]
