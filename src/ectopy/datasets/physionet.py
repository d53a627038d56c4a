"""Databases of PhysioNet whose files are verified with the checksums that PhysioNet publishes with them.

Challenge 2015: Clifford GD, Silva I, Moody B, et al. The PhysioNet/Computing in Cardiology Challenge 2015: reducing
false arrhythmia alarms in the ICU. Computing in Cardiology 42:273-276 (2015), doi:10.1109/CIC.2015.7408639.

VFDB: Greenwald SD. Development and analysis of a ventricular fibrillation detector. M.S. thesis, MIT (1986). From
PhysioNet, https://doi.org/10.13026/C22P44. Both are under the Open Data Commons Attribution License 1.0.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ectopy.arguments import checked
from ectopy.datasets.download import extract, raising_archive_errors
from ectopy.datasets.published import Published
from ectopy.errors import DataError

CHALLENGE_2015_URL = (
    "https://physionet.org/static/published-projects/challenge-2015/reducing-false-arrhythmia-alarms-in-the-icu-the-"
    "physionetcomputing-in-cardiology-challenge-2015-1.0.0.zip"
)
VFDB_URL = (
    "https://physionet.org/static/published-projects/vfdb/mit-bih-malignant-ventricular-ectopy-database-1.0.0.zip"
)

SUMS_FILE = "SHA256SUMS.txt"
"""The owner's: on each line the SHA-256 of a file, hexadecimal, and its path in the archive."""

_MAX_ARCHIVE_BYTES = 512 * 2**20
_MAX_MEMBER_BYTES = 4 * 2**20
_SUMS_ERROR = f"its {SUMS_FILE} has no lines of a SHA-256 and a path."


@dataclass(frozen=True, slots=True)
class _Contents:
    """Which files of an archive make up a database.

    Attributes
    ----------
    folder : str
        The folder of the archive that holds them; empty for its uppermost one.
    suffixes : tuple of str
        Of the files of each record.
    records : int
        How many there are.
    other : tuple of str
        Names of further files.
    """

    folder: str
    suffixes: tuple[str, ...]
    records: int
    other: tuple[str, ...] = ()

    def digests(self, sums: Path) -> dict[str, str]:
        """SHA-256 of each file that is kept, by its name.

        Raises
        ------
        DataError
            If the owner's sums cannot be read, or do not name all of them.
        """
        digests = {
            path.name: digest
            for path, digest in _parse(sums).items()
            if str(path.parent) == (self.folder or ".") and (path.suffix in self.suffixes or path.name in self.other)
        }
        lacking = [name for name in self.other if name not in digests]
        whole = [
            name
            for name in digests
            if name.endswith(".hea") and all(Path(name).with_suffix(end).name in digests for end in self.suffixes)
        ]
        if lacking or len(whole) != self.records:
            raise DataError(
                f"its {SUMS_FILE} names {len(whole)} records{', and no ' + lacking[0] if lacking else ''}; expected "
                f"{self.records}{' and ' + ', '.join(self.other) if self.other else ''}."
            )
        return digests

    def is_complete(self, folder: Path) -> bool:
        """Whether a folder has the sums and all files that they name."""
        try:
            return all((folder / name).is_file() for name in self.digests(folder / SUMS_FILE))
        except DataError:
            return False

    def unpack(self, archive: Path, folder: Path) -> None:
        """Take the files out of an archive."""
        with raising_archive_errors(), zipfile.ZipFile(archive) as content:
            members = {PurePosixPath(info.filename): info for info in content.infolist()}
            top = min(
                (path.parent for path in members if path.name == SUMS_FILE),
                key=lambda path: len(path.parts),
                default=None,
            )
            if top is None:
                raise DataError(f"it has no {SUMS_FILE}.")
            extract(content, members[top / SUMS_FILE], folder / SUMS_FILE, _MAX_MEMBER_BYTES)
            for name in self.digests(folder / SUMS_FILE):
                member = members.get(top / self.folder / name)
                if member is None:
                    raise DataError(f"it has no {name}.")
                extract(content, member, folder / name, _MAX_MEMBER_BYTES)

    def verify(self, folder: Path) -> None:
        """Compare the files of a folder with the owner's sums."""
        for name, digest in self.digests(folder / SUMS_FILE).items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
                raise DataError(f"its {name} has another checksum than {SUMS_FILE} says.")


_CHALLENGE_2015 = _Contents("training", (".hea", ".mat"), 750, ("ALARMS",))
_VFDB = _Contents("", (".hea", ".dat", ".atr"), 22)


@checked
def fetch_challenge_2015(*, url: str = CHALLENGE_2015_URL, progress: bool = True) -> Path:
    """Make sure that a verified copy of the 750 training records of the Challenge 2015 is on this machine.

    The download, of 350 MB, appears in the cache whole and verified, or not at all: every file has to have the SHA-256
    that the owner's ``SHA256SUMS.txt`` states. A damaged copy in the cache is replaced; one in a folder of
    ``ECTOPY_DATA`` is the user's and is left alone.

    Parameters
    ----------
    url : str
        Where PhysioNet's zip archive is.
    progress : bool
        Whether to show a progress bar, on standard error, where that is a terminal.

    Returns
    -------
    Path
        The folder ``cinc2015`` that holds them.

    Raises
    ------
    DatasetUnavailableError
        If it cannot be downloaded, what was downloaded is something else, or the cache cannot be written.
    DataError
        If a copy in a folder of ``ECTOPY_DATA`` is damaged.
    """
    return _published("cinc2015", "the Challenge 2015", _CHALLENGE_2015).fetch(url, progress)


@checked
def fetch_vfdb(*, url: str = VFDB_URL, progress: bool = True) -> Path:
    """Make sure that a verified copy of the 22 records of the MIT-BIH Malignant Ventricular Ectopy Database is here.

    Parameters, result and errors are those of `fetch_challenge_2015`; the folder is ``vfdb``.
    """
    return _published("vfdb", "the MIT-BIH Malignant Ventricular Ectopy Database", _VFDB).fetch(url, progress)


def _published(name: str, title: str, contents: _Contents) -> Published:
    return Published(name, title, contents.is_complete, contents.unpack, contents.verify, _MAX_ARCHIVE_BYTES)


def _parse(sums: Path) -> Mapping[PurePosixPath, str]:
    """The SHA-256 of each file that the owner lists, by its path in the archive."""
    try:
        if sums.stat().st_size > _MAX_MEMBER_BYTES:
            raise DataError(_SUMS_ERROR)
        return dict(_lines(sums.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(_SUMS_ERROR) from error


def _lines(text: str) -> Iterator[tuple[PurePosixPath, str]]:
    for line in filter(str.strip, text.splitlines()):
        digest, _, path = line.strip().partition(" ")
        if len(digest) != hashlib.sha256().digest_size * 2 or not path.strip():
            raise DataError(_SUMS_ERROR)
        yield PurePosixPath(path.strip()), digest.lower()
