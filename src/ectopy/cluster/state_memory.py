"""States of patients that this machine still has, so that they need not be restored from what is stored."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex

from ectopy.errors import DataError
from ectopy.monitor import MonitorState
from ectopy.monitor.snapshot import decode_snapshot
from ectopy.presentation import short_repr

MOST_STATES = 500
"""That a process keeps, a tenth of a megabyte each."""


@dataclass(frozen=True, slots=True)
class _RecentState:
    """A state, and the token of the inputs that have led to it."""

    __repr__ = short_repr

    token: bytes
    state: MonitorState


def next_token(patient: str, token: bytes, inputs: bytes) -> bytes:
    """Return the token of a state after further inputs: what is known by its token has come from the same inputs."""
    return blake2b(inputs, digest_size=16, key=blake2b(token + patient.encode(), digest_size=16).digest()).digest()


class StateMemory:
    """States that this process left, and in files those that other processes of this machine left.

    Spark gives a shard to any of its processes on a machine: each finds what the one before has made of the state.

    Parameters
    ----------
    folder : Path or None
        Of the files, which only processes that run the same Ectopy share; None = the states of this process alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._states: dict[str, _RecentState] = {}

    def get(self, patient: str, token: bytes) -> MonitorState | None:
        """Return the patient's state with this token; None if it is not here."""
        recent = self._states.get(patient)
        if recent is not None and recent.token == token:
            return recent.state
        if self._folder is None:
            return None
        try:
            return decode_snapshot((self._folder / token.hex()).read_bytes())
        except (OSError, DataError):
            return None

    def put(self, patient: str, before: bytes, token: bytes, state: MonitorState, content: bytes) -> None:
        """Keep a state, and its snapshot `content`, in place of that with the token `before`."""
        self._states.pop(patient, None)
        self._states[patient] = _RecentState(token, state)
        while len(self._states) > MOST_STATES:
            del self._states[next(iter(self._states))]
        if self._folder is not None:
            with suppress(OSError):  # whoever misses the file restores the state
                self._write(self._folder, before, token, content)

    def _write(self, folder: Path, before: bytes, token: bytes, content: bytes) -> None:
        """Write a new file that is there whole or not at all, and remove the old one."""
        unfinished = folder / token_hex(8)
        try:
            unfinished.write_bytes(content)
            unfinished.rename(folder / token.hex())
        finally:
            unfinished.unlink(missing_ok=True)
            if before:
                (folder / before.hex()).unlink(missing_ok=True)
