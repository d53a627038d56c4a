"""The folder of an archive's tables, on this machine or elsewhere (``s3://``, ``hdfs://``), and how it is written.

::

    ectopy-archive.json                    version of the tables, detector
    recordings/batch=000001/part.parquet   tables, partitioned by the batch in which a recording was analysed
    beats/..., episodes/..., quality/...
    reports/NAME.html                      pages
    _staging/KEY.parquet                   results of single recordings that wait for their batch

A file appears whole or not at all. A recording is staged alone and published with its batch: first its beats, episodes
and quality, then its row in ``recordings``. A batch that lacks ``recordings`` is a run that was killed: it is removed,
and published again from what is staged. Whatever begins with ``_`` or ``.`` is not read by Spark, Arrow or pandas.
"""

from __future__ import annotations

import fcntl
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from ectopy.cluster.archive_tables import TABLES, TABLES_VERSION
from ectopy.cluster.table_file import TableFile, atomic_file
from ectopy.errors import EctopyError, OutputError
from ectopy.files import GENERATOR
from ectopy.formats.file_systems import failure_reason, open_file_system
from ectopy.formats.remote import display_url, remote_url

MANIFEST = "ectopy-archive.json"
REPORTS, _STAGING = "reports", "_staging"
_PART = "part.parquet"
_READ_ONLY = ("http", "https", "webhdfs")


class PublishedRecording(NamedTuple):
    """What the tables say of a recording; `reason` is why it could not be analysed."""

    batch: int
    fingerprint: str
    reason: str | None
    report: str | None


