"""A data set that its owner publishes: where it is on this machine, and how it comes there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ectopy.datasets.data_folders import DATA_VARIABLE, cache_folder, find_dataset
from ectopy.datasets.download import download, fresh_folder, unpack
from ectopy.errors import DataError, DatasetUnavailableError


@dataclass(frozen=True, slots=True)
class Published:
    """A data set, and how to tell whether a folder has it.

    Attributes
    ----------
    name : str
        Name of its folder, and for ``ectopy fetch``.
    title : str
        Its name in a sentence.
    is_complete : callable
        Says whether a folder has all files.
    obtain : callable
        Takes a URL, an empty folder, and whether to show progress, and puts the files there; raises DataError if what
        the server sends is not the data set.
    verify : callable
        Raises DataError unless the files in a folder are what the owner published.
    """

    name: str
    title: str
    is_complete: Callable[[Path], bool]
    obtain: Callable[[str, Path, bool], None]
    verify: Callable[[Path], None]

    @classmethod
    def of_files(
        cls,
        *,
        name: str,
        title: str,
        files: Sequence[Sequence[str]],
        verify: Callable[[Path], None],
        max_archive_bytes: int,
        max_member_bytes: int,
    ) -> Published:
        """Describe a data set by the names of its files, which its owner publishes in one zip archive.

        Parameters
        ----------
        files : sequence of sequences of str
            Alternative names of each file, the preferred one first.
        max_archive_bytes : int
            A larger archive is refused.
        max_member_bytes : int
            A file that unpacks to more is refused.
        """

        def is_complete(folder: Path) -> bool:
            return all(any((folder / file).is_file() for file in names) for names in files)

        def unpack_files(archive: Path, folder: Path) -> None:
            unpack(archive, folder, files, max_member_bytes=max_member_bytes)

        return cls(name, title, is_complete, from_archive(title, unpack_files, max_archive_bytes), verify)

    def find(self) -> Path | None:
        """Return the first folder that has all files, the user's own before the cache; None where there is none."""
        return find_dataset(self.name, self.is_complete)

    def fetch(self, url: str, progress: bool) -> Path:
        """Make sure that a verified copy is on this machine, downloading it if need be; `fetch_ecg5000` says more."""
        target = cache_folder() / self.name
        folder = self.find()
        if folder is not None:
            try:
                self.verify(folder)
            except DataError as error:
                if folder != target:
                    raise self.damaged(f"{folder} is not {self.title}: {_clause(error)}") from error
            else:
                return folder
        try:
            self._download_to(target, url, progress)
        except DatasetUnavailableError as error:
            raise self.unavailable(_clause(error)) from error
        except DataError as error:
            raise self.unavailable(f"what {url} sent is not it, {_clause(error)}") from error
        except OSError as error:
            raise self.unavailable(f"{target} cannot be written, {error.strerror or error}") from error
        return target

    def unavailable(self, reason: str) -> DatasetUnavailableError:
        """Error of a data set that is not on this machine and cannot be fetched."""
        return DatasetUnavailableError(
            f"{self.title} is not available: {reason}; run `ectopy fetch {self.name}` with a network, or put the "
            f"official files into a folder {self.name} inside one that {DATA_VARIABLE} names."
        )

    def damaged(self, flaw: str) -> DataError:
        """Error of a copy on this machine that is something else."""
        return DataError(
            f"{flaw}; put the official files in its place, or delete it and run `ectopy fetch {self.name}`."
        )

    def _download_to(self, target: Path, url: str, progress: bool) -> None:
        with fresh_folder(target, self.is_complete) as folder:
            self.obtain(url, folder, progress)
            self.verify(folder)


def from_archive(title: str, unpack: Callable[[Path, Path], None], max_bytes: int) -> Callable[[str, Path, bool], None]:
    """Make a function that downloads a zip archive and unpacks it, for `Published.obtain`.

    Parameters
    ----------
    title : str
        Name of the data set, for the progress bar.
    unpack : callable
        Takes an archive and a folder, and puts the files there; raises DataError if the archive is not the data set's.
    max_bytes : int
        A larger archive is refused.
    """

    def obtain(url: str, folder: Path, progress: bool) -> None:
        archive = folder / "archive.zip"
        download(url, archive, title=f"Downloading {title}", max_bytes=max_bytes, progress=progress)
        unpack(archive, folder)
        archive.unlink()

    return obtain


def _clause(error: Exception) -> str:
    return str(error).removesuffix(".")
