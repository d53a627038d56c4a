"""Parquet files that appear whole or not at all, in any place that fsspec knows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from ectopy.formats.file_systems import has_folders, replace_file

_ROWS_AT_ONCE = 200_000


@contextmanager
def atomic_file(system: AbstractFileSystem, path: str) -> Iterator[str]:
    """Give a temporary path in the folder of `path`, which is made, that takes its place when the block ends well."""
    temporary = _temporary(system, path)
    try:
        yield temporary
        replace_file(system, temporary, path)
    except BaseException:
        _remove(system, temporary)
        raise


class TableFile:
    """A table that is written piece by piece, at most a few hundred thousand rows of it in memory.

    Parameters
    ----------
    system : AbstractFileSystem
    path : str
    schema : pyarrow.Schema
    """

    def __init__(self, system: AbstractFileSystem, path: str, schema: pa.Schema) -> None:
        self._system, self._path, self._schema = system, path, schema
        self._temporary = _temporary(system, path)
        self._pieces: list[pa.Table] = []
        self._rows, self._is_there = 0, False
        self._stream = system.open(self._temporary, "wb")
        self._writer = pq.ParquetWriter(self._stream, schema, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._is_there:
            with suppress(Exception):  # the error that matters is the first one
                self._writer.close()
                self._stream.close()
            _remove(self._system, self._temporary)

    def __len__(self) -> int:
        return self._rows

    def add(self, rows: pa.Table) -> None:
        """Add rows after those that are there."""
        self._pieces.append(rows)
        self._rows += len(rows)
        if sum(map(len, self._pieces)) >= _ROWS_AT_ONCE:
            self._write_pieces()

    def finish(self) -> None:
        """Write what remains; the file does not appear yet."""
        self._write_pieces()
        self._writer.close()
        self._stream.close()

    def appear(self) -> None:
        """Put the file, which is finished, into its place."""
        replace_file(self._system, self._temporary, self._path)
        self._is_there = True

    def _write_pieces(self) -> None:
        if self._pieces:
            self._writer.write_table(pa.concat_tables(self._pieces).combine_chunks())
            self._pieces = []


def _temporary(system: AbstractFileSystem, path: str) -> str:
    folder, _, name = path.rpartition("/")
    if has_folders(path):  # elsewhere this would make a bucket
        system.makedirs(folder, exist_ok=True)
    return f"{folder}/.{name}.{uuid.uuid4().hex}"


def _remove(system: AbstractFileSystem, path: str) -> None:
    with suppress(Exception):  # the error that matters is the first one
        system.rm_file(path)
