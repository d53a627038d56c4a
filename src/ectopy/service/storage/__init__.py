"""Storage in SQLite or PostgreSQL, one module for each subject."""

from ectopy.service.storage.database import MOST_ROWS
from ectopy.service.storage.retention import Deleted
from ectopy.service.storage.steps import StepRecord
from ectopy.service.storage.store import Store
from ectopy.service.storage.stored_alarms import StoredAlarm
from ectopy.service.storage.stored_audit import AuditEntry, StoredAudit
from ectopy.service.storage.stored_beats import MOST_BEATS, StoredBeat, TrendStep
from ectopy.service.storage.stored_events import StoredEvent
from ectopy.service.storage.stored_inputs import PendingCommand, ResumePoint
from ectopy.service.storage.stored_keys import KeyStore, StoredKey
from ectopy.service.storage.stored_offsets import Offsets, Partition
from ectopy.service.storage.stored_patients import Device, Patient, check_name
from ectopy.service.storage.stored_waveforms import Arrival, Waveform

__all__ = [
    "MOST_BEATS",
    "MOST_ROWS",
    "Arrival",
    "AuditEntry",
    "Deleted",
    "Device",
    "KeyStore",
    "Offsets",
    "Partition",
    "Patient",
    "PendingCommand",
    "ResumePoint",
    "StepRecord",
    "Store",
    "StoredAlarm",
    "StoredAudit",
    "StoredBeat",
    "StoredEvent",
    "StoredKey",
    "TrendStep",
    "Waveform",
    "check_name",
]
