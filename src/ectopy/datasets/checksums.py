"""Files that are verified with the checksums that PhysioNet publishes beside them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ectopy.datasets.download import download_files, extract, raising_archive_errors
from ectopy.errors import DataError

SUMS_FILE = "SHA256SUMS.txt"
"""The owner's: on each line the SHA-256 of a file, hexadecimal, and its path in the archive."""
MAX_MEMBER_BYTES = 4 * 2**20
"""Size at which a single file is refused."""

_SUMS_ERROR = f"its {SUMS_FILE} has no lines of a SHA-256 and a path."


@dataclass(frozen=True, slots=True)
class Contents:
    """The files that make up a database, of all that the owner publishes.

    Attributes
    ----------
    folder : str
        The folder that holds them; empty for the uppermost one.
    suffixes : tuple of str
        Of the files of each record.
    records : int
        How many there are.
    other : tuple of str
        Names of further files.
    optional : tuple of str
        Suffixes of files that only some records have.
    """

    folder: str
    suffixes: tuple[str, ...]
    records: int
    other: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def holds(self, name: str) -> bool:
        """Return whether a file of this name is one of them."""
        return name in self.other or PurePosixPath(name).suffix in (*self.suffixes, *self.optional)

    def digests(self, sums: Path) -> dict[str, str]:
        """SHA-256 of each file that is kept, by its name.

        Raises
        ------
        DataError
            If the owner's sums cannot be read, or do not name all of them.
        """
        digests = {
            path.name: digest
            for path, digest in read_sums(sums).items()
            if path.parent == PurePosixPath(self.folder) and self.holds(path.name)
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
        """Return whether a folder has the sums and all files that they name."""
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
            extract(content, members[top / SUMS_FILE], folder / SUMS_FILE, MAX_MEMBER_BYTES)
            for name in self.digests(folder / SUMS_FILE):
                member = members.get(top / self.folder / name)
                if member is None:
                    raise DataError(f"it has no {name}.")
                extract(content, member, folder / name, MAX_MEMBER_BYTES)

    def download(self, title: str, url: str, folder: Path, progress: bool) -> None:
        """Download the sums and the files one by one from the folder that has this URL."""
        sums = PurePosixPath(SUMS_FILE)
        download_files(url, [sums], folder, title=title, max_bytes=MAX_MEMBER_BYTES, progress=False)
        paths = [PurePosixPath(self.folder, name) for name in sorted(self.digests(folder / SUMS_FILE))]
        download_files(url, paths, folder, title=title, max_bytes=MAX_MEMBER_BYTES, progress=progress)

    def verify(self, folder: Path) -> None:
        """Compare the files of a folder with the owner's sums."""
        for name, digest in self.digests(folder / SUMS_FILE).items():
            check_digest(folder / name, digest)


def check_digest(file: Path, digest: str) -> None:
    """Raise DataError unless a file has this SHA-256."""
    with file.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != digest:
            raise DataError(f"its {file.name} has another checksum than {SUMS_FILE} says.")


def write_sums(folder: Path) -> None:
    """List the SHA-256 of every file in a folder, as the owner's list does."""
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / SUMS_FILE).write_text("".join(lines), encoding="utf-8")


def read_sums(sums: Path) -> Mapping[PurePosixPath, str]:
    """Read the SHA-256 of each file that the owner lists, by its path in the archive.

    Raises
    ------
    DataError
        If the list cannot be read.
    """
    try:
        if sums.stat().st_size > MAX_MEMBER_BYTES:
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
