"""Named data sets and files of heartbeats, as Beats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ectopy.arguments import checked
from ectopy.beats import Beats
from ectopy.datasets.beat_files import known_suffixes, read_beats
from ectopy.datasets.ecg5000 import fetch_ecg5000, load_ecg5000
from ectopy.datasets.mitdb import fetch_mitdb, load_mitdb
from ectopy.datasets.physionet import (
    fetch_challenge_2015,
    fetch_challenge_2017,
    fetch_ltafdb,
    fetch_ludb,
    fetch_qtdb,
    fetch_vfdb,
)
from ectopy.datasets.simulated import Episode, simulate_recording
from ectopy.datasets.simulated_beats import load_simulated, simulate_beats
from ectopy.datasets.simulated_pulse import PulseArtefact, simulate_pulse
from ectopy.errors import DataError, SettingError

__all__ = [
    "NAMES",
    "Episode",
    "PulseArtefact",
    "fetch_challenge_2015",
    "fetch_challenge_2017",
    "fetch_ecg5000",
    "fetch_ltafdb",
    "fetch_ludb",
    "fetch_mitdb",
    "fetch_qtdb",
    "fetch_vfdb",
    "load",
    "load_ecg5000",
    "load_mitdb",
    "load_simulated",
    "read_beats",
    "simulate_beats",
    "simulate_pulse",
    "simulate_recording",
]

NAMES: dict[str, Callable[..., Beats]] = {
    "ecg5000": load_ecg5000,
    "simulated": load_simulated,
}


@checked
def load(name_or_path: str | Path, split: str | None = None) -> Beats:
    """Load a named data set or read a file of beats.

    Parameters
    ----------
    name_or_path : str or Path
        ``"ecg5000"``, ``"simulated"``, or a file that `read_beats` reads. To read a file that is
        called like a data set, name its folder too: ``./ecg5000``.
    split : str, optional
        ``"train"``, ``"test"`` or ``"all"`` of a named data set; all of it where none is given.

    Returns
    -------
    Beats

    Raises
    ------
    DataError
        If there is no such data set or file, or the file cannot be used.
    DatasetUnavailableError
        If the data set is neither on this machine nor to be downloaded now.
    SettingError
        If the data set has no such split, or one is asked of a file.

    Examples
    --------
    >>> load("simulated", split="test").samples.shape[1]
    140
    """
    if isinstance(name_or_path, str) and name_or_path in NAMES:
        return NAMES[name_or_path]("all" if split is None else split)
    path = Path(name_or_path)
    try:
        nothing_there = not path.suffix and not path.exists()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; name another file.") from error
    if nothing_there:
        raise DataError(
            f"{name_or_path} is neither a data set ({', '.join(NAMES)}) nor a file of beats ({known_suffixes()})."
        )
    if split is not None:
        raise SettingError(f"{path} is a file and has no split {split!r}; leave the split out.")
    return read_beats(path)
