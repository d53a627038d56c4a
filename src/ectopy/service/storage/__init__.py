"""Storage: what the service keeps in SQLite or PostgreSQL."""

from ectopy.service.storage.records import (
    AuditEntry,
    Device,
    Forgotten,
    HandedOrder,
    Patient,
    Restored,
    Stepped,
    StoredAlarm,
    StoredBeat,
    StoredEvent,
    Waveform,
)
from ectopy.service.storage.store import Store

__all__ = [
    "AuditEntry",
    "Device",
    "Forgotten",
    "HandedOrder",
    "Patient",
    "Restored",
    "Stepped",
    "Store",
    "StoredAlarm",
    "StoredBeat",
    "StoredEvent",
    "Waveform",
]
