"""Monitor states in named parts, of which only those that changed have to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ectopy.errors import DataError
from ectopy.monitor.monitor import MonitorState
from ectopy.monitor.snapshot import decode_snapshot, encode_snapshot
from ectopy.presentation import short_repr

_WHOLE = "state"


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state, and how it lies in parts."""

    __repr__ = short_repr

    state: MonitorState


@dataclass(frozen=True, slots=True)
class PartChanges:
    """Parts to write, and names of those to remove; what is in neither stays as it is.

    Attributes
    ----------
    written : dict of str to bytes
        By name of the part.
    removed : tuple of str
    """

    written: dict[str, bytes]
    removed: tuple[str, ...] = ()


def split(state: MonitorState) -> tuple[StoredState, PartChanges]:
    """Divide a state that is not stored yet."""
    return StoredState(state), PartChanges({_WHOLE: encode_snapshot(state)})


def changed_parts(before: StoredState, state: MonitorState) -> tuple[StoredState, PartChanges]:
    """Return what has to be written of the next state of a patient, so that its parts join to it."""
    if state is before.state:
        return before, PartChanges({})
    return split(state)


def join(parts: Mapping[str, bytes]) -> StoredState:
    """Join all parts of a patient to the very state that was divided.

    Raises
    ------
    DataError
        If a part is missing or damaged, or a newer Ectopy wrote it.
    """
    if _WHOLE not in parts:
        raise DataError("the stored state has no parts.")
    return StoredState(decode_snapshot(parts[_WHOLE]))