@dataclass(frozen=True)
class ArchiveFolder:
    """The folder of an archive's tables.

    Attributes
    ----------
    place : str
        Absolute path or URL.
    """

    place: str

    @staticmethod
    def at(dest: str | Path) -> ArchiveFolder:
        """Return the folder at a path or URL."""
        return ArchiveFolder(remote_url(dest) or str(Path(dest).absolute()))

    def open(self, detector_digest: str) -> None:
        """Make the folder, or check that results of this detector can be added to it.

        Raises
        ------
        OutputError
            If it is a file, holds something else, or tables of another version or detector, or cannot be written.
        """
        if self.place.partition("://")[0].lower() in _READ_ONLY:
            raise OutputError(
                f"cannot write tables to {self._address}: nothing is replaced at once there; name a folder on this "
                "machine, hdfs:// or s3://."
            )
        with self._writing():
            system, root = self._system()
            if system.exists(root) and not system.isdir(root):
                raise OutputError(f"cannot write tables to {self._address}: it is a file; name a folder.")
            if system.exists(f"{root}/{MANIFEST}"):
                self._check_manifest(json.loads(system.cat_file(f"{root}/{MANIFEST}")), detector_digest)
                return
            if system.isdir(root) and any(not _name(entry).startswith(".") for entry in system.ls(root, detail=False)):
                raise OutputError(
                    f"cannot write tables to {self._address}: it holds other files; name a new or empty folder."
                )
            manifest = {"generator": GENERATOR, "version": TABLES_VERSION, "detector": detector_digest}
            self._write(MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs away from a folder that is open, unless it is elsewhere; an `OutputError` if there is one."""
        if remote_url(self.place):
            yield
            return
        with self._writing():
            file = (Path(self.place) / ".lock").open("a")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise OutputError(f"cannot write tables to {self._address}: another run writes there.") from error
            yield

    def published(self) -> dict[str, PublishedRecording]:
        """Return what the tables say of each recording, by its path; batches that a killed run left are removed."""
        recordings: dict[str, PublishedRecording] = {}
        with self._writing():
            system, root = self._system()
            whole = self._batches()
            for table in TABLES:
                for path in self._list(table):
                    if _name(path) not in whole:
                        system.rm(path, recursive=True)
            for batch in sorted(whole):
                columns = ["path", "fingerprint", "reason", "report"]
                with system.open(f"{root}/recordings/{batch}/{_PART}", "rb") as file:
                    rows = pq.read_table(file, columns=columns, partitioning=None).to_pylist()
                number = int(batch.partition("=")[2])
                recordings |= {
                    row["path"]: PublishedRecording(number, row["fingerprint"], row["reason"], row["report"])
                    for row in rows
                }
        return recordings

    def next_batch(self) -> int:
        """Return a number above those of all batches, also of those whose recordings have been analysed again."""
        with self._writing():
            return 1 + max((int(name.partition("=")[2]) for name in self._batches()), default=0)

    def staged(self) -> set[str]:
        """Return the keys of recordings that wait for their batch."""
        with self._writing():
            names = list(map(_name, self._list(_STAGING)))
        return {name.removesuffix(".parquet") for name in names if not name.startswith(".")}

    def discard(self, keys: Collection[str]) -> None:
        """Remove what is staged under these keys."""
        with self._writing():
            system, root = self._system()
            for key in keys:
                system.rm_file(f"{root}/{_STAGING}/{key}.parquet")

    def stage(self, key: str, tables: Mapping[str, pa.Table]) -> None:
        """Write the rows of one recording, to be published with its batch."""
        with self._writing():
            content = io.BytesIO()
            columns = {name: _as_list(table) for name, table in tables.items()}
            pq.write_table(pa.table(columns), content, compression="zstd")
            self._write(f"{_STAGING}/{key}.parquet", content.getvalue())

    def write_report(self, name: str, content: bytes) -> str:
        """Write a page, and return its path in the folder."""
        with self._writing():
            self._write(f"{REPORTS}/{name}", content)
        return f"{REPORTS}/{name}"

    def publish(self, batch: int, keys: Sequence[str], older: Mapping[str, PublishedRecording]) -> None:
        """Move staged recordings into the tables, where they replace rows of the same recordings in older batches.

        A recording that cannot be analysed for the same reason as before keeps the row that it has.

        Parameters
        ----------
        batch : int
            Number of the partition, above all that are there.
        keys : sequence of str
        older : mapping of str to PublishedRecording
            What the tables have of these recordings, by path.
        """
        with self._writing():
            system, root = self._system()
            if not system.exists(f"{root}/recordings/{_folder(batch)}/{_PART}"):
                self._publish_staged(batch, keys, older)
            self.discard(self.staged().intersection(keys))

    def _publish_staged(self, batch: int, keys: Sequence[str], older: Mapping[str, PublishedRecording]) -> None:
        system, root = self._system()
        replaced: dict[int, list[str]] = {}
        with ExitStack() as stack:
            files = {
                table: stack.enter_context(TableFile(system, f"{root}/{table}/{_folder(batch)}/{_PART}", schema))
                for table, schema in TABLES.items()
            }
            for key in keys:
                rows = self._staged_rows(key)
                path, reason = (rows["recordings"][name][0].as_py() for name in ("path", "reason"))
                if path in older:
                    if reason is not None and reason == older[path].reason:
                        continue
                    replaced.setdefault(older[path].batch, []).append(path)
                for table, file in files.items():
                    file.add(rows[table])
            for file in files.values():
                file.finish()
            if not len(files["recordings"]):
                return
            for old, paths in replaced.items():
                self._remove_rows(old, paths)
            for file in files.values():
                file.appear()

    def _staged_rows(self, key: str) -> dict[str, pa.Table]:
        system, root = self._system()
        with system.open(f"{root}/{_STAGING}/{key}.parquet", "rb") as stream:
            staged = pq.read_table(stream)
        return {table: _from_list(staged[table], schema) for table, schema in TABLES.items()}

    def _batches(self) -> set[str]:
        """Names of the partitions that are complete."""
        system, _ = self._system()
        return {_name(path) for path in self._list("recordings") if system.exists(f"{path}/{_PART}")}

    def _remove_rows(self, batch: int, paths: Collection[str]) -> None:
        system, root = self._system()
        for table, schema in TABLES.items():
            name = f"{root}/{table}/{_folder(batch)}/{_PART}"
            with system.open(name, "rb") as stream:
                rows = pq.read_table(stream, partitioning=None)
            remaining = rows.filter(pc.invert(pc.is_in(rows["path"], pa.array(list(paths), pa.string()))))
            with TableFile(system, name, schema) as file:
                file.add(remaining)
                file.finish()
                file.appear()

    def _check_manifest(self, manifest: Mapping[str, Any], detector_digest: str) -> None:
        if manifest.get("version") != TABLES_VERSION:
            raise OutputError(
                f"cannot add to the tables in {self._address}: they are of version {manifest.get('version')}, written "
                f"by {manifest.get('generator')}, and this is version {TABLES_VERSION}; name another folder."
            )
        if manifest.get("detector") != detector_digest:
            raise OutputError(
                f"cannot add to the tables in {self._address}: another detector made them; name another folder."
            )

    @property
    def _address(self) -> str:
        return display_url(self.place) if remote_url(self.place) else self.place

    def _system(self) -> tuple[AbstractFileSystem, str]:
        system, root = open_file_system(self.place)
        return system, root.rstrip("/")

    def _list(self, folder: str) -> list[str]:
        system, root = self._system()
        system.invalidate_cache()
        if not system.isdir(f"{root}/{folder}"):
            return []
        return sorted(str(path).rstrip("/") for path in system.ls(f"{root}/{folder}", detail=False))

    def _write(self, name: str, content: bytes) -> None:
        system, root = self._system()
        with atomic_file(system, f"{root}/{name}") as temporary:
            system.pipe_file(temporary, content)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except EctopyError:
            raise
        except Exception as error:  # every place has errors of its own
            reason = failure_reason(error).replace(self.place, self._address)
            raise OutputError(f"cannot write tables to {self._address}: {reason}.") from error


def _folder(batch: int) -> str:
    return f"batch={batch:06}"


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _as_list(table: pa.Table) -> pa.Array:
    """One list that holds all rows of a table, as a column of one row."""
    rows = table.to_struct_array().combine_chunks()
    return pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)


def _from_list(column: pa.ChunkedArray, schema: pa.Schema) -> pa.Table:
    rows = column.combine_chunks().flatten()
    return pa.Table.from_struct_array(rows).cast(schema)
