"""Recordings that are known by name: simulated ones, and those of data sets on this machine."""

from __future__ import annotations

from ectopy.datasets import load_mitdb, simulate_recording
from ectopy.datasets.mitdb import RECORDS, find_mitdb
from ectopy.errors import SettingError
from ectopy.recording import Recording

SIMULATED = "simulated"

_MITDB = "mitdb"
_SIMULATED_S = 1800.0


def builtin_names() -> tuple[str, ...]:
    """The names of all recordings that this machine has."""
    records = (record for record in RECORDS if find_mitdb((record,)) is not None)
    return (SIMULATED, *(f"{_MITDB}/{record}" for record in records))


def is_builtin(name: str) -> bool:
    """Return whether this is such a name, and not that of a file."""
    return name == SIMULATED or name.startswith(f"{_MITDB}/")


def load_builtin(name: str) -> Recording:
    """A recording by its name: ``simulated``, or a record such as ``mitdb/208``.

    Raises
    ------
    SettingError
        If there is none of that name.
    DatasetUnavailableError
        If its data set is not on this machine.
    DataError, MissingExtraError
        If it cannot be read.
    """
    if name == SIMULATED:
        return simulate_recording(_SIMULATED_S, ectopic={"V": 0.03, "A": 0.01})
    database, _, record = name.partition("/")
    if database == _MITDB and record:
        return load_mitdb(record)
    raise SettingError(f"there is no recording {name[:80]!r}; name 'simulated', or one such as 'mitdb/208'.")
