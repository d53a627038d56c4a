"""The folder of a stream's checkpoint: what it was made with, so that nothing else goes on with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import msgspec
from pyspark.sql import SparkSession

from ectopy.cluster.hadoop_files import HadoopFolder
from ectopy.errors import SettingError
from ectopy.monitor.snapshot import SNAPSHOT_VERSION

VERSION = 2
"""Of a checkpoint: add 1 when a stream cannot go on with an older one."""

INITIAL = "initial"
"""Folder in a checkpoint with the states that it begins with, if it does not begin with none."""

_MANIFEST, _UNFINISHED = "ectopy.json", "ectopy-unfinished.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a checkpoint was made with.

    Attributes
    ----------
    shards : int
    samples, output : str
        Names of the topics.
    detector : str
        SHA-256 of the detector.
    learning_s : float
    starting_offsets : str
        Where its first batch begins, as Spark has it.
    version : int
    states : int
        Version of the states of patients, see `ectopy.monitor.snapshot`; those of older versions can be read.
    """

    shards: int
    samples: str
    output: str
    detector: str
    learning_s: float
    starting_offsets: str = "earliest"
    version: int = VERSION
    states: int = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a stream begins.

    Attributes
    ----------
    starting_offsets : str
        In the topics.
    initial : str or None
        Folder of the states that it begins with.
    """

    starting_offsets: str
    initial: str | None


_INSTRUCTIONS = {
    "version": "it was made by another Ectopy: start the one that made it, or name a new folder",
    "shards": "start with --shards {0}, or change the number with 'ectopy cluster repartition'",
    "samples": "start with --input {0}, or name a new folder",
    "output": "start with --output {0}, or name a new folder",
    "detector": "start with the detector whose SHA-256 is {0}, or name a new folder",
    "learning_s": "start with --learning {0:g}, or name a new folder",
}


def open_checkpoint(spark: SparkSession, folder: str, manifest: Manifest) -> Checkpoint:
    """Go on with a checkpoint, or begin one where there is none.

    Raises
    ------
    SettingError
        If the folder was made with something else, has states of a newer Ectopy, or has other content; the message
        says what to do.
    """
    manifest = replace(manifest, states=SNAPSHOT_VERSION)
    stored = read_manifest(spark, folder)
    if stored is None:
        _create_checkpoint(spark, folder, manifest)
        return Checkpoint(manifest.starting_offsets, None)
    before, now = asdict(stored), asdict(manifest)
    for name, instruction in _INSTRUCTIONS.items():
        if before[name] != now[name]:
            raise SettingError(
                f"the checkpoint {folder} has {name.replace('_', ' ')} {before[name]}, not {now[name]}; "
                f"{instruction.format(before[name])}."
            )
    if stored.states > SNAPSHOT_VERSION:
        raise SettingError(
            f"the checkpoint {folder} has states of version {stored.states}, and this Ectopy reads up to "
            f"{SNAPSHOT_VERSION}; start the newer Ectopy that made them, or go on with a copy from before."
        )
    if stored.states < SNAPSHOT_VERSION:
        HadoopFolder(spark, folder).write(_MANIFEST, _encoded(replace(stored, states=SNAPSHOT_VERSION)))
    has_initial = INITIAL in HadoopFolder(spark, folder).names()
    return Checkpoint(stored.starting_offsets, f"{folder}/{INITIAL}" if has_initial else None)


@contextmanager
def checkpoint_with_states(spark: SparkSession, folder: str, manifest: Manifest) -> Iterator[str]:
    """Begin a checkpoint with states, and give the folder into which the block writes them, replacing what is there.

    No stream begins with the checkpoint before the block has ended. Where a former block was interrupted, it is begun
    again.

    Raises
    ------
    SettingError
        If there is something else in the folder.
    """
    files = HadoopFolder(spark, folder)
    names = files.names()
    if names and (_UNFINISHED not in names or _MANIFEST in names):
        raise SettingError(f"{folder} is not empty; name a new folder.")
    files.write(_UNFINISHED, _encoded(manifest))
    yield f"{folder}/{INITIAL}"
    files.rename(_UNFINISHED, _MANIFEST)


def _create_checkpoint(spark: SparkSession, folder: str, manifest: Manifest) -> None:
    files = HadoopFolder(spark, folder)
    names = files.names()
    if _UNFINISHED in names:
        raise SettingError(
            f"{folder} lacks states, because 'ectopy cluster repartition' was interrupted; "
            "run it again, or name another folder."
        )
    if names:
        raise SettingError(f"{folder} is not a checkpoint of Ectopy; name a new folder.")
    files.write(_MANIFEST, _encoded(manifest))


def _encoded(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest))


def read_manifest(spark: SparkSession, folder: str) -> Manifest | None:
    """Read what a checkpoint was made with; None if there is none.

    Raises
    ------
    SettingError
        If it is damaged.
    """
    content = HadoopFolder(spark, folder).read(_MANIFEST)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"{_MANIFEST} in {folder} is damaged: {error}; restore it from a copy, or name a new folder."
        ) from error
