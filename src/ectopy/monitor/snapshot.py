"""Stored states of monitors, with the version of their form."""

from __future__ import annotations

from dataclasses import dataclass

from ectopy.errors import DataError
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.monitor_state import MonitorState

SNAPSHOT_VERSION = 1
"""Version of the form of stored states: add 1 when an older Ectopy would misread a state, or lose a part of it."""


@dataclass(frozen=True, slots=True)
class SnapshotVersion:
    """The beginning of a snapshot of any version; 0 in a state that was stored before there were versions."""

    version: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state and the version of its form."""

    version: int
    state: MonitorState


def encode_snapshot(state: MonitorState) -> bytes:
    """Encode the state of a monitor, with the version of its form."""
    return encode(Snapshot(SNAPSHOT_VERSION, state))


def decode_snapshot(content: bytes) -> MonitorState:
    """Decode a state that this or an earlier version encoded; fields that it did not have take their defaults.

    Raises
    ------
    DataError
        If a newer version encoded the state, or `content` is damaged.
    """
    version = readable_version(content)
    return decode(Snapshot, content).state if version else decode(MonitorState, content)


def readable_version(content: bytes) -> int:
    """Return the version of a snapshot, or of another part of a state that has one.

    Raises
    ------
    DataError
        If it is newer than this Ectopy, or `content` is damaged.
    """
    version = decode(SnapshotVersion, content).version
    if version > SNAPSHOT_VERSION:
        raise DataError(
            f"the stored state has version {version}, and this Ectopy reads up to {SNAPSHOT_VERSION}; "
            "start the newer Ectopy that wrote it."
        )
    return version
