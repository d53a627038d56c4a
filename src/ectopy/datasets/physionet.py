"""Databases of PhysioNet whose files are verified with the checksums that PhysioNet publishes with them.

Challenge 2015: Clifford GD, Silva I, Moody B, et al. The PhysioNet/Computing in Cardiology Challenge 2015: reducing
false arrhythmia alarms in the ICU. Computing in Cardiology 42:273-276 (2015), doi:10.1109/CIC.2015.7408639.

VFDB: Greenwald SD. Development and analysis of a ventricular fibrillation detector. M.S. thesis, MIT (1986). From
PhysioNet, https://doi.org/10.13026/C22P44.

The others are described where they are read: `qtdb`, `ludb`, `cinc2017`, `ltafdb`. All are under the Open Data Commons
Attribution License 1.0.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath

from ectopy.arguments import checked
from ectopy.datasets.checksums import MAX_MEMBER_BYTES, SUMS_FILE, Contents, check_digest, read_sums, write_sums
from ectopy.datasets.cinc2017 import REFERENCE_FILE
from ectopy.datasets.download import download, download_files, unpack_matching
from ectopy.datasets.ludb import LEADS
from ectopy.datasets.published import Published, from_archive
from ectopy.errors import DataError

_PROJECTS = "https://physionet.org/static/published-projects"
_FILES = "https://physionet.org/files"

CHALLENGE_2015_URL = (
    f"{_PROJECTS}/challenge-2015/reducing-false-arrhythmia-alarms-in-the-icu-the-physionetcomputing-in-cardiology-"
    "challenge-2015-1.0.0.zip"
)
VFDB_URL = f"{_PROJECTS}/vfdb/mit-bih-malignant-ventricular-ectopy-database-1.0.0.zip"
QTDB_URL = f"{_PROJECTS}/qtdb/qt-database-1.0.0.zip"
LUDB_URL = f"{_PROJECTS}/ludb/lobachevsky-university-electrocardiography-database-1.0.1.zip"
CHALLENGE_2017_URL = f"{_FILES}/challenge-2017/1.0.0/"
LTAFDB_URL = f"{_FILES}/ltafdb/1.0.0/"

_MAX_ARCHIVE_BYTES = 512 * 2**20
_TRAINING_2017 = "training2017.zip"

_CHALLENGE_2015 = Contents("training", (".hea", ".mat"), 750, ("ALARMS",))
_VFDB = Contents("", (".hea", ".dat", ".atr"), 22)
_QTDB = Contents("", (".hea", ".dat"), 105, optional=(".atr", ".q1c", ".q2c"))
_LUDB = Contents("data", (".hea", ".dat", *(f".{lead}" for lead in LEADS)), 200)
_CHALLENGE_2017 = Contents("", (".hea", ".mat"), 8528, (REFERENCE_FILE,))
_LTAFDB = Contents("", (".hea", ".atr"), 84)


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
    return _in_archive("cinc2015", "the Challenge 2015", _CHALLENGE_2015).fetch(url, progress)


@checked
def fetch_vfdb(*, url: str = VFDB_URL, progress: bool = True) -> Path:
    """Make sure that a verified copy of the 22 records of the MIT-BIH Malignant Ventricular Ectopy Database is here.

    Parameters, result and errors are those of `fetch_challenge_2015`; the folder is ``vfdb``.
    """
    return _in_archive("vfdb", "the MIT-BIH Malignant Ventricular Ectopy Database", _VFDB).fetch(url, progress)


@checked
def fetch_qtdb(*, url: str = QTDB_URL, progress: bool = True) -> Path:
    """Make sure that a verified copy of the 105 records of the QT Database is here.

    Parameters, result and errors are those of `fetch_challenge_2015`; the folder is ``qtdb``, the download 87 MB.
    """
    return _in_archive("qtdb", "the QT Database", _QTDB).fetch(url, progress)


@checked
def fetch_ludb(*, url: str = LUDB_URL, progress: bool = True) -> Path:
    """Make sure that a verified copy of the 200 records of the Lobachevsky University Database is here.

    Parameters, result and errors are those of `fetch_challenge_2015`; the folder is ``ludb``.
    """
    return _in_archive("ludb", "the Lobachevsky University Electrocardiography Database", _LUDB).fetch(url, progress)


@checked
def fetch_challenge_2017(*, url: str = CHALLENGE_2017_URL, progress: bool = True) -> Path:
    """Make sure that a verified copy of the 8,528 training records of the Challenge 2017 is here.

    The archive ``training2017.zip``, of 95 MB, has to have the SHA-256 that the owner's ``SHA256SUMS.txt`` states; the
    files in it are listed with theirs in a ``SHA256SUMS.txt`` of the folder ``cinc2017``.

    Parameters
    ----------
    url : str
        The folder at PhysioNet that holds both, with a slash at its end.
    progress : bool
        As for `fetch_challenge_2015`, and so are result and errors.
    """
    title = "the Challenge 2017"

    def obtain(url: str, folder: Path, progress: bool) -> None:
        sums = PurePosixPath(SUMS_FILE)
        download_files(url, [sums], folder, title=title, max_bytes=MAX_MEMBER_BYTES, progress=False)
        digest = read_sums(folder / SUMS_FILE).get(PurePosixPath(_TRAINING_2017))
        if digest is None:
            raise DataError(f"its {SUMS_FILE} does not name {_TRAINING_2017}.")
        archive = folder / _TRAINING_2017
        download(
            url + _TRAINING_2017,
            archive,
            title=f"Downloading {title}",
            max_bytes=_MAX_ARCHIVE_BYTES,
            progress=progress,
        )
        check_digest(archive, digest)
        unpack_matching(archive, folder, _CHALLENGE_2017.holds, max_member_bytes=MAX_MEMBER_BYTES)
        archive.unlink()
        (folder / SUMS_FILE).unlink()
        write_sums(folder)

    return Published("cinc2017", title, _CHALLENGE_2017.is_complete, obtain, _CHALLENGE_2017.verify).fetch(
        url, progress
    )


@checked
def fetch_ltafdb(*, url: str = LTAFDB_URL, progress: bool = True) -> Path:
    """Make sure that verified headers and annotations of the 84 records of the Long-Term AF Database are here.

    The signals, of 1.7 GB, are not downloaded: beats and rhythms are all that Ectopy reads of the database. The 168
    files come one by one, 18 MB together.

    Parameters
    ----------
    url : str
        The folder at PhysioNet that holds them, with a slash at its end.
    progress : bool
        As for `fetch_challenge_2015`, and so are result and errors; the folder is ``ltafdb``.
    """
    title = "the Long-Term AF Database"
    obtain = partial(_LTAFDB.download, f"Downloading {title}")
    return Published("ltafdb", title, _LTAFDB.is_complete, obtain, _LTAFDB.verify).fetch(url, progress)


def _in_archive(name: str, title: str, contents: Contents) -> Published:
    """A database that its owner publishes as one zip archive with the sums in it."""
    obtain = from_archive(title, contents.unpack, _MAX_ARCHIVE_BYTES)
    return Published(name, title, contents.is_complete, obtain, contents.verify)
