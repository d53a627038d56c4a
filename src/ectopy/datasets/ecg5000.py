"""ECG5000: 5,000 heartbeats of one patient, the field's common yardstick.

Given by Y. Chen and E. Keogh to the UCR archive, from record chf07 of PhysioNet's BIDMC
Congestive Heart Failure Database. A row is one beat stretched to 140 samples and z-scored.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ectopy.arguments import checked
from ectopy.beats import (
    NORMAL_LABEL,
    UNSPECIFIED_ABNORMAL_LABEL,
    Beats,
    beats_digest,
)
from ectopy.datasets.beat_files import ECG5000_LAYOUT, read_beats
from ectopy.datasets.published import Published
from ectopy.errors import DataError, SettingError

ECG5000_URL = "https://www.timeseriesclassification.com/aeon-toolkit/ECG5000.zip"
MAX_ARCHIVE_BYTES = 64 * 2**20
MAX_MEMBER_BYTES = 64 * 2**20

Split = Literal["train", "test", "all"]

_SUFFIXES = (".txt", ".ts", ".arff")
"""The formats in the owner's archive, the preferred one first."""


class _Part(NamedTuple):
    """Content of one of the two official files.

    `class_counts` are those of classes 1 to 5; `digest` is that of `beats_digest`.
    """

    stem: str
    description: str
    class_counts: tuple[int, ...]
    digest: str

    @property
    def beats(self) -> int:
        return sum(self.class_counts)


_TRAIN = _Part(
    "ECG5000_TRAIN",
    "ECG5000, official training part",
    (292, 177, 10, 19, 2),
    "00d1fdfe4ee71c13ba9410d5bb3e74898d3b22a8d9685a86dd69d312d7fd503c",
)
_TEST = _Part(
    "ECG5000_TEST",
    "ECG5000, official test part",
    (2627, 1590, 86, 175, 22),
    "9fc27ff558bbc9e5430aaafdd68ca8cff5e39175320eaf532e3b257870977b25",
)
_PARTS = (_TRAIN, _TEST)


@checked
def load_ecg5000(split: Split = "train", *, download: bool = True, progress: bool = True) -> Beats:
    """Load ECG5000 and check that it is what its owners published.

    It is looked for as ``ecg5000/`` in the folders of ``ECTOPY_DATA``, then in the user's cache;
    where it is in neither, it is downloaded into the cache.

    Parameters
    ----------
    split : {"train", "test", "all"}
        The official 500 training beats, the official 4,500 test beats, or both in that order.
    download : bool
        Whether it may be downloaded.
    progress : bool
        Whether a download shows a progress bar, on standard error, where that is a terminal.

    Returns
    -------
    Beats
        Shape (500, 140), (4500, 140) or (5000, 140), z-scored, with labels from 1 (normal) to 5;
        0 in copies that do not know the class of some abnormal beats.

    Raises
    ------
    SettingError
        If `split` is none of the three.
    DatasetUnavailableError
        If it is not on this machine and cannot, or may not, be downloaded.
    DataError
        If the copy on this machine is truncated or changed.
    """
    if split not in ("train", "test", "all"):
        raise SettingError(f"the split {split!r} is unknown; ECG5000 has train, test and all.")
    folder = find_ecg5000()
    if folder is None:
        if not download:
            raise _ECG5000.unavailable("it is not on this machine and may not be downloaded")
        folder = fetch_ecg5000(progress=progress)
    if split == "train":
        return _load_part(folder, _TRAIN)
    if split == "test":
        return _load_part(folder, _TEST)
    return _join(_load_part(folder, _TRAIN), _load_part(folder, _TEST))


def find_ecg5000() -> Path | None:
    """Folder on this machine that has both official files, in any of their formats; or None."""
    return _ECG5000.find()


@checked
def fetch_ecg5000(*, url: str = ECG5000_URL, progress: bool = True) -> Path:
    """Make sure that a verified copy of ECG5000 is on this machine, downloading it if need be.

    The download appears in the cache whole and verified, or not at all. A damaged copy in the
    cache is replaced; one in a folder of ``ECTOPY_DATA`` is the user's and is left alone.

    Parameters
    ----------
    url : str
        Where the owner's archive is: a zip of ``ECG5000_TRAIN`` and ``ECG5000_TEST`` as
        ``.txt``, ``.ts`` or ``.arff``.
    progress : bool
        Whether to show a progress bar, on standard error, where that is a terminal.

    Returns
    -------
    Path
        The folder that holds it.

    Raises
    ------
    DatasetUnavailableError
        If it cannot be downloaded, what was downloaded is not ECG5000, or the cache cannot be
        written.
    DataError
        If a copy in a folder of ``ECTOPY_DATA`` is truncated or changed.
    """
    return _ECG5000.fetch(url, progress)


# The copy on this machine


def _file_of(folder: Path, part: _Part) -> Path | None:
    files = (folder / f"{part.stem}{suffix}" for suffix in _SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def _load_part(folder: Path, part: _Part) -> Beats:
    file = _file_of(folder, part)
    if file is None:
        raise DataError(f"{folder} has no {part.stem} file any more; load ECG5000 again.")
    beats = read_beats(file)
    _verify_part(beats, part)
    return replace(beats, source=part.description)


def _verify_part(beats: Beats, part: _Part) -> None:
    difference = _difference(beats, part)
    if difference:
        raise _ECG5000.damaged(f"{beats.source} has {difference} the {part.description}")


def _difference(beats: Beats, part: _Part) -> str:
    """Return how beats differ from the official ones, as in "other values than"; empty if they do not."""
    if len(beats) != part.beats:
        return f"{len(beats)} beats, not the {part.beats} of"
    if not _classes_agree(beats, part):
        return "other classes than"
    if beats_digest(beats.samples) != part.digest:
        return "other values than"
    return ""


def _classes_agree(beats: Beats, part: _Part) -> bool:
    classes = len(part.class_counts)
    if beats.labels is None or not np.isin(beats.labels, np.arange(classes + 1)).all():
        return False
    counts = np.bincount(beats.labels, minlength=classes + 1)
    class_counts = counts[NORMAL_LABEL:]
    if counts[UNSPECIFIED_ABNORMAL_LABEL] and part is _TEST:
        return bool(class_counts[0] == part.class_counts[0] and np.all(class_counts <= part.class_counts))
    return bool(np.array_equal(class_counts, part.class_counts))


def _join(train: Beats, test: Beats) -> Beats:
    assert train.labels is not None  # verified
    assert test.labels is not None
    return Beats(
        np.concatenate([train.samples, test.samples]),
        ECG5000_LAYOUT,
        np.concatenate([train.labels, test.labels]),
        "ECG5000, official training part, then test part",
    )


def _verify(folder: Path) -> None:
    for part in _PARTS:
        file = _file_of(folder, part)
        difference = _difference(read_beats(file), part) if file else "no beats of"
        if difference:
            raise DataError(f"it has {difference} the {part.description}.")


_ECG5000 = Published.of_files(
    name="ecg5000",
    title="ECG5000",
    files=tuple(tuple(f"{part.stem}{suffix}" for suffix in _SUFFIXES) for part in _PARTS),
    verify=_verify,
    max_archive_bytes=MAX_ARCHIVE_BYTES,
    max_member_bytes=MAX_MEMBER_BYTES,
)
