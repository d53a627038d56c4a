"""A data set that its owner publishes as one zip archive: where it is on this machine, and how it comes there."""

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
        Of its folder, and of it for ``ectopy fetch``.
    title : str
        As it is called in a sentence.
    is_complete : callable
        Says whether a folder has all files.
    unpack : callable
        Takes an archive and a folder, and puts the files there; raises DataError if the archive is not the data set's.
    verify : callable
        Raises DataError unless the files in a folder are what the owner published.
    max_archive_bytes : int
        A larger archive is refused.
    """

    name: str
    title: str
    is_complete: Callable[[Path], bool]
    unpack: Callable[[Path, Path], None]
    verify: Callable[[Path], None]
    max_archive_bytes: int

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
        """A data set of which the files are known.

        Parameters
        ----------
        files : sequence of sequences of str
            Alternative names of each file, the preferred one first.
        max_member_bytes : int
            A file that unpacks to more is refused.
        """

        def is_complete(folder: Path) -> bool:
            return all(any((folder / file).is_file() for file in names) for names in files)

        def unpack_files(archive: Path, folder: Path) -> None:
            unpack(archive, folder, files, max_member_bytes=max_member_bytes)

        return cls(name, title, is_complete, unpack_files, verify, max_archive_bytes)

    def find(self) -> Path | None:
        """The first folder on this machine that has all files, the user's own before the cache; or None."""
        return find_dataset(self.name, self.is_complete)

    def fetch(self, url: str, progress: bool) -> Path:
        """Make sure that a verified copy is on this machine, downloading it if need be.

        The download appears in the cache whole and verified, or not at all. A damaged copy in the cache is replaced;
        one in a folder of ``ECTOPY_DATA`` is the user's and is left alone.

        Parameters
        ----------
        url : str
            Where the owner's archive is.
        progress : bool
            Whether to show a progress bar, on standard error, where that is a terminal.

        Returns
        -------
        Path
            The folder that holds it.

        Raises
        ------
        DatasetUnavailableError
            If it cannot be downloaded, what was downloaded is something else, or the cache cannot be written.
        DataError
            If a copy in a folder of ``ECTOPY_DATA`` is damaged.
        """
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
        """What to raise where it is not on this machine and does not come there."""
        return DatasetUnavailableError(
            f"{self.title} is not available: {reason}; run `ectopy fetch {self.name}` with a network, or put the "
            f"official files into a folder {self.name} inside one that {DATA_VARIABLE} names."
        )

    def damaged(self, flaw: str) -> DataError:
        """What to raise where the copy on this machine is something else."""
        return DataError(
            f"{flaw}; put the official files in its place, or delete it and run `ectopy fetch {self.name}`."
        )

    def _download_to(self, target: Path, url: str, progress: bool) -> None:
        with fresh_folder(target, self.is_complete) as folder:
            archive = folder / "archive.zip"
            title = f"Downloading {self.title}"
            download(url, archive, title=title, max_bytes=self.max_archive_bytes, progress=progress)
            self.unpack(archive, folder)
            archive.unlink()
            self.verify(folder)


def _clause(error: Exception) -> str:
    return str(error).removesuffix(".")
